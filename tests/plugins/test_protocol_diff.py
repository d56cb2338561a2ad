"""The structural comparison behind every plugin's diff."""

from __future__ import annotations

import pytest

from sandbox.plugins.protocol.diff import ChangeKind, compare, format_path, parse_path
from sandbox.plugins.protocol.values import UNKNOWN, Path, Properties, Secret


def _kinds(old: Properties, new: Properties) -> dict[str, str]:
    return {change.name: change.kind.value for change in compare(old, new).changes}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"a": 1}, {"a": 1}, {}),
        ({"a": 1}, {"a": 2}, {"a": "update"}),
        ({}, {"a": {"b": 1}}, {"a": "add"}),
        ({"a": {"b": 1}}, {}, {"a": "delete"}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, {"a.c": "delete"}),
        ({"a": [1, 2]}, {"a": [1, 3, 4]}, {"a[1]": "update", "a[2]": "add"}),
        ({"a": [1, 2]}, {"a": [1]}, {"a[1]": "delete"}),
        ({"a": None}, {}, {}),
        ({"a": 1}, {"a": True}, {"a": "update"}),
        ({"a": Secret("s")}, {"a": "s"}, {}),
        ({"a": Secret("s")}, {"a": Secret("t")}, {"a": "update"}),
        ({"a": UNKNOWN}, {"a": UNKNOWN}, {"a": "update"}),
        ({"labels": {"a.b/c": "1"}}, {"labels": {"a.b/c": "2"}}, {'labels["a.b/c"]': "update"}),
    ],
)
def test_changes_are_told_by_path(old: Properties, new: Properties, expected: dict[str, str]) -> None:
    assert _kinds(old, new) == expected


@pytest.mark.parametrize(
    ("old", "new", "reasons"),
    [
        ({"spec": {"selector": {"a": "1"}}}, {"spec": {"selector": {"a": "2"}}}, ("spec.selector.a",)),
        ({"spec": {"selector": {"a": "1"}}}, {}, ("spec",)),
        ({"spec": {"other": 1}}, {}, ()),
        ({"spec": {"other": 1}}, {"spec": {"other": 2}}, ()),
        ({"spec": {"selector": {"a": "1"}}}, {"spec": {"selector": UNKNOWN}}, ("spec.selector",)),
    ],
)
def test_a_change_at_under_or_over_a_fixed_property_replaces(
    old: Properties, new: Properties, reasons: tuple[str, ...]
) -> None:
    assert compare(old, new, replace_on=["spec.selector"]).replaces == reasons


def test_patterns_reach_into_lists_and_have_exceptions() -> None:
    old: Properties = {"spec": {"containers": [{"image": "a", "args": ["x"]}]}}
    new: Properties = {"spec": {"containers": [{"image": "b", "args": ["y"]}]}}
    diff = compare(old, new, replace_on=["spec"], except_on=["spec.containers[*].image"])
    assert diff.replaces == ("spec.containers[0].args[0]",)
    assert {change.name for change in diff.changes} == {"spec.containers[0].args[0]", "spec.containers[0].image"}
    assert compare(old, new, ignore=["spec.containers[*].args"]).changes[0].kind is ChangeKind.UPDATE
    assert not compare(old, new, ignore=["spec.containers"])


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("spec", "ports", 0, "name"), "spec.ports[0].name"),
        (("metadata", "labels", 'a."b\\'), 'metadata.labels["a.\\"b\\\\"]'),
        (("a-b", "$c"), "a-b.$c"),
    ],
)
def test_paths_are_written_as_the_engine_reads_them(path: Path, text: str) -> None:
    assert format_path(path) == text
    assert parse_path(text) == path
