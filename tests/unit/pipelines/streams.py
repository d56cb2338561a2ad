"""Event streams: those of real previews, and small ones made for a test."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipelines.events import Run, read

PREVIEWS = Path(__file__).parents[2] / "pipelines" / "previews"
KINDS = ("nothing", "one_service", "one_setting", "new_registry")


def recorded(kind: str) -> Run:
    """What a real preview told."""
    return read((PREVIEWS / f"{kind}.jsonl").read_text().splitlines())


def made(*events: Mapping[str, Any], finished: bool = True) -> Run:
    """A run of these events."""
    end: list[dict[str, Any]] = [{"summaryEvent": {"result": "succeeded"}}] if finished else []
    return read(json.dumps(event) for event in [*events, *end])


def step(  # noqa: PLR0917 - they come in the order in which an event has them
    operation: str,
    type_: str,
    name: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    differs: Iterable[str] = (),
    keys: Iterable[str] = (),
) -> dict[str, Any]:
    """The event about one resource."""
    metadata = {
        "op": operation,
        "urn": f"urn:pulumi:dev::dockercoins::{type_}::{name}",
        "type": type_,
        "old": {"inputs": before} if before is not None else None,
        "new": {"inputs": after} if after is not None else None,
        "keys": list(keys),
        "diffs": [],
        "detailedDiff": {path: {"diffKind": "update", "inputDiff": True} for path in differs} or None,
    }
    return {"resourcePreEvent": {"metadata": metadata}}


def said(severity: str, text: str, name: str = "") -> dict[str, Any]:
    """A message of the engine."""
    urn = f"urn:pulumi:dev::dockercoins::type::{name}" if name else ""
    return {"diagnosticEvent": {"severity": severity, "message": f"<{{%reset%}}>{text}<{{%reset%}}>\n", "urn": urn}}
