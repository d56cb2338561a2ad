"""Real connections between the pods of the application: what the diagram shows is open, and all else is closed.

Only where the cluster's network enforces policies; what the policies say is proved without it, by `tests/manifests`.
"""

from __future__ import annotations

import itertools
import json
import secrets
import subprocess
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from tests.integration.deployment import Deployment, until
from tests.integration.kubectl import kubectl, objects
from tests.services.harness import REDIS_IMAGE

SERVICES = ("hasher", "redis", "rng", "webui", "worker")
NEWCOMER = "newcomer"
"""A pod in the namespace that nobody foresaw."""
PORTS = {"hasher": 8080, "redis": 6379, "rng": 8080, "webui": 8080, "worker": 8080}
METRICS_PORT = 9090
DIAGRAM = {("worker", "rng"), ("worker", "hasher"), ("worker", "redis"), ("webui", "redis")}

_ENFORCED_WITHIN = 20.0  # seconds
_ANSWERS_WITHIN = 3  # seconds
_RESTRICTED: dict[str, Any] = {
    "runAsNonRoot": True,
    "runAsUser": 999,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def pod(name: str, *command: str) -> dict[str, Any]:
    """A pod that may run in a namespace of the `restricted` standard, from an image that the node has."""
    container = {"name": name, "image": REDIS_IMAGE, "command": command, "securityContext": _RESTRICTED}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/name": name}},
        "spec": {"terminationGracePeriodSeconds": 0, "automountServiceAccountToken": False, "containers": [container]},
    }


@dataclass(frozen=True)
class Namespace:
    """Pods that open connections."""

    name: str

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return kubectl("--namespace", self.name, *arguments, stdin=stdin)

    def apply(self, *objects: dict[str, Any]) -> None:
        listed = {"apiVersion": "v1", "kind": "List", "items": objects}
        self.kubectl("apply", "--filename", "-", stdin=json.dumps(listed))

    def pods(self) -> dict[str, dict[str, Any]]:
        """A running pod of each service, by the service's name."""
        running = [item for item in objects(self.name, "pods") if item["status"]["phase"] == "Running"]
        return {
            item["metadata"]["labels"]["app.kubernetes.io/name"]: item
            for item in running
            if "deletionTimestamp" not in item["metadata"]
        }

    def connects(self, source: str, address: str, port: int) -> bool:
        """Whether a pod can open a connection; one that is dropped counts as closed after some seconds."""
        attempt = f"exec 3<>/dev/tcp/{address}/{port}"
        completed = subprocess.run(
            [
                *("kubectl", "--namespace", self.name, "exec", source, "--"),
                *("timeout", str(_ANSWERS_WITHIN), "bash", "-c", attempt),
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        refused = completed.returncode in {1, 124}
        assert completed.returncode == 0 or refused, completed.stderr
        return completed.returncode == 0


@pytest.fixture(scope="module", autouse=True)
def _enforced() -> None:
    """Skip these tests where a pod that may be called by nobody is called all the same."""
    namespace = Namespace(f"closed-{secrets.token_hex(4)}")
    kubectl("create", "namespace", namespace.name)
    try:
        policy: dict[str, Any] = {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "nobody"},
            "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
        }
        server = pod("server", "redis-server", "--protected-mode", "no", "--save", "", "--dir", "/tmp")  # noqa: S108
        namespace.apply(policy, server, pod("client", "sleep", "infinity"))
        until(lambda: {"server", "client"} <= namespace.pods().keys(), "two pods")
        address = namespace.pods()["server"]["status"]["podIP"]
        end = time.monotonic() + _ENFORCED_WITHIN
        while namespace.connects("client", address, 6379):
            if time.monotonic() > end:
                network = "a plain bridge, as the sandbox's own node has, or another network without a policy engine"
                pytest.skip(
                    f"the cluster's network does not enforce NetworkPolicies ({network}): a connection that a policy "
                    f"forbids was still opened {_ENFORCED_WITHIN:.0f} s after it"
                )
    finally:
        namespace.kubectl("delete", "namespace", namespace.name, "--wait=false")


@pytest.fixture(scope="module")
def application(deployment: Deployment) -> Generator[Namespace]:
    namespace = Namespace(deployment.name)
    namespace.apply(pod(NEWCOMER, "redis-server", "--port", "8080", "--protected-mode", "no", "--save", ""))
    try:
        until(lambda: {NEWCOMER, *SERVICES} <= namespace.pods().keys(), "a pod of each service")
        yield namespace
    finally:
        namespace.kubectl("delete", "pod", NEWCOMER)


def open_pairs(namespace: Namespace) -> set[tuple[str, str]]:
    """The pairs of pods, of the first of which can connect to the other's port, or to that of its metrics."""
    pods = namespace.pods()
    asked = [
        (source, target, port)
        for source, target in itertools.permutations((*SERVICES, NEWCOMER), 2)
        for port in {PORTS.get(target, 8080), *([METRICS_PORT] if target in PORTS else [])}
    ]

    def answer(question: tuple[str, str, int]) -> bool:
        source, target, port = question
        return namespace.connects(pods[source]["metadata"]["name"], pods[target]["status"]["podIP"], port)

    with ThreadPoolExecutor(max_workers=8) as pool:
        answers = list(pool.map(answer, asked))
    return {(source, target) for (source, target, _), is_open in zip(asked, answers, strict=True) if is_open}


def test_each_edge_of_the_diagram_is_open_and_every_other_pair_is_closed(application: Namespace) -> None:
    assert open_pairs(application) == DIAGRAM


def test_without_its_policy_the_worker_calls_nobody_and_with_it_again(application: Namespace) -> None:
    policy = json.loads(application.kubectl("get", "networkpolicy", "worker", "--output", "json"))
    kept = {key: policy["metadata"][key] for key in ("name", "labels") if key in policy["metadata"]}
    application.kubectl("delete", "networkpolicy", "worker")
    try:
        until(lambda: open_pairs(application) == {("webui", "redis")}, "the worker to be cut off", limit=120)
    finally:
        application.apply({**policy, "metadata": kept})
    until(lambda: open_pairs(application) == DIAGRAM, "the worker to call again", limit=120)
