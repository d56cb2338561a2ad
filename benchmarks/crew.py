"""So many of each service, and how fast they are: what mining has in common wherever it is done."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

_WARM_UP: Final = 2.0  # seconds


@dataclass(frozen=True)
class Crew:
    """So many of each service: processes, containers or pods."""

    rngs: int
    hashers: int
    workers: int

    def __str__(self) -> str:
        """Like ``4 workers, 1 rng, 1 hasher``."""
        counts = ((self.workers, "worker"), (self.rngs, "rng"), (self.hashers, "hasher"))
        return ", ".join(f"{count} {name}{'s' if count > 1 else ''}" for count, name in counts)


Mine: TypeAlias = Callable[[Crew], float]
"""Lets a crew mine, checks that it was honest, and gives its hashes a second.

Nothing of the crew works before or after that, so that mines at several places can take turns.
"""


def speed(count: Callable[[], int], seconds: float, look_every: float = 0.005) -> float:
    """Hashes a second, once the start is over.

    It is taken from one change of the count to another, since workers write about once a second.

    Args:
        count: gives how many hashes were done until now.
        seconds: how long it is looked at, at least.
        look_every: seconds between two looks, which is how exact both ends are.

    Raises:
        TimeoutError: nobody mines.
    """
    time.sleep(_WARM_UP)
    first, began = _changed(count, look_every)
    while True:
        last, now = _changed(count, look_every)
        if now - began >= seconds:
            return (last - first) / (now - began)


def _changed(count: Callable[[], int], look_every: float, limit: float = 30) -> tuple[int, float]:
    """The count of hashes at its next change, and when that was seen."""
    before, end = count(), time.monotonic() + limit
    while time.monotonic() < end:
        if (now := count()) != before:
            return now, time.monotonic()
        time.sleep(look_every)
    raise TimeoutError(f"nobody mined for {limit:.0f} s; the count stays at {before}")
