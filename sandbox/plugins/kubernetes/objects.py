"""Kubernetes objects as plain JSON, and the few ways to look into them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

from ..protocol.values import Plain

Object: TypeAlias = dict[str, Plain]
"""A Kubernetes object, or a part of one."""

AUTONAMED: Final = "pulumi.com/autonamed"
SKIP_AWAIT: Final = "pulumi.com/skipAwait"
REPLACE_UNREADY: Final = "pulumi.com/replaceUnready"
PATCH_FORCE: Final = "pulumi.com/patchForce"
PATCH_FIELD_MANAGER: Final = "pulumi.com/patchFieldManager"
TIMEOUT_SECONDS: Final = "pulumi.com/timeoutSeconds"
DELETION_PROPAGATION: Final = "pulumi.com/deletionPropagationPolicy"


def child(obj: Mapping[str, Plain], *keys: str) -> Object:
    """The object under these keys; empty when something on the way is absent or no object."""
    current: Plain = dict(obj)
    for key in keys:
        current = current.get(key) if isinstance(current, dict) else None
    return current if isinstance(current, dict) else {}


def children(obj: Mapping[str, Plain], *keys: str) -> list[Object]:
    """The objects in the list under these keys; empty when there is none."""
    items = child(obj, *keys[:-1]).get(keys[-1])
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def text(obj: Mapping[str, Plain], *keys: str) -> str:
    """The text under these keys; empty when there is none."""
    value = child(obj, *keys[:-1]).get(keys[-1])
    return value if isinstance(value, str) else ""


def number(obj: Mapping[str, Plain], *keys: str, default: int = 0) -> int:
    """The whole number under these keys."""
    value = child(obj, *keys[:-1]).get(keys[-1])
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else default


def annotation(obj: Mapping[str, Plain], name: str) -> str:
    """The value of an annotation; empty when there is none."""
    return text(obj, "metadata", "annotations", name)


def is_annotated(obj: Mapping[str, Plain], name: str) -> bool:
    """Whether an annotation is `true`."""
    return annotation(obj, name).lower() == "true"


def name_of(obj: Mapping[str, Plain]) -> str:
    """`metadata.name`."""
    return text(obj, "metadata", "name")


def namespace_of(obj: Mapping[str, Plain]) -> str:
    """`metadata.namespace`; empty for an object without one."""
    return text(obj, "metadata", "namespace")


def condition(obj: Mapping[str, Plain], kind: str) -> Object:
    """The status condition of this type; empty when there is none."""
    for item in children(obj, "status", "conditions"):
        if item.get("type") == kind:
            return item
    return {}


def is_owned_by(obj: Mapping[str, Plain], uid: str) -> bool:
    """Whether the object has an owner with this uid."""
    return any(text(owner, "uid") == uid for owner in children(obj, "metadata", "ownerReferences"))
