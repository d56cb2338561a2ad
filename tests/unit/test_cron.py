"""Schedules: the rules of the Go package by which the API server checks them."""

import random
from collections.abc import Iterator
from typing import Final

import pytest

from components.cron import is_schedule
from tests.unit import oracles
from tests.unit.oracles import SEED

PACKAGE: Final = "github.com/robfig/cron/v3"
GENERATED: Final = 10_000
LEAST_SHARE: Final = 0.2
WHOLE: Final = (
    *("@daily", "@hourly", "@every 1h", "@every 1h30m", "@every 1", "@every -5m", "@Daily", "@reboot", "", " @daily"),
    *(
        "0 */4 * * *",
        "99 * * * *",
        "0 0 31 2 *",
        "0 0 * * 7",
        "0 0 * * sun-sat",
        "0 0 1 jan *",
        "* * * *",
        "* * * * * *",
    ),
)
PARTS: Final = (
    "*",
    "?",
    "0",
    "1",
    "5",
    "6",
    "7",
    "12",
    "23",
    "24",
    "31",
    "32",
    "59",
    "60",
    "099",
    "+5",
    "x",
    "mon",
    "JAN",
)


def _schedules(seed: int, number: int) -> Iterator[str]:
    yield from WHOLE
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    for _ in range(number):
        yield " ".join(_field(chance) for _ in range(chance.choice((5, 5, 5, 5, 5, 5, 5, 4, 6))))


def _field(chance: random.Random) -> str:
    if chance.random() < 0.85:
        return chance.choice(("*", "*", "1", "*/2", "2-5"))
    one = chance.choice(PARTS)
    joined = chance.choice(("", "", "-", "/", "-/", ",", ",,", "--", "//"))
    return one + "".join(f"{sign}{chance.choice(PARTS)}" for sign in joined)


def test_a_schedule_is_what_the_api_server_takes(capsys: pytest.CaptureFixture[str]) -> None:
    asked = list(_schedules(SEED, GENERATED))
    theirs = oracles.answers("schedules", asked)
    pairs = zip(asked, theirs, strict=True)
    different = [(text, their) for text, their in pairs if is_schedule(text) == bool(their.error)]
    with capsys.disabled():
        print(oracles.compared("schedules", PACKAGE, theirs, len(different)))
    refused = oracles.refused(theirs)
    assert different[:5] == []
    assert min(refused, len(asked) - refused) >= LEAST_SHARE * len(asked)
