"""Reads the plain progress of a BuildKit build (`docker build --progress=plain`).

Each line starts with the number of its step: `#7 [2/3] RUN make` when it begins, `#7 0.512 text` for what it prints,
`#7 DONE 1.2s`, `#7 CACHED` or `#7 ERROR: reason` at its end.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

TAIL_LINES: Final = 20

_STEP_LINE: Final = re.compile(r"#(\d+) (.*)\Z")
_PRINTED: Final = re.compile(r"\d+\.\d+ (.*)\Z")
_INSTRUCTION: Final = re.compile(r"\[(?:\S+ )*\d+/\d+\] (.*)\Z")
_CACHE_IMPORT: Final = re.compile(r"importing cache manifest from (\S+)\Z")
_METADATA: Final = re.compile(r"\[internal\] load metadata for (\S+)\Z")
_FAILED: Final = re.compile(r"ERROR: (.*)\Z")
_CACHED: Final = "CACHED"
_SAYS_NOTHING: Final = re.compile(r"DONE \d|\.\.\.\Z|sha256:[0-9a-f]{64}\Z|-+\Z")
_SYNTAX_LINE: Final = re.compile(r"parse error (?:on )?line (\d+)")
_EXCERPT_LINE: Final = re.compile(r"\S+:(\d+)\Z")
_WRAPPERS: Final = re.compile(
    r"(?:ERROR: |failed to build: |failed to solve(?: with frontend [\w.]+)?: |failed to create LLB definition: |"
    r"failed to compute cache key: |(?:rpc error: )?code = \w+ desc = )+"
)
_COMMAND_FAILED: Final = re.compile(
    r"(?:executor failed running \[.*\]|process \".*\" did not complete successfully): (exit code: \d+)", re.DOTALL
)


@dataclass(frozen=True)
class Failed:
    """Where and why a build ended, as far as its output tells."""

    reason: str
    """The builder's own last word, on one line."""

    instruction: str = ""
    """The Dockerfile's instruction, as `RUN make`."""

    line: int = 0
    """Its line in the Dockerfile, counted from 1; 0 when it is not known."""

    base_image: str = ""
    """The image that could not be had, when that is the failure."""

    tail: tuple[str, ...] = ()
    """The last lines that the failed step printed."""


class Progress:
    """Follows a build, line by line."""

    def __init__(self) -> None:
        """Start before the first line."""
        self._steps: dict[str, str] = {}

    def shown(self, line: str) -> str:
        """A line as it is shown beside a resource: without its step's number; empty when it says nothing."""
        match = _STEP_LINE.match(line)
        text = match[2] if match else line
        if match and text == _CACHED:
            # Which step it is was said when it began.
            return f"{_CACHED} {self._steps.get(match[1], '')}".strip()
        printed = _PRINTED.match(text)
        if match and not printed:
            self._steps.setdefault(match[1], text)
        text = (printed[1] if printed else text).strip()
        return "" if _SAYS_NOTHING.match(text) else text


def read_failure(lines: Sequence[str], dockerfile: str) -> Failed:
    """What a failed build's output says about the failure; `dockerfile` is the Dockerfile's text."""
    steps: dict[str, str] = {}
    printed: dict[str, list[str]] = {}
    failed_step, reason = "", ""
    for line in lines:
        match = _STEP_LINE.match(line)
        if match is None:
            continue
        number, text = match.groups()
        if said := _PRINTED.match(text):
            printed.setdefault(number, []).append(said[1])
        elif failure := _FAILED.match(text):
            failed_step, reason = number, failure[1]
        elif text.startswith("["):
            steps.setdefault(number, text)
    step = steps.get(failed_step, "")
    named = _INSTRUCTION.match(step)
    instruction = named[1] if named else ""
    wanted_image = _wanted_image(step, instruction)
    return Failed(
        reason=_COMMAND_FAILED.sub(r"\1", _WRAPPERS.sub("", _last_word(lines) or reason, count=1)),
        instruction=instruction,
        line=_told_line(lines) or line_of_image(wanted_image, dockerfile) or line_of(instruction, dockerfile),
        base_image=wanted_image,
        tail=tuple(printed.get(failed_step, ())[-TAIL_LINES:]),
    )


def unread_caches(lines: Sequence[str]) -> dict[str, str]:
    """The images that were to serve as caches and could not be read, each with the builder's reason."""
    imports: dict[str, str] = {}
    unread: dict[str, str] = {}
    for line in lines:
        match = _STEP_LINE.match(line)
        if match is None:
            continue
        number, text = match.groups()
        if cache := _CACHE_IMPORT.match(text):
            imports[number] = cache[1]
        elif number in imports and (failure := _FAILED.match(text)):
            unread[imports[number]] = _WRAPPERS.sub("", failure[1], count=1)
    return unread


def fetched_images(lines: Sequence[str]) -> list[str]:
    """The images that the build looked up to build from, or to copy from, by their full names."""
    steps = (match[2] for line in lines if (match := _STEP_LINE.match(line)))
    return list(dict.fromkeys(metadata[1] for step in steps if (metadata := _METADATA.match(step))))


def short_image(image: str) -> str:
    """An image's name as people write it: without Docker Hub's host and a digest."""
    return image.partition("@")[0].removeprefix("docker.io/").removeprefix("library/")


def may_be(written: str, image: str) -> bool:
    """Whether an image, as a Dockerfile writes it, can be this one, with something in place of each variable."""
    return _becomes(short_image(written), short_image(image))


def line_of_image(image: str, dockerfile: str) -> int:
    """The line of the first instruction that uses an image, or of the one `FROM` that may; 0 when that is not clear."""
    name = short_image(image)
    for number, text in instructions(dockerfile):
        words = [word.removeprefix("--from=") for word in text.split()[1:]]
        if name and any(short_image(word) == name for word in words):
            return number
    variable = [
        number
        for number, text in instructions(dockerfile)
        if name and "$" in (written := base_image(text)) and may_be(written, name)
    ]
    return variable[0] if len(variable) == 1 else 0


def base_image(instruction: str) -> str:
    """The image of a `FROM`, as it is written; empty for another instruction."""
    keyword, *words = instruction.split()
    return next((word for word in words if not word.startswith("--")), "") if keyword.upper() == "FROM" else ""


def line_of(instruction: str, dockerfile: str) -> int:
    """The line of an instruction in a Dockerfile; 0 when it is not there, or there more than once.

    The builder shows an instruction on one line, with single blanks and variables filled in.
    """
    wanted = _squeeze(instruction)
    if not wanted:
        return 0
    found = [number for number, text in instructions(dockerfile) if _squeeze(text) == wanted]
    found = found or [number for number, text in instructions(dockerfile) if _becomes(text, wanted)]
    return found[0] if len(found) == 1 else 0


def instructions(dockerfile: str) -> list[tuple[int, str]]:
    """The instructions of a Dockerfile, each with the line that it starts on; continued lines are joined."""
    found: list[tuple[int, str]] = []
    start, pending = 0, ""
    for number, raw in enumerate(dockerfile.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        start = start or number
        if line.endswith("\\"):
            pending += line[:-1].rstrip() + " "
            continue
        found.append((start, pending + line))
        start, pending = 0, ""
    if pending:
        found.append((start, pending.rstrip()))
    return found


def _becomes(text: str, wanted: str) -> bool:
    """Whether an instruction, with something in place of each of its variables, is the wanted one."""
    pieces = re.split(r"\$(?:\w+|\{[^}]*\})", _squeeze(text))
    return re.fullmatch(".*".join(re.escape(piece) for piece in pieces), wanted) is not None


def _wanted_image(step: str, instruction: str) -> str:
    """The image that a step fetches; empty when it does something else."""
    if metadata := _METADATA.match(step):
        return short_image(metadata[1])
    if instruction.startswith("FROM "):
        return short_image(instruction.split()[1])
    return ""


def _squeeze(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _told_line(lines: Sequence[str]) -> int:
    for line in reversed(lines):
        if match := _SYNTAX_LINE.search(line) or _EXCERPT_LINE.match(line):
            return int(match[1])
    return 0


def _last_word(lines: Sequence[str]) -> str:
    """The last line that belongs to no step and is no part of an excerpt: the builder's own summary."""
    for line in reversed(lines):
        text = line.strip()
        if text and not text.startswith("#") and not set(text) <= {"-"} and not text.startswith((">", "|")):
            return text
    return ""
