"""What the README claims and can be checked without running anything."""

import re

import pytest

from docs.settings_table import current, with_table
from tests.unit.stacks import ROOT, declared

README = (ROOT / "README.md").read_text()


def test_the_table_of_settings_is_the_one_of_pulumi_yaml() -> None:
    assert current() == README, "run python -m docs.settings_table"
    for key in declared():
        assert f"| `{key}` |" in README


def test_it_opens_with_the_two_commands() -> None:
    commands = re.findall(r"^make \w+", README, re.MULTILINE)
    assert commands[:2] == ["make up", "make test"]


def test_every_file_that_it_names_is_there() -> None:
    links = [target for target in re.findall(r"\]\(([^)#]+)", README) if "://" not in target]
    assert links
    assert [target for target in links if not (ROOT / target).exists()] == []


def test_every_target_of_make_that_it_names_is_there() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake (?:-s )?([a-z]+)`", README)) <= targets


def test_a_text_without_the_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="the text has no"):
        with_table("no marks", "table")
