"""When a rollout is done, and when it never will be: the rules over a Deployment and its pods."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from components.rollout.objects import Object
from components.rollout.pods import problems
from components.rollout.status import Failed, Ready, Settling, Waiting, status

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
REPORTED: Object = {"updatedReplicas": 2, "availableReplicas": 2, "replicas": 2}
ROLLED_OUT: Object = {
    "metadata": {"generation": 1},
    "status": {"observedGeneration": 1, "updatedReplicas": 1, "availableReplicas": 1, "replicas": 1},
}


@pytest.mark.parametrize(
    ("spec", "reported", "expected"),
    [
        ({"replicas": 2}, REPORTED, Ready()),
        ({}, {"updatedReplicas": 1, "availableReplicas": 1, "replicas": 1}, Ready()),
        ({"replicas": 0}, {}, Ready()),
        ({"paused": True, "replicas": 2}, REPORTED, Ready()),
        (
            {"paused": True, "replicas": 2},
            {},
            Failed("its rollout is paused; resume it with `kubectl rollout resume`"),
        ),
        ({"replicas": 2}, {**REPORTED, "observedGeneration": 1}, Waiting("waiting for the Deployment controller")),
        ({"replicas": 2}, {"updatedReplicas": 1, "replicas": 2}, Waiting("1 of 2 pods created")),
        ({"replicas": 2}, {**REPORTED, "replicas": 3}, Waiting("0 of 2 new pods ready, 1 old to stop")),
        ({"replicas": 2}, {**REPORTED, "availableReplicas": 1}, Waiting("1 of 2 pods ready")),
        (
            {"replicas": 2},
            {"conditions": [{"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "no"}]},
            Failed("no", settle=10.0),
        ),
    ],
)
def test_a_deployment_is_ready_when_all_its_new_pods_are_and_the_old_are_gone(
    spec: Object, reported: Object, expected: object
) -> None:
    obj: Object = {
        "metadata": {"generation": 2},
        "spec": spec,
        "status": {"observedGeneration": 2, **reported},
    }
    assert status(obj, [], NOW) == expected


def test_what_may_pass_is_believed_once_it_has_lasted() -> None:
    settling, beyond, ready = Settling(), Failed("beyond the deadline", settle=10), Ready(3, "it has just started")
    assert settling.settled(beyond, 100) == Waiting("beyond the deadline")
    assert settling.settled(beyond, 109.9) == Waiting("beyond the deadline")
    assert settling.settled(beyond, 110) == beyond
    waiting = Waiting("0 of 1 new pods ready")
    assert settling.settled(waiting, 111) == waiting
    assert settling.settled(beyond, 112) == Waiting("beyond the deadline"), "it is new again after it had passed"
    assert settling.settled(ready, 130) == Waiting("ready, but it has just started: it must stay up for 3 s")
    assert settling.settled(ready, 133) == ready
    assert settling.settled(Ready(), 133) == Ready()


@pytest.mark.parametrize(("finished", "settles"), [("2026-01-01T11:59:50Z", True), ("2026-01-01T10:00:00Z", False)])
def test_a_pod_that_crashed_a_moment_ago_must_stay_ready_for_a_while(finished: str, *, settles: bool) -> None:
    ended: Object = {"exitCode": 1, "finishedAt": finished}
    restarted: Object = {"name": "main", "state": {"running": {}}, "lastState": {"terminated": ended}}
    pod: Object = {"status": {"containerStatuses": [restarted]}}
    seen = status(ROLLED_OUT, [pod], NOW)
    assert isinstance(seen, Ready)
    assert (seen.settle > 0) is settles


@pytest.mark.parametrize(
    ("started", "probes", "settles"),
    [
        ("2026-01-01T11:59:59Z", {}, True),
        ("2026-01-01T11:59:59Z", {"livenessProbe": {"exec": {"command": ["true"]}}}, True),
        ("2026-01-01T11:59:59Z", {"readinessProbe": {"exec": {"command": ["true"]}}}, False),
        ("2026-01-01T11:59:59Z", {"startupProbe": {"exec": {"command": ["true"]}}}, False),
        ("2026-01-01T11:58:00Z", {}, False),
    ],
)
def test_a_container_that_no_probe_asks_must_stay_up_for_a_moment(
    started: str, probes: Object, *, settles: bool
) -> None:
    pod: Object = {
        "spec": {"containers": [{"name": "main", **probes}]},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "main", "ready": True, "state": {"running": {"startedAt": started}}}],
        },
    }
    seen = status(ROLLED_OUT, [pod], NOW)
    assert isinstance(seen, Ready)
    assert (seen.settle > 0) is settles


def test_a_refusal_to_create_pods_becomes_certain() -> None:
    refused: Object = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "quota"}
    obj: Object = {"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "conditions": [refused]}}
    seen = status(obj, [], NOW)
    assert isinstance(seen, Waiting)
    assert [(problem.message, problem.certain_after) for problem in seen.problems] == [
        ("no pod can be created: FailedCreate: quota", 15)
    ]


@pytest.mark.parametrize(
    ("waiting", "restarts", "message", "certain_after"),
    [
        ({"reason": "ImagePullBackOff", "message": "not found"}, 0, "ImagePullBackOff: not found", 30),
        ({"reason": "CreateContainerConfigError", "message": "no secret"}, 0, "no secret", 30),
        ({"reason": "InvalidImageName", "message": "bad"}, 0, "InvalidImageName: bad", 0),
        ({"reason": "CrashLoopBackOff"}, 1, "crashed 2 times, last with exit code 3", None),
        ({"reason": "CrashLoopBackOff"}, 2, "crashed 3 times, last with exit code 3", 0),
    ],
)
def test_a_container_s_trouble_is_told_and_certain_in_time(
    waiting: Object, restarts: int, message: str, certain_after: float | None
) -> None:
    container: Object = {
        "name": "main",
        "restartCount": restarts,
        "state": {"waiting": waiting},
        "lastState": {"terminated": {"exitCode": 3}},
    }
    pod: Object = {"metadata": {"name": "p"}, "status": {"containerStatuses": [container]}}
    (found,) = problems(pod)
    assert message in found.message
    assert found.certain_after == certain_after


def test_a_pod_on_its_way_or_going_has_no_trouble() -> None:
    creating: Object = {"name": "main", "state": {"waiting": {"reason": "ContainerCreating"}}}
    assert problems({"metadata": {"name": "p"}, "status": {"containerStatuses": [creating]}}) == []
    failed: Object = {"name": "main", "state": {"terminated": {"exitCode": 1}}}
    leaving: Object = {"name": "p", "deletionTimestamp": "now"}
    assert problems({"metadata": leaving, "status": {"containerStatuses": [failed]}}) == []


def test_a_crash_has_the_last_lines_of_the_container() -> None:
    ended: Object = {"exitCode": 1, "reason": "Error", "message": "starting\n\nno licence to run\n"}
    container: Object = {
        "name": "main",
        "restartCount": 2,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": ended},
    }
    (found,) = problems({"metadata": {"name": "p"}, "status": {"containerStatuses": [container]}})
    assert found.message == (
        "pod p, container main: CrashLoopBackOff: crashed 3 times, last with exit code 1\n"
        "    starting\n"
        "    no licence to run"
    )


def test_conditions_and_revision_of_before_the_change_prove_nothing() -> None:
    # What the API server has between a change and the Deployment controller's first look at it.
    stale: Object = {
        "metadata": {"generation": 8, "annotations": {"deployment.kubernetes.io/revision": "7"}},
        "spec": {"replicas": 2},
        "status": {
            **REPORTED,
            "observedGeneration": 7,
            "conditions": [{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}],
        },
    }
    assert isinstance(status(stale, [], NOW), Waiting)
