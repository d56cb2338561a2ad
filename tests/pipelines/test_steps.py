"""The steps of a pipeline on the sandbox's cluster and registry, as a build system runs them: one process for each."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.integration.deployment import ROOT, SERVICES, Deployment, create, without_salt
from tests.pipelines.steps import Steps
from tests.plugins.engine_support import STACK

REGISTRY_LOGIN = {"REGISTRY_USERNAME": "AWS", "REGISTRY_PASSWORD": "123456789012-auth-token"}


@dataclass(frozen=True)
class Pipeline(Steps):
    """A checkout with a stack on the sandbox's cluster."""

    deployment: Deployment

    def images(self) -> dict[str, str]:
        return dict(self.deployment.project.outputs()["images"])


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Generator[Pipeline]:
    """A stack that the steps have previewed, applied and verified once."""
    deployment = create(tmp_path_factory.mktemp("pipeline"), buildOnPreview="true")
    made = Pipeline(deployment.project, tmp_path_factory.mktemp("files"), deployment)
    try:
        made.succeed("preview")
        made.succeed("apply")
        made.succeed("verify")
        yield made
    finally:
        outcome = deployment.project.destroy()
        assert outcome.succeeded, outcome.output


def test_a_verified_stack_leaves_its_digests_for_promotion(pipeline: Pipeline) -> None:
    verified = pipeline.read("verified.json")["images"]
    assert verified == pipeline.images()
    assert sorted(verified) == sorted(SERVICES)


def test_a_preview_of_nothing_says_so_and_keeps_no_secret(pipeline: Pipeline, tmp_path: Path) -> None:
    assert "nothing would change" in pipeline.succeed("preview", TMPDIR=str(tmp_path))
    assert list(tmp_path.iterdir()) == []
    assert "### Nothing changes in `test`" in (pipeline.files / "comment.md").read_text()
    kept = "".join(path.read_text() for path in pipeline.files.iterdir())
    assert "auth-token" not in kept
    assert "PRIVATE KEY" not in kept


def test_what_changed_after_the_preview_is_refused_before_anything_is_done(pipeline: Pipeline) -> None:
    pipeline.deployment.configure(workerReplicas="2")
    pipeline.succeed("preview")
    pipeline.deployment.configure(workerReplicas="3")
    before = pipeline.deployment.objects("deployments,poddisruptionbudgets")
    refused = pipeline.step("apply")
    pipeline.deployment.configure(workerReplicas=None)
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: the plan is out of date")
    assert "- Deployment worker: its update is another one (spec.replicas)" in refused.stderr
    after = pipeline.deployment.objects("deployments,poddisruptionbudgets")
    assert after.keys() == before.keys()
    assert after["worker"]["spec"] == before["worker"]["spec"]


def test_a_broken_dockerfile_ends_at_the_preview_with_a_comment_that_says_why(pipeline: Pipeline) -> None:
    pipeline.edit("services/rng/Dockerfile", "FROM ", "RUN false\nFROM ")
    failed = pipeline.step("preview")
    pipeline.edit("services/rng/Dockerfile", "RUN false\nFROM ", "FROM ")
    assert failed.returncode == 1
    assert "error: " in failed.stderr
    assert "Traceback" not in failed.stderr
    assert "### The preview of `test` failed" in (pipeline.files / "comment.md").read_text()
    assert not (pipeline.files / "plan.json").exists()
    refused = pipeline.step("apply")
    assert refused.returncode == 1
    assert "run `preview" in refused.stderr


def test_without_a_passphrase_the_step_says_where_it_belongs(pipeline: Pipeline) -> None:
    failed = pipeline.step("preview", without="PULUMI_CONFIG_PASSPHRASE")
    assert failed.returncode == 1
    assert re.fullmatch(r"error: .*put it in PULUMI_CONFIG_PASSPHRASE.*\n", failed.stderr), failed.stderr


def test_a_locked_stack_is_left_to_the_holder_of_the_lock(pipeline: Pipeline) -> None:
    pipeline.succeed("preview")
    folder = (
        pipeline.deployment.folder.parent / "backend" / ".pulumi" / "locks" / "organization" / "dockercoins" / STACK
    )
    folder.mkdir(parents=True, exist_ok=True)
    lock = folder / "11111111-2222-3333-4444-555555555555.json"
    lock.write_text('{"pid": 4711, "username": "ada", "hostname": "workstation", "timestamp": "2026-01-02T03:04:05Z"}')
    refused = pipeline.step("apply")
    lock.unlink()
    assert refused.returncode == 1
    assert "its holder clears the lock" in refused.stderr
    assert "ada@workstation" in refused.stderr


def test_drift_is_told_by_name_and_a_stack_as_it_was_left_has_none(pipeline: Pipeline) -> None:
    assert "is as it was left" in pipeline.succeed("drift", **REGISTRY_LOGIN)
    pipeline.deployment.kubectl("scale", "deployment/rng", "--replicas=2")
    found = pipeline.step("drift", **REGISTRY_LOGIN)
    pipeline.deployment.kubectl("scale", "deployment/rng", "--replicas=1")
    assert found.returncode == 3, found.stdout + found.stderr
    report = (pipeline.files / "drift.md").read_text()
    assert "- Deployment `rng`" in report
    assert "`spec.replicas`: `2` → `1`" in report or "`spec.replicas`: `1` → `2`" in report


def test_verified_digests_are_promoted_to_another_stack_without_a_build(pipeline: Pipeline) -> None:
    project = pipeline.deployment.project
    project.run("stack", "init", "prod").stdout_or_fail()
    text = (pipeline.deployment.folder / "Pulumi.test.yaml").read_text()
    (pipeline.deployment.folder / "Pulumi.prod.yaml").write_text(without_salt(text))
    prod = Steps(replace(project, stack="prod"), pipeline.files / "prod")
    prod.succeed("promote", "--verified", str(pipeline.files / "verified.json"))
    prod.succeed("preview")
    assert prod.read("summary.json")["images"] == []
    deployed = (prod.files / "events.jsonl").read_text()
    assert all(image in deployed for image in pipeline.images().values())


def test_the_check_runs_the_stages_and_fails_with_them(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text('test:\n\t@test "$(STAGES)" = "lint unit"\n')
    command = [sys.executable, "-m", "pipelines", "check"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    assert subprocess.run(command, cwd=tmp_path, env=environment, check=False).returncode == 0
    failed = subprocess.run(
        [*command, "--stages", "unit"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert failed.returncode == 1
    assert "the checks failed (unit); nothing was previewed, built or deployed" in failed.stderr
