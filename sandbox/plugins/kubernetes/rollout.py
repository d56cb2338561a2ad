"""When an object is ready, and when it never will be: pure rules over the object and its pods."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from .kinds import Readiness
from .objects import Object, child, children, condition, number, text
from .pods import Problem, crashed_lately, is_ready, problems, started_unprobed

# How long the refusal to create pods (a quota, a policy) must last before it is certain, in seconds: during a rollout,
# a pod that ends makes room for another.
_REFUSAL_GRACE: Final = 15.0
_SETTLE_AFTER_CRASH: Final = 10.0  # seconds
# The kubelet looks at its containers once a second, and tells the API server a moment later.
_SETTLE_UNPROBED: Final = 3.0  # seconds
# A Deployment that is changed after its deadline, so as to roll it back, is said to be beyond it until the controller
# sees a pod come or go.
_SETTLE_DEADLINE: Final = 10.0  # seconds


@dataclass(frozen=True)
class Ready:
    """The object is as it should be. It must stay so for `settle` seconds before that can be relied on, and why."""

    settle: float = 0
    doubt: str = ""


@dataclass(frozen=True)
class Waiting:
    """It is not yet: what is waited for, and what is wrong so far."""

    message: str
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Failed:
    """It never will be; to be believed once it has been so for `settle` seconds."""

    reason: str
    problems: tuple[Problem, ...] = ()
    settle: float = 0


Status = Ready | Waiting | Failed


class Doubts:
    """Believes what must stay so for a while once it has."""

    def __init__(self) -> None:
        """Nothing was seen yet."""
        self._seen: type[Status] = Waiting
        self._since = 0.0

    def resolved(self, seen: Status, now: float) -> Status:
        """What is seen now, or that it is waited for as long as it may still pass.

        Args:
            seen: how far the object is.
            now: seconds on a clock that never goes back.
        """
        if type(seen) is not self._seen:
            self._seen, self._since = type(seen), now
        if isinstance(seen, Waiting) or now - self._since >= seen.settle:
            return seen
        if isinstance(seen, Ready):
            return Waiting(f"ready, but {seen.doubt}: it must stay up for {seen.settle:.0f} s")
        return Waiting(seen.reason, seen.problems)


def status(
    readiness: Readiness, obj: Object, pods: Sequence[Object], now: datetime, *, binds_late: bool = False
) -> Status:
    """How far an object is.

    Args:
        readiness: the rule of its kind.
        obj: the object, read after the change.
        pods: the pods of the revision that is rolled out.
        now: the time, with its zone: a pod that crashed or was started a moment ago is not trusted at once.
        binds_late: a claim's storage class waits for a pod before it binds.
    """
    if text(obj, "metadata", "deletionTimestamp"):
        return Waiting("it is being deleted")
    if readiness is Readiness.CLAIM and binds_late:
        return Ready()
    rule = _RULES.get(readiness)
    found = rule(obj, pods) if rule else Ready()
    watched = [obj] if readiness is Readiness.POD else pods
    return _doubted(watched, now) if isinstance(found, Ready) and readiness is not Readiness.JOB else found


def _doubted(pods: Sequence[Object], now: datetime) -> Ready:
    if any(crashed_lately(pod, now) for pod in pods):
        return Ready(_SETTLE_AFTER_CRASH, "it crashed a moment ago")
    if any(started_unprobed(pod, now) for pod in pods):
        return Ready(_SETTLE_UNPROBED, "it has just been started, and no probe tells whether it works")
    return Ready()


def _deployment(obj: Object, pods: Sequence[Object]) -> Status:
    found = (*_refusal(obj, "ReplicaFailure"), *_of_pods(pods))
    progressing = condition(obj, "Progressing")
    if not _is_observed(obj):
        return Waiting("waiting for the controller")
    if text(progressing, "reason") == "ProgressDeadlineExceeded":
        reason = text(progressing, "message") or "the progress deadline is exceeded"
        return Failed(reason, found, _SETTLE_DEADLINE)
    if child(obj, "spec").get("paused") is True:
        return Ready()
    message = _what_a_deployment_lacks(obj, pods)
    return Waiting(message, found) if message else Ready()


def _what_a_deployment_lacks(obj: Object, pods: Sequence[Object]) -> str:
    wanted = number(obj, "spec", "replicas", default=1)
    updated, available = number(obj, "status", "updatedReplicas"), number(obj, "status", "availableReplicas")
    old = number(obj, "status", "replicas") - updated
    if updated < wanted:
        return f"{updated} of {wanted} pods created"
    if old > 0:
        ready = sum(1 for pod in pods if is_ready(pod))
        return f"{ready} of {wanted} new pods ready, {old} old to go"
    return f"{available} of {wanted} pods ready" if available < wanted else ""


def _is_observed(obj: Object) -> bool:
    return number(obj, "status", "observedGeneration") >= number(obj, "metadata", "generation")


def _stateful_set(obj: Object, pods: Sequence[Object]) -> Status:
    found = _of_pods(pods)
    if not _is_observed(obj):
        return Waiting("waiting for the controller")
    wanted = number(obj, "spec", "replicas", default=1)
    ready, updated = number(obj, "status", "readyReplicas"), number(obj, "status", "updatedReplicas")
    if text(obj, "spec", "updateStrategy", "type") != "OnDelete":
        partition = number(obj, "spec", "updateStrategy", "rollingUpdate", "partition")
        if updated < wanted - partition:
            return Waiting(f"{updated} of {wanted - partition} pods updated", found)
    if ready < wanted:
        return Waiting(f"{ready} of {wanted} pods ready", found)
    return Ready()


def _daemon_set(obj: Object, pods: Sequence[Object]) -> Status:
    found = _of_pods(pods)
    if not _is_observed(obj):
        return Waiting("waiting for the controller")
    wanted = number(obj, "status", "desiredNumberScheduled")
    updated, available = number(obj, "status", "updatedNumberScheduled"), number(obj, "status", "numberAvailable")
    if updated < wanted and text(obj, "spec", "updateStrategy", "type") != "OnDelete":
        return Waiting(f"{updated} of {wanted} pods updated", found)
    if available < wanted:
        return Waiting(f"{available} of {wanted} pods ready", found)
    return Ready()


def is_complete(job: Object) -> bool:
    """Whether a Job has done what it was made for."""
    return text(condition(job, "Complete"), "status") == "True"


def _job(obj: Object, pods: Sequence[Object]) -> Status:
    # How often a pod of a Job may crash is the Job's own setting, which the controller heeds.
    found = tuple(replace(problem, certain_after=None) if problem.container else problem for problem in _of_pods(pods))
    if is_complete(obj) or child(obj, "spec").get("suspend") is True:
        return Ready()
    failed = condition(obj, "Failed")
    if text(failed, "status") == "True":
        return Failed(f"{text(failed, 'reason')}: {text(failed, 'message')}", found)
    wanted = number(obj, "spec", "completions", default=1)
    return Waiting(f"{number(obj, 'status', 'succeeded')} of {wanted} completions", found)


def _pod(obj: Object, _: Sequence[Object]) -> Status:
    phase = text(obj, "status", "phase")
    if is_ready(obj) or phase == "Succeeded":
        return Ready()
    found = tuple(problems(obj))
    if phase == "Failed":
        return Failed(f"the pod failed: {text(obj, 'status', 'message')}".rstrip(": "), found)
    return Waiting(f"the pod is {phase or 'Pending'}, not ready", found)


def _claim(obj: Object, _: Sequence[Object]) -> Status:
    phase = text(obj, "status", "phase")
    if phase == "Lost":
        return Failed("the claim lost its volume")
    return Ready() if phase == "Bound" else Waiting("waiting for a volume")


def _volume(obj: Object, _: Sequence[Object]) -> Status:
    phase = text(obj, "status", "phase")
    if phase == "Failed":
        return Failed(text(obj, "status", "message") or "the volume failed")
    return Ready() if phase in ("Available", "Bound", "Released") else Waiting("waiting for the volume")


def _namespace(obj: Object, _: Sequence[Object]) -> Status:
    return Ready() if text(obj, "status", "phase") == "Active" else Waiting("waiting for the namespace to be active")


def _service(obj: Object, _: Sequence[Object]) -> Status:
    # Not for endpoints: a Service without pods is as it should be, and its Deployment's readiness tells of the pods.
    if text(obj, "spec", "type") != "LoadBalancer" or children(obj, "status", "loadBalancer", "ingress"):
        return Ready()
    return Waiting("waiting for the load balancer's address")


def _ingress(obj: Object, _: Sequence[Object]) -> Status:
    if children(obj, "status", "loadBalancer", "ingress"):
        return Ready()
    name = text(obj, "spec", "ingressClassName")
    which = f"the ingress class {name!r}" if name else "the default ingress class"
    return Waiting(f"waiting for an address from the controller of {which}")


def _of_pods(pods: Sequence[Object]) -> tuple[Problem, ...]:
    return tuple(problem for pod in pods for problem in problems(pod))


def _refusal(obj: Object, kind: str) -> tuple[Problem, ...]:
    refused = condition(obj, kind)
    if text(refused, "status") != "True":
        return ()
    return (Problem(f"{kind}/refused", f"{text(refused, 'reason')}: {text(refused, 'message')}", _REFUSAL_GRACE),)


_RULES: Final[dict[Readiness, Callable[[Object, Sequence[Object]], Status]]] = {
    Readiness.DEPLOYMENT: _deployment,
    Readiness.STATEFUL_SET: _stateful_set,
    Readiness.DAEMON_SET: _daemon_set,
    Readiness.JOB: _job,
    Readiness.POD: _pod,
    Readiness.CLAIM: _claim,
    Readiness.VOLUME: _volume,
    Readiness.NAMESPACE: _namespace,
    Readiness.SERVICE: _service,
    Readiness.INGRESS: _ingress,
}
