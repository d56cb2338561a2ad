"""What the README claims and can be checked without running anything."""

import re

import pytest

from components.registries import KNOWN_REGISTRIES
from docs.tables import PERFORMANCE, current, with_table
from tests.unit.stacks import ROOT, declared

README = (ROOT / "README.md").read_text()


def test_its_tables_are_made_from_what_the_program_declares() -> None:
    for file, text in current().items():
        assert text == file.read_text(), "run python -m docs.tables"
    for key in declared():
        assert f"| `{key}` |" in README
    for kind in KNOWN_REGISTRIES:
        assert f"| `{kind}` |" in README


def test_it_opens_with_the_two_commands() -> None:
    commands = re.findall(r"^make \w+", README, re.MULTILINE)
    assert commands[:2] == ["make up", "make test"]


def test_every_file_that_it_names_is_there() -> None:
    for file in (ROOT / "README.md", PERFORMANCE):
        links = [target for target in re.findall(r"\]\(([^)#]+)", file.read_text()) if "://" not in target]
        assert links
        assert [target for target in links if not (file.parent / target).exists()] == []


def test_every_target_of_make_that_it_names_is_there() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake (?:-s )?([a-z]+)`", README)) <= targets


def test_a_text_without_the_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="the text has no"):
        with_table("no marks", "settings", "table")
