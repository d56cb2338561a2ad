"""How the services are, from what redis knows. Pure: no I/O, no clock.

webui asks nobody but redis: rng and hasher are seen through the heartbeats of the workers.
"""

import json
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .bottleneck import Parts, bottleneck, mean
from .redis_access import REFUSED
from .snapshot import Away, Snapshot

FRESH_SECONDS = 5.0
HISTORY_SECONDS = 300.0
_GROWTH_SECONDS = 5.0
_PARTS_SECONDS = 5.0

Sample = tuple[float, int, int, float | None, float | None]


@dataclass(frozen=True)
class Seen:
    """A server as one worker sees it; ``up`` is None where it was not asked yet."""

    up: bool | None
    ms: float | None


@dataclass(frozen=True)
class Heartbeat:
    """What one worker told last; ``parts`` is None where it did no unit yet, or does not tell of it."""

    rng: Seen
    hasher: Seen
    parts: Parts | None


def fresh_heartbeats(entries: Mapping[bytes, bytes], now: float) -> list[Heartbeat]:
    """Give the heartbeats that are at most FRESH_SECONDS old; what cannot be read is left out."""
    beats: list[Heartbeat] = []
    for value in entries.values():
        try:
            beat: Any = json.loads(value)
            if abs(now - float(beat["at"])) <= FRESH_SECONDS:
                rng, hasher = _seen(beat["rng"]), _seen(beat["hasher"])
                beats.append(Heartbeat(rng, hasher, _parts(beat, rng, hasher)))
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
    return beats


def _seen(value: Mapping[str, Any]) -> Seen:
    ms = value.get("ms")
    up = value["up"]
    return Seen(None if up is None else bool(up), None if ms is None else float(ms))


def _parts(beat: Mapping[str, Any], rng: Seen, hasher: Seen) -> Parts | None:
    unit = beat.get("unit_ms")
    if unit is None or rng.ms is None or hasher.ms is None:
        return None
    return Parts(rng.ms, hasher.ms, float(beat.get("pause_ms") or 0), float(unit))


class History:
    """The counts of the last HISTORY_SECONDS, when they last grew, and where the time of a unit went of late."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque()
        self._parts: deque[tuple[float, Parts]] = deque()
        self._grew_at = float("-inf")

    def add(self, snapshot: Snapshot) -> None:
        """Note a snapshot that is newer than all before."""
        now = snapshot.now
        if self._samples and snapshot.hashes > self._samples[-1][1]:
            self._grew_at = now
        beats = fresh_heartbeats(snapshot.heartbeats, now)
        rng_ms, hasher_ms = _mean_ms(beat.rng for beat in beats), _mean_ms(beat.hasher for beat in beats)
        self._samples.append((now, snapshot.hashes, len(beats), rng_ms, hasher_ms))
        parts = mean([beat.parts for beat in beats if beat.parts])
        if parts:
            self._parts.append((now, parts))
        while self._samples[0][0] < now - HISTORY_SECONDS:
            self._samples.popleft()
        while self._parts and self._parts[0][0] < now - _PARTS_SECONDS:
            self._parts.popleft()

    def samples(self) -> list[Sample]:
        """Give (seconds since the epoch, hashes, workers, mean ms of rng, of hasher), oldest first."""
        return list(self._samples)

    def growing(self, now: float) -> bool:
        """Whether the count grew of late."""
        return now - self._grew_at <= _GROWTH_SECONDS

    def parts(self, now: float) -> Parts | None:
        """Where the time of a unit went of late; None if no worker tells."""
        return mean([parts for at, parts in self._parts if at >= now - _PARTS_SECONDS])


def status(reading: Snapshot | Away, history: History) -> dict[str, object]:
    """Give the state of redis, rng, hasher and worker.

    ``redis.state`` is ``up``, ``down`` or ``refused`` (it refuses the password); ``rng.state`` and ``hasher.state``
    are ``up``, ``down``, ``partly`` (some workers reach it) or ``unknown`` (no worker knows); ``worker.state`` is
    ``mining`` (the count grows), ``waiting`` (there are workers, but it does not), ``none`` or ``unknown``. ``ms`` is a
    latency in milliseconds or null. ``unit`` says where the time of a unit of work goes (``ms`` in all, ``rng_ms``,
    ``hasher_ms``, ``pause_ms``) or is null, ``bottleneck`` who holds the others back: ``rng``, ``hasher``, ``worker``
    or null.
    """
    if isinstance(reading, Away):
        unknown = {"state": "unknown", "ms": None}
        state = "refused" if reading.trouble.state == REFUSED else "down"
        return {
            "now": reading.now,
            "redis": {"state": state, "ms": None, "reason": reading.trouble.reason},
            "rng": unknown,
            "hasher": unknown,
            "worker": {"state": "unknown", "workers": None},
            "unit": None,
            "bottleneck": None,
        }
    beats = fresh_heartbeats(reading.heartbeats, reading.now)
    growing = history.growing(reading.now)
    parts = history.parts(reading.now) if beats and growing else None
    return {
        "now": reading.now,
        "redis": {"state": "up", "ms": reading.ms},
        "rng": _together([beat.rng for beat in beats]),
        "hasher": _together([beat.hasher for beat in beats]),
        "worker": {"state": "mining" if growing else "waiting" if beats else "none", "workers": len(beats)},
        "unit": parts and {"ms": parts.unit, "rng_ms": parts.rng, "hasher_ms": parts.hasher, "pause_ms": parts.pause},
        "bottleneck": bottleneck(parts),
    }


def _together(views: list[Seen]) -> dict[str, object]:
    """Sum up how the workers see one server."""
    seen = [view for view in views if view.up is not None]
    reached = [view for view in seen if view.up]
    state = "unknown" if not seen else "down" if not reached else "up" if len(reached) == len(seen) else "partly"
    return {"state": state, "ms": _mean_ms(reached)}


def _mean_ms(views: Iterable[Seen]) -> float | None:
    times = [view.ms for view in views if view.up and view.ms is not None]
    return round(sum(times) / len(times), 3) if times else None
