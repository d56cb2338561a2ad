"""Agreement with the Go package by whose rules BuildKit walks a context."""

import random
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

import pytest

from components.docker_ignore import IgnorePatternError, IgnoreRules
from tests.unit import oracles
from tests.unit.oracles import SEED, Answer

PACKAGE: Final = "github.com/moby/patternmatcher"
GENERATED: Final = 10_000
LEAST_SHARE: Final = 0.02
NAMES: Final = ("a", "b", "ab", "a.b", "x-y", "é", "a b", "[a]", "a*b", "!a", "#a", "$", "ax", ".git", "a\\b", "(a)")
PIECES: Final = (
    *NAMES,
    "*",
    "**",
    "?",
    "[ab]",
    "[^a]",
    "[a-c]",
    "\\*",
    "\\[",
    ".",
    "..",
    "a*",
    "**b",
    "a**",
    "*.b",
    "",
)
ODD: Final = ("[", "[]", "[a", "[a-]", "[^]", "a\\", "!", "[b-a]", "[*]", "[?a]", "[a/b]", "]", "+", "a|b", "^a", "{a}")


def _path(chance: random.Random, pieces: tuple[str, ...]) -> str:
    return "/".join(chance.choice(pieces) for _ in range(chance.randint(1, 4)))


def _line(chance: random.Random) -> str:
    pattern = _path(chance, PIECES if chance.random() < 0.95 else (*ODD, *NAMES))
    before = chance.choice(("", "", "", "", "", "!", "!", "! ", " ", "/", "//", "/ ", "./", "#", "\t", "/!"))
    return f"{before}{pattern}{chance.choice(('', '', '', '', '/', ' ', '/.', '/..', chr(13)))}"


def trees(seed: int, number: int) -> Iterator[dict[str, object]]:
    """Texts of ignore files, each with paths of a tree."""
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    for _ in range(number):
        lines = [_line(chance) for _ in range(chance.randint(0, 5))]
        mark = "\ufeff" if chance.random() < 0.05 else ""
        paths = sorted({_path(chance, NAMES) for _ in range(12)})
        yield {"rules": mark + "\n".join(lines), "paths": paths}


def _ours(rules: str, paths: list[str]) -> Answer:
    try:
        parsed = IgnoreRules.parse(rules)
        return Answer([parsed.ignores(PurePosixPath(path)) for path in paths])
    except IgnorePatternError as error:
        return Answer(None, str(error))


def test_what_is_left_out_of_a_build_is_what_buildkit_leaves_out(capsys: pytest.CaptureFixture[str]) -> None:
    asked = list(trees(SEED, GENERATED))
    theirs = oracles.answers("ignores", asked)
    different: list[object] = []
    for tree, their in zip(asked, theirs, strict=True):
        our = _ours(**tree)  # pyright: ignore[reportArgumentType] - a question has these two
        if not our.agrees(their):
            different.append((tree, our, their))
    with capsys.disabled():
        print(oracles.compared("trees", PACKAGE, theirs, len(different)))
    left_out = [ignored for their in theirs if not their.error for ignored in their.value]
    refused = oracles.refused(theirs)
    assert different[:3] == []
    assert refused >= LEAST_SHARE * len(asked)
    assert 0.05 < left_out.count(True) / len(left_out) < 0.95
