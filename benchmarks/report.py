"""Aims beside what was measured: as a table, as plots, and as a file with the machine that it was measured on."""

from __future__ import annotations

import json
import os
import platform
import timeit
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from benchmarks import drawing
from benchmarks.rounds import Figures, line

Picture = Callable[[Path], object]
"""Draws itself into an SVG file."""

_LOOP: Final = 1_000_000  # turns

FOLDER: Final = Path(__file__).resolve().parent / "results"
"""What the last run on record has left."""

ORDER: Final = ("change", "first", "nothing", "growth", "mining", "scaling", "class", "footprint", "images")
"""The benchmarks' names, in the order in which they are run and shown."""


@dataclass(frozen=True)
class Finding:
    """What was wanted, and what was seen."""

    what: str
    aim: str
    result: str
    met: bool | None
    """None where nothing particular was aimed at."""


@dataclass
class Result:
    """What one benchmark has shown."""

    title: str
    unit: str
    figures: dict[str, Figures] = field(default_factory=dict[str, Figures])
    findings: list[Finding] = field(default_factory=list[Finding])
    notes: list[str] = field(default_factory=list[str])
    pictures: dict[str, Picture] = field(default_factory=dict[str, Picture], compare=False)
    """By name, beside the plot of the figures. They are drawn when the result is kept, and not loaded with it."""


def at_most(what: str, limit: float, seen: float, text: str) -> Finding:
    """Whether a figure is at most what was aimed at."""
    return Finding(what, f"at most {limit:g}", text, seen <= limit)


def at_least(what: str, limit: float, seen: float, text: str) -> Finding:
    """Whether a figure is at least what was aimed at."""
    return Finding(what, f"at least {limit:,.0f}", text, seen >= limit)


def machine() -> dict[str, str]:
    """What the figures depend on beside the code."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "measured": f"{datetime.now(UTC):%Y-%m-%d}",
        "processor": f"{os.cpu_count()} x {_processor()}",
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        # Machines of one name can differ by half.
        "one of them": f"{_turns() / 1e6:.0f} million turns of an empty loop of Python a second",
    }


def _turns() -> float:
    """How many turns of an empty loop this Python does in a second."""
    return _LOOP / min(timeit.repeat(f"for _ in range({_LOOP}): pass", number=1, repeat=5))


def table(results: Sequence[Result], only: Collection[str] | None = None) -> str:
    """Aims and results in Markdown, one row each; of those that are named, or of all."""
    rows = ["| what | aim | result | |", "|---|---|---|---|"]
    for result in results:
        for finding in result.findings:
            if only is not None and finding.what not in only:
                continue
            mark = {True: "✓", False: "✗", None: ""}[finding.met]
            rows.append(f"| {finding.what} | {finding.aim} | {finding.result} | {mark} |")
    return "\n".join(rows) + "\n"


def details(result: Result) -> str:
    """The figures of one benchmark as lines of text."""
    width = max((len(name) for name in result.figures), default=0)
    lines = [f"{result.title} ({result.unit}; median, lowest, highest)"]
    for name, figures in result.figures.items():
        numbers = "  ".join(f"{value:>10,.2f}" for value in (figures.median, figures.lowest, figures.highest))
        lines.append(f"  {name:<{width}}  {numbers}")
    return "\n".join([*lines, *(f"  {note}" for note in result.notes)])


def save(name: str, result: Result, on: Mapping[str, str], folder: Path = FOLDER) -> None:
    """Keep a result as ``<name>.json``, its plot as ``<name>.svg`` and each picture as ``<name>-<picture>.svg``."""
    folder.mkdir(exist_ok=True)
    kept = asdict(replace(result, pictures={}))
    del kept["pictures"]
    document = {"machine": dict(on), **kept}
    (folder / f"{name}.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    if result.figures:
        plot(result, folder / f"{name}.svg")
    for picture, draw in result.pictures.items():
        draw(folder / f"{name}-{picture}.svg")


def load(name: str, folder: Path = FOLDER) -> Result:
    """A result that was kept.

    Raises:
        OSError: there is none of that name.
    """
    document: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
    return Result(
        document["title"],
        document["unit"],
        {name: Figures(kept["name"], tuple(kept["values"])) for name, kept in document["figures"].items()},
        [Finding(**kept) for kept in document["findings"]],
        document["notes"],
    )


def plot(result: Result, file: Path) -> None:
    """Draw a bar for each median with its number, and a whisker from the lowest figure to the highest.

    The axis begins at 0, so that lengths compare; a figure too small to be seen beside the largest is read as a number.
    """
    names = list(result.figures)
    every = list(result.figures.values())
    medians = [figures.median for figures in every]
    below = [figures.median - figures.lowest for figures in every]
    above = [figures.highest - figures.median for figures in every]
    with drawing.picture(file, 8, 0.9 + 0.4 * len(names)) as axes:
        axes.barh(names, medians, xerr=[below, above], color=drawing.COLOURS[0], ecolor=drawing.INK, capsize=3)
        for row, figures in enumerate(every):
            axes.annotate(
                _label(figures), (figures.highest, row), (6, 0), textcoords="offset points", va="center", fontsize=9
            )
        axes.margins(y=0.1 / len(names))
        axes.invert_yaxis()
        axes.set_xlim(left=0)
        axes.set_xlabel(result.unit)
        axes.set_title(result.title)


def plot_growth(
    points_by_series: Mapping[str, Sequence[tuple[float, float]]], file: Path, xlabel: str, ylabel: str, title: str = ""
) -> None:
    """Draw figures against a size, each series with the straight line that fits it best, and that line in words.

    Args:
        points_by_series: name to pairs of size and figure; a size may occur several times, once for each round.
        file: an SVG.
        xlabel: what the size counts.
        ylabel: unit of the figures.
        title: what it shows.
    """
    with drawing.picture(file, 8, 4.5) as axes:
        for number, (name, points) in enumerate(points_by_series.items()):
            colour = drawing.COLOURS[number % len(drawing.COLOURS)]
            xs, ys = [x for x, _ in points], [y for _, y in points]
            label = name
            if len(set(xs)) > 1:
                slope, start, explained = line(points)
                ends = [min(xs), max(xs)]
                axes.plot(ends, [start + slope * x for x in ends], color=colour, linewidth=1.2)
                label = f"{name}: {_line(slope, start)} (R² {explained:.3f})"
            axes.plot(xs, ys, "o", color=colour, markersize=5, label=label)
        axes.set_xticks(sorted({x for points in points_by_series.values() for x, _ in points}))
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.set_xlabel(xlabel)
        axes.set_ylabel(ylabel)
        axes.grid(axis="y", color="#dddddd", linewidth=0.6)
        axes.figure.legend(loc="outside lower center", frameon=False)
        axes.set_title(title)


def _label(figures: Figures) -> str:
    spread = f" ({drawing.number(figures.lowest)} to {drawing.number(figures.highest)})"
    return drawing.number(figures.median) + (spread if figures.lowest < figures.highest else "")


def _line(slope: float, start: float) -> str:
    sign = "-" if start < 0 else "+"
    return f"{drawing.number(slope)} each {sign} {drawing.number(abs(start))}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(": ", 1)[1] for line in lines if line.startswith("model name")), platform.machine())
