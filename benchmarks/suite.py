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
    growth,
    idle_programs,
    images,
    imports,
    mining,
    mining_cluster,
    mining_containers,
    report,
    timeline,
)
from benchmarks.attendance import together
from benchmarks.crew import Crew, Mine
from benchmarks.report import Finding, Result, at_least, at_most
from benchmarks.rounds import Figures, less, line, measure, ratio

Tell = Callable[[str], None]
Benchmark = Callable[[int, Tell], Result]

_MINING_SECONDS: Final = 5.0
_HASHES: Final = 4_000
_BY_HAND: Final = 1.3
_AT_FIRST: Final = 0.7
_NOTHING: Final = 1.5
_IN_PROPORTION: Final = 1.1
_CLASS: Final = 500
_PARALLEL: Final = (2, 16)


def _change(rounds: int, tell: Tell) -> Result:
    title = "From a changed line to the running change"
    figures, seen = deploying.change_to_running(rounds, tell)
    return Result(
        title,
        "s",
        figures,
        _by_hand(figures, "Change to running", _BY_HAND),
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
        _by_hand(figures, "First deployment", _AT_FIRST),
        timeline.lines(seen),
        {"timeline": partial(timeline.draw, seen, title=f"{title}, by pulumi up")},
    )


def _nothing(rounds: int, tell: Tell) -> Result:
    figures = deploying.nothing_to_do(rounds, tell)
    result = Result("With nothing to do", "s", figures)
    for command in ("preview", "up"):
        empty = figures[f"{command}, {idle_programs.EMPTY}"]
        seen = ratio(figures[f"{command}, no change"], empty)
        least = ratio(figures[f"{command}, {idle_programs.ALONE}"], empty)
        what = f"`pulumi {command}` without a change, by that of an empty program"
        result.findings.append(at_most(what, _NOTHING, seen.median, str(seen)))
        result.findings.append(
            Finding("… of a program that only imports the SDKs and starts their plugins", "", str(least), None)
        )
    took = imports.imported(deploying.ROOT / ".venv" / "bin" / "python")
    result.notes.extend(f"import {name}: {milliseconds:.0f} ms" for name, milliseconds in took)
    return result


def _growth(rounds: int, tell: Tell) -> Result:
    grown = growth.grow(growth.SIZES, min(rounds, 1), tell)
    figures = {**grown.figures(), **growth.with_parallelism(growth.SIZES[0], _PARALLEL, tell)}
    result = Result("More and more microservices", "s", figures, notes=grown.shares())
    for unit, points_of in (("s", grown.seconds), ("MiB", grown.mebibytes)):
        for command in grown.costs:
            points = points_of(command)
            slope, start, explained = line(points)
            bend = growth.bend(points)
            text = f"{slope:.2f} {unit} each beside {start:.1f} (R² {explained:.3f}); bend {bend:.2f}"
            what = f"`pulumi {command}` with {', '.join(map(str, growth.SIZES))} microservices, in {unit}"
            result.findings.append(Finding(what, f"a bend of at most {_IN_PROPORTION}", text, bend <= _IN_PROPORTION))
        result.pictures[{"s": "time", "MiB": "memory"}[unit]] = partial(
            report.plot_growth,
            {command: points_of(command) for command in grown.costs},
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
    effect = ratio(figures[classroom.with_a_class(_CLASS)], figures[classroom.ALONE])
    return Result(
        f"webui under a class of {_CLASS}",
        "hashes/s",
        figures,
        [
            Finding(f"`/json` for {_CLASS} browsers, once a second each", "", str(all_of_them), None),
            Finding("Failed answers", "at most 0", str(all_of_them.failed), all_of_them.failed == 0),
            Finding("Mining beside the class, by mining alone", "", str(effect), None),
        ],
        [str(lesson) for lesson in lessons],
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


def _by_hand(figures: Mapping[str, Figures], what: str, limit: float) -> list[Finding]:
    by_pulumi, by_hand = figures[deploying.PULUMI], figures[deploying.PLAIN]
    seen = ratio(by_pulumi, by_hand)
    rest = ratio(less(by_pulumi, figures[idle_programs.ALONE]), by_hand)
    return [
        at_most(f"{what}, `pulumi up` by the plain way", limit, seen.median, str(seen)),
        Finding("… without what the SDKs and their plugins take alone", "", str(rest), None),
    ]


BENCHMARKS: Final[Mapping[str, Benchmark]] = {
    "change": _change,
    "first": _first,
    "nothing": _nothing,
    "growth": _growth,
    "mining": _mining,
    "scaling": _scaling,
    "class": _class,
    "images": _images,
}
"""Name to what runs it: with a number of rounds, and somebody to tell how far it is."""
