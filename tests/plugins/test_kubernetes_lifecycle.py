"""Objects from the first preview to their deletion, in one stack. The tests are in the order of its life."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

import pytest

from .engine_support import Outcome, Project
from .kubernetes_support import Json, api, project, rewrite, wait_for

SERVICE = """
k8s.core.v1.Service(
    "service", metadata=meta("service", **unawaited), spec={"ports": [{"port": 80}]}, opts=in_cluster
)
"""
PROGRAM = (
    SERVICE
    + """
label, replicas, budget, word, changed = VALUES
deployment("web", {**ours, **({} if changed else {"team": "a"})}, replicas=replicas, container={
    "env": [{"name": "PASSWORD", "value": pulumi.Output.secret("open-sesame-7")}],
    **({"resources": {"requests": {"cpu": "1m"}}} if changed else {}),
})
deployment("fixed", ours, labels={"app": label})
k8s.core.v1.ServiceAccount("account", metadata=meta("account"), opts=in_cluster)
k8s.policy.v1.PodDisruptionBudget(
    "budget", metadata=meta("budget"), opts=in_cluster,
    spec={"max_unavailable": budget, "selector": {"match_labels": {"app": "web"}},
          "unhealthy_pod_eviction_policy": "AlwaysAllow"},
)
k8s.networking.v1.NetworkPolicy(
    "policy", metadata=meta("policy"), opts=in_cluster, spec={"pod_selector": {}, "policy_types": ["Ingress", "Egress"]}
)
k8s.autoscaling.v2.HorizontalPodAutoscaler(
    "autoscaler", metadata=meta("autoscaler"), opts=in_cluster,
    spec={
        "scale_target_ref": {"api_version": "apps/v1", "kind": "Deployment", "name": "other"},
        "min_replicas": 1, "max_replicas": 3,
        "metrics": [{"type": "Resource", "resource": {
            "name": "cpu", "target": {"type": "Utilization", "average_utilization": 80}}}],
    },
)
k8s.networking.v1.Ingress(
    "ingress", metadata=meta("ingress", **unawaited), opts=in_cluster,
    spec={"default_backend": {"service": {"name": "service", "port": {"number": 80}}}},
)
# Secrets by their kind: the program does not mark them.
k8s.core.v1.Secret("mutable", metadata={"namespace": namespace}, string_data={"key": word}, opts=in_cluster)
k8s.core.v1.Secret(
    "replaced", metadata={"namespace": namespace}, string_data={"key": word},
    opts=pulumi.ResourceOptions.merge(
        in_cluster, pulumi.ResourceOptions(replace_on_changes=["stringData", "data"])
    ),
)
created = k8s.core.v1.Namespace("created", opts=in_cluster)
k8s.core.v1.ConfigMap(
    "config", metadata={"namespace": created.metadata.apply(lambda found: found.name)}, data={"k": "v"},
    opts=in_cluster,
)
"""
)
FIRST = PROGRAM.replace("VALUES", '"before", 2, 1, "data-of-a-secret", False')
SECOND = PROGRAM.replace("VALUES", '"after", 1, "50%", "changed-data", True')
TAKEN_OVER = 'deployment("web", ours, replicas=3)' + SERVICE


@dataclass(frozen=True)
class Life:
    """What each command did, and what was in the cluster and in the state after the first and the second update."""

    stack: Project
    namespace: str
    outcomes: dict[str, Outcome]
    cluster: list[dict[str, Json]]
    states: list[dict[str, Json]]
    kept: str
    """All text that the backend ever had, at the end of each update."""


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory, namespace: str) -> Life:
    stack = project(Path(tmp_path_factory.mktemp("life")), namespace, FIRST)
    outcomes = {"preview": stack.preview()}
    cluster, states = [_objects(namespace)], [stack.resources()]
    outcomes["up"] = stack.up()
    assert outcomes["up"].succeeded, outcomes["up"].output
    cluster.append(_objects(namespace))
    states.append(stack.resources())
    kept = stack.state_text()
    outcomes["quiet preview"] = stack.preview("--expect-no-changes")
    outcomes["quiet refresh"] = stack.refresh("--expect-no-changes")
    rewrite(stack, SECOND)
    outcomes["second preview"] = stack.preview()
    cluster.append(_objects(namespace))
    outcomes["second up"] = stack.up()
    assert outcomes["second up"].succeeded, outcomes["second up"].output
    cluster.append(_objects(namespace))
    states.append(stack.resources())
    kept += stack.state_text()
    return Life(stack, namespace, outcomes, cluster, states, kept)


def test_a_preview_makes_nothing_and_shows_names(life: Life) -> None:
    previewed = life.outcomes["preview"]
    assert previewed.succeeded, previewed.output
    assert set(previewed.ops().values()) == {"create"}
    assert life.cluster[0] == {}
    assert previewed.step("created").new["inputs"]["metadata"]["name"].startswith("created-")
    assert not [name for name in _namespaces() if name.startswith("created-") and name != _created(life)]


def test_what_was_made_is_quiet(life: Life) -> None:
    assert life.cluster[1]["deployments/web"]["spec"]["replicas"] == 2
    assert life.states[1]["web"]["id"] == f"{life.namespace}/web"
    for name in ("quiet preview", "quiet refresh"):
        assert life.outcomes[name].succeeded, life.outcomes[name].output


def test_a_change_is_made_in_place_and_a_dropped_field_goes(life: Life) -> None:
    assert life.outcomes["second preview"].ops()["web"] == "update"
    assert life.cluster[2]["deployments/web"]["spec"]["replicas"] == 2, "a preview changed the cluster"
    updated = life.outcomes["second up"]
    assert {path: change["diffKind"] for path, change in updated.step("web").detail.items()} == {
        "spec.replicas": "update",
        "metadata.annotations.team": "delete",
        "spec.template.spec.containers[0].resources": "add",
    }
    old, live = life.cluster[1]["deployments/web"], life.cluster[3]["deployments/web"]
    assert live["metadata"]["uid"] == old["metadata"]["uid"]
    assert live["spec"]["replicas"] == 1
    assert live["spec"]["template"]["spec"]["containers"][0]["resources"] == {"requests": {"cpu": "1m"}}
    assert "team" not in live["metadata"]["annotations"], "a field that the program dropped is still there"
    assert life.cluster[3]["poddisruptionbudgets/budget"]["spec"]["maxUnavailable"] == "50%"
    changed = {name: op for name, op in updated.ops().items() if op != "same"}
    assert changed == {
        "web": "update",
        "fixed": "replace",
        "budget": "update",
        "mutable": "update",
        "replaced": "replace",
    }


def test_a_replaced_deployment_of_a_fixed_name_that_is_not_awaited_is_there_afterwards(life: Life) -> None:
    replaced = life.outcomes["second up"]
    steps = [(step.name, step.op) for step in replaced.steps]
    assert steps.index(("fixed", "delete-replaced")) < steps.index(("fixed", "create-replacement"))
    assert replaced.step("fixed").replaces == ("spec.selector.matchLabels.app",)
    old, new = life.cluster[1]["deployments/fixed"], life.cluster[3]["deployments/fixed"]
    assert new["metadata"]["uid"] != old["metadata"]["uid"]
    assert "deletionTimestamp" not in new["metadata"]
    path = f"/apis/apps/v1/namespaces/{life.namespace}/deployments/fixed"
    wait_for(lambda: api().get(path)["status"].get("readyReplicas") == 1, "the new Deployment's pod")
    assert api().get(path)["metadata"]["uid"] == new["metadata"]["uid"]


def test_a_secret_is_replaced_under_a_new_name_only_when_asked(life: Life) -> None:
    _, before, after = life.states
    assert before["mutable"]["id"] == after["mutable"]["id"]
    old, new = (state["replaced"]["id"].removeprefix(f"{life.namespace}/") for state in (before, after))
    assert old.startswith("replaced-")
    assert f"secrets/{old}" in life.cluster[1]
    assert f"secrets/{old}" not in life.cluster[3]
    assert life.cluster[3][f"secrets/{new}"]["data"] == {"key": _encoded("changed-data")}


def test_secrets_stay_secret_from_the_program_to_the_state(life: Life) -> None:
    (env,) = life.cluster[3]["deployments/web"]["spec"]["template"]["spec"]["containers"][0]["env"]
    assert env == {"name": "PASSWORD", "value": "open-sesame-7"}
    shown = life.kept + "".join(outcome.output for outcome in life.outcomes.values())
    for secret in ("open-sesame-7", "data-of-a-secret", "changed-data"):
        assert secret not in shown
        assert _encoded(secret) not in shown


def test_a_preview_fails_with_what_the_server_refuses_and_with_what_the_cluster_lacks(life: Life) -> None:
    rewrite(life.stack, 'deployment("bad", spec={"selector": {"match_labels": {"app": "other"}}})')
    refused = life.stack.preview()
    assert not refused.succeeded
    assert "was not successfully created by the Kubernetes API server" in refused.errors
    assert "`selector` does not match template `labels`" in refused.errors

    rewrite(life.stack, 'k8s.storage.v1.StorageClass.get("redisStorageClass", "no-such-class", opts=in_cluster)')
    lacking = life.stack.preview()
    assert not lacking.succeeded
    assert "'no-such-class' does not exist" in lacking.errors
    assert "redisStorageClass" in lacking.output


def test_an_object_that_the_state_does_not_know_is_taken_over(life: Life, tmp_path: Path) -> None:
    # As after an `up` that was killed before it recorded what it had made: the new stack has another field manager.
    stack = project(tmp_path, life.namespace, TAKEN_OVER, PULUMI_K8S_UPSERT_EXISTING_OBJECTS="true")
    taken = stack.up()
    assert taken.succeeded, taken.output
    assert taken.ops() == {"web": "create", "service": "create"}
    found = _objects(life.namespace)
    for name in ("deployments/web", "services/service"):
        assert found[name]["metadata"]["uid"] == life.cluster[3][name]["metadata"]["uid"], name
    assert found["deployments/web"]["spec"]["replicas"] == 3
    assert stack.preview("--expect-no-changes").succeeded


def test_a_destroy_takes_everything_even_what_is_gone_already(life: Life) -> None:
    destroyed = life.stack.destroy()
    assert destroyed.succeeded, destroyed.output
    assert _objects(life.namespace) == {}
    assert not api().exists(f"/api/v1/namespaces/{_created(life)}")


def _objects(namespace: str) -> dict[str, Json]:
    """What the programs make in the namespace, by `plural/name`."""
    apps, core = f"/apis/apps/v1/namespaces/{namespace}", f"/api/v1/namespaces/{namespace}"
    paths = (
        f"{apps}/deployments",
        f"{core}/services",
        f"{core}/secrets",
        f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets",
    )
    return {
        f"{path.rsplit('/', 1)[1]}/{item['metadata']['name']}": item for path in paths for item in api().items(path)
    }


def _namespaces() -> list[str]:
    return [item["metadata"]["name"] for item in api().items("/api/v1/namespaces")]


def _created(life: Life) -> str:
    return str(life.states[1]["created"]["id"])


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
