"""Agreement with the reference implementation itself, the Go package, in the version that its go.mod pins."""

import json
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from components.image_reference import ReferenceFormatError, parse
from sandbox import processes, toolchain
from sandbox.toolchain import Program
from tests.manifests.tools import program
from tests.unit.reference_texts import short_texts, texts

FOLDER: Final = Path(__file__).resolve().parent.parent / "reference_oracle"
ORACLE: Final = Program("reference_oracle", module=FOLDER)
PACKAGE: Final = "github.com/distribution/reference"
SEED: Final = 20260101
GENERATED: Final = 20_000
LEAST_SHARE: Final = 0.25

Parts = dict[str, str]
"""What one implementation makes of a text; of one that it refuses, nothing."""


@pytest.fixture
def oracle() -> Path:
    """The program that answers for the Go package."""
    return program(ORACLE)


def _ours(text: str) -> Parts:
    try:
        found = parse(text)
    except ReferenceFormatError:
        return {}
    return {
        "host": found.host,
        "path": found.path,
        "tag": found.tag or "",
        "digest": found.digest or "",
        "full": found.full,
        "short": found.short,
    }


def _theirs(oracle: Path, asked: list[str]) -> list[Parts]:
    lines = processes.output([oracle], stdin="".join(f"{json.dumps(text)}\n" for text in asked)).splitlines()
    answers: list[Parts] = [json.loads(line) for line in lines]
    return [{} if answer.pop("error") else answer for answer in answers]


def test_every_part_and_form_is_that_of_the_go_package(oracle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = list(dict.fromkeys([*short_texts(), *texts(SEED, GENERATED)]))
    theirs = _theirs(oracle, asked)
    compared = zip(asked, map(_ours, asked), theirs, strict=True)
    different = [(text, ours, wanted) for text, ours, wanted in compared if ours != wanted]
    refused = theirs.count({})
    accepted = len(theirs) - refused
    with capsys.disabled():
        print(
            f"\n{len(asked)} references compared with {PACKAGE} {toolchain.pinned(FOLDER)[PACKAGE]}"
            f" ({accepted} accepted, {refused} refused): {len(different)} differences"
        )
    assert different[:10] == []
    assert min(accepted, refused) >= LEAST_SHARE * len(asked)
    assert len(asked) >= 10_000


def test_what_is_compared_has_every_part_and_every_kind_of_mistake() -> None:
    seen: Counter[str] = Counter()
    for text in texts(SEED, GENERATED):
        try:
            found = parse(text)
        except ReferenceFormatError as error:
            seen[f"mistake in {error.part}"] += 1
        else:
            seen[f"path of {len(found.path)}"] += 1
            seen[f"tag of {len(found.tag or '')}"] += 1
            seen[(found.digest or "no digest").partition(":")[0]] += 1
            seen["port"] += found.host.rpartition(":")[2].isdecimal()
            seen["address"] += found.host.startswith("[")
            seen["no host"] += not found.host
    wanted = (
        *(f"mistake in {part}" for part in ("host", "repository", "tag", "digest", None)),
        *("path of 255", "tag of 128", "sha256", "sha384", "sha512", "port", "address", "no host"),
    )
    assert [kind for kind in wanted if seen[kind] < 20] == []
