"""Waits for the rollout of a Deployment: until it is done, until it cannot be done any more, or until a time limit."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

from components.rollout.cluster import Cluster, ClusterError
from components.rollout.objects import Object, child, is_owned_by, text
from components.rollout.pods import Problem
from components.rollout.status import Failed, Ready, Settling, Status, Waiting, status

_PAUSE: Final = 0.2  # seconds: changes come several at a time
_REPEAT_PROGRESS: Final = 10.0  # seconds
_MOST_EVENTS: Final = 5
_REVISION: Final = "deployment.kubernetes.io/revision"

Progress = Callable[[str], None]
"""Takes one line that says what is waited for."""


class RolloutError(Exception):
    """A Deployment is not rolled out; the message says which one, why, and what its containers wrote last."""


def wait(cluster: Cluster, namespace: str, name: str, *, seconds: float, progress: Progress) -> None:
    """Return once the Deployment is rolled out: every pod of the current version and ready, and no other left.

    One look is enough for a Deployment that is rolled out already.

    Args:
        cluster: where it is.
        namespace: its namespace.
        name: its name.
        seconds: how long it may take.
        progress: is told what is waited for, whenever that changes and every ten seconds.

    Raises:
        RolloutError: it is not rolled out within ``seconds``, or cannot be any more.
    """
    _Rollout(cluster, namespace, name, seconds, progress).wait()


class _Rollout:
    def __init__(self, cluster: Cluster, namespace: str, name: str, seconds: float, progress: Progress) -> None:
        self._cluster = cluster
        self._name = name
        self._namespace = namespace
        self._list = f"/apis/apps/v1/namespaces/{namespace}/deployments"
        self._seconds = seconds
        self._progress = progress
        self._shown, self._shown_at = "", 0.0

    def wait(self) -> None:
        start = time.monotonic()
        settling = Settling()
        first_seen: dict[str, float] = {}
        while True:
            deployment, seen = self._look()
            now = time.monotonic()
            match settling.settled(seen, now):
                case Ready():
                    return
                case Failed() as failed:
                    raise self._error(failed.reason, failed.problems)
                case Waiting() as waiting:
                    for problem in waiting.problems:
                        first_seen.setdefault(problem.key, now)
                    if certain := _certain(waiting.problems, first_seen, now):
                        raise self._error("", certain)
                    if now - start >= self._seconds:
                        reason = f"not ready after {self._seconds:.0f} s: {waiting.message}"
                        raise self._error(reason, waiting.problems, events=True)
                    self._show(waiting, now - start)
            self._wait_for_change(deployment)

    def _look(self) -> tuple[Object | None, Status]:
        try:
            deployment = self._cluster.get(f"{self._list}/{self._name}")
            return deployment, status(deployment, self._pods(deployment), datetime.now(UTC))
        except ClusterError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None, Failed("it does not exist on the cluster; `pulumi up --refresh` makes it again")
            if error.may_pass:
                return None, Waiting(str(error))
            return None, Failed(str(error))

    def _pods(self, deployment: Object) -> list[Object]:
        """The pods of the Deployment's current ReplicaSet; none if these credentials may not see them."""
        try:
            owner = self._replica_set(deployment)
            pods = self._cluster.list(f"/api/v1/namespaces/{self._namespace}/pods", labels=_selector(deployment))
        except ClusterError as error:
            if error.status == HTTPStatus.FORBIDDEN:
                return []
            raise
        return [pod for pod in pods if owner and is_owned_by(pod, owner)]

    def _replica_set(self, deployment: Object) -> str:
        """The uid of the ReplicaSet of the Deployment's revision."""
        revision, uid = text(deployment, "metadata", "annotations", _REVISION), text(deployment, "metadata", "uid")
        path = f"/apis/apps/v1/namespaces/{self._namespace}/replicasets"
        for replica_set in self._cluster.list(path, labels=_selector(deployment)):
            if is_owned_by(replica_set, uid) and text(replica_set, "metadata", "annotations", _REVISION) == revision:
                return text(replica_set, "metadata", "uid")
        return ""

    def _wait_for_change(self, deployment: Object | None) -> None:
        try:
            if deployment is not None:
                self._cluster.wait_for_change(self._list, deployment)
                time.sleep(_PAUSE)
                return
        except ClusterError:
            pass  # it may not be watched by these credentials, or not now: look again in a second
        time.sleep(1.0)

    def _show(self, waiting: Waiting, elapsed: float) -> None:
        line = waiting.message + (f"; {waiting.problems[0].message}" if waiting.problems else "")
        if line != self._shown or elapsed - self._shown_at >= _REPEAT_PROGRESS:
            self._shown, self._shown_at = line, elapsed
            self._progress(f"rollout, {elapsed:.0f} s: {line}")

    def _error(self, reason: str, problems: Sequence[Problem], *, events: bool = False) -> RolloutError:
        lines = [reason] if reason else []
        alike: set[str] = set()
        for problem in problems:
            # The pods of one Deployment fail alike: one of them says it all.
            words = problem.message.replace(problem.pod, "") if problem.pod else problem.message
            if words not in alike:
                alike.add(words)
                lines.append(problem.message)
        if events:
            lines += self._warnings("\n".join(lines))
        return RolloutError(f"Deployment {self._namespace}/{self._name} is not rolled out: " + "\n".join(lines))

    def _warnings(self, shown: str) -> list[str]:
        """What the cluster's latest warning events say about the Deployment, its ReplicaSets and its pods."""
        try:
            events = self._cluster.list(f"/api/v1/namespaces/{self._namespace}/events", fields="type=Warning")
        except ClusterError:
            return []
        lines: dict[str, None] = {}
        for event in events:
            involved, message = text(event, "involvedObject", "name"), text(event, "message")
            ours = involved == self._name or involved.startswith(f"{self._name}-")
            if ours and message and message not in shown:
                lines[f"{text(event, 'involvedObject', 'kind')} {involved}: {text(event, 'reason')}: {message}"] = None
        return list(lines)[-_MOST_EVENTS:]


def _certain(problems: Sequence[Problem], first_seen: dict[str, float], now: float) -> list[Problem]:
    return [
        problem
        for problem in problems
        if problem.certain_after is not None and now - first_seen[problem.key] >= problem.certain_after
    ]


def _selector(deployment: Object) -> str:
    labels = child(deployment, "spec", "selector", "matchLabels")
    return ",".join(f"{key}={value}" for key, value in labels.items())
