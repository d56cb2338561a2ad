"""Property values on the wire: unknowns, secrets, numbers, and secrets that follow their value."""

from __future__ import annotations

import pytest
from google.protobuf.struct_pb2 import Struct

from sandbox.plugins.protocol.values import (
    ARCHIVE_SIGNATURE,
    ASSET_SIGNATURE,
    OUTPUT_SIGNATURE,
    RESOURCE_SIGNATURE,
    SECRET_SIGNATURE,
    SIGNATURE_KEY,
    UNKNOWN,
    UNKNOWN_STRING,
    Asset,
    Properties,
    Secret,
    contains_unknown,
    from_struct,
    get_bool,
    get_string,
    mark_secrets,
    plain,
    secret_paths,
    to_struct,
    with_secrets_like,
    without_nulls,
)


def test_everything_survives_the_way_to_the_engine_and_back() -> None:
    properties: Properties = {
        "text": "a",
        "yes": True,
        "nothing": None,
        "empty": {},
        "none": [],
        "secret": Secret({"inner": [1, Secret("x")]}),
        "unknown": UNKNOWN,
        "asset": Asset(ASSET_SIGNATURE, {"text": "content", "hash": "h"}),
        "archive": Asset(ARCHIVE_SIGNATURE, {"path": "/p"}),
        "nested": [{"a": [UNKNOWN]}],
    }
    assert from_struct(to_struct(properties)) == properties


def test_whole_numbers_arrive_as_integers_and_others_do_not() -> None:
    struct = Struct()
    struct.update({"replicas": 3.0, "share": 0.5, "huge": 1e300})
    decoded = from_struct(struct)
    assert (decoded["replicas"], type(decoded["replicas"])) == (3, int)
    assert (decoded["share"], type(decoded["share"])) == (0.5, float)
    assert decoded["huge"] == 1e300


@pytest.mark.parametrize("unknown", [UNKNOWN_STRING, "3eeb2bf0-c639-47a8-9e75-3b44932eb421"])
def test_an_unknown_of_any_type_is_unknown(unknown: str) -> None:
    struct = Struct()
    struct.update({"a": unknown})
    assert from_struct(struct) == {"a": UNKNOWN}


def test_output_values_and_resource_references_are_understood() -> None:
    struct = Struct()
    struct.update(
        {
            "known": {SIGNATURE_KEY: OUTPUT_SIGNATURE, "value": "v"},
            "secret": {SIGNATURE_KEY: OUTPUT_SIGNATURE, "value": "v", "secret": True},
            "later": {SIGNATURE_KEY: OUTPUT_SIGNATURE},
            "resource": {SIGNATURE_KEY: RESOURCE_SIGNATURE, "urn": "u", "id": "i"},
        }
    )
    assert from_struct(struct) == {"known": "v", "secret": Secret("v"), "later": UNKNOWN, "resource": "i"}


def test_a_secret_does_not_show_its_value_as_text() -> None:
    assert "hidden" not in repr(Secret("hidden"))
    assert "hidden" not in str({"a": [Secret({"b": "hidden"})]})


def test_a_secret_on_the_wire_has_the_engine_s_signature() -> None:
    fields = to_struct({"a": Secret("v")}).fields["a"].struct_value.fields
    assert {key: value.string_value for key, value in fields.items()} == {SIGNATURE_KEY: SECRET_SIGNATURE, "value": "v"}


def test_plain_unwraps_and_refuses_what_json_cannot_say() -> None:
    assert plain({"a": Secret([1, {"b": Secret("c")}])}) == {"a": [1, {"b": "c"}]}
    with pytest.raises(ValueError, match="not known yet"):
        plain({"a": UNKNOWN})


def test_unknowns_are_found_at_any_depth() -> None:
    assert contains_unknown({"a": Secret([{"b": UNKNOWN}])})
    assert not contains_unknown({"a": Secret([{"b": None}])})


def test_secrets_are_marked_where_the_inputs_have_them() -> None:
    inputs: Properties = {"spec": {"env": [{"value": "a"}, {"value": Secret("short")}]}, "token": Secret({"k": "v"})}
    outputs: Properties = {
        "spec": {"env": [{"value": "a"}, {"value": "short"}], "added": 1},
        "token": {"k": "v"},
        "status": "ok",
    }
    assert secret_paths(inputs) == [("spec", "env", 1, "value"), ("token",)]
    assert with_secrets_like(inputs, outputs) == {
        "spec": {"env": [{"value": "a"}, {"value": Secret("short")}], "added": 1},
        "token": Secret({"k": "v"}),
        "status": "ok",
    }


def test_a_secret_text_is_marked_wherever_it_turns_up() -> None:
    inputs: Properties = {"args": [Secret("open-sesame")]}
    outputs: Properties = {"args": ["--injected", "open-sesame"], "copy": {"deep": ["open-sesame"]}}
    marked = with_secrets_like(inputs, outputs)
    assert marked["copy"] == {"deep": [Secret("open-sesame")]}
    assert "open-sesame" not in str(marked)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": [1]}, {"a": Secret([1])}),  # the list got shorter: its items may have moved
        ({"a": "text"}, {"a": Secret("text")}),  # another shape: all that is left there
        ({"b": 1}, {"b": 1}),
        ({"a": None}, {"a": None}),
    ],
)
def test_a_secret_is_not_lost_when_the_shape_changed(value: Properties, expected: Properties) -> None:
    assert mark_secrets(value, [("a", 1, "k")]) == expected


def test_nulls_are_what_the_program_does_not_set() -> None:
    assert without_nulls({"a": None, "b": [{"c": None, "d": 1}, None]}) == {"b": [{"d": 1}, None]}


def test_single_settings_are_read_with_a_clear_error() -> None:
    settings: Properties = {"name": Secret("n"), "flag": "true", "count": 2, "later": UNKNOWN}
    assert get_string(settings, "name") == "n"
    assert get_string(settings, "later") is None
    assert get_bool(settings, "flag", default=False) is True
    assert get_bool(settings, "absent", default=True) is True
    with pytest.raises(ValueError, match="count: expected text, received int"):
        get_string(settings, "count")
    with pytest.raises(ValueError, match="name: expected true or false"):
        get_bool(settings, "name", default=False)
