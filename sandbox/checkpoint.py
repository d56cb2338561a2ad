"""Reads the state that Pulumi's file backend keeps of a stack, and says what an interrupted update has left in it."""

from __future__ import annotations

import json
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

_REPOSITORY: Final = "aws:ecr/repository:Repository"


@dataclass(frozen=True)
class Pending:
    """An operation that had begun and whose end is not known."""

    urn: str
    kind: str
    """`creating`, `updating`, `deleting`, …"""
    type: str
    name: str
    """The input `name`, by which a repository is imported; empty for what has none."""


@dataclass(frozen=True)
class Checkpoint:
    """What the state says."""

    pending: tuple[Pending, ...]
    repositories: frozenset[str]
    """The names of the repositories that were made."""
    outputs: dict[str, Any]
    """The stack's outputs."""
    has_resources: bool
    """Whether anything was made but the stack itself."""


EMPTY: Final = Checkpoint((), frozenset(), {}, has_resources=False)


def file(backend: Path, project: str, stack: str) -> Path:
    """Where the file backend keeps a stack."""
    return backend / ".pulumi" / "stacks" / project / f"{stack}.json"


def locks(backend: Path, project: str, stack: str) -> Path:
    """Where the file backend keeps the locks of a stack."""
    return backend / ".pulumi" / "locks" / "organization" / project / stack


def read(path: Path) -> Checkpoint | None:
    """The state; None if there is no such stack."""
    try:
        document: Any = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    return parse(cast("dict[str, Any]", document))


def parse(document: dict[str, Any]) -> Checkpoint:
    """Read the JSON of a checkpoint (version 3: pulumi/sdk, go/common/apitype/core.go)."""
    whole = cast("dict[str, Any]", document.get("checkpoint") or {})
    latest = cast("dict[str, Any]", whole.get("latest") or {})
    resources = cast("list[dict[str, Any]]", latest.get("resources") or [])
    operations = cast("list[dict[str, Any]]", latest.get("pending_operations") or [])
    outputs: dict[str, Any] = {}
    repositories: set[str] = set()
    for resource in resources:
        if resource.get("type") == "pulumi:pulumi:Stack":
            outputs = cast("dict[str, Any]", resource.get("outputs") or {})
        elif resource.get("type") == _REPOSITORY and resource.get("id"):
            repositories.add(str(resource["id"]))
    return Checkpoint(
        pending=tuple(_pending(operation) for operation in operations),
        repositories=frozenset(repositories),
        outputs=outputs,
        has_resources=any(resource.get("custom") for resource in resources),
    )


def _pending(operation: dict[str, Any]) -> Pending:
    resource = cast("dict[str, Any]", operation.get("resource") or {})
    inputs = cast("dict[str, Any]", resource.get("inputs") or {})
    name = inputs.get("name")
    return Pending(
        urn=str(resource.get("urn", "")),
        kind=str(operation.get("type", "")),
        type=str(resource.get("type", "")),
        name=name if isinstance(name, str) else "",
    )


@dataclass(frozen=True)
class Recovery:
    """What has to be done before the next update."""

    refresh: tuple[str, ...] | None = None
    """Options of a `pulumi refresh` that settles pending operations; None if there are none."""
    refresh_first: bool = False
    """Whether the update must ask the clouds what is there: something has vanished behind Pulumi's back."""


def recovery(state: Checkpoint, existing: AbstractSet[str], *, cluster_is_new: bool) -> Recovery:
    """Decide how to go on.

    A repository that was being created may exist: it is taken into the state. Anything else that was being created is
    forgotten: creating it again meets what is there with server-side apply.

    Args:
        state: what Pulumi knows.
        existing: the repositories that the ECR API knows.
        cluster_is_new: whether the cluster is another than the one that the last update ended on.
    """
    settle: tuple[str, ...] | None = None
    if state.pending:
        imports: list[str] = []
        for operation in state.pending:
            if operation.kind == "creating" and operation.type == _REPOSITORY and operation.name in existing:
                imports += ["--import-pending-creates", f"{operation.urn} {operation.name}"]
        settle = (*imports, "--clear-pending-creates")
    vanished = bool(state.repositories - existing) or (cluster_is_new and state.has_resources)
    return Recovery(settle, vanished)
