"""Which service holds the others back, judged by where the time of a unit of work goes. Pure: no I/O, no clock.

A unit asks rng, then hasher, and may have a pause of the worker's own. A service that cannot keep up makes those who
ask it queue, so that its part of the unit's time grows with every worker that is added, while the others' stay.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Holder = Literal["rng", "hasher", "worker"]

LEAST_SHARE = 0.4
LEAST_RATIO = 1.5


@dataclass(frozen=True)
class Parts:
    """Where the time of a unit goes, in milliseconds: asking rng, asking hasher, the worker's own pause, all in all."""

    rng: float
    hasher: float
    pause: float
    unit: float


def mean(parts: Sequence[Parts]) -> Parts | None:
    """Give the mean, or None of none."""
    if not parts:
        return None
    count = len(parts)
    return Parts(
        rng=round(sum(part.rng for part in parts) / count, 3),
        hasher=round(sum(part.hasher for part in parts) / count, 3),
        pause=round(sum(part.pause for part in parts) / count, 3),
        unit=round(sum(part.unit for part in parts) / count, 3),
    )


def bottleneck(parts: Parts | None) -> Holder | None:
    """Give the one that takes LEAST_SHARE of a unit and LEAST_RATIO times as much as the next; None if none does."""
    if parts is None:
        return None
    shares: list[tuple[float, Holder]] = [(parts.rng, "rng"), (parts.hasher, "hasher"), (parts.pause, "worker")]
    shares.sort(reverse=True)
    (most, holder), (next_most, _), _ = shares
    stands_out = most > 0 and most >= LEAST_SHARE * parts.unit and most >= LEAST_RATIO * next_most
    return holder if stands_out else None
