"""The Go packages that the tools of the world are made of, in the versions that `tests/oracles/go.mod` pins."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sandbox import processes, toolchain
from sandbox.toolchain import Program
from tests.manifests.tools import program

FOLDER: Final = Path(__file__).resolve().parent.parent / "oracles"
ORACLES: Final = Program("oracles", module=FOLDER)
SEED: Final = 20260101


@dataclass(frozen=True)
class Answer:
    """What a package makes of a question: a value, or its error if it refuses it."""

    value: Any
    error: str = ""

    def agrees(self, other: Answer) -> bool:
        """Whether both refuse, or both give the same."""
        return (bool(self.error), self.value) == (bool(other.error), other.value)


def answers(oracle: str, questions: Iterable[object]) -> list[Answer]:
    """What the Go package makes of each question."""
    asked = "".join(f"{json.dumps(question)}\n" for question in questions)
    lines = processes.output([program(ORACLES), oracle], stdin=asked).splitlines()
    return [Answer(told["answer"], told["error"]) for told in map(json.loads, lines)]


def refused(theirs: Iterable[Answer]) -> int:
    """How many questions a package refuses."""
    return sum(bool(their.error) for their in theirs)


def compared(what: str, package: str, theirs: Sequence[Answer], differences: int) -> str:
    """One line on a comparison, for the log."""
    without = refused(theirs)
    return (
        f"\n{len(theirs)} {what} compared with {package} {toolchain.pinned(FOLDER)[package]}"
        f" ({len(theirs) - without} accepted, {without} refused): {differences} differences"
    )
