"""The provider's own configuration: the cluster that it is for."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from .engine_support import Project
from .kubernetes_support import PLUGINS, api

PROGRAM = """
import os
from pathlib import Path
import pulumi
import pulumi_kubernetes as k8s
path = os.environ["TEST_KUBECONFIG"]
content = pulumi.Output.secret(Path(path).read_text())
kubeconfig, identifier, value = VALUES
k8s.core.v1.ConfigMap(
    "c", metadata={"name": "c", "namespace": os.environ["TEST_NAMESPACE"], "annotations": {"k": value}},
    opts=pulumi.ResourceOptions(
        provider=k8s.Provider("cluster", kubeconfig=kubeconfig, cluster_identifier=identifier)
    ),
)
"""
UNREACHABLE = """
apiVersion: v1
kind: Config
current-context: nowhere
contexts: [{name: nowhere, context: {cluster: nowhere, user: nobody}}]
clusters: [{name: nowhere, cluster: {server: "https://127.0.0.1:9"}}]
users: [{name: nobody, user: {token: a-token-that-is-secret}}]
"""


def program(kubeconfig: str = "content", identifier: str = "one", value: str = "v") -> str:
    return PROGRAM.replace("VALUES", f"{kubeconfig}, {identifier!r}, {value!r}")


def test_only_another_cluster_replaces_and_one_that_is_gone_is_forgotten_only_when_asked(
    tmp_path: Path, namespace: str
) -> None:
    api()
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(Path(os.environ["KUBECONFIG"]).read_text())
    variables = {"TEST_NAMESPACE": namespace, "TEST_KUBECONFIG": str(kubeconfig)}
    stack = Project.create(tmp_path, program(), PLUGINS, variables)
    assert stack.up().succeeded
    stack.write(program(kubeconfig="path"))
    assert stack.preview().ops() == {"c": "same"}
    stack.write(program(identifier="two"))
    assert stack.preview().ops() == {"c": "replace"}

    # A preview does without the cluster; nothing else does.
    kubeconfig.write_text(UNREACHABLE)
    stack.write(program(value="changed"))
    previewed = stack.preview()
    assert previewed.succeeded, previewed.output
    assert previewed.ops() == {"c": "update"}
    refused = stack.up()
    assert not refused.succeeded
    assert "configured Kubernetes cluster is unreachable" in refused.errors
    assert "127.0.0.1:9" in refused.output
    kept = stack.destroy()
    assert not kept.succeeded
    assert "configured Kubernetes cluster is unreachable" in kept.errors
    assert set(stack.resources()) == {"c"}
    assert "a-token-that-is-secret" not in previewed.output + refused.output + kept.output + stack.state_text()

    forgetful = replace(stack, environment={**stack.environment, "PULUMI_K8S_DELETE_UNREACHABLE": "true"})
    forgotten = forgetful.destroy()
    assert forgotten.succeeded, forgotten.output
    assert "Deleting the unreachable resource from Pulumi state" in forgotten.output
    assert stack.resources() == {}
