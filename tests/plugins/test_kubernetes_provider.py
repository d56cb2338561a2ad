"""The provider's own configuration, and what it refuses."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from .engine_support import Project
from .kubernetes_support import PLUGINS, api, project, temporary_namespace

PROVIDER = """
import os
from pathlib import Path
import pulumi
import pulumi_kubernetes as k8s
content = Path(os.environ["KUBECONFIG"]).read_text()
cluster = k8s.Provider("cluster", {arguments})
k8s.core.v1.ConfigMap("c", metadata={{"name": "c", "namespace": os.environ.get("TEST_NAMESPACE")}}, data={{"k": "v"}},
                      opts=pulumi.ResourceOptions(provider=cluster))
"""
UNREACHABLE = """
apiVersion: v1
kind: Config
current-context: nowhere
contexts: [{name: nowhere, context: {cluster: nowhere, user: nobody}}]
clusters: [{name: nowhere, cluster: {server: "https://127.0.0.1:9"}}]
users: [{name: nobody, user: {token: a-token-that-is-secret}}]
"""


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    with temporary_namespace() as name:
        yield name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ('kubeconfig=content, context="absent"', "the kubeconfig has no context 'absent'; it has: "),
        ('kubeconfig="/absent/kubeconfig"', "neither YAML or JSON nor a file: /absent/kubeconfig"),
        ('kubeconfig="a: [1"', "the provider's kubeconfig is no valid YAML or JSON"),
        (f"kubeconfig={UNREACHABLE!r}", "https://127.0.0.1:9 (context 'nowhere') is unreachable: Connection refused"),
        ("kubeconfig=content, enable_server_side_apply=False", "this stand-in applies on the server only"),
    ],
)
def test_a_cluster_that_cannot_be_used_is_one_clear_error(tmp_path: Path, arguments: str, message: str) -> None:
    api()
    stack = Project.create(tmp_path, PROVIDER.format(arguments=arguments), PLUGINS)
    previewed = stack.preview()
    assert not previewed.succeeded
    assert message in previewed.errors
    assert previewed.errors.count(message) == 1
    assert "a-token-that-is-secret" not in previewed.output
    assert "Traceback" not in previewed.errors


def test_types_and_functions_that_are_not_served_are_refused_by_name(tmp_path: Path, namespace: str) -> None:
    stack = project(tmp_path, namespace, 'k8s.helm.v3.Release("r", chart="c", opts=in_cluster)')
    refused = stack.preview()
    assert not refused.succeeded
    assert "kubernetes:helm.sh/v3:Release is not served by this stand-in for the kubernetes plugin" in refused.errors
    assert "the official plugin serves all" in refused.errors


def test_another_kubeconfig_for_the_same_cluster_replaces_nothing(tmp_path: Path, namespace: str) -> None:
    api()
    environment = {"TEST_NAMESPACE": namespace}
    by_content = PROVIDER.format(arguments='kubeconfig=content, cluster_identifier="one"')
    stack = Project.create(tmp_path, by_content, PLUGINS, environment)
    assert stack.up().succeeded
    stack.write(PROVIDER.format(arguments='kubeconfig=os.environ["KUBECONFIG"], cluster_identifier="one"'))
    assert stack.preview().ops() == {"c": "same"}
    stack.write(PROVIDER.format(arguments='kubeconfig=content, cluster_identifier="two"'))
    assert stack.preview().ops() == {"c": "replace"}
    assert stack.destroy().succeeded


def test_a_provider_s_namespace_is_the_default_of_its_objects(tmp_path: Path, namespace: str) -> None:
    stack = project(
        tmp_path,
        namespace,
        """
there = k8s.Provider("there", kubeconfig=os.environ["KUBECONFIG"], namespace=namespace)
k8s.core.v1.ServiceAccount("robot", opts=pulumi.ResourceOptions(provider=there))
""",
    )
    assert stack.up().succeeded
    assert stack.resources()["robot"]["id"].startswith(f"{namespace}/robot-")


def test_resources_of_a_cluster_that_is_gone_are_forgotten_only_when_asked(tmp_path: Path, namespace: str) -> None:
    api()
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(Path(os.environ["KUBECONFIG"]).read_text())
    program = PROVIDER.format(arguments=f'kubeconfig={str(kubeconfig)!r}, cluster_identifier="one"')
    stack = Project.create(tmp_path, program, PLUGINS, {"TEST_NAMESPACE": namespace})
    assert stack.up().succeeded

    kubeconfig.write_text(UNREACHABLE)
    kept = stack.destroy()
    assert not kept.succeeded
    assert "is unreachable: Connection refused" in kept.errors
    assert set(stack.resources()) == {"c"}

    forgetful = replace(stack, environment={**stack.environment, "PULUMI_K8S_DELETE_UNREACHABLE": "true"})
    forgotten = forgetful.destroy()
    assert forgotten.succeeded, forgotten.output
    assert any("taken as deleted" in warning for warning in forgotten.warnings)
