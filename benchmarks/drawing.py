"""A picture as SVG whose bytes depend on nothing but what is drawn, to be read on light and dark pages alike."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

INK: Final = "#333333"
COLOURS: Final = ("#4c8bf5", "#e8710a", "#1e8e3e", "#a142f4", "#d93025", "#12858d")
"""Told apart by most people with colour blindness too, since their lightness differs."""


@contextmanager
def picture(file: Path, width: float, height: float) -> Generator[Any]:
    """Give matplotlib's axes of a figure on white, which is written to ``file`` when the block ends.

    Args:
        file: an SVG.
        width: of the whole, in inches of 72 units.
        height: likewise.
    """
    import matplotlib  # noqa: PLC0415 - takes a second, and tables need none
    from matplotlib.figure import Figure  # noqa: PLC0415 - likewise

    mpl: Any = matplotlib
    with mpl.rc_context():
        # Neither a user's matplotlibrc nor random names nor a date may change the file.
        mpl.rcdefaults()
        mpl.rcParams["svg.hashsalt"] = "dockercoins"
        # As text, and not as the outline of each letter: it can be searched, and a change of it can be read.
        mpl.rcParams["svg.fonttype"] = "none"
        figure: Any = Figure(figsize=(width, height), layout="constrained", facecolor="white")
        axes = figure.subplots()
        axes.spines[["top", "right"]].set_visible(False)
        yield axes
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})


def number(figure: float) -> str:
    """A figure with as many digits as tell something: ``0.062``, ``0.31``, ``24.3``, ``7,736``."""
    digits = next((digits for limit, digits in ((100, 0), (10, 1), (0.1, 2)) if abs(figure) >= limit), 3)
    return f"{figure:,.{digits}f}"
