"""The role that a preview is given: it previews on a real cluster, and can change nothing there."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.integration.deployment import Deployment
from tests.pipelines.preview_user import as_user, preview_user


@pytest.fixture(scope="module")
def previewed(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[Deployment, Path]]:
    """A stack that somebody else has deployed, and the kubeconfig of who may only preview it."""
    with preview_user(tmp_path_factory.mktemp("reviewer")) as kubeconfig:
        yield deployment, kubeconfig


def test_a_change_is_previewed_with_the_role_for_previews(previewed: tuple[Deployment, Path]) -> None:
    deployment, kubeconfig = previewed
    deployment.configure(kubeconfig=str(kubeconfig), workerReplicas="2")
    outcome = deployment.project.preview()
    deployment.configure(kubeconfig=None, workerReplicas=None)
    assert outcome.succeeded, outcome.output
    deployments = {step.name: step.op for step in outcome.steps if step.type == "kubernetes:apps/v1:Deployment"}
    assert deployments["worker"] == "update"
    assert "forbidden" not in outcome.output


@pytest.mark.parametrize(
    "arguments",
    [
        ("scale", "deployment/worker", "--replicas=0"),
        ("delete", "deployment/worker"),
        ("delete", "service/redis"),
        ("label", "service/redis", "touched=yes"),
        ("create", "configmap", "made-by-a-preview"),
        ("exec", "deployment/webui", "--", "true"),
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_nothing_is_changed_by_who_may_only_preview(
    previewed: tuple[Deployment, Path], arguments: tuple[str, ...]
) -> None:
    deployment, kubeconfig = previewed
    before = deployment.objects("deployments,services,configmaps")
    refused = as_user(kubeconfig, "--namespace", deployment.name, *arguments)
    assert refused.returncode != 0
    assert "orbidden" in refused.stderr or "only dry runs are allowed" in refused.stderr, refused.stderr
    after = deployment.objects("deployments,services,configmaps")
    assert {name: item["spec"] for name, item in after.items() if "spec" in item} == {
        name: item["spec"] for name, item in before.items() if "spec" in item
    }
    assert after.keys() == before.keys()


def test_the_applied_stack_is_as_it_was(previewed: tuple[Deployment, Path]) -> None:
    deployment, _ = previewed
    assert set(deployment.project.preview().ops().values()) == {"same"}
