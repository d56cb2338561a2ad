"""The pods that an object of Kubernetes brings forth, and the containers in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from .rules import Resource
from .values import at, elements, mapping

_TEMPLATE: Final = ("spec", "template", "spec")
_SPEC_OF: Final = {
    "Pod": ("spec",),
    "Deployment": _TEMPLATE,
    "StatefulSet": _TEMPLATE,
    "DaemonSet": _TEMPLATE,
    "ReplicaSet": _TEMPLATE,
    "ReplicationController": _TEMPLATE,
    "Job": _TEMPLATE,
    "CronJob": ("spec", "jobTemplate", *_TEMPLATE),
}
_ENDING: Final = ("Job", "CronJob")
_LISTS: Final = (("containers", "container"), ("initContainers", "init container"))


@dataclass(frozen=True)
class Container:
    """A container of a pod; ``title`` is how a message calls it. ``runs_on`` is false for one that is to end."""

    title: str
    spec: Mapping[str, object]
    runs_on: bool


def pod_of(resource: Resource) -> object:
    """The specification of the pods of a workload, ``None`` for anything else."""
    path = _SPEC_OF.get(resource.kind) if resource.is_of_kubernetes else None
    return at(resource.properties, *path) if path else None


def containers_of(resource: Resource) -> Iterator[Container]:
    """The containers in the pods of a workload, and those that come before them."""
    pod = pod_of(resource)
    for name, kind in _LISTS:
        for number, value in enumerate(elements(at(pod, name))):
            spec = mapping(value)
            # An init container that is always restarted is a sidecar.
            stays = kind == "container" or spec.get("restartPolicy") == "Always"
            called = spec.get("name") if isinstance(spec.get("name"), str) else number + 1
            yield Container(f"{resource.title}, {kind} {called}", spec, runs_on=stays and resource.kind not in _ENDING)
