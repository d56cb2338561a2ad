"""The benchmarks by name, each with what it aims at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from benchmarks import deploying, mining, timeline
from benchmarks.report import Finding, Result, at_least, at_most
from benchmarks.rounds import Figures, ratio

Tell = Callable[[str], None]
Benchmark = Callable[[int, Tell], Result]

_MINING_SECONDS: Final = 8.0
_HASHES: Final = 4_000
_BY_HAND: Final = 1.3
_AT_FIRST: Final = 0.7
_NOTHING: Final = 1.5


def _change(rounds: int, tell: Tell) -> Result:
    figures = deploying.change_to_running(rounds, tell)
    return Result(
        "From a changed line to the running change", "s", figures, [_by_hand(figures, "Change to running", _BY_HAND)]
    )


def _first(rounds: int, tell: Tell) -> Result:
    title = "From nothing to the first coin"
    figures, seen = deploying.first_deployment(rounds, tell)
    return Result(
        title,
        "s",
        figures,
        [_by_hand(figures, "First deployment", _AT_FIRST)],
        timeline.lines(seen),
        {"timeline": partial(timeline.draw, seen, title=f"{title}, by pulumi up")},
    )


def _nothing(rounds: int, tell: Tell) -> Result:
    figures = deploying.nothing_to_do(rounds, tell)
    result = Result("With nothing to do", "s", figures)
    for command in ("preview", "up"):
        seen = ratio(figures[f"{command}, no change"], figures[f"{command}, empty program"])
        what = f"`pulumi {command}` without a change, by that of an empty program"
        result.findings.append(at_most(what, _NOTHING, seen.median, str(seen)))
    return result


def _mining(rounds: int, tell: Tell) -> Result:
    crews = [mining.Crew(1, 1, 1), mining.Crew(1, 1, 2), mining.Crew(1, 1, 4)]
    figures = mining.compare(crews, _MINING_SECONDS, rounds, tell)
    four = figures[str(crews[-1])]
    faster = ratio(four, figures[mining.simplest_name(4)])
    return Result(
        "Mining, services as processes",
        "hashes/s",
        figures,
        [
            at_least("Hashes a second with four workers", _HASHES, four.median, f"{four.median:,.0f}"),
            Finding("The same by the simplest services", "", str(faster), None),
        ],
    )


def _by_hand(figures: Mapping[str, Figures], what: str, limit: float) -> Finding:
    seen = ratio(figures[deploying.PULUMI], figures[deploying.PLAIN])
    return at_most(f"{what}, `pulumi up` by the plain way", limit, seen.median, str(seen))


BENCHMARKS: Final[Mapping[str, Benchmark]] = {
    "change": _change,
    "first": _first,
    "nothing": _nothing,
    "mining": _mining,
}
"""Name to what runs it: with a number of rounds, and somebody to tell how far it is."""
