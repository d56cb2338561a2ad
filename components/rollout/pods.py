"""What keeps a pod from becoming ready, in the words of the pod itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from components.rollout.objects import Object, child, children, condition, name_of, number, text

# How long a problem must last before it is certain, in seconds. An image may be pushed, and a Secret created, beside
# the Deployment that needs it; a registry may be restarting; and a node that is busy may ask for a new pod's Secrets
# before the API server knows that it may ("no relationship found between node and this object"), so that it pulls
# without a login. The kubelet tries again after 10 to 20 s, and that must have failed too.
_PULL_GRACE: Final = 30.0
_CONFIG_GRACE: Final = 30.0
# A container that needs another service may crash until that is there; three times is a habit.
_CRASHES: Final = 3
_CRASH_MEMORY: Final = timedelta(minutes=6)  # the kubelet starts a container again after five minutes at most
_NEWNESS: Final = timedelta(seconds=10)

_PULL_REASONS: Final = frozenset({"ErrImagePull", "ImagePullBackOff", "ImageInspectError", "RegistryUnavailable"})
_CONFIG_REASONS: Final = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError", "PostStartHookError"}
)
_LAST_LINES: Final = 10
_HOPELESS_REASONS: Final = frozenset({"InvalidImageName", "ErrImageNeverPull"})


@dataclass(frozen=True)
class Problem:
    """Something that is wrong with a pod.

    Attributes:
        key: the same for the same problem in every look.
        message: what is wrong, in the words of Kubernetes.
        certain_after: the seconds after which waiting does not help; ``None`` if it may help until the time limit.
        pod: its name.
    """

    key: str
    message: str
    certain_after: float | None = None
    pod: str = ""


def is_ready(pod: Object) -> bool:
    """Whether the pod serves."""
    return text(condition(pod, "Ready"), "status") == "True"


def crashed_lately(pod: Object, now: datetime) -> bool:
    """Whether a container that runs now crashed within the time that the kubelet waits at most between two starts.

    Such a container is ready for a moment after each start.
    """
    for status in children(pod, "status", "containerStatuses"):
        ended = child(status, "lastState", "terminated")
        if number(ended, "exitCode") and now - _time(text(ended, "finishedAt"), now) < _CRASH_MEMORY:
            return True
    return False


def started_unprobed(pod: Object, now: datetime) -> bool:
    """Whether a container that no probe asks was started a moment ago.

    Such a container is ready as soon as it runs, also when it is about to crash.
    https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-probes
    """
    probed = {
        text(container, "name")
        for container in children(pod, "spec", "containers")
        if child(container, "readinessProbe") or child(container, "startupProbe")
    }
    for status in children(pod, "status", "containerStatuses"):
        started = text(child(status, "state", "running"), "startedAt")
        if started and text(status, "name") not in probed and now - _time(started, now) < _NEWNESS:
            return True
    return False


def _time(stamp: str, default: datetime) -> datetime:
    try:
        return datetime.fromisoformat(stamp)
    except ValueError:
        return default


def problems(pod: Object) -> list[Problem]:
    """What is wrong with a pod; empty when it is on its way, or ready."""
    return list(_problems(pod))


def _problems(pod: Object) -> Iterator[Problem]:
    name = name_of(pod)
    if text(pod, "metadata", "deletionTimestamp"):
        return
    scheduled = condition(pod, "PodScheduled")
    if text(scheduled, "status") == "False":
        message = text(scheduled, "message") or text(scheduled, "reason")
        yield Problem(f"{name}/schedule", f"pod {name} cannot be scheduled: {message}", pod=name)
    for status in (*children(pod, "status", "initContainerStatuses"), *children(pod, "status", "containerStatuses")):
        yield from _container_problems(name, status)
    if text(pod, "status", "phase") == "Failed" and text(pod, "status", "reason"):
        reason, message = text(pod, "status", "reason"), text(pod, "status", "message")
        yield Problem(f"{name}/{reason}", f"pod {name} failed: {reason}: {message}", pod=name)


def _container_problems(pod: str, status: Object) -> Iterator[Problem]:
    container = text(status, "name")
    waiting = child(status, "state", "waiting")
    reason, message = text(waiting, "reason"), text(waiting, "message")
    where = f"pod {pod}, container {container}"
    if reason in _PULL_REASONS:
        image = text(status, "image")
        yield Problem(f"{pod}/{container}/pull", f"{where}: {reason}: {message or image}", _PULL_GRACE, pod)
    elif reason in _CONFIG_REASONS:
        yield Problem(f"{pod}/{container}/config", f"{where}: {reason}: {message}", _CONFIG_GRACE, pod)
    elif reason in _HOPELESS_REASONS:
        yield Problem(f"{pod}/{container}/{reason}", f"{where}: {reason}: {message}", 0, pod)
    else:
        yield from _crash(pod, status, where, in_backoff=reason == "CrashLoopBackOff")


def _crash(pod: str, status: Object, where: str, *, in_backoff: bool) -> Iterator[Problem]:
    ended = child(status, "lastState" if in_backoff else "state", "terminated")
    if not in_backoff and not number(ended, "exitCode"):
        return
    crashes = number(status, "restartCount") + 1
    times = f"crashed {crashes} times" if crashes > 1 else "crashed"
    message = f"{where}: {'CrashLoopBackOff: ' if in_backoff else ''}{times}{_how_it_ended(ended)}"
    yield Problem(f"{pod}/{text(status, 'name')}/crash", message, 0 if crashes >= _CRASHES else None, pod)


def _how_it_ended(terminated: Object) -> str:
    if not terminated:
        return ""
    words = f", last with exit code {number(terminated, 'exitCode')}"
    reason = text(terminated, "reason")
    if reason and reason not in ("Error", "Completed"):
        words += f" ({reason})"
    # With `terminationMessagePolicy: FallbackToLogsOnError`, the last lines of the container's log.
    lines = [line for line in text(terminated, "message").splitlines() if line.strip()][-_LAST_LINES:]
    return words + "".join(f"\n    {line}" for line in lines)
