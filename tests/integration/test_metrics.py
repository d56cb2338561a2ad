"""The cluster measures its pods, so that an autoscaler adds some where they are busy."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Generator
from typing import Any

import pytest

from tests.integration.deployment import ROOT, until
from tests.integration.kubectl import kubectl
from tests.services.harness import REDIS_IMAGE

_APP = {"app": "busy"}
_BUSY: list[dict[str, Any]] = [
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "busy"},
        "spec": {
            "selector": {"matchLabels": _APP},
            "template": {
                "metadata": {"labels": _APP},
                "spec": {
                    "terminationGracePeriodSeconds": 0,
                    "containers": [
                        {
                            "name": "busy",
                            # An image that the node has; what is in it does not matter.
                            "image": REDIS_IMAGE,
                            "command": ["sh", "-c", "while :; do :; done"],
                            "resources": {"requests": {"cpu": "20m"}, "limits": {"cpu": "100m"}},
                        }
                    ],
                },
            },
        },
    },
    {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "busy"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "busy"},
            "minReplicas": 1,
            "maxReplicas": 2,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
                }
            ],
        },
    },
]


@pytest.fixture(scope="module", autouse=True)
def _measured(request: pytest.FixtureRequest) -> None:
    capture: Any = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        subprocess.run([sys.executable, "-m", "sandbox", "metrics"], cwd=ROOT, check=True)


@pytest.fixture
def namespace() -> Generator[str]:
    name = f"busy-{secrets.token_hex(4)}"
    kubectl("create", "namespace", name)
    try:
        yield name
    finally:
        kubectl("delete", "namespace", name, "--wait=false")


def test_an_autoscaler_adds_a_pod_to_a_busy_deployment(namespace: str) -> None:
    objects = {"apiVersion": "v1", "kind": "List", "items": _BUSY}
    kubectl("--namespace", namespace, "apply", "--filename", "-", stdin=json.dumps(objects))

    def ready() -> int:
        deployment = json.loads(kubectl("--namespace", namespace, "get", "deployment", "busy", "--output", "json"))
        return int(deployment["status"].get("readyReplicas", 0))

    until(lambda: ready() == 1, "the first pod")
    until(lambda: ready() == 2, "a second pod", limit=240)
    top = kubectl("--namespace", namespace, "top", "pods", "--no-headers")
    assert "busy-" in top
    event = kubectl("--namespace", namespace, "get", "events", "--field-selector", "reason=SuccessfulRescale")
    assert "cpu resource utilization (percentage of request) above target" in event
