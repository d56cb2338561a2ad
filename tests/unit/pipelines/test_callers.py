"""What calls the steps: the files of GitHub Actions and GitLab CI, held to what keeps a stack safe."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
UPDATES = ("pipelines apply", "pipelines rollback", "--or-roll-back")
_PINNED = re.compile(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")


def _jobs() -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{file.stem}/{name}", job)
        for file in WORKFLOWS
        for name, job in yaml.safe_load(file.read_text())["jobs"].items()
    ]


def _commands(job: dict[str, Any]) -> str:
    return "\n".join(step.get("run", "") for step in job["steps"])


def _gitlab() -> dict[str, dict[str, Any]]:
    document = yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text())
    common = document[".on-stack"]
    words = ("stages", "workflow", "default", ".on-stack")
    return {
        name: {**(common if job.get("extends") else {}), **job} for name, job in document.items() if name not in words
    }


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_an_action_is_pinned_by_its_commit_with_the_version_beside_it(file: Path) -> None:
    used = [line.strip().removeprefix("- ") for line in file.read_text().splitlines() if "uses:" in line]
    assert used
    assert [line for line in used if not _PINNED.fullmatch(line)] == []


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_a_workflow_has_no_rights_and_each_job_only_those_it_names(file: Path) -> None:
    workflow = yaml.safe_load(file.read_text())
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert set(job["permissions"]) <= {"contents", "id-token", "pull-requests"}
        assert job["permissions"]["contents"] == "read"


@pytest.mark.parametrize(("name", "job"), _jobs(), ids=[name for name, _ in _jobs()])
def test_an_update_has_one_group_for_its_stack_and_is_never_cancelled(name: str, job: dict[str, Any]) -> None:
    stack = re.search(r"pipelines apply --stack (\w+)", _commands(job))
    if stack:
        assert job["concurrency"] == {"group": f"stack-{stack.group(1)}", "cancel-in-progress": False}
        assert job["environment"] == stack.group(1)
    else:
        assert not any(word in _commands(job) for word in UPDATES)
        # A job that waits in a group is dropped when another one comes: no preview may drop an update.
        assert not job.get("concurrency", {}).get("group", "").startswith("stack-"), name


def test_a_fork_gets_checks_and_no_secret() -> None:
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "pull-request.yml").read_text())["jobs"]
    assert "secrets." not in str(jobs["check"])
    assert jobs["check"]["permissions"] == {"contents": "read"}
    for name, job in jobs.items():
        if name != "check":
            assert job["if"] == "github.event.pull_request.head.repo.full_name == github.repository"


def test_no_workflow_runs_a_pull_request_with_the_rights_of_the_branch_that_it_goes_into() -> None:
    assert all("pull_request_target" not in file.read_text() for file in WORKFLOWS)


def test_credentials_for_aws_are_asked_for_each_time() -> None:
    texts = [file.read_text() for file in (*WORKFLOWS, ROOT / ".gitlab-ci.yml")]
    assert all("SECRET_ACCESS_KEY" not in text and "aws-access-key-id" not in text for text in texts)
    for name, job in _gitlab().items():
        assert (name == "check") != ("AWS_TOKEN" in job.get("id_tokens", {}))


def test_gitlab_updates_one_stack_at_a_time_and_asks_before_prod() -> None:
    jobs = _gitlab()
    for stack in ("dev", "prod"):
        assert jobs[stack]["resource_group"] == f"stack-{stack}"
        assert any(f"pipelines apply --stack {stack}" in line for line in jobs[stack]["script"])
    assert [rule.get("when") for rule in jobs["prod"]["rules"]] == ["manual"]
    updating = [name for name, job in jobs.items() if any(word in str(job["script"]) for word in UPDATES)]
    assert updating == ["dev", "prod"]


def test_both_run_the_same_steps_in_the_same_order() -> None:
    step = re.compile(r"pipelines (\w+) --stack (\w+)")
    deploy = dict(_jobs())
    gitlab = _gitlab()
    for name in ("dev", "preview-prod", "prod"):
        assert step.findall(_commands(deploy[f"deploy/{name}"])) == step.findall("\n".join(gitlab[name]["script"]))
