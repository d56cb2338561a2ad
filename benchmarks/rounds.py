"""Measures contenders in turn, round after round, so that what else the machine does meets them all alike."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Measure = Callable[[], float]
"""Does the work once and gives the figure: seconds, or units a second."""


@dataclass(frozen=True)
class Figures:
    """What one contender showed, a figure for each round."""

    name: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    @property
    def lowest(self) -> float:
        """The lowest one."""
        return min(self.values)

    @property
    def highest(self) -> float:
        """The highest one."""
        return max(self.values)


@dataclass(frozen=True)
class Ratio:
    """One contender by another, each round by itself: rounds differ more than the two of one round do."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    def __str__(self) -> str:
        """Like ``1.21 (1.10 to 1.34)``."""
        return f"{self.median:.2f} ({min(self.values):.2f} to {max(self.values):.2f})"


def measure(
    contenders: Mapping[str, Measure], rounds: int, tell: Callable[[str], None], unit: str
) -> dict[str, Figures]:
    """Measure each contender once a round; who begins changes from round to round.

    Args:
        contenders: by name.
        rounds: how many, at least 1.
        tell: is given one line for each figure.
        unit: of the figures, for that line.

    Raises:
        ValueError: there is nothing to measure.
    """
    if rounds < 1 or not contenders:
        raise ValueError(f"{rounds} rounds of {len(contenders)} contenders measure nothing")
    names = list(contenders)
    measured: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            figure = contenders[name]()
            measured[name].append(figure)
            tell(f"round {number + 1} of {rounds}: {name}: {_shown(figure)} {unit}")
    return {name: Figures(name, tuple(values)) for name, values in measured.items()}


def ratio(upper: Figures, lower: Figures) -> Ratio:
    """``upper`` by ``lower``, of the same rounds.

    Raises:
        ValueError: they were not measured in the same rounds.
    """
    return Ratio(tuple(above / below for above, below in zip(upper.values, lower.values, strict=True)))


def line(points: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """The straight line that fits points best: slope, value at 0, and how much of the spread it explains (0 to 1)."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    slope, start = statistics.linear_regression(xs, ys)
    explained = statistics.correlation(xs, ys) ** 2 if len(set(ys)) > 1 else 1.0
    return slope, start, explained


def _shown(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.2f}"  # noqa: PLR2004 - four digits either way
