"""What is waited for, what is not, and what a user is told when it does not become ready."""

from __future__ import annotations

import signal
from pathlib import Path

from .kubernetes_support import api, deployment_path, project, rewrite, wait_for

NOT_READY = """
brief = pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create="12s"))
crash = {
    "image": os.environ["TEST_ETCD_IMAGE"], "command": ["etcd", "--config-file=/absent"],
    "termination_message_policy": "FallbackToLogsOnError",
}
absent = {"image": "registry.invalid/none:1"}
# Without the seconds, what crashes late is available for a moment, and passes.
deployment("crash", container=crash, spec={"min_ready_seconds": 60}, opts=brief)
deployment("no-image", container=absent, opts=brief)
deployment("unawaited", ours, container=absent)
k8s.core.v1.PersistentVolumeClaim(
    "claim", metadata=meta("claim", **unawaited), opts=in_cluster,
    spec={"access_modes": ["ReadWriteOnce"], "storage_class_name": "no-such-class",
          "resources": {"requests": {"storage": "1Mi"}}},
)
"""


def test_what_is_awaited_fails_with_its_reason_and_what_is_not_is_left_to_the_program(
    tmp_path: Path, namespace: str
) -> None:
    stack = project(tmp_path, namespace, NOT_READY)
    failed = stack.up("--continue-on-error")
    assert not failed.succeeded
    assert "'crash' timed out waiting to be Ready" in failed.errors
    assert "[CrashLoopBackOff]" in failed.errors or "terminated at" in failed.errors
    assert "open /absent: no such file or directory" in failed.errors
    assert "[ImagePullBackOff]" in failed.errors or "[ErrImagePull]" in failed.errors
    assert "unawaited" not in failed.errors
    # Without the annotation, it would be waited for longer than the test allows.
    assert "claim" not in failed.errors
    state = stack.resources()
    assert {name for name, item in state.items() if item.get("initErrors")} == {"crash", "no-image"}
    assert set(state) == {"crash", "no-image", "unawaited", "claim"}, "an object that exists is not in the state"

    refreshed = stack.refresh()
    assert any("unhealthy state" in warning and "/absent" in warning for warning in refreshed.warnings)
    assert not any("unawaited" in warning or "claim" in warning for warning in refreshed.warnings)

    rewrite(stack, "for name in ('crash', 'no-image', 'unawaited'):\n    deployment(name)\n")
    repaired = stack.up()
    assert repaired.succeeded, repaired.output
    assert repaired.ops() == {"crash": "update", "no-image": "update", "unawaited": "update", "claim": "delete"}
    assert not any(item.get("initErrors") for item in stack.resources().values())


def test_a_cancelled_update_ends_at_once_and_keeps_what_it_made(tmp_path: Path, namespace: str) -> None:
    web = deployment_path(namespace, "web")
    stuck = 'deployment("web", spec={"min_ready_seconds": 3600, "progress_deadline_seconds": 7200})'
    stack = project(tmp_path, namespace, stuck)
    with stack.started("up") as running:
        wait_for(lambda: api().exists(web), "the Deployment to be created")
        running.send_signal(signal.SIGINT)
        output, _ = running.communicate(timeout=20)
    assert running.returncode != 0
    assert 'Resource operation was cancelled for "web"' in output
    assert set(stack.resources()) == {"web"}

    rewrite(stack, 'deployment("web")')
    repaired = stack.up()
    assert repaired.succeeded, repaired.output
    assert repaired.ops() == {"web": "update"}
