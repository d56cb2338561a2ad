"""Objects that do not become ready: what the user is told, and that the next run repairs them."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from .kubernetes_support import api, deployment_path, project, rewrite, temporary_namespace, wait_for


@pytest.fixture
def namespace() -> Iterator[str]:
    with temporary_namespace() as name:
        yield name


def test_pods_that_cannot_start_fail_the_update_with_their_own_reason_and_the_next_one_repairs_them(
    tmp_path: Path, namespace: str
) -> None:
    stack = project(
        tmp_path,
        namespace,
        """
deployment("no-image", container={"image": "registry.invalid/none:1"})
deployment("crash", container={"image": os.environ["TEST_ETCD_IMAGE"], "command": ["etcd", "--config-file=/absent"]})
deployment("no-secret", container={"env_from": [{"secret_ref": {"name": "absent"}}]})
""",
    )
    failed = stack.up("--continue-on-error")
    assert not failed.succeeded
    # The pod tells it as ErrImagePull or, between two tries, as ImagePullBackOff with that in it.
    assert 'ErrImagePull: failed to pull and unpack image "registry.invalid/none:1"' in failed.errors, failed.errors
    assert "crashed 3 times" in failed.errors, failed.output
    assert "its last lines:" in failed.errors
    assert "open /absent: no such file or directory" in failed.errors
    assert 'CreateContainerConfigError: secret "absent" not found' in failed.errors
    assert "Traceback" not in failed.errors
    assert set(stack.resources()) == {"no-image", "crash", "no-secret"}, "the objects that exist are not in the state"

    refreshed = stack.refresh()
    assert any("unhealthy state" in warning and "crashed" in warning for warning in refreshed.warnings)
    assert stack.resources()["crash"]["initErrors"]

    rewrite(stack, 'for name in ("no-image", "crash", "no-secret"):\n    deployment(name)\n')
    repaired = stack.up()
    assert repaired.succeeded, repaired.output
    assert set(repaired.ops().values()) == {"update"}
    assert not any(resource.get("initErrors") for resource in stack.resources().values())


def test_pods_that_a_quota_forbids_fail_the_update_with_the_quota_s_words(tmp_path: Path, namespace: str) -> None:
    api().request(
        "POST",
        f"/api/v1/namespaces/{namespace}/resourcequotas",
        {"metadata": {"name": "tight"}, "spec": {"hard": {"pods": "0"}}},
    )
    wait_for(
        lambda: bool(api().get(f"/api/v1/namespaces/{namespace}/resourcequotas/tight").get("status", {}).get("hard")),
        "the quota to be in force",
    )
    failed = project(tmp_path, namespace, 'deployment("web")').up()
    assert not failed.succeeded
    assert "exceeded quota: tight" in failed.errors


def test_a_time_limit_ends_the_wait_and_tells_what_is_missing(tmp_path: Path, namespace: str) -> None:
    stack = project(
        tmp_path,
        namespace,
        """
nowhere = {"template": {
    "metadata": {"labels": {"app": "lost"}},
    "spec": {"node_selector": {"no": "such-node"}, "containers": [{"name": "main", "image": pause}]},
}}
deployment("lost", spec=nowhere, opts=pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create="2s")))
deployment("unawaited", metadata={"annotations": {"pulumi.com/skipAwait": "true"}},
           container={"image": "registry.invalid/none:1"})
k8s.core.v1.Pod(
    "limited",
    metadata={"name": "limited", "namespace": namespace, "annotations": {"pulumi.com/timeoutSeconds": "3"}},
    spec={"node_selector": {"no": "such-node"}, "containers": [{"name": "main", "image": pause}]},
    opts=in_cluster,
)
""",
    )
    failed = stack.up("--continue-on-error")
    assert not failed.succeeded
    assert "Deployment lost: not ready after 2 s: 0 of 1 pods ready" in failed.errors
    assert "Pod limited: not ready after 3 s" in failed.errors
    assert "cannot be scheduled: 0/" in failed.errors
    assert "unawaited" not in failed.errors
    assert set(stack.resources()) == {"lost", "unawaited", "limited"}


def test_a_cancelled_update_ends_at_once_and_keeps_what_it_made(tmp_path: Path, namespace: str) -> None:
    web = deployment_path(namespace, "web")
    stuck = 'deployment("web", spec={"min_ready_seconds": 3600, "progress_deadline_seconds": 7200})'
    stack = project(tmp_path, namespace, stuck)
    with stack.started("up") as running:
        wait_for(lambda: api().exists(web), "the Deployment to be created")
        running.send_signal(signal.SIGINT)
        output, _ = running.communicate(timeout=20)
    assert running.returncode != 0
    assert "cancelled while it was waited for" in output
    assert set(stack.resources()) == {"web"}

    rewrite(stack, 'deployment("web")')
    repaired = stack.up()
    assert repaired.succeeded, repaired.output
    assert repaired.ops() == {"web": "update"}


def test_jobs_claims_and_services_are_waited_for_as_their_kind_asks(tmp_path: Path, namespace: str) -> None:
    stack = project(
        tmp_path,
        namespace,
        """
etcdctl = {"name": "main", "image": os.environ["TEST_ETCD_IMAGE"], "command": ["etcd", "--version"]}
meta = lambda name: {"name": name, "namespace": namespace}
k8s.batch.v1.Job(
    "job", metadata=meta("job"),
    spec={"template": {"spec": {"restart_policy": "Never", "containers": [etcdctl]}}}, opts=in_cluster,
)
k8s.core.v1.PersistentVolumeClaim(
    "late", metadata=meta("late"),
    spec={"access_modes": ["ReadWriteOnce"], "storage_class_name": "standard",
          "resources": {"requests": {"storage": "1Mi"}}},
    opts=in_cluster,
)
k8s.core.v1.Service(
    "alone", metadata=meta("alone"), spec={"selector": {"app": "nobody"}, "ports": [{"port": 80}]}, opts=in_cluster
)
for set_kind, extra in ((k8s.apps.v1.StatefulSet, {"service_name": "alone"}), (k8s.apps.v1.DaemonSet, {})):
    name = set_kind.__name__.lower()
    set_kind(
        name, metadata=meta(name), opts=in_cluster,
        spec={**extra, "selector": {"match_labels": {"app": name}}, "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"termination_grace_period_seconds": 0, "containers": [{"name": "main", "image": pause}]},
        }},
    )
""",
    )
    up = stack.up()
    assert up.succeeded, up.output
    assert api().get(f"/apis/batch/v1/namespaces/{namespace}/jobs/job")["status"]["succeeded"] == 1
    assert api().get(f"/apis/apps/v1/namespaces/{namespace}/statefulsets/statefulset")["status"]["readyReplicas"] == 1
    assert api().get(f"/apis/apps/v1/namespaces/{namespace}/daemonsets/daemonset")["status"]["numberReady"] >= 1
    assert stack.preview("--expect-no-changes").succeeded
    assert stack.refresh("--expect-no-changes").succeeded
