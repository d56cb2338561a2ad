from __future__ import annotations

from typing import Any

import pytest

from tests.unit.policy.judging import UNKNOWN, deployment, found, merged

DEPLOYMENT = "kubernetes:apps/v1:Deployment"
AMOUNTS = {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "64Mi"}}
PROBES = {"livenessProbe": {"exec": {"command": ["true"]}}, "readinessProbe": {"tcpSocket": {"port": 80}}}
OWN = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
OF_POD = {"securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}}


def test_containers_with_requests_and_limits_are_accepted() -> None:
    assert found("container-resources", DEPLOYMENT, deployment({"resources": AMOUNTS})) == []
    assert found("container-resources", DEPLOYMENT, deployment({"resources": UNKNOWN})) == []
    assert found("container-resources", DEPLOYMENT, deployment({"resources": {**AMOUNTS, "limits": UNKNOWN}})) == []
    assert found("container-resources", "kubernetes:core/v1:Service", {"spec": {}}) == []


def test_missing_requests_and_limits_are_told_each_with_what_is_there() -> None:
    limited = {"resources": {"requests": {"cpu": "10m"}}}
    requests, limits = found("container-resources", DEPLOYMENT, deployment(limited))
    assert requests.startswith("Deployment web, container page: resources.requests has cpu, and not memory.")
    assert limits.startswith("Deployment web, container page: resources.limits has nothing, and not memory.")


def test_what_has_to_be_requested_and_limited_can_be_set() -> None:
    whole = deployment({"resources": AMOUNTS})
    assert len(found("container-resources", DEPLOYMENT, whole, limits=["cpu", "memory"])) == 1
    assert found("container-resources", DEPLOYMENT, deployment({}), limits=[], requests=[]) == []


def test_both_probes_are_accepted_and_those_that_end_need_none() -> None:
    assert found("container-probes", DEPLOYMENT, deployment(PROBES)) == []
    assert found("container-probes", DEPLOYMENT, deployment({**PROBES, "livenessProbe": UNKNOWN})) == []
    assert found("container-probes", "kubernetes:batch/v1:Job", deployment({})) == []
    first = {"initContainers": [{"name": "first"}]}
    assert found("container-probes", DEPLOYMENT, deployment(PROBES, first)) == []


def test_missing_probes_are_told_of_sidecars_too() -> None:
    (message,) = found("container-probes", DEPLOYMENT, deployment({"livenessProbe": PROBES["livenessProbe"]}))
    assert message.startswith("Deployment web, container page: it has no readinessProbe. Accepted is one of each")
    (message,) = found("container-probes", DEPLOYMENT, deployment({}))
    assert "it has no livenessProbe and no readinessProbe" in message
    sidecar = {"initContainers": [{"name": "log", "restartPolicy": "Always"}]}
    (message,) = found("container-probes", DEPLOYMENT, deployment(PROBES, sidecar))
    assert message.startswith("Deployment web, init container log:")


@pytest.mark.parametrize(
    ("own", "pod"),
    [
        ({}, {}),
        ({"runAsNonRoot": True, "seccompProfile": {"type": "Localhost"}}, {"securityContext": None}),
        ({"capabilities": {"add": ["NET_BIND_SERVICE"]}}, {}),
        ({"runAsNonRoot": UNKNOWN, "capabilities": {"drop": UNKNOWN}}, {}),
        ({}, {"hostNetwork": False, "volumes": [{"name": "x", "emptyDir": {"medium": "Memory"}}]}),
    ],
)
def test_pods_that_are_restricted_are_accepted(own: dict[str, Any], pod: dict[str, Any]) -> None:
    properties = deployment({"securityContext": merged(OWN, own)}, merged(OF_POD, pod))
    assert found("container-security", DEPLOYMENT, properties) == []


def test_what_is_not_known_yet_is_no_violation() -> None:
    assert found("container-security", DEPLOYMENT, deployment({"securityContext": UNKNOWN}, OF_POD)) == []
    unknown_for_all = {"securityContext": {"runAsNonRoot": UNKNOWN, "seccompProfile": UNKNOWN}}
    assert found("container-security", DEPLOYMENT, deployment({"securityContext": OWN}, unknown_for_all)) == []
    assert found("container-security", DEPLOYMENT, {"spec": {"template": {"spec": UNKNOWN}}}) == []


@pytest.mark.parametrize(
    ("own", "pod", "told"),
    [
        ({}, {"securityContext": {"runAsNonRoot": None}}, "securityContext.runAsNonRoot is missing. Accepted is true"),
        ({"runAsNonRoot": False}, {}, "securityContext.runAsNonRoot is false"),
        ({"allowPrivilegeEscalation": None}, {}, "securityContext.allowPrivilegeEscalation is missing"),
        ({"allowPrivilegeEscalation": True}, {}, "securityContext.allowPrivilegeEscalation is true"),
        ({"readOnlyRootFilesystem": None}, {}, "securityContext.readOnlyRootFilesystem is missing"),
        ({"privileged": True}, {}, "securityContext.privileged is true"),
        ({"capabilities": None}, {}, "securityContext.capabilities.drop is missing. Accepted is [ALL]"),
        ({"capabilities": {"drop": ["NET_RAW"]}}, {}, "securityContext.capabilities.drop is [NET_RAW]"),
        ({"capabilities": {"add": ["SYS_ADMIN"]}}, {}, "securityContext.capabilities.add is [SYS_ADMIN]"),
        ({}, {"securityContext": {"seccompProfile": None}}, "securityContext.seccompProfile.type is missing"),
        ({"seccompProfile": {"type": "Unconfined"}}, {}, "securityContext.seccompProfile.type is Unconfined"),
        ({}, {"hostNetwork": True}, "hostNetwork is true. Accepted is false"),
        ({}, {"hostPID": True}, "hostPID is true"),
        ({}, {"volumes": [{"name": "etc", "hostPath": {"path": "/etc"}}]}, "the volume 'etc' is a hostPath"),
    ],
)
def test_each_thing_that_a_restricted_pod_may_not_is_told(own: dict[str, Any], pod: dict[str, Any], told: str) -> None:
    properties = deployment({"securityContext": merged(OWN, own)}, merged(OF_POD, pod))
    (message,) = found("container-security", DEPLOYMENT, properties)
    assert told in message
    assert message.startswith("Deployment web")


def test_a_writable_root_file_system_can_be_allowed() -> None:
    writable = deployment({"securityContext": merged(OWN, {"readOnlyRootFilesystem": None})}, OF_POD)
    assert found("container-security", DEPLOYMENT, writable, readOnlyRootFilesystem=False) == []
