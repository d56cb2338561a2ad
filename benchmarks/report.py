"""Aims beside what was measured: as a table, as plots, and as a file with the machine that it was measured on."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from benchmarks.rounds import Figures

FOLDER: Final = Path(__file__).resolve().parent / "results"
"""What the last run on record has left."""


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
    }


def table(results: Sequence[Result]) -> str:
    """Aims and results in Markdown, one row each."""
    rows = ["| what | aim | result | |", "|---|---|---|---|"]
    for result in results:
        for finding in result.findings:
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
    """Keep a result as JSON, and as a plot beside it."""
    folder.mkdir(exist_ok=True)
    document = {"machine": dict(on), **asdict(result)}
    (folder / f"{name}.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    if result.figures:
        plot(result, folder / f"{name}.svg")


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
    """Draw a bar for each median, and a whisker from the lowest figure to the highest."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - takes a second, and tables need none

    names = list(result.figures)
    medians = [figures.median for figures in result.figures.values()]
    below = [figures.median - figures.lowest for figures in result.figures.values()]
    above = [figures.highest - figures.median for figures in result.figures.values()]
    figure: Any = Figure(figsize=(8, 0.6 + 0.45 * len(names)), layout="constrained")
    axes = figure.subplots()
    axes.barh(names, medians, xerr=[below, above], color="#4c8bf5", ecolor="#333333", capsize=3)
    axes.invert_yaxis()
    axes.set_xlabel(result.unit)
    axes.set_title(result.title)
    axes.spines[["top", "right"]].set_visible(False)
    # Without a date or random names, equal figures give an equal file.
    figure.savefig(file, metadata={"Date": None, "Creator": None})


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(": ", 1)[1] for line in lines if line.startswith("model name")), platform.machine())
