"""Objects from their creation to their deletion, by the real engine on a real cluster."""

from __future__ import annotations

import base64
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from .kubernetes_support import api, deployment_path, project, rewrite, temporary_namespace


@pytest.fixture
def namespace() -> Iterator[str]:
    with temporary_namespace() as name:
        yield name


def test_a_deployment_is_created_updated_in_place_and_deleted(tmp_path: Path, namespace: str) -> None:
    web = deployment_path(namespace, "web")
    stack = project(tmp_path, namespace, 'deployment("web", replicas=2, metadata={"annotations": {"team": "a"}})')

    created = stack.up()
    assert created.succeeded, created.output
    assert created.ops() == {"web": "create"}
    live = api().get(web)
    assert live["status"]["availableReplicas"] == 2
    assert stack.resources()["web"]["id"] == f"{namespace}/web"
    assert any("pods ready" in status for status in created.statuses("web"))

    assert stack.preview("--expect-no-changes").succeeded
    assert stack.refresh("--expect-no-changes").succeeded

    rewrite(stack, 'deployment("web", replicas=1, container={"resources": {"requests": {"cpu": "1m"}}})')
    previewed = stack.preview()
    assert previewed.ops() == {"web": "update"}
    assert api().get(web)["spec"]["replicas"] == 2, "a preview changed the cluster"
    updated = stack.up()
    assert updated.succeeded, updated.output
    assert {path: change["diffKind"] for path, change in updated.step("web").detail.items()} == {
        "spec.replicas": "update",
        "metadata.annotations": "delete",
        "spec.template.spec.containers[0].resources": "add",
    }
    live = api().get(web)
    assert live["spec"]["replicas"] == 1
    assert live["spec"]["template"]["spec"]["containers"][0]["resources"] == {"requests": {"cpu": "1m"}}
    assert "team" not in live["metadata"]["annotations"], "a field that the program dropped is still there"

    assert stack.destroy().succeeded
    assert not api().exists(web)


def test_what_cannot_change_is_replaced_and_a_fixed_name_goes_first(tmp_path: Path, namespace: str) -> None:
    program = """
        labels = {labels}
        deployment("fixed", labels=labels)
        data = {{"k": labels["app"]}}
        k8s.core.v1.Secret("auto", metadata={{"namespace": namespace}}, string_data=data, opts=in_cluster)
        """
    stack = project(tmp_path, namespace, textwrap.dedent(program.format(labels={"app": "before"})))
    assert stack.up().succeeded
    first = api().get(deployment_path(namespace, "fixed"))["metadata"]["uid"]
    old_name = stack.resources()["auto"]["id"].split("/")[1]
    assert old_name.startswith("auto-")
    assert stack.resources()["auto"]["inputs"]["metadata"]["annotations"] == {"pulumi.com/autonamed": "true"}

    rewrite(stack, textwrap.dedent(program.format(labels={"app": "after"})))
    replaced = stack.up()
    assert replaced.succeeded, replaced.output
    assert replaced.ops() == {"fixed": "replace", "auto": "replace"}
    steps = [(step.name, step.op) for step in replaced.steps if step.op != "replace"]
    assert steps.index(("fixed", "delete-replaced")) < steps.index(("fixed", "create-replacement"))
    assert steps.index(("auto", "create-replacement")) < steps.index(("auto", "delete-replaced"))
    reasons = next(step.replaces for step in replaced.steps if step.name == "fixed" and step.op == "create-replacement")
    assert reasons == ("spec.selector.matchLabels.app",)
    assert api().get(deployment_path(namespace, "fixed"))["metadata"]["uid"] != first
    new_name = stack.resources()["auto"]["id"].split("/")[1]
    assert new_name != old_name
    secrets = {item["metadata"]["name"] for item in api().items(f"/api/v1/namespaces/{namespace}/secrets")}
    assert new_name in secrets
    assert old_name not in secrets


def test_a_preview_tells_what_it_does_not_know_yet_and_makes_nothing(tmp_path: Path, namespace: str) -> None:
    stack = project(
        tmp_path,
        namespace,
        textwrap.dedent("""
        created = k8s.core.v1.Namespace("created", opts=in_cluster)
        inner = created.metadata.apply(lambda m: m.name)
        uid = created.metadata.apply(lambda m: m.uid)
        k8s.core.v1.ConfigMap("config", metadata={"namespace": inner}, data={"uid": uid}, opts=in_cluster)
        service = k8s.core.v1.Service(
            "api", metadata={"name": "api", "namespace": namespace}, spec={"ports": [{"port": 80}]}, opts=in_cluster
        )
        pulumi.export("address", service.spec.apply(lambda spec: spec.cluster_ip))
        pulumi.export("name", created.metadata.apply(lambda m: m.name))
        """),
    )
    previewed = stack.preview()
    assert previewed.succeeded, previewed.output
    assert previewed.ops() == {"created": "create", "config": "create", "api": "create"}
    assert "address: [unknown]" in previewed.output
    assert 'name   : "created-' in previewed.output
    made = [item["metadata"]["name"] for item in api().items("/api/v1/namespaces")]
    assert [name for name in made if name.startswith("created-")] == []
    assert not api().exists(f"/api/v1/namespaces/{namespace}/services/api")

    up = stack.up()
    assert up.succeeded, up.output
    state = stack.resources()
    assert state["config"]["outputs"]["data"]["uid"] == state["created"]["outputs"]["metadata"]["uid"]
    assert stack.outputs()["address"] == api().get(f"/api/v1/namespaces/{namespace}/services/api")["spec"]["clusterIP"]
    assert stack.destroy().succeeded
    assert not api().exists(f"/api/v1/namespaces/{state['created']['id']}")


def test_secrets_stay_secret_from_the_program_to_the_state(tmp_path: Path, namespace: str) -> None:
    stack = project(
        tmp_path,
        namespace,
        textwrap.dedent("""
        plain = "data-of-a-secret"  # not marked by the program: it is one because of its kind
        k8s.core.v1.Secret(
            "kind", metadata={"name": "kind", "namespace": namespace}, string_data={"key": plain}, opts=in_cluster
        )
        deployment("env", container={"env": [{"name": "PASSWORD", "value": pulumi.Output.secret("open-sesame-7")}]})
        """),
    )
    up = stack.up()
    assert up.succeeded, up.output
    assert api().get(f"/api/v1/namespaces/{namespace}/secrets/kind")["data"] == {"key": _encoded("data-of-a-secret")}
    env = api().get(deployment_path(namespace, "env"))["spec"]["template"]["spec"]["containers"][0]["env"]
    assert env == [{"name": "PASSWORD", "value": "open-sesame-7"}]
    assert stack.preview("--expect-no-changes").succeeded
    refreshed = stack.refresh("--expect-no-changes")
    assert refreshed.succeeded, refreshed.output
    kept = stack.state_text() + up.output + refreshed.output
    for secret in ("open-sesame-7", "data-of-a-secret", _encoded("data-of-a-secret")):
        assert secret not in kept
    assert stack.destroy().succeeded


def test_an_object_that_the_server_would_not_take_fails_in_the_preview(tmp_path: Path, namespace: str) -> None:
    stack = project(tmp_path, namespace, 'deployment("web", spec={"selector": {"match_labels": {"app": "other"}}})')
    previewed = stack.preview()
    assert not previewed.succeeded
    assert "selector" in previewed.errors
    assert f"Deployment {namespace}/web is not accepted" in previewed.errors
    assert "Traceback" not in previewed.errors


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
