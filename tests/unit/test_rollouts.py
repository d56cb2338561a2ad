"""When the program looks at rollouts, and what one that failed leaves undone."""

from pathlib import Path

import pulumi
import pytest

from tests.unit.conftest import RolloutsOfTest
from tests.unit.recording import Recorder
from tests.unit.stacks import SERVICES, project
from tests.unit.test_program_registries import program

DEPLOYMENT = "kubernetes:apps/v1:Deployment"
POLICY = "aws:ecr/lifecyclePolicy:LifecyclePolicy"


@pytest.fixture(autouse=True)
def _in_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project(tmp_path))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))


def test_an_update_looks_at_each_rollout_within_the_time_that_the_stack_gives(rollouts: RolloutsOfTest) -> None:
    program(rolloutSeconds="77")
    assert rollouts.seen == dict.fromkeys(("redis", *SERVICES), 77)


def test_a_preview_looks_at_none_and_shows_the_images(rollouts: RolloutsOfTest) -> None:
    recorder = program(recorder=Recorder(pushed_before=True), preview=True)
    assert rollouts.seen == {}
    assert set(recorder.outputs["images"]) == set(SERVICES)


def test_nothing_is_looked_at_where_the_environment_says_so(
    rollouts: RolloutsOfTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKERCOINS_ROLLOUTS", "unchecked")
    recorder = program()
    assert rollouts.seen == {}
    assert set(recorder.outputs["images"]) == set(SERVICES)


def test_a_failed_rollout_fails_the_update_and_no_image_of_it_is_exported_or_left_unshielded(
    rollouts: RolloutsOfTest,
) -> None:
    rollouts.failing["hasher"] = "Deployment dockercoins-test/hasher is not rolled out: no licence to run"
    recorder = Recorder()
    with pytest.raises(pulumi.RunError, match="no licence to run"):
        program(recorder=recorder)
    assert recorder.outputs == {}, "another stack would deploy what does not run"
    assert recorder.of_type(POLICY) == {}, "the image that goes on serving would expire"
    assert set(recorder.of_type(DEPLOYMENT)) == {"redis", *SERVICES}


def test_the_plugin_leaves_the_waiting_to_the_program_and_containers_leave_their_last_lines() -> None:
    for name, inputs in program().of_type(DEPLOYMENT).items():
        assert inputs["metadata"]["annotations"] == {
            "pulumi.com/deletionPropagationPolicy": "background",
            "pulumi.com/patchForce": "true",
            "pulumi.com/skipAwait": "true",
        }, name
        (container,) = inputs["spec"]["template"]["spec"]["containers"]
        assert container["terminationMessagePolicy"] == "FallbackToLogsOnError", name
