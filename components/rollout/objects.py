"""Kubernetes objects as plain JSON, and how to look into them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

Object: TypeAlias = dict[str, Json]
"""A Kubernetes object, or a part of one."""


def child(obj: Mapping[str, Json], *keys: str) -> Object:
    """The object under these keys; empty if there is none."""
    current: Json = dict(obj)
    for key in keys:
        current = current.get(key) if isinstance(current, dict) else None
    return current if isinstance(current, dict) else {}


def children(obj: Mapping[str, Json], *keys: str) -> list[Object]:
    """The objects in the list under these keys; empty if there is none."""
    items = child(obj, *keys[:-1]).get(keys[-1])
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def text(obj: Mapping[str, Json], *keys: str) -> str:
    """The text under these keys; empty if there is none."""
    value = child(obj, *keys[:-1]).get(keys[-1])
    return value if isinstance(value, str) else ""


def number(obj: Mapping[str, Json], *keys: str, default: int = 0) -> int:
    """The whole number under these keys."""
    value = child(obj, *keys[:-1]).get(keys[-1])
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else default


def name_of(obj: Mapping[str, Json]) -> str:
    """``metadata.name``."""
    return text(obj, "metadata", "name")


def condition(obj: Mapping[str, Json], kind: str) -> Object:
    """The status condition of this type; empty if there is none."""
    for item in children(obj, "status", "conditions"):
        if item.get("type") == kind:
            return item
    return {}


def is_owned_by(obj: Mapping[str, Json], uid: str) -> bool:
    """Whether the object has an owner with this uid."""
    return any(text(owner, "uid") == uid for owner in children(obj, "metadata", "ownerReferences"))
