"""Jobs, CronJobs and Secrets as the renewal of a pull secret needs them."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

import pytest

from .engine_support import Outcome, Project
from .kubernetes_support import MERGE, Json, api, project, rewrite

PROGRAM = """
good = ["etcd", "--version"]
bad = ["etcd", "--config-file=/absent"]
again = {"pulumi.com/replaceUnready": "true"}
option, broken_command, deadline, schedule, role_name = VALUES


def job(name, command, annotations=None, spec=None, container=None):
    pod = {
        "restart_policy": "Never",
        "termination_grace_period_seconds": 0,
        "containers": [{
            "name": "main", "image": os.environ["TEST_ETCD_IMAGE"], "command": command,
            "termination_message_policy": "FallbackToLogsOnError", **(container or {}),
        }],
    }
    k8s.batch.v1.Job(
        name,
        metadata={"namespace": namespace, "annotations": annotations or {}},
        spec={"backoff_limit": 0, "template": {"spec": pod}, **(spec or {})},
        opts=in_cluster,
    )


job("done", [*good, *option], again)
job("broken", broken_command)
job("late", good, again, {"active_deadline_seconds": deadline}, {"env_from": [{"secret_ref": {"name": "late"}}]})
job("unawaited", bad, unawaited)

account = k8s.core.v1.ServiceAccount("account", metadata=meta("robot"), opts=in_cluster)
role = k8s.rbac.v1.Role(
    "role", metadata=meta(role_name), opts=in_cluster,
    rules=[{"api_groups": [""], "resources": ["secrets"], "resource_names": ["one"], "verbs": ["patch"]}],
)
k8s.rbac.v1.RoleBinding(
    "binding", metadata=meta("robot"), opts=in_cluster,
    role_ref={"api_group": "rbac.authorization.k8s.io", "kind": "Role", "name": role.metadata.name},
    subjects=[{"kind": "ServiceAccount", "name": account.metadata.name, "namespace": namespace}],
)
settings = k8s.core.v1.ConfigMap(
    "settings", metadata={"namespace": namespace}, data={"schedule": schedule}, opts=in_cluster
)
k8s.batch.v1.CronJob(
    "nightly", metadata=meta("nightly"), opts=in_cluster,
    spec={
        "schedule": schedule, "time_zone": "UTC", "concurrency_policy": "Forbid",
        "job_template": {"spec": {"template": {"spec": {
            "restart_policy": "Never", "service_account_name": account.metadata.name,
            "containers": [{
                "name": "main", "image": "registry.invalid/none:1",
                "env_from": [{"config_map_ref": {"name": settings.metadata.name}}],
            }],
        }}}},
    },
)
"""
FIRST = PROGRAM.replace("VALUES", '[], bad, 3, "0 3 1 1 *", "robot"')
SECOND = PROGRAM.replace("VALUES", '["--help"], good, 60, "0 4 1 1 *", "other"')


@dataclass(frozen=True)
class Jobs:
    """A stack with Jobs, some of which fail at first, and what was in the cluster after both updates."""

    stack: Project
    first: Outcome
    refreshed: Outcome
    foreseen: Outcome
    second: Outcome
    states: tuple[dict[str, Json], dict[str, Json]]
    cluster: tuple[dict[str, Json], dict[str, Json]]


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory, namespace: str) -> Jobs:
    stack = project(Path(tmp_path_factory.mktemp("jobs")), namespace, FIRST)
    first = stack.up("--continue-on-error")
    states, cluster = [stack.resources()], [_objects(namespace)]
    refreshed = stack.refresh()
    # What the Job that is late has waited for.
    api().request("POST", f"/api/v1/namespaces/{namespace}/secrets", {"metadata": {"name": "late"}})
    foreseen = stack.preview()
    rewrite(stack, SECOND)
    second = stack.up()
    assert second.succeeded, second.output
    states.append(stack.resources())
    cluster.append(_objects(namespace))
    return Jobs(stack, first, refreshed, foreseen, second, (states[0], states[1]), (cluster[0], cluster[1]))


def test_a_job_is_waited_for_until_it_completes_and_is_no_drift_then(jobs: Jobs) -> None:
    statuses = jobs.first.statuses("done")
    assert any("to succeed (Active: 1 | Succeeded: 0 | Failed: 0)" in status for status in statuses), statuses
    (before, after) = (state["done"]["id"].split("/")[1] for state in jobs.states)
    assert jobs.cluster[0][before]["status"]["succeeded"] == 1
    assert jobs.foreseen.ops()["done"] == "same"

    assert jobs.second.ops()["done"] == "replace"
    assert jobs.second.step("done").replaces == ("spec.template.spec.containers[0].command[2]",)
    assert before not in jobs.cluster[1]
    assert jobs.cluster[1][after]["spec"]["template"]["spec"]["containers"][0]["command"][-1] == "--help"


def test_a_job_that_fails_fails_the_update_with_the_words_of_its_pod(jobs: Jobs) -> None:
    assert not jobs.first.succeeded
    assert "[BackoffLimitExceeded] Job has reached the specified backoff limit" in jobs.first.errors
    assert "open /absent: no such file or directory" in jobs.first.errors
    assert jobs.states[0]["broken"]["initErrors"]
    assert jobs.refreshed.succeeded, jobs.refreshed.output
    assert any("unhealthy state" in warning and "/absent" in warning for warning in jobs.refreshed.warnings)
    assert jobs.foreseen.ops()["broken"] == "update", "a Job that failed does not run again by itself"
    assert jobs.second.ops()["broken"] == "replace"


def test_a_job_that_failed_is_made_again_when_told_so(jobs: Jobs) -> None:
    assert "[DeadlineExceeded]" in jobs.first.errors
    assert jobs.foreseen.ops()["late"] == "replace"
    assert jobs.foreseen.step("late").replaces == ('.metadata.annotations["pulumi.com/replaceUnready"]',)
    assert jobs.second.ops()["late"] == "replace"
    assert not jobs.states[1]["late"].get("initErrors")
    name = jobs.states[1]["late"]["id"].split("/")[1]
    assert jobs.cluster[1][name]["status"]["succeeded"] == 1


def test_a_job_that_is_not_awaited_may_fail(jobs: Jobs) -> None:
    assert not jobs.states[0]["unawaited"].get("initErrors")
    assert not any("unawaited" in warning for warning in jobs.refreshed.warnings)
    assert jobs.second.ops()["unawaited"] == "same"
    name = jobs.states[1]["unawaited"]["id"].split("/")[1]
    assert jobs.cluster[1][name]["status"]["failed"] == 1


def test_a_cron_job_is_not_waited_for_and_changes_in_place(jobs: Jobs) -> None:
    assert not jobs.states[0]["nightly"].get("initErrors")
    assert jobs.foreseen.ops()["nightly"] == "same"
    assert jobs.second.ops()["nightly"] == "update"
    assert jobs.second.ops()["settings"] == "replace"
    before, after = (found["nightly"] for found in jobs.cluster)
    assert (after["spec"]["schedule"], after["metadata"]["uid"]) == ("0 4 1 1 *", before["metadata"]["uid"])

    rewrite(jobs.stack, SECOND.replace("0 4 1 1 *", "every night"))
    refused = jobs.stack.preview()
    assert not refused.succeeded
    assert "spec.schedule: Invalid value" in refused.errors
    assert "every night" in refused.errors


def test_a_binding_to_another_role_is_another_binding(jobs: Jobs) -> None:
    assert jobs.second.ops()["binding"] == "replace"
    assert jobs.cluster[1]["robot"]["roleRef"]["name"] == "other"


LEFT_TO_OTHERS = """
labels, password = VALUES
for name in ("login", "still-ours"):
    k8s.core.v1.Secret(
        name, metadata={"namespace": namespace, "labels": labels}, data={"password": password},
        opts=pulumi.ResourceOptions.merge(
            in_cluster,
            pulumi.ResourceOptions(ignore_changes=["data"], replace_on_changes=["metadata.labels.registry"]),
        ),
    )
"""


def test_data_that_is_left_to_others_is_neither_drift_nor_set_back(tmp_path: Path, namespace: str) -> None:
    def path(name: str) -> str:
        return f"/api/v1/namespaces/{namespace}/secrets/{stack.resources()[name]['id'].split('/')[1]}"

    def renew(password: str) -> None:
        patch = {"metadata": {"annotations": {"renewed": "now"}}, "data": {"password": password}}
        assert api().request("PATCH", f"{path('login')}?fieldManager=renewer", patch, MERGE)["kind"] == "Secret"

    def program(labels: dict[str, str], password: str) -> str:
        return LEFT_TO_OTHERS.replace("VALUES", f"{labels!r}, {password!r}")

    first, second, theirs, latest = (_encoded(f"{word}-password") for word in ("first", "second", "renewed", "latest"))
    stack = project(tmp_path, namespace, program({"registry": "a"}, first))
    assert stack.up().succeeded
    renew(theirs)
    rewrite(stack, program({"registry": "a"}, second))
    for outcome in (stack.up("--expect-no-changes"), stack.refresh("--expect-no-changes")):
        assert outcome.succeeded, outcome.output

    # Something else changes, and the state knows an older value than the cluster.
    renew(latest)
    rewrite(stack, program({"registry": "a", "more": "yes"}, second))
    changed = stack.up()
    assert changed.succeeded, changed.output
    assert changed.ops() == {"login": "update", "still-ours": "update"}
    live = api().get(path("login"))
    assert (live["data"], live["metadata"]["labels"]["more"]) == ({"password": latest}, "yes")
    assert live["metadata"]["annotations"]["renewed"] == "now"
    assert api().get(path("still-ours"))["data"] == {"password": first}, "ignored data that nobody else has set"
    assert stack.preview("--refresh", "--expect-no-changes").succeeded

    # A replacement starts with what the program has.
    rewrite(stack, program({"registry": "b"}, second))
    replaced = stack.up()
    assert replaced.succeeded, replaced.output
    assert replaced.ops() == {"login": "replace", "still-ours": "replace"}
    assert api().get(path("login"))["data"] == {"password": second}
    kept = stack.state_text() + changed.output + replaced.output
    for password in (first, second, theirs, latest):
        assert password not in kept


def _objects(namespace: str) -> dict[str, Json]:
    paths = (
        f"/apis/batch/v1/namespaces/{namespace}/jobs",
        f"/apis/batch/v1/namespaces/{namespace}/cronjobs",
        f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings",
    )
    return {item["metadata"]["name"]: item for path in paths for item in api().items(path)}


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
