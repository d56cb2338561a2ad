"""Reads the state that Pulumi's file backend keeps of a stack, and says what an interrupted update has left in it."""

from __future__ import annotations

import json
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

_REPOSITORY: Final = "aws:ecr/repository:Repository"


@dataclass(frozen=True)
class Checkpoint:
    """What the state says."""

    pending: int
    """How many operations had begun whose end is not known."""
    repositories: frozenset[str]
    """The names of the repositories that were made."""
    outputs: dict[str, Any]
    """The stack's outputs."""
    has_resources: bool
    """Whether anything was made but the stack itself."""


EMPTY: Final = Checkpoint(0, frozenset(), {}, has_resources=False)


def file(backend: Path, project: str, stack: str) -> Path:
    """Where the file backend keeps a stack."""
    return backend / ".pulumi" / "stacks" / project / f"{stack}.json"


def locks(backend: Path, project: str, stack: str) -> Path:
    """Where the file backend keeps the locks of a stack."""
    return backend / ".pulumi" / "locks" / "organization" / project / stack


def half_written(backend: Path, project: str, stack: str) -> list[Path]:
    """What a killed Pulumi leaves beside a stack's state and then cannot read, or never looks at again.

    The file backend (gocloud.dev/blob/fileblob) writes the state itself at once, but not the file with its attributes,
    which it can do without.
    """
    folder = file(backend, project, stack).parent
    empty = [path for path in folder.glob(f"{stack}.json*.attrs") if path.stat().st_size == 0]
    return [*empty, *folder.glob(f"{stack}.json*.tmp")]


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
        pending=len(operations),
        repositories=frozenset(repositories),
        outputs=outputs,
        has_resources=any(resource.get("custom") for resource in resources),
    )


@dataclass(frozen=True)
class Recovery:
    """What has to be done before the next update."""

    settle: bool = False
    """Whether operations that had begun must be taken out of the state, by a refresh."""
    orphans: frozenset[str] = frozenset()
    """Repositories that were made, though the state does not know them: they must go, as their names are taken."""
    refresh_first: bool = False
    """Whether the update must ask the clouds what is there: something has vanished behind Pulumi's back."""


def recovery(
    state: Checkpoint, existing: AbstractSet[str], tagged: AbstractSet[str], *, cluster_is_new: bool
) -> Recovery:
    """Decide how to go on.

    What was being created is forgotten, whether it came to be or not. In the cluster, creating it again takes over what
    is there (`PULUMI_K8S_UPSERT_EXISTING_OBJECTS`); a repository has to be deleted first. It is the ECR API's entry
    alone, as the images are in the registry.

    Args:
        state: what Pulumi knows.
        existing: the repositories that the ECR API knows.
        tagged: those of them that carry this stack's tags.
        cluster_is_new: whether the cluster is another than the one that the last update ended on.
    """
    return Recovery(
        settle=bool(state.pending),
        orphans=frozenset(tagged - state.repositories),
        refresh_first=bool(state.repositories - existing) or (cluster_is_new and state.has_resources),
    )
