"""Jobs and what goes with them: waited for to their end, replaced if they failed, left to others where told to."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.plugins.kubernetes.live_state import respecting
from sandbox.plugins.kubernetes.objects import Object
from sandbox.plugins.protocol.diff import compare

from .kubernetes_support import MERGE, Json, api, project, rewrite, temporary_namespace, wait_for

JOB = """
def job(name, command, *, annotations=None, spec=None, pod=None, opts=None):
    return k8s.batch.v1.Job(
        name,
        metadata={"namespace": namespace, "annotations": annotations or {}},
        spec={
            "backoff_limit": 0,
            "template": {"spec": {
                "restart_policy": "Never",
                "termination_grace_period_seconds": 0,
                "containers": [{
                    "name": "main", "image": os.environ["TEST_ETCD_IMAGE"], "command": command,
                    "termination_message_policy": "FallbackToLogsOnError",
                }],
                **(pod or {}),
            }},
            **(spec or {}),
        },
        opts=pulumi.ResourceOptions.merge(in_cluster, opts),
    )

good = ["etcd", "--version"]
bad = ["etcd", "--config-file=/absent"]
again = {"pulumi.com/replaceUnready": "true"}
"""


@pytest.fixture
def namespace() -> Iterator[str]:
    with temporary_namespace() as name:
        yield name


def jobs(namespace: str) -> list[Json]:
    return api().items(f"/apis/batch/v1/namespaces/{namespace}/jobs")


def test_a_job_is_waited_for_until_it_completes_and_is_no_drift_then(tmp_path: Path, namespace: str) -> None:
    stack = project(tmp_path, namespace, JOB + 'job("done", good, annotations=again)')
    up = stack.up()
    assert up.succeeded, up.output
    assert any("0 of 1 completions" in status for status in up.statuses("done")), up.statuses("done")
    assert [item["status"]["succeeded"] for item in jobs(namespace)] == [1]
    assert stack.preview("--expect-no-changes").succeeded
    refreshed = stack.refresh("--expect-no-changes")
    assert refreshed.succeeded, refreshed.output

    rewrite(stack, JOB + 'job("done", [*good, "--help"], annotations=again)')
    changed = stack.up()
    assert changed.succeeded, changed.output
    assert changed.ops() == {"done": "replace"}
    assert changed.step("done").replaces == ("spec.template.spec.containers[0].command[2]",)
    (left,) = jobs(namespace)
    assert left["spec"]["template"]["spec"]["containers"][0]["command"][-1] == "--help"


def test_a_job_that_fails_fails_the_update_with_the_words_of_its_pod(tmp_path: Path, namespace: str) -> None:
    stack = project(tmp_path, namespace, JOB + 'job("broken", bad)')
    failed = stack.up()
    assert not failed.succeeded
    assert "BackoffLimitExceeded" in failed.errors
    assert "crashed, last with exit code 1" in failed.errors
    assert "open /absent: no such file or directory" in failed.errors
    assert stack.resources()["broken"]["initErrors"]

    refreshed = stack.refresh()
    assert refreshed.succeeded, refreshed.output
    assert any("unhealthy state" in warning and "/absent" in warning for warning in refreshed.warnings)

    still = stack.up()
    assert not still.succeeded, "a Job that failed does not run again by itself"
    assert still.ops() == {"broken": "update"}
    assert "BackoffLimitExceeded" in still.errors

    rewrite(stack, JOB + 'job("broken", good)')
    repaired = stack.up()
    assert repaired.succeeded, repaired.output
    assert repaired.ops() == {"broken": "replace"}


def test_a_job_that_failed_is_made_again_when_told_so(tmp_path: Path, namespace: str) -> None:
    quotas = f"/api/v1/namespaces/{namespace}/resourcequotas"
    api().request("POST", quotas, {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}})
    wait_for(lambda: bool(api().get(f"{quotas}/none").get("status", {}).get("hard")), "the quota to be in force")
    program = JOB + 'job("late", good, annotations=again, spec={"active_deadline_seconds": 2})'
    stack = project(tmp_path, namespace, program)
    failed = stack.up()
    assert not failed.succeeded
    assert "DeadlineExceeded" in failed.errors
    (first,) = jobs(namespace)

    api().request("DELETE", f"{quotas}/none")
    wait_for(lambda: not api().exists(f"{quotas}/none"), "the quota to go")
    foreseen = stack.preview()
    assert foreseen.ops() == {"late": "replace"}
    assert foreseen.step("late").replaces == ('metadata.annotations["pulumi.com/replaceUnready"]',)
    # The deadline is for the test of the first; the image is on the node.
    rewrite(stack, program.replace("2}", "60}"))
    repaired = stack.up()
    assert repaired.succeeded, repaired.output
    assert repaired.ops() == {"late": "replace"}
    (second,) = jobs(namespace)
    assert second["metadata"]["uid"] != first["metadata"]["uid"]
    assert not stack.resources()["late"].get("initErrors")


def test_a_job_that_is_not_awaited_may_fail(tmp_path: Path, namespace: str) -> None:
    stack = project(tmp_path, namespace, JOB + 'job("broken", bad, annotations={"pulumi.com/skipAwait": "true"})')
    up = stack.up()
    assert up.succeeded, up.output
    wait_for(lambda: bool(jobs(namespace)[0].get("status", {}).get("failed")), "the Job to fail")
    assert stack.refresh("--expect-no-changes").succeeded


def test_a_job_that_removes_itself_is_made_again(tmp_path: Path, namespace: str) -> None:
    stack = project(tmp_path, namespace, JOB + 'job("brief", good, spec={"ttl_seconds_after_finished": 0})')
    stack.up()  # it may be gone before it was seen to be done
    wait_for(lambda: jobs(namespace) == [], "the Job to remove itself")
    drifted = stack.refresh("--expect-no-changes")
    assert not drifted.succeeded
    rewrite(stack, JOB + 'job("brief", good)')
    assert stack.up().succeeded
    assert len(jobs(namespace)) == 1


CRON_JOB = """
schedule = "0 3 1 1 *"
role_name = "robot"
meta = lambda name, **more: {"name": name, "namespace": namespace, **more}
account = k8s.core.v1.ServiceAccount("robot", metadata=meta("robot"), opts=in_cluster)
role = k8s.rbac.v1.Role(
    "robot", metadata=meta(role_name), opts=in_cluster,
    rules=[{"api_groups": [""], "resources": ["secrets"], "resource_names": ["one"], "verbs": ["patch"]}],
)
k8s.rbac.v1.RoleBinding(
    "robot", metadata=meta("robot"), opts=in_cluster,
    role_ref={"api_group": "rbac.authorization.k8s.io", "kind": "Role", "name": role.metadata.name},
    subjects=[{"kind": "ServiceAccount", "name": account.metadata.name, "namespace": namespace}],
)
settings = k8s.core.v1.ConfigMap("settings", metadata={"namespace": namespace}, data={"key": "value"}, opts=in_cluster)
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


def test_a_cron_job_is_not_waited_for_and_changes_in_place(tmp_path: Path, namespace: str) -> None:
    path = f"/apis/batch/v1/namespaces/{namespace}/cronjobs/nightly"
    stack = project(tmp_path, namespace, CRON_JOB)
    up = stack.up()
    assert up.succeeded, up.output
    assert api().get(path)["spec"]["schedule"] == "0 3 1 1 *"
    assert stack.preview("--expect-no-changes").succeeded
    refreshed = stack.refresh("--expect-no-changes")
    assert refreshed.succeeded, refreshed.output

    before = api().get(path)["metadata"]["uid"]
    rewrite(stack, CRON_JOB.replace("0 3 1 1 *", "0 4 1 1 *"))
    changed = stack.up()
    assert {step.name: step.op for step in changed.steps if step.op != "same"} == {"nightly": "update"}
    live = api().get(path)
    assert (live["spec"]["schedule"], live["metadata"]["uid"]) == ("0 4 1 1 *", before)

    rewrite(stack, CRON_JOB.replace("0 3 1 1 *", "every night"))
    refused = stack.preview()
    assert not refused.succeeded
    assert f"CronJob {namespace}/nightly is not accepted" in refused.errors
    assert "every night" in refused.errors


def test_a_binding_to_another_role_is_another_binding(tmp_path: Path, namespace: str) -> None:
    stack = project(tmp_path, namespace, CRON_JOB)
    assert stack.up().succeeded
    rewrite(stack, CRON_JOB.replace('role_name = "robot"', 'role_name = "other"'))
    changed = stack.up()
    assert changed.succeeded, changed.output
    binding = api().get(f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings/robot")
    assert binding["roleRef"]["name"] == "other"


LEFT_TO_OTHERS = """
k8s.core.v1.Secret(
    "login", metadata={{"name": "login", "namespace": namespace, "labels": {labels}}},
    data={{"password": "{password}"}},
    opts=pulumi.ResourceOptions.merge(
        in_cluster,
        pulumi.ResourceOptions(
            ignore_changes=["data"], replace_on_changes=["metadata.labels.registry"], delete_before_replace=True
        ),
    ),
)
"""


def test_data_that_is_left_to_others_is_neither_drift_nor_set_back(tmp_path: Path, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/secrets/login"
    first, second, theirs = (_encoded(f"{word}-password") for word in ("first", "second", "renewed"))
    stack = project(tmp_path, namespace, LEFT_TO_OTHERS.format(labels={"registry": "a"}, password=first))
    assert stack.up().succeeded
    rewrite(stack, LEFT_TO_OTHERS.format(labels={"registry": "a"}, password=second))
    for outcome in (stack.preview("--expect-no-changes"), stack.up("--expect-no-changes")):
        assert outcome.succeeded, outcome.output
    assert api().get(path)["data"] == {"password": first}

    patch = {"metadata": {"annotations": {"renewed": "now"}}, "data": {"password": theirs}}
    api().request("PATCH", f"{path}?fieldManager=renewer", patch, MERGE)
    for outcome in (
        stack.preview("--expect-no-changes"),
        stack.refresh("--expect-no-changes"),
        stack.preview("--expect-no-changes"),
        stack.preview("--refresh", "--expect-no-changes"),
        stack.up("--expect-no-changes"),
    ):
        assert outcome.succeeded, outcome.output

    # Something else of it changes: what is theirs stays theirs, although the state knows an older value.
    latest = _encoded("latest-password")
    api().request("PATCH", f"{path}?fieldManager=renewer", {"data": {"password": latest}}, MERGE)
    rewrite(stack, LEFT_TO_OTHERS.format(labels={"registry": "a", "more": "yes"}, password=second))
    changed = stack.up()
    assert changed.succeeded, changed.output
    assert changed.ops() == {"login": "update"}
    live = api().get(path)
    assert (live["data"], live["metadata"]["labels"]["more"]) == ({"password": latest}, "yes")
    assert live["metadata"]["annotations"] == {"renewed": "now"}
    assert stack.refresh("--expect-no-changes").succeeded
    assert stack.preview("--expect-no-changes").succeeded

    # A replacement starts with what the program has.
    rewrite(stack, LEFT_TO_OTHERS.format(labels={"registry": "b"}, password=second))
    replaced = stack.up()
    assert replaced.succeeded, replaced.output
    assert replaced.ops() == {"login": "replace"}
    assert api().get(path)["data"] == {"password": second}
    kept = stack.state_text() + changed.output + replaced.output
    for secret in (first, second, theirs, latest):
        assert secret not in kept


def test_ignored_data_that_is_still_ours_keeps_its_live_value(tmp_path: Path, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/secrets/login"
    first = _encoded("first-password")
    stack = project(tmp_path, namespace, LEFT_TO_OTHERS.format(labels={"registry": "a"}, password=first))
    assert stack.up().succeeded
    rewrite(stack, LEFT_TO_OTHERS.format(labels={"registry": "a", "more": "yes"}, password=_encoded("second")))
    assert stack.up().succeeded
    assert api().get(path)["data"] == {"password": first}


def _managed(manager: str, fields: Object) -> Object:
    return {"manager": manager, "operation": "Apply", "fieldsV1": fields}


class TestRespecting:
    def test_what_others_alone_own_is_not_applied(self) -> None:
        live: Object = {
            "metadata": {
                "managedFields": [_managed("ours", {"f:type": {}}), _managed("theirs", {"f:data": {"f:a": {}}})]
            },
            "data": {"a": "live"},
        }
        assert respecting({"type": "T", "data": {"a": "old"}}, live, "ours", ["data"]) == {"type": "T"}
        assert respecting({"data": {"a": "old", "b": "x"}}, live, "ours", ["data.a"]) == {"data": {"b": "x"}}

    def test_what_is_ours_or_shared_is_applied_as_it_is(self) -> None:
        shared: Object = {"f:data": {"f:a": {}}}
        live: Object = {
            "metadata": {"managedFields": [_managed("ours", shared), _managed("theirs", shared)]},
            "data": {"a": "live"},
        }
        assert respecting({"data": {"a": "old"}}, live, "ours", ["data"]) == {"data": {"a": "live"}}

    def test_what_is_not_there_is_applied_as_the_program_says(self) -> None:
        assert respecting({"data": {"a": "old"}}, {}, "ours", ["data", "spec"]) == {"data": {"a": "old"}}

    def test_a_key_with_dots_in_it_is_one_key(self) -> None:
        fields: Object = {"f:data": {"f:.dockerconfigjson": {}}}
        live: Object = {"metadata": {"managedFields": [_managed("theirs", fields)]}, "data": {".dockerconfigjson": "n"}}
        manifest: Object = {"data": {".dockerconfigjson": "old"}}
        assert respecting(manifest, live, "ours", ['data[".dockerconfigjson"]']) == {"data": {}}

    def test_a_path_into_a_list_is_not_heeded(self) -> None:
        manifest: Object = {"spec": {"ports": [{"port": 1}]}}
        live: Object = {"spec": {"ports": [{"port": 2}]}}
        assert respecting(manifest, live, "ours", ["spec.ports[0].port"]) == manifest


def test_an_answer_leaves_out_what_is_ignored() -> None:
    diff = compare({"data": {".a": 1}, "type": "x"}, {"data": {".a": 2}, "type": "y"}, replace_on=["data"])
    assert diff.replaces == ('data[".a"]',)
    left = diff.without(["data", "metadata.labels"])
    assert [change.name for change in left.changes] == ["type"]
    assert left.replaces == ()
    assert diff.without([]) == diff


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
