"""Waits until an object is ready or gone, tells how far it is, and says why when it never will be."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from ..protocol.engine_log import ResourceLog
from .client import ApiError, Cluster, ClusterUnreachable
from .kinds import EVENT, POD, REPLICA_SET, STORAGE_CLASS, Kind, Readiness
from .objects import Object, child, children, is_owned_by, name_of, namespace_of, number, text
from .pods import Problem
from .rollout import Doubts, Failed, Ready, Status, Waiting, status

_FIRST_LOOK: Final = 0.1  # seconds
_SLOWEST_LOOK: Final = 1.0  # seconds
_TELL_EVERY: Final = 10.0  # seconds
_LOG_LINES: Final = 10
_EVENTS: Final = 5
_NAMESPACE_KEEPERS: Final = ("NamespaceContentRemaining", "NamespaceFinalizersRemaining")
_HAS_PODS: Final = frozenset({Readiness.DEPLOYMENT, Readiness.STATEFUL_SET, Readiness.DAEMON_SET, Readiness.JOB})


@dataclass(frozen=True)
class NotReady:
    """Why an object did not become ready, and the object as it was last."""

    reasons: tuple[str, ...]
    obj: Object


@dataclass
class _Looks:
    """The pauses between looks: short at first, when most things happen, then longer."""

    pause: float = field(default=_FIRST_LOOK / 1.5)

    def next(self) -> float:
        self.pause = min(self.pause * 1.5, _SLOWEST_LOOK)
        return self.pause


class Waiter:
    """Waits for one object in a cluster. `cancelled` ends every wait at once."""

    def __init__(self, cluster: Cluster, kind: Kind, log: ResourceLog, cancelled: threading.Event) -> None:
        """Wait for nothing yet."""
        self._cluster = cluster
        self._kind = kind
        self._log = log
        self._cancelled = cancelled
        self._told = ""
        self._told_at = 0.0

    def until_ready(self, applied: Object, timeout: float) -> Object | NotReady:
        """The object once it is ready, or why it is not, after at most `timeout` seconds."""
        namespace, name = namespace_of(applied), name_of(applied)
        generation = number(applied, "metadata", "generation")
        first_seen: dict[str, float] = {}
        looks = _Looks()
        start = time.monotonic()
        doubts = Doubts()
        obj = applied
        while True:
            current, seen = self._read(namespace, name, generation)
            obj = current or obj
            now = time.monotonic()
            match doubts.resolved(seen, now):
                case Ready():
                    self._clear()
                    return obj
                case Failed() as seen:
                    return NotReady(self._reasons(obj, seen.reason, seen.problems), obj)
                case Waiting() as seen:
                    for problem in seen.problems:
                        first_seen.setdefault(problem.key, now)
                    if certain := _certain(seen.problems, first_seen, now):
                        return NotReady(self._reasons(obj, "", certain), obj)
                    if now - start >= timeout:
                        reason = f"not ready after {timeout:.0f} s: {seen.message}"
                        return NotReady(self._reasons(obj, reason, seen.problems, with_events=True), obj)
                    self._tell(_progress(seen), now - start)
            self._until_changed(current, looks)
            if self._cancelled.is_set():
                return NotReady((f"{self._kind.kind} {name}: cancelled while it was waited for",), obj)

    def _until_changed(self, obj: Object | None, looks: _Looks) -> None:
        """Wait until another look may show something else: the object has changed, or one of its pods may have."""
        if obj is not None:
            try:
                self._cluster.wait_for_change(self._kind, obj)
            except (ApiError, ClusterUnreachable):
                pass  # it may not be watched, or not now
            else:
                # Changes come several at a time.
                self._cancelled.wait(_FIRST_LOOK)
                return
        self._cancelled.wait(looks.next())

    def _read(self, namespace: str, name: str, generation: int) -> tuple[Object | None, Status]:
        """The object, and how far it is; an API server that does not answer for a while is waited for too."""
        try:
            obj = self._cluster.get(self._kind, namespace, name)
            if obj is None:
                return None, Failed("it was deleted while it was waited for")
            if number(obj, "metadata", "generation") < generation:
                return obj, Waiting("waiting for the change to be seen")
            return obj, self._look(obj)
        except ClusterUnreachable as error:
            return None, Waiting(str(error))

    def until_gone(self, namespace: str, name: str, uid: str, timeout: float) -> NotReady | None:
        """None once the object with this uid is gone; otherwise what keeps it, after at most `timeout` seconds."""
        looks = _Looks()
        start = time.monotonic()
        while True:
            obj = self._cluster.get(self._kind, namespace, name)
            if obj is None or (uid and text(obj, "metadata", "uid") != uid):
                self._clear()
                return None
            elapsed = time.monotonic() - start
            keeps = _what_keeps(obj)
            if elapsed >= timeout:
                return NotReady((f"not deleted after {timeout:.0f} s: {keeps or 'still there'}",), obj)
            self._tell("being deleted" + (f": {keeps}" if keeps else ""), elapsed)
            if self._cancelled.wait(looks.next()):
                return NotReady((f"{self._kind.kind} {name}: cancelled while its deletion was waited for",), obj)

    def _look(self, obj: Object) -> Status:
        readiness = self._kind.readiness
        pods = self._pods(obj) if readiness in _HAS_PODS else []
        binds_late = readiness is Readiness.CLAIM and self._binds_late(obj)
        return status(readiness, obj, pods, datetime.now(UTC), binds_late=binds_late)

    def _pods(self, obj: Object) -> list[Object]:
        """The pods of the object's current revision."""
        labels = _selector(obj)
        if not labels:
            return []
        namespace, owner = namespace_of(obj), text(obj, "metadata", "uid")
        pods = self._cluster.list(POD, namespace, labels=labels)
        if self._kind.readiness is Readiness.DEPLOYMENT:
            owner = self._current_replica_set(obj, labels)
        return [
            pod for pod in pods if owner and is_owned_by(pod, owner) and _is_current(self._kind.readiness, obj, pod)
        ]

    def _current_replica_set(self, deployment: Object, labels: str) -> str:
        """The uid of the ReplicaSet that the Deployment rolls out: the one of its revision."""
        revision = text(deployment, "metadata", "annotations", "deployment.kubernetes.io/revision")
        uid = text(deployment, "metadata", "uid")
        for replica_set in self._cluster.list(REPLICA_SET, namespace_of(deployment), labels=labels):
            annotations = child(replica_set, "metadata", "annotations")
            if is_owned_by(replica_set, uid) and text(annotations, "deployment.kubernetes.io/revision") == revision:
                return text(replica_set, "metadata", "uid")
        return ""

    def _binds_late(self, claim: Object) -> bool:
        name = text(claim, "spec", "storageClassName")
        storage_class = self._cluster.get(STORAGE_CLASS, "", name) if name else None
        return storage_class is not None and text(storage_class, "volumeBindingMode") == "WaitForFirstConsumer"

    def _reasons(
        self, obj: Object, reason: str, problems: Sequence[Problem], *, with_events: bool = False
    ) -> tuple[str, ...]:
        """The reasons to show: each problem once, with the last lines of a container that crashed."""
        reasons = [f"{self._kind.kind} {name_of(obj)}: {reason}"] if reason else []
        shown: set[str] = set()
        for problem in problems:
            # The replicas of one Deployment fail alike; one of them says it all.
            alike = problem.message.replace(problem.pod, "") if problem.pod else problem.message
            if alike in shown:
                continue
            shown.add(alike)
            reasons.append(problem.message + self._last_lines(namespace_of(obj), problem))
        if with_events:
            reasons.extend(self._warnings(obj, problems))
        return tuple(reasons)

    def _last_lines(self, namespace: str, problem: Problem) -> str:
        if not problem.container:
            return ""
        # The kubelet has no log for a moment while it puts one container in another's place, so it is asked again.
        # Without `previous`, it gives the container that ended last, also while it waits for the next start.
        for previous in (False, True, False, True):
            lines = self._cluster.log(
                namespace, problem.pod, problem.container, lines=_LOG_LINES, previous=previous
            ).strip()
            if lines and not lines.startswith("unable to retrieve container logs"):
                return f"\nits last lines:\n{_indented(lines)}"
            if previous and self._cancelled.wait(_SLOWEST_LOOK):
                break
        return ""

    def _warnings(self, obj: Object, problems: Sequence[Problem]) -> list[str]:
        """What the cluster's warning events say of the object, its pods, and what stands between."""
        told = " ".join(problem.message for problem in problems)
        messages: dict[str, None] = {}
        prefix = name_of(obj)
        for event in self._cluster.list(EVENT, namespace_of(obj), fields="type=Warning"):
            involved = text(event, "involvedObject", "name")
            message = text(event, "message")
            if (involved == prefix or involved.startswith(f"{prefix}-")) and message and message not in told:
                messages[f"{text(event, 'involvedObject', 'kind')} {involved}: {text(event, 'reason')}: {message}"] = (
                    None
                )
        return list(messages)[-_EVENTS:]

    def _tell(self, message: str, elapsed: float) -> None:
        """Show what is waited for: when it changes, and now and then, so that a log shows that it goes on."""
        if message != self._told or elapsed - self._told_at >= _TELL_EVERY:
            self._told, self._told_at = message, elapsed
            self._log.status(f"[{elapsed:.0f} s] {message}")

    def _clear(self) -> None:
        if self._told:
            self._told = ""
            self._log.status("")


def _certain(problems: Sequence[Problem], first_seen: dict[str, float], now: float) -> list[Problem]:
    return [
        problem
        for problem in problems
        if problem.certain_after is not None and now - first_seen[problem.key] >= problem.certain_after
    ]


def _progress(waiting: Waiting) -> str:
    return f"{waiting.message}; {waiting.problems[0].message}" if waiting.problems else waiting.message


def _selector(obj: Object) -> str:
    """The object's label selector in the API's query notation."""
    parts = [f"{key}={value}" for key, value in child(obj, "spec", "selector", "matchLabels").items()]
    for expression in children(obj, "spec", "selector", "matchExpressions"):
        key, operator, values = text(expression, "key"), text(expression, "operator"), expression.get("values")
        joined = ",".join(map(str, values)) if isinstance(values, list) else ""
        parts.append(
            {"In": f"{key} in ({joined})", "NotIn": f"{key} notin ({joined})", "DoesNotExist": f"!{key}"}.get(
                operator, key
            )
        )
    return ",".join(parts)


def _is_current(readiness: Readiness, obj: Object, pod: Object) -> bool:
    if readiness is not Readiness.STATEFUL_SET:
        return True
    revision = text(obj, "status", "updateRevision")
    return not revision or text(pod, "metadata", "labels", "controller-revision-hash") == revision


def _what_keeps(obj: Object) -> str:
    """Why an object that is being deleted is still there."""
    for entry in children(obj, "status", "conditions"):  # a Namespace tells it
        if text(entry, "type") in _NAMESPACE_KEEPERS and text(entry, "status") == "True":
            return text(entry, "message")
    finalizers = child(obj, "metadata").get("finalizers")
    if isinstance(finalizers, list) and finalizers:
        return f"finalizers {', '.join(map(str, finalizers))}"
    return ""


def _indented(lines: str) -> str:
    return "\n".join(f"    {line}" for line in lines.splitlines() if line.strip())
