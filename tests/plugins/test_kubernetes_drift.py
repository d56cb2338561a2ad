"""What others do to an object: found by a refresh, repaired or respected by an update, taken over by an import."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .kubernetes_support import (
    APPLY,
    MERGE,
    api,
    deployment_path,
    project,
    rewrite,
    scale,
    temporary_namespace,
)


@pytest.fixture
def namespace() -> Iterator[str]:
    with temporary_namespace() as name:
        yield name


def test_a_refresh_shows_what_was_scaled_by_hand_and_an_update_sets_it_back(tmp_path: Path, namespace: str) -> None:
    stack = project(tmp_path, namespace, 'deployment("web")')
    assert stack.up().succeeded
    scale(namespace, "web", 3)

    found = stack.refresh()
    assert found.succeeded, found.output
    assert stack.resources()["web"]["inputs"]["spec"]["replicas"] == 3
    assert not stack.preview("--expect-no-changes").succeeded

    repaired = stack.up()
    assert repaired.succeeded, repaired.output
    assert {path: change["diffKind"] for path, change in repaired.step("web").detail.items()} == {
        "spec.replicas": "update"
    }
    assert api().get(deployment_path(namespace, "web"))["spec"]["replicas"] == 1


def test_replicas_that_the_program_leaves_to_an_autoscaler_are_no_drift(tmp_path: Path, namespace: str) -> None:
    stack = project(tmp_path, namespace, 'deployment("web", replicas=None)')
    assert stack.up().succeeded
    scale(namespace, "web", 2)
    answer = api().request("PATCH", deployment_path(namespace, "web"), {"metadata": {"labels": {"by": "else"}}}, MERGE)
    assert answer["metadata"]["labels"] == {"by": "else"}

    assert stack.refresh("--expect-no-changes").succeeded
    assert stack.preview("--expect-no-changes").succeeded
    rewrite(stack, 'deployment("web", replicas=None, metadata={"annotations": {"changed": "yes"}})')
    assert stack.up().succeeded
    live = api().get(deployment_path(namespace, "web"))
    assert live["spec"]["replicas"] == 2
    assert live["metadata"]["labels"] == {"by": "else"}


def test_an_object_that_is_gone_is_found_by_a_refresh_and_made_again(tmp_path: Path, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps/c"
    stack = project(
        tmp_path,
        namespace,
        'k8s.core.v1.ConfigMap("c", metadata={"name": "c", "namespace": namespace}, data={"k": "v"}, opts=in_cluster)',
    )
    assert stack.up().succeeded
    api().request("DELETE", path)
    assert stack.refresh().ops() == {"c": "refresh"}
    assert stack.resources() == {}
    assert stack.up().ops() == {"c": "create"}
    assert api().exists(path)

    api().request("DELETE", path)
    destroyed = stack.destroy()
    assert destroyed.succeeded, destroyed.output


def test_a_field_of_another_manager_is_told_and_taken_only_when_asked(tmp_path: Path, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps/shared"
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shared"}, "data": {"k": "theirs"}}
    api().request("PATCH", f"{path}?fieldManager=their-controller", manifest, APPLY)
    program = """
k8s.core.v1.ConfigMap("shared", data={{"k": "ours"}}, opts=in_cluster,
                      metadata={{"name": "shared", "namespace": namespace, "annotations": {annotations}}})
"""
    stack = project(tmp_path, namespace, program.format(annotations={}))
    refused = stack.up()
    assert not refused.succeeded
    assert f"{namespace}/shared has fields that others manage: .data.k by 'their-controller'" in refused.errors
    assert api().get(path)["data"] == {"k": "theirs"}

    rewrite(stack, program.format(annotations={"pulumi.com/patchForce": "true"}))
    assert stack.up().succeeded
    assert api().get(path)["data"] == {"k": "ours"}


def test_an_object_is_imported_by_its_id_and_a_program_that_matches_has_nothing_to_change(
    tmp_path: Path, namespace: str
) -> None:
    manifest = {
        "metadata": {"name": "there"},
        "spec": {
            "selector": {"matchLabels": {"app": "there"}},
            "template": {
                "metadata": {"labels": {"app": "there"}},
                "spec": {"containers": [{"name": "main", "image": "registry.k8s.io/pause:3.10.1"}]},
            },
        },
    }
    api().request("POST", f"/apis/apps/v1/namespaces/{namespace}/deployments", manifest)
    program = """
there = {{
    "selector": {{"match_labels": {{"app": "there"}}}},
    "template": {{
        "metadata": {{"labels": {{"app": "there"}}}},
        "spec": {{"containers": [{{"name": "main", "image": "{image}"}}]}},
    }},
}}
k8s.apps.v1.Deployment("there", metadata={{"name": "there", "namespace": namespace}}, spec=there,
                       opts=pulumi.ResourceOptions(provider=cluster{options}))
"""
    image = "registry.k8s.io/pause:3.10.1"
    stack = project(tmp_path, namespace, program.format(image=image, options=f', import_="{namespace}/there"'))
    imported = stack.up()
    assert imported.succeeded, imported.output
    assert imported.ops() == {"there": "import"}
    rewrite(stack, program.format(image=image, options=""))
    previewed = stack.preview("--expect-no-changes")
    assert previewed.succeeded, previewed.output

    rewrite(stack, program.format(image="registry.k8s.io/pause:3.10", options=""))
    changed = stack.preview()
    assert list(changed.step("there").detail) == ["spec.template.spec.containers[0].image"]

    missing = stack.import_("kubernetes:core/v1:ConfigMap", "missing", f"{namespace}/missing")
    assert not missing.succeeded
    assert "does not exist" in missing.errors
