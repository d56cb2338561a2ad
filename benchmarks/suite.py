"""The benchmarks by name, each with what it aims at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from typing import Final

from benchmarks import (
    autoscaling,
    classroom,
    deploying,
    footprint,
    growth,
    images,
    mining,
    mining_cluster,
    mining_containers,
    programs,
    report,
    timeline,
)
from benchmarks.attendance import together
from benchmarks.crew import Crew, Mine
from benchmarks.report import Finding, Result, at_least, at_most
from benchmarks.rounds import Figures, measure, ratio

Tell = Callable[[str], None]
Benchmark = Callable[[int, Tell], Result]

_MINING_SECONDS: Final = 5.0
_HASHES: Final = 6_000
_CHANGE_BY_HAND: Final = 1.3
_FIRST_BY_HAND: Final = 0.8
_AS_PLAIN: Final = 1.0
_NOTHING: Final = 1.05
_CLASS: Final = 500
_SLOWEST: Final = 100  # ms
_MILLICORES: Final = 52
_MEBIBYTES: Final = 128


def _change(rounds: int, tell: Tell) -> Result:
    title = "From a changed line to the running change"
    figures, seen = deploying.change_to_running(rounds, tell)
    return Result(
        title,
        "s",
        figures,
        _beside(figures, title, _CHANGE_BY_HAND),
        timeline.lines(seen),
        {"timeline": partial(timeline.draw, seen, title=f"{title}, by pulumi up")},
    )


def _first(rounds: int, tell: Tell) -> Result:
    title = "From nothing to the first coin"
    figures, seen = deploying.first_deployment(min(rounds, 3), tell)
    return Result(
        title,
        "s",
        figures,
        _beside(figures, title, _FIRST_BY_HAND),
        timeline.lines(seen),
        {"timeline": partial(timeline.draw, seen, title=f"{title}, by pulumi up")},
    )


def _nothing(rounds: int, tell: Tell) -> Result:
    figures = deploying.nothing_to_do(rounds, tell)
    result = Result("With nothing to do", "s", figures)
    for command in ("preview", "up"):
        plain = figures[f"{command}, {deploying.PROGRAM}"]
        seen = ratio(figures[f"{command}, {deploying.PULUMI}"], plain)
        least = ratio(figures[f"{command}, {programs.ALONE}"], plain)
        what = f"`pulumi {command}` without a change, by the plain program's"
        result.findings.append(at_most(what, _NOTHING, seen.median, str(seen)))
        result.findings.append(Finding("… of a program that only starts SDKs and plugins", "", str(least), None))
    return result


def _growth(rounds: int, tell: Tell) -> Result:
    grown = growth.grow(growth.SIZES, min(rounds, 1), tell)
    figures = {name: kept for program, its in grown.items() for name, kept in its.figures(program).items()}
    shares = [line for program, its in grown.items() for line in its.shares(program)]
    result = Result("More and more microservices", "s", figures, notes=shares)
    for command in (growth.FIRST, growth.AGAIN):
        for size in growth.SIZES:
            ours, plain = (figures[growth.named(size, program, command)] for program in growth.PROGRAMS)
            seen = ratio(ours, plain)
            what = f"{size} microservices: {command}, by the plain program's"
            result.findings.append(at_most(what, _NOTHING, seen.median, str(seen)))
    for unit in ("s", "MiB"):
        result.pictures[{"s": "time", "MiB": "memory"}[unit]] = partial(
            report.plot_growth,
            {
                f"{program}: {command}": its.seconds(command) if unit == "s" else its.mebibytes(command)
                for program, its in grown.items()
                for command in its.costs
            },
            xlabel="microservices of one image each",
            ylabel=unit,
        )
    return result


def _mining(rounds: int, tell: Tell) -> Result:
    places: dict[str, AbstractContextManager[Mine]] = {
        "processes": mining.processes(_MINING_SECONDS),
        "containers": mining_containers.containers(_MINING_SECONDS),
        "cluster": mining_cluster.cluster(_MINING_SECONDS),
    }
    crews = [Crew(1, 1, workers) for workers in (1, 2, 4)]
    with ExitStack() as stack:
        mines = {place: stack.enter_context(mine) for place, mine in places.items()}
        contenders: dict[str, Callable[[], float]] = {
            f"{place}: {crew}": partial(mine, crew) for place, mine in mines.items() for crew in crews
        }
        for workers in (1, 4):
            contenders[mining.simplest_name(workers)] = partial(mining.measured_simplest, workers, _MINING_SECONDS)
        figures = measure(contenders, min(rounds, 2), tell, "hashes/s")
    result = Result("Mining", "hashes/s", figures)
    for place in places:
        four = figures[f"{place}: {crews[-1]}"]
        what = f"Hashes a second with four workers, {place}"
        aim = place == "processes"
        text = f"{four.median:,.0f} ({four.lowest:,.0f} to {four.highest:,.0f})"
        result.findings.append(at_least(what, _HASHES, four.median, text) if aim else Finding(what, "", text, None))
    faster = ratio(figures[f"processes: {crews[-1]}"], figures[mining.simplest_name(4)])
    result.findings.append(Finding("… by the simplest services, as processes", "", str(faster), None))
    return result


def _scaling(_: int, tell: Tell) -> Result:
    samples = autoscaling.record(tell)
    first, last = samples[0], samples[-1]
    result = Result("Scaling by the autoscaler", "hashes/s")
    result.findings.append(Finding("Pods by the autoscaler", "", f"{_pods(first)} to {_pods(last)}", None))
    result.pictures["pods"] = partial(autoscaling.plot, samples)
    return result


def _class(rounds: int, tell: Tell) -> Result:
    figures, lessons = classroom.compare(min(rounds, 3), tell, browsers=_CLASS)
    all_of_them = together(lessons)
    slowest = all_of_them.percentile(99)
    effect = ratio(figures[classroom.with_a_class(_CLASS)], figures[classroom.ALONE])
    return Result(
        f"webui under a class of {_CLASS}",
        "hashes/s",
        figures,
        [
            Finding(f"`/json` for {_CLASS} browsers, once a second each", "", str(all_of_them), None),
            Finding("Failed answers", "at most 0", str(all_of_them.failed), all_of_them.failed == 0),
            at_most("99 in 100 answers come within so many ms", _SLOWEST, slowest, f"{slowest:.1f}"),
            Finding("Mining beside the class, by mining alone", "", str(effect), None),
        ],
        [str(lesson) for lesson in lessons],
    )


def _footprint(rounds: int, tell: Tell) -> Result:
    figures = footprint.measured(rounds, tell)
    limits = {footprint.MILLICORES: _MILLICORES, footprint.MEBIBYTES: _MEBIBYTES}
    return Result(
        "The application at the pace of the course",
        "",
        figures,
        [
            at_most(f"The application takes, in {name}", limit, figures[name].median, f"{figures[name].median:.0f}")
            for name, limit in limits.items()
        ],
    )


def _images(rounds: int, tell: Tell) -> Result:
    figures, seen = images.measured(min(rounds, 3), tell)
    result = Result("Building the images", "s", figures, notes=images.lines(seen))
    for service in images.SERVICES:
        added = sum(layer.size for layer in seen.added(service)) / 1e6
        what = f"What the image {service} adds to its base, in MB"
        result.findings.append(at_most(what, images.MOST_OVER_BASE, added, f"{added:.1f}"))
    result.pictures["layers"] = partial(images.draw, seen)
    return result


def _pods(sample: autoscaling.Sample) -> str:
    return ", ".join(f"{count} {service}" for service, count in sample.ready.items())


def _beside(figures: Mapping[str, Figures], what: str, by_hand: float) -> list[Finding]:
    ours = figures[deploying.PULUMI]
    hand, plain = (ratio(ours, figures[name]) for name in (deploying.BY_HAND, deploying.PROGRAM))
    return [
        at_most(f"{what}, `pulumi up` by the commands by hand", by_hand, hand.median, str(hand)),
        at_most(f"{what}, `pulumi up` by that of the plain program", _AS_PLAIN, plain.median, str(plain)),
    ]


BENCHMARKS: Final[Mapping[str, Benchmark]] = {
    "change": _change,
    "first": _first,
    "nothing": _nothing,
    "growth": _growth,
    "mining": _mining,
    "scaling": _scaling,
    "class": _class,
    "footprint": _footprint,
    "images": _images,
}
"""Name to what runs it: with a number of rounds, and somebody to tell how far it is."""
