"""Server-side apply, with the conflicts that it may find told or settled.

https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from ..protocol.provider import ProviderError
from .client import ApiError, ApplyOptions, Cluster
from .kinds import Kind
from .objects import PATCH_FIELD_MANAGER, PATCH_FORCE, Object, annotation, is_annotated, text

_MANAGER: Final = re.compile(r'conflict with "((?:[^"\\]|\\.)*)"')
# A person's own edit is drift, which an update repairs; what a controller or another tool owns is a conflict. These are
# also the managers whose fields the official plugin takes over.
_PERSONAL: Final = re.compile(
    r"kubectl($|[-.])|before-first-apply$|pulumi-kubernetes(\.exe)?$|pulumi-resource-kubernetes$"
)


class FieldConflict(ProviderError):  # noqa: N818 - the API's name for it
    """Others own fields that the program sets to another value."""


def field_manager(urn: str, inputs: Object, kept: str = "") -> str:
    """Who applies a resource: the annotation's manager, else the one that the state keeps, else one made of its URN.

    It is the same in every run, so that an apply whose state was lost is taken up again rather than fought.
    """
    if chosen := annotation(inputs, PATCH_FIELD_MANAGER):
        return chosen
    return kept or f"pulumi-kubernetes-{hashlib.sha256(urn.encode()).hexdigest()[:8]}"


def apply(
    cluster: Cluster, kind: Kind, manifest: Object, manager: str, *, dry_run: bool, take_over_edits: bool
) -> Object:
    """Apply a manifest, and return the live object (as it would be, in a dry run).

    Args:
        cluster: where.
        kind: the manifest's kind.
        manifest: the object; it has a name, and a namespace if its kind has.
        manager: the field manager.
        dry_run: change nothing.
        take_over_edits: whether fields that a person edited with kubectl are taken over. The annotation
            `pulumi.com/patchForce: "true"` takes over everything.

    Raises:
        FieldConflict: another manager owns a field; it is named.
        ApiError: the server refused the manifest for another reason.
    """
    namespace, name = text(manifest, "metadata", "namespace"), text(manifest, "metadata", "name")
    force = is_annotated(manifest, PATCH_FORCE)
    try:
        return cluster.apply(kind, namespace, name, manifest, ApplyOptions(manager, force=force, dry_run=dry_run))
    except ApiError as error:
        managers = _managers(error)
        if not managers:
            raise
        if not take_over_edits or not all(_PERSONAL.fullmatch(other) for other in managers):
            raise FieldConflict(_conflict(kind.identifier(namespace, name), error)) from None
    return cluster.apply(kind, namespace, name, manifest, ApplyOptions(manager, force=True, dry_run=dry_run))


def _managers(error: ApiError) -> list[str]:
    """The managers that the fields of a conflict belong to; empty when the error is another one."""
    if not error.is_conflict:
        return []
    found = (_MANAGER.search(text(cause, "message")) for cause in error.causes)
    return [match.group(1) for match in found if match]


def _conflict(identifier: str, error: ApiError) -> str:
    owned: dict[str, list[str]] = {}
    for cause in error.causes:
        if match := _MANAGER.search(text(cause, "message")):
            owned.setdefault(match.group(1), []).append(text(cause, "field"))
    told = "; ".join(f"{', '.join(fields)} by {manager!r}" for manager, fields in owned.items())
    return (
        f"{identifier} has fields that others manage: {told}. Leave them out of the program, or take them over with "
        f'the annotation {PATCH_FORCE}: "true"'
    )
