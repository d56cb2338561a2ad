"""How far a rollout is, from a Deployment and its pods alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from components.rollout.objects import Object, child, condition, number, text
from components.rollout.pods import Problem, crashed_lately, is_ready, problems, started_unprobed

# How long pods must be refused (by a quota, by a policy) before the rollout has failed, in seconds: a pod of the old
# version that ends makes room for a new one.
_REFUSAL_GRACE: Final = 15.0
# How long a container must stay up before it counts, in seconds: after a crash; after a start that no probe follows
# (the kubelet looks once a second, and the API server learns of it a moment later).
_SETTLE_AFTER_CRASH: Final = 10.0
_SETTLE_UNPROBED: Final = 3.0
# A Deployment that missed its deadline and is then changed keeps that condition until a pod comes or goes.
_SETTLE_DEADLINE: Final = 10.0


@dataclass(frozen=True)
class Ready:
    """Every pod is of the new version and ready; it counts once it has been so for ``settle`` seconds, and why."""

    settle: float = 0
    doubt: str = ""


@dataclass(frozen=True)
class Waiting:
    """Not ready yet: what is missing, and what is wrong so far."""

    message: str
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Failed:
    """Never becomes ready; it counts once it has been so for ``settle`` seconds."""

    reason: str
    problems: tuple[Problem, ...] = ()
    settle: float = 0


Status = Ready | Waiting | Failed


class Settling:
    """Turns a status that may still pass into :class:`Waiting` until it has lasted for its ``settle`` seconds."""

    def __init__(self) -> None:
        """Start without a status."""
        self._kind: type[Status] = Waiting
        self._since = 0.0

    def settled(self, seen: Status, now: float) -> Status:
        """The status that counts, ``now`` being seconds of a monotonic clock."""
        if type(seen) is not self._kind:
            self._kind, self._since = type(seen), now
        if isinstance(seen, Waiting) or now - self._since >= seen.settle:
            return seen
        if isinstance(seen, Ready):
            return Waiting(f"ready, but {seen.doubt}: it must stay up for {seen.settle:.0f} s")
        return Waiting(seen.reason, seen.problems)


def status(deployment: Object, pods: Sequence[Object], now: datetime) -> Status:
    """How far the rollout of a Deployment is.

    The rule is that of ``kubectl rollout status``
    (https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#deployment-status), and beyond it: no
    container crashed or was started without a probe a moment ago.

    Args:
        deployment: as the API server has it after the change.
        pods: the pods of its current ReplicaSet.
        now: the time, with its zone.
    """
    if text(deployment, "metadata", "deletionTimestamp"):
        return Failed("it is being deleted")
    found = (*_refusal(deployment), *(problem for pod in pods for problem in problems(pod)))
    if number(deployment, "status", "observedGeneration") < number(deployment, "metadata", "generation"):
        return Waiting("waiting for the Deployment controller")
    progressing = condition(deployment, "Progressing")
    if text(progressing, "reason") == "ProgressDeadlineExceeded":
        reason = text(progressing, "message") or "the progress deadline is exceeded"
        return Failed(reason, found, _SETTLE_DEADLINE)
    missing = _missing(deployment, pods)
    if missing and child(deployment, "spec").get("paused") is True:
        return Failed("its rollout is paused; resume it with `kubectl rollout resume`")
    return Waiting(missing, found) if missing else _ready(pods, now)


def _missing(deployment: Object, pods: Sequence[Object]) -> str:
    wanted = number(deployment, "spec", "replicas", default=1)
    updated = number(deployment, "status", "updatedReplicas")
    available = number(deployment, "status", "availableReplicas")
    old = number(deployment, "status", "replicas") - updated
    if updated < wanted:
        return f"{updated} of {wanted} pods created"
    if old > 0:
        return f"{sum(map(is_ready, pods))} of {wanted} new pods ready, {old} old to stop"
    return f"{available} of {wanted} pods ready" if available < wanted else ""


def _ready(pods: Sequence[Object], now: datetime) -> Ready:
    if any(crashed_lately(pod, now) for pod in pods):
        return Ready(_SETTLE_AFTER_CRASH, "a container crashed a moment ago")
    if any(started_unprobed(pod, now) for pod in pods):
        return Ready(_SETTLE_UNPROBED, "a container without a probe has just started")
    return Ready()


def _refusal(deployment: Object) -> tuple[Problem, ...]:
    refused = condition(deployment, "ReplicaFailure")
    if text(refused, "status") != "True":
        return ()
    message = f"no pod can be created: {text(refused, 'reason')}: {text(refused, 'message')}"
    return (Problem("refused", message, _REFUSAL_GRACE),)
