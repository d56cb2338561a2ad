"""Tags, as AWS lists them and as Pulumi's aws package shows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..protocol.provider import Failure
from ..protocol.values import Properties, Unknown, Value, unwrap

_SYSTEM_PREFIX = "aws:"


@dataclass(frozen=True)
class TagChange:
    """What has to be done to get from some tags to others."""

    set: Mapping[str, str]
    remove: tuple[str, ...]


def failures(key: str, value: Value) -> list[Failure]:
    """What of some tags is not accepted."""
    tags = unwrap(value)
    if isinstance(tags, dict | Unknown | None):
        return []
    return [Failure(key, f"expected an object of key to text, received {tags!r}")]


def merged(default_tags: Mapping[str, str], tags: Value) -> Value:
    """The tags of a resource with the provider's default tags under them; unknown as long as the tags are."""
    if isinstance(tags, Unknown):
        return tags
    own: Properties = tags if isinstance(tags, dict) else {}
    both: Properties = {**default_tags, **own}
    return both or None


def change(old: Mapping[str, str], new: Mapping[str, str]) -> TagChange:
    """The smallest change from the old tags to the new ones."""
    return TagChange(
        {key: value for key, value in new.items() if old.get(key) != value},
        tuple(sorted(key for key in old if key not in new)),
    )


def texts(tags: Value) -> dict[str, str]:
    """Known tags as texts."""
    value = unwrap(tags)
    return {key: str(unwrap(tag)) for key, tag in value.items()} if isinstance(value, dict) else {}


def from_pairs(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Tags as AWS lists them, without those that AWS itself sets."""
    return {key: value for key, value in pairs if not key.startswith(_SYSTEM_PREFIX)}
