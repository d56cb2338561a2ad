"""Property values of Pulumi's wire format, as Python values.

A protobuf `Struct` carries plain JSON; what JSON cannot say travels as an object under a signature key, or as one of
the strings reserved for unknowns. Signatures and strings are those of `sdk/go/common/resource/sig` and
`sdk/go/common/resource/plugin/rpc.go` of pulumi/pulumi v3.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias, cast

if TYPE_CHECKING:
    from google.protobuf.struct_pb2 import Struct
    from google.protobuf.struct_pb2 import Value as StructValue

SIGNATURE_KEY: Final = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a public marker of the format
OUTPUT_SIGNATURE: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
ASSET_SIGNATURE: Final = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE_SIGNATURE: Final = "0def7320c3a5731c473e5ecbe6d01bc7"
RESOURCE_SIGNATURE: Final = "5cf8f73096256a8f31e491e813e4eb8e"

UNKNOWN_STRING: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_UNKNOWN_STRINGS: Final = frozenset(
    {
        UNKNOWN_STRING,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # boolean
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # array
        "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
    }
)

_SHORTEST_SECRET_TEXT: Final = 6
_EXACT_INTEGERS: Final = 2**53  # beyond this a double no longer names one integer


@dataclass(frozen=True)
class Unknown:
    """A value that the engine does not know yet: an output of a resource that a preview has not created."""


UNKNOWN: Final = Unknown()


@dataclass(frozen=True)
class Secret:
    """A value that must be encrypted wherever it is kept. Its text form does not show the value."""

    value: Value = field(repr=False)


@dataclass(frozen=True)
class Asset:
    """An asset or an archive, with the wire's own properties (`path`, `text`, `uri`, `hash`, `assets`)."""

    signature: str
    properties: Mapping[str, Value]


Plain: TypeAlias = bool | int | float | str | list["Plain"] | dict[str, "Plain"] | None
"""What JSON can say."""

Value: TypeAlias = bool | int | float | str | Unknown | Secret | Asset | list["Value"] | dict[str, "Value"] | None
"""A property value."""

Properties: TypeAlias = dict[str, Value]
"""The properties of a resource, by name."""

Path: TypeAlias = tuple[str | int, ...]
"""Where a value is: the keys and list indices that lead to it."""


def from_struct(struct: Struct) -> Properties:
    """Decode the properties of a request. Whole numbers become `int`: the wire has doubles only."""
    return {key: _decode(value) for key, value in struct.fields.items()}


def to_struct(properties: Mapping[str, Value]) -> Struct:
    """Encode properties for an answer. An unknown goes out as the unknown string, a secret under its signature."""
    from google.protobuf.struct_pb2 import Struct  # noqa: PLC0415 - not needed by users of the pure helpers

    struct = Struct()
    for key, value in properties.items():
        _encode(value, struct.fields[key])
    return struct


def _decode(value: StructValue) -> Value:
    match value.WhichOneof("kind"):
        case "bool_value":
            return value.bool_value
        case "number_value":
            return _number(value.number_value)
        case "string_value":
            return UNKNOWN if value.string_value in _UNKNOWN_STRINGS else value.string_value
        case "list_value":
            return [_decode(item) for item in value.list_value.values]
        case "struct_value":
            return _decode_object(value.struct_value)
        case _:
            return None


def _decode_object(struct: Struct) -> Value:
    fields = from_struct(struct)
    match fields.pop(SIGNATURE_KEY, None):
        case None:
            return fields
        case str(signature) if signature == SECRET_SIGNATURE:
            return Secret(fields.get("value"))
        case str(signature) if signature == OUTPUT_SIGNATURE:
            inner = fields.get("value", UNKNOWN)
            return Secret(inner) if fields.get("secret") is True else inner
        case str(signature) if signature in (ASSET_SIGNATURE, ARCHIVE_SIGNATURE):
            return Asset(signature, fields)
        case str(signature) if signature == RESOURCE_SIGNATURE:
            return fields.get("id", fields.get("urn"))
        case signature:
            raise ValueError(f"a property has the signature {signature!r}, which this plugin does not know")


def _number(number: float) -> int | float:
    return int(number) if number.is_integer() and abs(number) <= _EXACT_INTEGERS else number


def _encode(value: Value, target: StructValue) -> None:
    match value:
        case bool():
            target.bool_value = value
        case int() | float():
            target.number_value = value
        case str():
            target.string_value = value
        case Unknown():
            target.string_value = UNKNOWN_STRING
        case list():
            target.list_value.SetInParent()
            for item in value:
                _encode(item, target.list_value.values.add())
        case Secret() | Asset() | dict():
            _encode_object(value, target.struct_value)
        case None:
            target.null_value = 0  # pyright: ignore[reportAttributeAccessIssue] - the stub wants the enum's own type


def _encode_object(value: Secret | Asset | dict[str, Value], target: Struct) -> None:
    target.SetInParent()
    match value:
        case Secret():
            target.fields[SIGNATURE_KEY].string_value = SECRET_SIGNATURE
            fields: Mapping[str, Value] = {"value": value.value}
        case Asset():
            target.fields[SIGNATURE_KEY].string_value = value.signature
            fields = value.properties
        case dict():
            fields = value
    for key, item in fields.items():
        _encode(item, target.fields[key])


def unwrap(value: Value) -> Value:
    """The value without any `Secret` around it or in it. Unknowns stay."""
    match value:
        case Secret():
            return unwrap(value.value)
        case list():
            return [unwrap(item) for item in value]
        case dict():
            return {key: unwrap(item) for key, item in value.items()}
        case _:
            return value


def plain(value: Value) -> Plain:
    """The value as plain JSON: no secrets around it or in it.

    Raises:
        ValueError: it holds an unknown or an asset, which JSON cannot say. Ask `contains_unknown` first.
    """
    match value:
        case Secret():
            return plain(value.value)
        case list():
            return [plain(item) for item in value]
        case dict():
            return {key: plain(item) for key, item in value.items()}
        case Unknown():
            raise ValueError("the value is not known yet")
        case Asset():
            raise ValueError("an asset or archive is not accepted here")
        case _:
            return value


def plain_object(properties: Mapping[str, Value]) -> dict[str, Plain]:
    """`plain` of every property; raises the same errors."""
    return {key: plain(item) for key, item in properties.items()}


def properties(plain_properties: Mapping[str, Plain]) -> Properties:
    """Plain JSON as property values. Every plain value is one already; this says so to the type checker."""
    return cast("Properties", dict(plain_properties))


def as_value(plain_value: Plain) -> Value:
    """A plain JSON value as a property value, as `properties` does for a whole object."""
    return cast("Value", plain_value)


def without_nulls(value: Value) -> Value:
    """The value without object keys that are null: a program that passes `None` means that it sets nothing."""
    match value:
        case Secret():
            return Secret(without_nulls(value.value))
        case list():
            return [without_nulls(item) for item in value]
        case dict():
            return {key: without_nulls(item) for key, item in value.items() if item is not None}
        case _:
            return value


def contains_unknown(value: Value) -> bool:
    """Whether the value is, or holds at any depth, an unknown."""
    match value:
        case Unknown():
            return True
        case Secret():
            return contains_unknown(value.value)
        case list():
            return any(contains_unknown(item) for item in value)
        case dict():
            return any(contains_unknown(item) for item in value.values())
        case _:
            return False


def secret_paths(value: Value) -> list[Path]:
    """The paths of the outermost secrets in the value; `()` when the value itself is one."""
    return list(_secret_paths(value, ()))


def _secret_paths(value: Value, path: Path) -> Iterator[Path]:
    match value:
        case Secret():
            yield path
        case list():
            for index, item in enumerate(value):
                yield from _secret_paths(item, (*path, index))
        case dict():
            for key, item in value.items():
                yield from _secret_paths(item, (*path, key))
        case _:
            return


def mark_secrets(value: Value, paths: Iterable[Path]) -> Value:
    """The value with a `Secret` at each of the paths that it has.

    A path into a list that is shorter than the path's index marks the whole list: its items may have moved.
    """
    for path in paths:
        value = _mark(value, path)
    return value


def _mark(value: Value, path: Path) -> Value:
    if isinstance(value, Secret) or value is None:
        return value
    if not path:
        return Secret(value)
    head, rest = path[0], path[1:]
    match value:
        case dict() if isinstance(head, str):
            return {key: _mark(item, rest) if key == head else item for key, item in value.items()}
        case list() if isinstance(head, int):
            if head >= len(value):
                return Secret(value)
            return [_mark(item, rest) if index == head else item for index, item in enumerate(value)]
        case _:
            # The shape changed under the path: hide what is there instead.
            return Secret(value)


def with_secrets_like(inputs: Mapping[str, Value], outputs: Mapping[str, Value]) -> Properties:
    """The outputs, with everything secret that stands where the inputs have a secret, or repeats a secret text of them.

    Texts shorter than six characters are marked by their place alone: they turn up by chance.
    """
    source = dict(inputs)
    marked = mark_secrets(dict(outputs), secret_paths(source))
    texts = frozenset(text for text in _secret_texts(source, inside=False) if len(text) >= _SHORTEST_SECRET_TEXT)
    if texts:
        marked = _mark_texts(marked, texts)
    return marked if isinstance(marked, dict) else dict(outputs)


def _secret_texts(value: Value, *, inside: bool) -> Iterator[str]:
    match value:
        case str() if inside:
            yield value
        case Secret():
            yield from _secret_texts(value.value, inside=True)
        case list():
            for item in value:
                yield from _secret_texts(item, inside=inside)
        case dict():
            for item in value.values():
                yield from _secret_texts(item, inside=inside)
        case _:
            return


def _mark_texts(value: Value, texts: frozenset[str]) -> Value:
    match value:
        case str() if value in texts:
            return Secret(value)
        case list():
            return [_mark_texts(item, texts) for item in value]
        case dict():
            return {key: _mark_texts(item, texts) for key, item in value.items()}
        case _:
            return value


def get_string(properties: Mapping[str, Value], key: str) -> str | None:
    """The text of one property, without its `Secret`; None when it is absent, null or unknown.

    Raises:
        ValueError: it is something else than text.
    """
    match unwrap(properties.get(key)):
        case None | Unknown():
            return None
        case str(text):
            return text
        case other:
            raise ValueError(f"{key}: expected text, received {type(other).__name__}")


def get_bool(properties: Mapping[str, Value], key: str, *, default: bool) -> bool:
    """One property as a boolean; the texts `true` and `false` are accepted, as provider configuration carries them.

    Raises:
        ValueError: it is something else.
    """
    match unwrap(properties.get(key)):
        case None | Unknown():
            return default
        case bool(flag):
            return flag
        case "true" | "false" as text:
            return text == "true"
        case other:
            raise ValueError(f"{key}: expected true or false, received {other!r}")
