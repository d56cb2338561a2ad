"""How the services are, from what redis knows. Pure: no I/O, no clock.

webui asks nobody but redis: rng and hasher are seen through the heartbeats of the workers.
"""

import json
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .snapshot import Away, Snapshot

FRESH_SECONDS = 5.0
HISTORY_SECONDS = 300.0
_GROWTH_SECONDS = 5.0


@dataclass(frozen=True)
class Seen:
    """A server as one worker sees it; ``up`` is None where it was not asked yet."""

    up: bool | None
    ms: float | None


@dataclass(frozen=True)
class Heartbeat:
    """What one worker told last."""

    rng: Seen
    hasher: Seen


def fresh_heartbeats(entries: Mapping[bytes, bytes], now: float) -> list[Heartbeat]:
    """Give the heartbeats that are at most FRESH_SECONDS old; what cannot be read is left out."""
    beats: list[Heartbeat] = []
    for value in entries.values():
        try:
            beat: Any = json.loads(value)
            if abs(now - float(beat["at"])) <= FRESH_SECONDS:
                beats.append(Heartbeat(_seen(beat["rng"]), _seen(beat["hasher"])))
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
    return beats


def _seen(value: Mapping[str, Any]) -> Seen:
    ms = value.get("ms")
    up = value["up"]
    return Seen(None if up is None else bool(up), None if ms is None else float(ms))


class History:
    """The counts of the last HISTORY_SECONDS, and when they last grew."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()
        self._grew_at = float("-inf")

    def add(self, snapshot: Snapshot) -> None:
        """Note a snapshot that is newer than all before."""
        if self._samples and snapshot.hashes > self._samples[-1][1]:
            self._grew_at = snapshot.now
        self._samples.append((snapshot.now, snapshot.hashes))
        while self._samples[0][0] < snapshot.now - HISTORY_SECONDS:
            self._samples.popleft()

    def samples(self) -> list[tuple[float, int]]:
        """Give (seconds since the epoch, hashes), oldest first."""
        return list(self._samples)

    def growing(self, now: float) -> bool:
        """Whether the count grew of late."""
        return now - self._grew_at <= _GROWTH_SECONDS


def status(reading: Snapshot | Away, *, growing: bool) -> dict[str, object]:
    """Give the state of redis, rng, hasher and worker.

    ``redis.state`` is ``up`` or ``down``; ``rng.state`` and ``hasher.state`` are ``up``, ``down``, ``partly`` (some
    workers reach it) or ``unknown`` (no worker knows); ``worker.state`` is ``mining`` (the count grows), ``waiting``
    (there are workers, but it does not), ``none`` or ``unknown``. ``ms`` is a latency in milliseconds or null.
    """
    if isinstance(reading, Away):
        unknown = {"state": "unknown", "ms": None}
        return {
            "now": reading.now,
            "redis": {"state": "down", "ms": None, "reason": reading.reason},
            "rng": unknown,
            "hasher": unknown,
            "worker": {"state": "unknown", "workers": None},
        }
    beats = fresh_heartbeats(reading.heartbeats, reading.now)
    state = "mining" if growing else "waiting" if beats else "none"
    return {
        "now": reading.now,
        "redis": {"state": "up", "ms": reading.ms},
        "rng": _together(beat.rng for beat in beats),
        "hasher": _together(beat.hasher for beat in beats),
        "worker": {"state": state, "workers": len(beats)},
    }


def _together(views: Iterable[Seen]) -> dict[str, object]:
    """Sum up how the workers see one server."""
    seen = [view for view in views if view.up is not None]
    reached = [view for view in seen if view.up]
    times = [view.ms for view in reached if view.ms is not None]
    state = "unknown" if not seen else "down" if not reached else "up" if len(reached) == len(seen) else "partly"
    return {"state": state, "ms": round(sum(times) / len(times), 3) if times else None}
