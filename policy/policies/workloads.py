"""Policies about what a workload says of its containers: resources, probes, and what they may do.

The last is the Pod Security Standard ``restricted``:
https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from .pods import Container, containers_of, pod_of
from .rules import Resource, Rule, Setting, Settings, shown
from .values import UNKNOWN, at, elements, mapping

_PROBES: Final = ("livenessProbe", "readinessProbe")
_PROFILES: Final = ("RuntimeDefault", "Localhost")
_MAY_ADD: Final = "NET_BIND_SERVICE"
_OF_THE_NODE: Final = ("hostNetwork", "hostPID", "hostIPC")


def _resources(resource: Resource, settings: Settings) -> Iterator[str]:
    for container in containers_of(resource):
        for part in ("requests", "limits"):
            given = at(container.spec, "resources", part)
            missing = [name for name in settings.texts(part) if at(given, name) is None]
            if missing:
                yield (
                    f"{container.title}: resources.{part} has {_names(given)}, and not {' and '.join(missing)}. "
                    f"Accepted is an amount for each of {', '.join(settings.texts(part))}."
                )


def _probes(resource: Resource, _settings: Settings) -> Iterator[str]:
    for container in containers_of(resource):
        missing = [name for name in _PROBES if at(container.spec, name) is None]
        if container.runs_on and missing:
            yield (
                f"{container.title}: it has no {' and no '.join(missing)}. Accepted is one of each; without, calls go "
                "to pods that are not ready, and one that hangs is never restarted."
            )


def _restricted(resource: Resource, settings: Settings) -> Iterator[str]:
    pod = mapping(pod_of(resource))
    if not pod:
        return
    for name in _OF_THE_NODE:
        if at(pod, name) is True:
            yield f"{resource.title}: {name} is true. Accepted is false, or leaving it out."
    for volume in elements(at(pod, "volumes")):
        if at(volume, "hostPath") is not None:
            yield (
                f"{resource.title}: the volume {shown(at(volume, 'name'))} is a hostPath, a folder of the node. "
                "Accepted are volumes of the pod, claims, ConfigMaps and Secrets."
            )
    for container in containers_of(resource):
        for problem in _problems(container, mapping(at(pod, "securityContext")), settings):
            yield f"{container.title}: {problem}"


def _problems(container: Container, of_pod: Mapping[str, object], settings: Settings) -> Iterator[str]:
    own = at(container.spec, "securityContext")
    expected: list[tuple[str, object, object]] = [
        # What a container does not say, its pod may say for all.
        ("runAsNonRoot", _first(at(own, "runAsNonRoot"), of_pod.get("runAsNonRoot")), True),
        ("allowPrivilegeEscalation", at(own, "allowPrivilegeEscalation"), False),
    ]
    if settings.is_on("readOnlyRootFilesystem"):
        expected.append(("readOnlyRootFilesystem", at(own, "readOnlyRootFilesystem"), True))
    for name, value, accepted in expected:
        if value is not UNKNOWN and value is not accepted:
            yield f"securityContext.{name} is {_spelled(value)}. Accepted is {_spelled(accepted)}."
    if at(own, "privileged") is True:
        yield "securityContext.privileged is true. Accepted is false, or leaving it out."
    profile = _first(at(own, "seccompProfile", "type"), at(of_pod, "seccompProfile", "type"))
    if profile is not UNKNOWN and profile not in _PROFILES:
        yield f"securityContext.seccompProfile.type is {_spelled(profile)}. Accepted is {' or '.join(_PROFILES)}."
    dropped = at(own, "capabilities", "drop")
    if dropped is not UNKNOWN and not {"ALL", UNKNOWN} & set(elements(dropped)):
        yield f"securityContext.capabilities.drop is {_spelled(dropped)}. Accepted is [ALL]."
    added = [name for name in elements(at(own, "capabilities", "add")) if name not in {_MAY_ADD, UNKNOWN}]
    if added:
        yield f"securityContext.capabilities.add is {_spelled(added)}. Accepted is nothing but {_MAY_ADD}."


def _first(*values: object) -> object:
    return next((value for value in values if value is not None), None)


def _names(value: object) -> str:
    return ", ".join(sorted(mapping(value))) or "nothing"


def _spelled(value: object) -> str:
    """A value as it is written in YAML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(str, elements(value)))}]"  # pyright: ignore[reportUnknownArgumentType] - any list
    return "missing" if value is None else str(value)


RULES: Final = (
    Rule(
        "container-resources",
        "Containers say what they need and what they may use at most.",
        _resources,
        (
            Setting("requests", ("cpu", "memory"), "What each container has to ask for."),
            Setting("limits", ("memory",), "What each container has to be limited in."),
        ),
    ),
    Rule("container-probes", "Containers that run on tell whether they live and are ready.", _probes),
    Rule(
        "container-security",
        "Pods keep to the Pod Security Standard restricted, and containers cannot write to their image.",
        _restricted,
        (Setting("readOnlyRootFilesystem", True, "Whether the root file system has to be read-only."),),
    ),
)
"""Policies about one resource."""
