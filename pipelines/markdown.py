"""Text that Markdown of GitHub and GitLab shows as it is, whatever is in it."""

from __future__ import annotations

import re

_LONGEST = 100
"""Characters of a value that are shown; the rest of a long one tells nothing more."""

_LEAD = 30
"""Characters that are shown before the place where two long values differ."""

_HASH = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")


def code(text: str, longest: int = _LONGEST) -> str:
    """A code span, on one line, shortened where it is long; neither links, mentions nor markup in it have any effect.

    https://github.github.com/gfm/#code-spans tells how backticks are fenced.
    """
    line = _HASH.sub(r"\1…", " ".join(text.split())) or " "
    if len(line) > longest:
        half = (longest - 1) // 2
        line = f"{line[:half]}…{line[-half:]}"
    fence = "`" * (_longest_run(line) + 1)
    padding = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{padding}{line}{padding}{fence}"


def turn(before: str, after: str) -> str:
    """Two code spans with an arrow between them, cut to where the texts differ if they are long."""
    start = 0
    if max(len(before), len(after)) > _LONGEST:
        same = next((place for place, (old, new) in enumerate(zip(before, after, strict=False)) if old != new), 0)
        start = max(0, same - _LEAD)
    lead = "…" if start else ""
    return f"{code(lead + before[start:])} → {code(lead + after[start:])}"


def block(text: str) -> str:
    """A fenced block of literal text."""
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}text\n{text.rstrip()}\n{fence}"


def table(heads: list[str], rows: list[list[str]]) -> str:
    """A table; the cells are Markdown already. A ``|`` in one is escaped, as it has to be even in a code span."""
    lines = [heads, ["---"] * len(heads), *([cell.replace("|", r"\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def folded(title: str, body: str) -> str:
    """A part that opens on a click."""
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"


def unfolded(text: str) -> str:
    """A text without its folded parts, and without what a reader never sees: hidden lines and repeated empty ones."""
    kept: list[str] = []
    is_folded = False
    for line in text.splitlines():
        is_folded = is_folded or line.startswith("<details>")
        if not is_folded and not line.startswith("<!--") and (line or (kept and kept[-1])):
            kept.append(line)
        is_folded = is_folded and line != "</details>"
    return "\n".join(kept).rstrip()


def plural(number: int, one: str, many: str = "") -> str:
    """``1 image``, ``2 images``."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def listed(words: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)
