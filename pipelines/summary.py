"""A preview as a document for machines, and its fingerprint: two previews of the same change have the same one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Final, cast

from pipelines.changes import understand
from pipelines.comment import Subject
from pipelines.events import Json, Run, Step, at

VERSION: Final = 1
"""Of the document's shape; a step that reads one refuses another version."""


def document(run: Run, subject: Subject) -> Json:
    """What :mod:`pipelines.comment` says, as JSON: names, operations and images, and no values of properties."""
    changes = understand(run)
    operations = sorted({step.operation for step in changes.steps})
    return {
        "version": VERSION,
        "stack": subject.stack,
        "commit": subject.commit,
        "succeeded": run.finished,
        "fingerprint": fingerprint(run),
        "operations": {operation: changes.count(operation) for operation in operations},
        "unchanged": changes.unchanged,
        "resources": [
            {
                "urn": step.urn,
                "operation": step.operation,
                "properties": [difference.path for difference in step.differences],
                "fingerprint": _hash(_told(run, step)),
            }
            for step in changes.steps
        ],
        "images": [asdict(image) for image in changes.images],
        "deployments": [asdict(rollout) for rollout in changes.rollouts],
        "policies": [asdict(finding) for finding in run.findings],
    }


def fingerprint(run: Run) -> str:
    """64 hexadecimal digits that stand for all that a preview would do, and from which values to which.

    Secrets count as present, and not by their value: tokens differ each time, and what else is secret is held to its
    value by the saved plan.
    """
    # Steps come in the order in which the engine got to them, which is not always the same.
    return _hash([_told(run, step) for step in sorted(run.changes, key=lambda step: step.urn)])


def departures(reviewed: Json, run: Run) -> list[str]:
    """How what would be done now differs from what was reviewed: one line for each resource, none if it does not."""
    before = {item["urn"]: item for item in reviewed.get("resources") or ()}
    now = {step.urn: step for step in understand(run).steps}
    lines: list[str] = []
    for urn in sorted(before.keys() | now.keys()):
        name = urn.rsplit("::", 1)[-1]
        kind = urn.rsplit("::", 2)[-2].rsplit(":", 1)[-1]
        if urn not in now:
            lines.append(f"{kind} {name}: {before[urn]['operation']} was previewed, and there is nothing to do now")
        elif urn not in before:
            lines.append(f"{kind} {name}: {now[urn].operation} was not previewed")
        elif now[urn].operation != before[urn]["operation"]:
            lines.append(f"{kind} {name}: {before[urn]['operation']} was previewed, and it is {now[urn].operation} now")
        elif _hash(_told(run, now[urn])) != before[urn]["fingerprint"]:
            paths = ", ".join(difference.path for difference in now[urn].differences) or "its properties"
            lines.append(f"{kind} {name}: its {now[urn].operation} is another one ({paths})")
    return lines


_AUTO_NAMED: Final = 'metadata.annotations["pulumi.com/autonamed"]'


def _told(run: Run, step: Step) -> object:
    differences = [[item.path, item.before, item.after] for item in step.differences]
    told = [step.urn, step.operation, differences, step.after if step.operation == "create" else None]
    return _renamed(told, _automatic_names(run))


def _automatic_names(run: Run) -> dict[str, str]:
    """Names that the engine makes up for new objects, another one in each preview, to what stands for them.

    The saved plan holds the seed that a name is made from: the update gives the name that the plan's preview had.
    """
    new = [step for step in run.changes if step.operation in ("create", "replace")]
    return {
        name: f"<automatic name of {step.urn}>"
        for step in new
        if at(step.after, _AUTO_NAMED) == "true" and isinstance(name := at(step.after, "metadata.name"), str)
    }


def _renamed(value: object, names: Mapping[str, str]) -> object:
    if isinstance(value, str):
        return names.get(value, value)
    if isinstance(value, Mapping):
        items = cast("Mapping[str, object]", value)
        return {key: _renamed(item, names) for key, item in items.items()}
    if isinstance(value, Sequence):
        return [_renamed(item, names) for item in cast("Sequence[object]", value)]
    return value


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
