"""What the tests of the kubernetes plugin share: programs, namespaces, and requests to the cluster without the plugin.

They run on the kind cluster that `KUBECONFIG` names, with images that every node of kubeadm has.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias, cast

import pytest
from kubernetes.client.api_client import ApiClient
from kubernetes.client.configuration import Configuration
from kubernetes.config import kube_config

from .engine_support import Project, wait_until

Json: TypeAlias = dict[str, Any]  # pyright: ignore[reportExplicitAny] - objects of the API, checked where they are used

PLUGINS = {"kubernetes": "4.34.2"}
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"

PRELUDE = """
import os
from pathlib import Path

import pulumi
import pulumi_kubernetes as k8s

cluster = k8s.Provider(
    "cluster",
    kubeconfig=pulumi.Output.secret(Path(os.environ["KUBECONFIG"]).read_text()),
    context=os.environ.get("TEST_CONTEXT"),
    cluster_identifier="test",
    enable_server_side_apply=True,
    enable_secret_mutable=True,
)
in_cluster = pulumi.ResourceOptions(provider=cluster)
namespace = os.environ["TEST_NAMESPACE"]
pause = os.environ["TEST_PAUSE_IMAGE"]
# Both as the application's own Deployments have them.
unawaited = {"pulumi.com/skipAwait": "true", "pulumi.com/deletionPropagationPolicy": "background"}
ours = {"pulumi.com/patchForce": "true", **unawaited}


def meta(name, **annotations):
    return {"name": name, "namespace": namespace, **({"annotations": annotations} if annotations else {})}


def deployment(name, annotations=None, *, replicas=1, labels=None, container=None, spec=None, opts=None):
    labels = labels or {"app": name}
    return k8s.apps.v1.Deployment(
        name,
        metadata=meta(name, **(annotations or {})),
        spec={
            **({"replicas": replicas} if replicas is not None else {}),
            "selector": {"match_labels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "termination_grace_period_seconds": 0,
                    "containers": [{"name": "main", "image": pause, **(container or {})}],
                },
            },
            **(spec or {}),
        },
        opts=pulumi.ResourceOptions.merge(in_cluster, opts),
    )

"""


class Api:
    """Requests to the cluster's API server, not through the plugin."""

    def __init__(self) -> None:
        # The library publishes no types.
        configuration: Any = cast("Any", Configuration)()
        cast("Any", kube_config).load_kube_config(os.environ["KUBECONFIG"], client_configuration=configuration)
        self._host: str = configuration.host
        self._client: Any = cast("Any", ApiClient)(configuration)

    def request(self, method: str, path: str, body: Json | None = None, content_type: str = "application/json") -> Json:
        """The answer, an error's included."""
        headers = {"Content-Type": content_type, "Accept": "application/json"}
        answer = self._client.call_api(method, f"{self._host}{path}", header_params=headers, body=body)
        content: bytes = answer.read()
        # Of a group that it does not serve, the server says so in plain text.
        return {"kind": "Status", "message": content.decode()} if content[:1] != b"{" else json.loads(content)

    def get(self, path: str) -> Json:
        found = self.request("GET", path)
        assert found.get("kind") != "Status", found
        return found

    def exists(self, path: str) -> bool:
        return self.request("GET", path).get("kind") != "Status"

    def items(self, path: str) -> list[Json]:
        return cast("list[Json]", self.get(path)["items"])


@cache
def api() -> Api:
    """The cluster; the test fails when there is none."""
    if not os.environ.get("KUBECONFIG"):
        pytest.fail("these tests need a cluster: set KUBECONFIG to the kubeconfig of one (the sandbox makes one)")
    try:
        found = Api()
        found.get("/api/v1/nodes")
    except Exception as error:
        pytest.fail(f"these tests need a cluster: the one of KUBECONFIG does not answer: {error}")
    return found


@cache
def image(part: str) -> str:
    """The full name of an image that is on the cluster's nodes, by a part of it: `pause`, `etcd`."""
    # A node's status tells of its 50 largest images only, so its container runtime is asked.
    names = [name for node in api().items("/api/v1/nodes") for name in _images_in(node["metadata"]["name"])]
    found = next((name for name in names if f"/{part}:" in name and name.startswith("registry.k8s.io/")), None)
    if found is None:
        pytest.fail(f"no image {part} on the cluster's nodes; there are: {', '.join(names)}")
    return found


def _images_in(node: str) -> list[str]:
    listing = ["docker", "exec", node, "ctr", "--namespace", "k8s.io", "images", "ls", "--quiet"]
    return subprocess.run(listing, capture_output=True, text=True, check=True).stdout.split()


@contextmanager
def temporary_namespace() -> Generator[str]:
    """A namespace with a name of its own, removed afterwards with all that is in it."""
    name = f"plugin-test-{secrets.token_hex(4)}"
    api().request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    try:
        yield name
    finally:
        api().request("DELETE", f"/api/v1/namespaces/{name}")


def project(directory: Path, namespace: str, program: str, **environment: str) -> Project:
    """A project on the cluster: the program continues `PRELUDE`."""
    return Project.create(
        directory,
        PRELUDE + program,
        PLUGINS,
        {
            "TEST_NAMESPACE": namespace,
            "TEST_PAUSE_IMAGE": image("pause"),
            "TEST_ETCD_IMAGE": image("etcd"),
            **environment,
        },
    )


def rewrite(project_: Project, program: str) -> None:
    """Put another program after `PRELUDE`."""
    project_.write(PRELUDE + program)


def deployment_path(namespace: str, name: str) -> str:
    return f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}"


def scale(namespace: str, name: str, replicas: int) -> None:
    """What `kubectl scale` does."""
    path = f"{deployment_path(namespace, name)}/scale?fieldManager=kubectl"
    answer = api().request("PATCH", path, {"spec": {"replicas": replicas}}, MERGE)
    assert answer["kind"] == "Scale", answer


def wait_for(condition: Callable[[], bool], what: str) -> None:
    wait_until(condition, what, limit=60)
