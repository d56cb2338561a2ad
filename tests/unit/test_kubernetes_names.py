"""Names, labels and hosts: the rules of the Go package by which the API server checks them."""

import random
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from components.kubernetes_names import is_host, is_label, is_label_value, is_qualified_name, is_subdomain
from tests.unit import oracles
from tests.unit.oracles import SEED

PACKAGE: Final = "k8s.io/apimachinery"
GENERATED: Final = 10_000
LEAST_SHARE: Final = 0.2
RULES: Final[dict[str, Callable[[str], bool]]] = {
    "label": is_label,
    "subdomain": is_subdomain,
    "host": is_host,
    "label value": is_label_value,
    "qualified name": is_qualified_name,
}
PIECES: Final = (
    "a",
    "b1",
    "a-b",
    "A",
    "a_b",
    "a.b",
    "-",
    ".",
    "/",
    "*.",
    "é",
    " ",
    "",
    "\n",
    "10",
    "a" * 62,
    "b" * 200,
)
WHOLE: Final = (
    "192.0.2.10",
    "2001:db8::1",
    "1.2.3",
    "*.example.com",
    "*",
    "*.*.a",
    "a/b/c",
    "example.com/name",
    "a\n",
    "/a",
)


def _names(seed: int, number: int) -> Iterator[dict[str, str]]:
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    for kind in RULES:
        yield from ({"kind": kind, "text": text} for text in WHOLE)
    for _ in range(number):
        pieces = [chance.choice(PIECES[:6] if chance.random() < 0.8 else PIECES) for _ in range(chance.randint(1, 4))]
        text = chance.choice(("", "", ".", "-", "/")).join(pieces)
        yield {"kind": chance.choice(list(RULES)), "text": text}


def test_a_name_is_what_the_api_server_takes(capsys: pytest.CaptureFixture[str]) -> None:
    asked = list(_names(SEED, GENERATED))
    theirs = oracles.answers("names", asked)
    pairs = zip(asked, theirs, strict=True)
    different = [(name, their) for name, their in pairs if RULES[name["kind"]](name["text"]) == bool(their.error)]
    with capsys.disabled():
        print(oracles.compared("names", PACKAGE, theirs, len(different)))
    refused = oracles.refused(theirs)
    assert different[:5] == []
    assert min(refused, len(asked) - refused) >= LEAST_SHARE * len(asked)
