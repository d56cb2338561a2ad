"""What others change in the cluster: found by a refresh, then repaired by an update or respected."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from .engine_support import Outcome, Project
from .kubernetes_support import APPLY, MERGE, Json, api, deployment_path, project, rewrite, scale

PROGRAM = """
number, more, word, force = VALUES
autoscaled = pulumi.ResourceOptions(ignore_changes=["spec.replicas"])
deployment("web", ours)
# Goes to an autoscaler, and comes back.
deployment("handed", ours, replicas=number, opts=None if number else autoscaled, spec={"min_ready_seconds": more})
# An autoscaler's from the start.
deployment("left", {**ours, "more": str(more)}, replicas=None, opts=autoscaled)
k8s.core.v1.ConfigMap("gone", metadata=meta("gone"), data={"k": "v"}, opts=in_cluster)
k8s.core.v1.ServiceAccount("shared", metadata=meta("shared", word=word, **force), opts=in_cluster)
"""
FORCE = '{"pulumi.com/patchForce": "true"}'


def program(number: int | None, more: int, word: str = "ours", force: str = "{}") -> str:
    return PROGRAM.replace("VALUES", f"{number}, {more}, {word!r}, {force}")


@dataclass(frozen=True)
class Drift:
    """A stack that others have changed, after each step."""

    stack: Project
    outcomes: dict[str, Outcome]
    cluster: dict[str, dict[str, Json]]
    """What the cluster had after an outcome, by name."""
    refreshed: dict[str, Json]
    """The state after the refresh."""


@pytest.fixture(scope="module")
def drift(tmp_path_factory: pytest.TempPathFactory, namespace: str) -> Drift:
    outcomes: dict[str, Outcome] = {}
    cluster: dict[str, dict[str, Json]] = {}

    def up(name: str) -> Outcome:
        outcomes[name] = stack.up()
        cluster[name] = _objects(namespace)
        return outcomes[name]

    stack = project(Path(tmp_path_factory.mktemp("drift")), namespace, program(3, 1))
    assert up("first").succeeded, outcomes["first"].output
    rewrite(stack, program(None, 1))
    assert up("handed over").succeeded, outcomes["handed over"].output

    scale(namespace, "web", 3)
    for name, count in (("handed", 4), ("left", 2)):
        path = f"{deployment_path(namespace, name)}/scale?fieldManager=kube-controller-manager"
        assert api().request("PATCH", path, {"spec": {"replicas": count}}, MERGE)["kind"] == "Scale"
    _patch(deployment_path(namespace, "left"), {"metadata": {"labels": {"by": "else"}}})
    api().request("DELETE", f"/api/v1/namespaces/{namespace}/configmaps/gone")
    outcomes["refresh"] = stack.refresh()
    refreshed = stack.resources()
    outcomes["preview"] = stack.preview()
    rewrite(stack, program(None, 2))
    assert up("repaired").succeeded, outcomes["repaired"].output

    theirs = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"annotations": {"word": "theirs"}}}
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/shared?fieldManager=their-controller&force=true"
    assert api().request("PATCH", path, theirs, APPLY)["kind"] == "ServiceAccount"
    rewrite(stack, program(None, 2, word="newer"))
    assert not up("refused").succeeded
    rewrite(stack, program(2, 2, word="newer", force=FORCE))
    assert up("forced").succeeded, outcomes["forced"].output
    return Drift(stack, outcomes, cluster, refreshed)


def test_what_was_scaled_by_hand_is_found_and_set_back(drift: Drift) -> None:
    assert drift.outcomes["refresh"].succeeded, drift.outcomes["refresh"].output
    assert drift.refreshed["web"]["inputs"]["spec"]["replicas"] == 3
    repaired = drift.outcomes["repaired"].step("web")
    assert {path: change["diffKind"] for path, change in repaired.detail.items()} == {"spec.replicas": "update"}
    assert drift.cluster["repaired"]["web"]["spec"]["replicas"] == 1


def test_an_object_that_is_gone_is_found_by_a_refresh_and_made_again(drift: Drift) -> None:
    assert "gone" not in drift.refreshed
    assert drift.outcomes["repaired"].ops()["gone"] == "create"
    assert drift.cluster["repaired"]["gone"]["data"] == {"k": "v"}


def test_the_preview_after_the_refresh_shows_nothing_else(drift: Drift) -> None:
    previewed = drift.outcomes["preview"]
    assert previewed.succeeded, previewed.output
    assert previewed.ops() == {"web": "update", "gone": "create", "handed": "same", "left": "same", "shared": "same"}


def test_the_number_of_pods_goes_to_an_autoscaler_and_comes_back_without_a_reset(drift: Drift) -> None:
    def replicas(step: str) -> int:
        return drift.cluster[step]["handed"]["spec"]["replicas"]

    assert [replicas(step) for step in ("first", "handed over")] == [3, 3]
    assert replicas("repaired") == 4, "a change of something else has reset the number"
    assert drift.cluster["repaired"]["handed"]["spec"]["minReadySeconds"] == 2
    assert replicas("forced") == 2


def test_what_others_own_from_the_start_stays_theirs(drift: Drift) -> None:
    left = drift.cluster["repaired"]["left"]
    assert left["metadata"]["annotations"]["more"] == "2"
    assert left["spec"]["replicas"] == 2
    assert left["metadata"]["labels"] == {"by": "else"}


def test_a_field_of_another_manager_is_reported_and_taken_only_when_asked(drift: Drift) -> None:
    refused = drift.outcomes["refused"].errors
    assert "Server-Side Apply field conflict detected" in refused
    assert 'conflict with "their-controller": .metadata.annotations.word' in refused
    assert drift.cluster["refused"]["shared"]["metadata"]["annotations"]["word"] == "theirs"
    assert drift.cluster["forced"]["shared"]["metadata"]["annotations"]["word"] == "newer"


def _patch(path: str, patch: Json) -> None:
    answer = api().request("PATCH", path, patch, MERGE)
    assert answer["kind"] != "Status", answer


def _objects(namespace: str) -> dict[str, Json]:
    core = f"/api/v1/namespaces/{namespace}"
    deployments, accounts = f"/apis/apps/v1/namespaces/{namespace}/deployments", f"{core}/serviceaccounts"
    paths = (deployments, accounts, f"{core}/configmaps")
    return {item["metadata"]["name"]: item for path in paths for item in api().items(path)}
