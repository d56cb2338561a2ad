import subprocess
from pathlib import Path

import pytest

from pipelines.changed_files import changed_files, commit
from pipelines.errors import StepError

IDENTITY = ("-c", "user.name=A developer", "-c", "user.email=developer@example.com")


def _git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *IDENTITY, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose branch ``idea`` is checked out; ``main`` has gone on since they parted."""
    for service in ("rng", "webui"):
        (tmp_path / "services" / service).mkdir(parents=True)
        (tmp_path / "services" / service / "app.py").write_text("one\n")
    _git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    _git(tmp_path, "add", "--all")
    _git(tmp_path, "commit", "--quiet", "--message", "one")
    _git(tmp_path, "branch", "idea")
    (tmp_path / "services" / "rng" / "app.py").write_text("of somebody else\n")
    _git(tmp_path, "commit", "--quiet", "--all", "--message", "of somebody else")
    _git(tmp_path, "checkout", "--quiet", "idea")
    return tmp_path


def test_the_files_of_a_folder_are_those_that_this_branch_changed(repository: Path) -> None:
    (repository / "services" / "webui" / "app.py").write_text("two\n")
    (repository / "services" / "webui" / "a name.html").write_text("new\n")
    _git(repository, "add", "--all")
    assert changed_files("main", ["services/rng", "services/webui"], repository) == {
        "services/rng": [],
        "services/webui": ["A a name.html", "M app.py"],
    }


@pytest.mark.parametrize("base", ["nowhere", "--output=/tmp/written"])
def test_a_base_that_git_does_not_know_is_refused(repository: Path, base: str) -> None:
    with pytest.raises(StepError, match=r"git cannot compare with .*\nName a commit or branch that was fetched"):
        changed_files(base, ["services/rng"], repository)
    assert not Path("/tmp/written").exists()  # noqa: S108 - what must not be there


def test_the_commit_is_that_of_the_checkout_and_empty_without_git(
    repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert len(commit(repository)) == 40
    assert commit(tmp_path_factory.mktemp("copy")) == ""
