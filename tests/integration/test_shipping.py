"""The two ways to ship: by hand from a workstation, and by a push of the code to a repository that does the rest."""

import os
import shutil
import subprocess
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.deployment import ROOT, Deployment, create, until

_IDENTITY = ("-c", "user.name=A developer", "-c", "user.email=developer@example.com")


@dataclass(frozen=True)
class Repository:
    """A developer's clone, and the bare repository that it pushes to."""

    clone: Path
    bare: Path
    environment: dict[str, str]

    def push(self, message: str) -> subprocess.CompletedProcess[str]:
        """Commit everything and push it; the hook's output comes with git's."""
        git(self.clone, "add", "--all")
        git(self.clone, *_IDENTITY, "commit", "--quiet", "--message", message)
        return self.push_ref("HEAD:main")

    def push_ref(self, ref: str) -> subprocess.CompletedProcess[str]:
        """Push what is committed."""
        return subprocess.run(
            ["git", "push", "origin", ref],
            cwd=self.clone,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )


def git(folder: Path, *arguments: str) -> str:
    completed = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stderr
    return completed.stdout


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[Deployment, Repository]]:
    """A stack that the pushes deploy, and the repository with the hook."""
    deployment = create(tmp_path_factory.mktemp("shipped"))
    folder = tmp_path_factory.mktemp("git")
    bare, clone = folder / "dockercoins.git", folder / "clone"
    git(folder, "init", "--quiet", "--bare", str(bare))
    shutil.copy2(ROOT / "pipelines" / "post-receive", bare / "hooks" / "post-receive")
    git(bare, "config", "dockercoins.stack", "test")
    git(bare, "config", "dockercoins.stages", "unit")
    listed = git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, clone / name)
    shutil.copy2(deployment.folder / "Pulumi.test.yaml", clone / "Pulumi.test.yaml")
    git(clone, "init", "--quiet", "--initial-branch", "main")
    git(clone, "remote", "add", "origin", str(bare))
    environment = {**os.environ, **deployment.project.environment}
    try:
        yield deployment, Repository(clone, bare, environment)
    finally:
        outcome = deployment.project.destroy()
        assert outcome.succeeded, outcome.output


def test_a_push_of_the_code_builds_tests_pushes_and_deploys(shipped: tuple[Deployment, Repository]) -> None:
    deployment, repository = shipped
    pushed = repository.push("The first version")
    assert pushed.returncode == 0, pushed.stdout
    assert "=== testing: unit" in pushed.stdout
    assert "=== deployed" in pushed.stdout, pushed.stdout
    until(lambda: deployment.page()["hashes"] > 0, "hashes")


def test_a_changed_service_is_deployed_by_the_next_push(shipped: tuple[Deployment, Repository]) -> None:
    deployment, repository = shipped
    before = deployment.project.outputs()["images"]
    page = repository.clone / "services" / "webui" / "webui" / "static" / "index.html"
    page.write_text(page.read_text().replace("</body>", "<!-- pushed --></body>"))
    git(repository.bare, "config", "dockercoins.stages", "none")
    pushed = repository.push("A changed page")
    git(repository.bare, "config", "dockercoins.stages", "unit")
    assert "=== deployed" in pushed.stdout, pushed.stdout
    after = deployment.project.outputs()["images"]
    assert [service for service in before if before[service] != after[service]] == ["webui"]


def test_a_commit_that_fails_its_tests_changes_nothing(shipped: tuple[Deployment, Repository]) -> None:
    deployment, repository = shipped
    before = deployment.project.outputs()
    settings = repository.clone / "application_settings.py"
    original = settings.read_text()
    broken = original.replace("_REPLICAS: Final = range(10_001)", "_REPLICAS: Final = range(10)")
    assert broken != original
    settings.write_text(broken)
    pushed = repository.push("A broken setting")
    assert "test_settings.py" in pushed.stdout, pushed.stdout
    assert "=== deployed" not in pushed.stdout
    assert deployment.project.outputs() == before
    settings.write_text(original)


def test_another_branch_is_not_deployed(shipped: tuple[Deployment, Repository]) -> None:
    _, repository = shipped
    git(repository.clone, "branch", "--force", "idea")
    pushed = repository.push_ref("idea")
    assert pushed.returncode == 0, pushed.stdout
    assert "===" not in pushed.stdout
