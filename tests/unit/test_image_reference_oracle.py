"""Agreement with the reference implementation itself, the Go package."""

from collections import Counter
from typing import Final

import pytest

from components.image_reference import ReferenceFormatError, parse
from tests.unit import oracles
from tests.unit.oracles import SEED, Answer
from tests.unit.reference_texts import short_texts, texts

PACKAGE: Final = "github.com/distribution/reference"
GENERATED: Final = 20_000
LEAST_SHARE: Final = 0.25


def _ours(text: str) -> Answer:
    try:
        found = parse(text)
    except ReferenceFormatError as error:
        return Answer(None, str(error))
    parts = {
        "host": found.host,
        "path": found.path,
        "tag": found.tag or "",
        "digest": found.digest or "",
        "full": found.full,
        "short": found.short,
    }
    return Answer(parts)


def test_every_part_and_form_is_that_of_the_go_package(capsys: pytest.CaptureFixture[str]) -> None:
    asked = list(dict.fromkeys([*short_texts(), *texts(SEED, GENERATED)]))
    theirs = oracles.answers("references", asked)
    pairs = zip(asked, map(_ours, asked), theirs, strict=True)
    different = [(text, our, their) for text, our, their in pairs if not our.agrees(their)]
    with capsys.disabled():
        print(oracles.compared("references", PACKAGE, theirs, len(different)))
    refused = oracles.refused(theirs)
    assert different[:10] == []
    assert min(refused, len(asked) - refused) >= LEAST_SHARE * len(asked)
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
