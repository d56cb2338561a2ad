"""The automatic way to ship: a push of the code to a repository with the hook, which does the rest.

The tests build on each other, as pushes to one repository do. The stage `unit` of the first version has a few of its
tests, and that of a later one is broken. The others are shipped without a check.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.deployment import ROOT, Deployment, create, get, until
from tests.pipelines.checkouts import commit, copy_project, edit, git

_CHECKED = ("test_content_tag.py", "test_docker_ignore.py")
_PAGE = "services/webui/webui/static/index.html"


@dataclass(frozen=True)
class Shipping:
    """A developer's clone, the bare repository that it pushes to, and the stack that the hook there delivers to."""

    deployment: Deployment
    clone: Path
    bare: Path
    environment: dict[str, str]

    def push(self, message: str, stages: str = "none") -> subprocess.CompletedProcess[str]:
        """Commit everything and push it; the hook's output comes with git's, and checks ``stages`` first."""
        git(self.bare, "config", "dockercoins.stages", stages)
        commit(self.clone, message)
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

    def file(self, name: str) -> Path:
        """What the steps leave for each other."""
        return self.bare / "dockercoins-checkout" / ".pipeline" / "test" / name

    def edit(self, file: str, old: str, new: str) -> None:
        edit(self.clone / file, old, new)

    def running(self) -> dict[str, Any]:
        """What the cluster is to run and which pods do, apart from what nobody set."""
        specs = {name: item["spec"] for name, item in self.deployment.objects("deployments").items()}
        return {"deployments": specs, "outputs": self.deployment.project.outputs()}


def said(pushed: subprocess.CompletedProcess[str]) -> str:
    """What the hook said, as git passes it on: each line after ``remote: ``."""
    return re.sub(r"^remote: ?|[ \t]+$|\x1b\[K", "", pushed.stdout, flags=re.MULTILINE)


def timeline(pushed: subprocess.CompletedProcess[str]) -> str:
    """The table at the end of what the hook said."""
    found = re.search(r"^step +began at.*?(?=\n\n|\nerror|\Z)", said(pushed), re.MULTILINE | re.DOTALL)
    assert found, pushed.stdout
    return found.group()


def error(pushed: subprocess.CompletedProcess[str]) -> str:
    """The message that the hook ended with."""
    return "".join(said(pushed).partition("error: the delivery")[1:]).partition("\nTo /")[0]


def results(pushed: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """The steps of the timeline, and how each ended."""
    _, *rows = timeline(pushed).splitlines()
    found = [re.fullmatch(r"(\w[\w ]*?) +(?:[\d:]{8} +[\d.]+|- +-)  (.+)", row) for row in rows]
    return {row[1]: row[2] for row in found if row}


@pytest.fixture(scope="module")
def shipping(tmp_path_factory: pytest.TempPathFactory) -> Generator[Shipping]:
    """A stack that pushes deliver to, and the repository with the hook, as the README sets both up."""
    deployment = create(tmp_path_factory.mktemp("shipped"), buildOnPreview="true")
    folder = tmp_path_factory.mktemp("git")
    bare, clone = folder / "dockercoins.git", folder / "clone"
    git(folder, "init", "--quiet", "--bare", str(bare))
    shutil.copy2(ROOT / "pipelines" / "post-receive", bare / "hooks" / "post-receive")
    git(bare, "config", "dockercoins.stack", "test")
    copy_project(clone)
    shutil.copy2(deployment.folder / "Pulumi.test.yaml", clone / "Pulumi.test.yaml")
    for tests in (clone / "tests" / "unit").rglob("test_*.py"):
        if tests.name not in _CHECKED:
            tests.unlink()
    git(clone, "init", "--quiet", "--initial-branch", "main")
    git(clone, "remote", "add", "origin", str(bare))
    environment = {**os.environ, **deployment.project.environment}
    try:
        yield Shipping(deployment, clone, bare, environment)
    finally:
        outcome = deployment.project.destroy()
        assert outcome.succeeded, outcome.output


@pytest.fixture
def show(capsys: pytest.CaptureFixture[str]) -> Generator[list[str]]:
    """Texts that are to be seen in the tests' output, whether they pass or not."""
    texts: list[str] = []
    yield texts
    with capsys.disabled():
        print("", *texts, sep="\n")


def test_a_push_is_tested_built_previewed_applied_and_verified(shipping: Shipping, show: list[str]) -> None:
    pushed = shipping.push("The first version", stages="unit")
    show += ["the first version:", timeline(pushed)]
    assert pushed.returncode == 0, pushed.stdout
    assert results(pushed) == dict.fromkeys(["check", "preview", "apply", "verify"], "done")
    text = said(pushed)
    begun = ["=== checking", "=== previewing test", "=== applying to test", "=== verifying test", "=== deployed"]
    places = [text.index(words) for words in begun]
    assert places == sorted(places)
    assert "### This changes `test`" in text
    until(lambda: shipping.deployment.page()["hashes"] > 0, "hashes")


def test_a_changed_service_alone_is_built_and_the_new_version_answers(shipping: Shipping, show: list[str]) -> None:
    before = shipping.deployment.project.outputs()["images"]
    shipping.edit(_PAGE, "</body>", "<!-- pushed --></body>")
    pushed = shipping.push("A changed page")
    show += ["a changed service:", timeline(pushed)]
    assert pushed.returncode == 0, pushed.stdout
    assert "**New pods for `webui`.**" in said(pushed)
    after = shipping.deployment.project.outputs()["images"]
    assert [service for service in before if before[service] != after[service]] == ["webui"]
    assert b"<!-- pushed -->" in get(shipping.deployment.url("/index.html")).data
    # What is compared with is what runs: the commit that was delivered before.
    assert "`M webui/static/index.html`" in shipping.file("comment.md").read_text()


def test_a_broken_dockerfile_is_refused_at_the_preview_with_the_cluster_as_it_was(
    shipping: Shipping, show: list[str]
) -> None:
    before = shipping.running()
    shipping.edit("services/rng/Dockerfile", "\nENTRYPOINT", "\nRUN false\nENTRYPOINT")
    pushed = shipping.push("A broken Dockerfile")
    show += ["a broken Dockerfile:", timeline(pushed), error(pushed)]
    shipping.edit("services/rng/Dockerfile", "\nRUN false\n", "\n")
    assert results(pushed) == {"check": "not run", "preview": "failed", "apply": "not run", "verify": "not run"}
    assert error(pushed).startswith("error: the delivery to test ended at `preview`")
    assert error(pushed).endswith("test is as it was: nothing was changed")
    assert "=== deployed" not in said(pushed)
    assert shipping.running() == before


def test_a_version_that_fails_the_test_from_outside_is_rolled_back_and_both_are_said(
    shipping: Shipping, show: list[str]
) -> None:
    good = shipping.deployment.project.outputs()["images"]
    name = "services/webui/webui/app.py"
    shipping.edit(name, '"hashes": reading', '"hushes": reading')
    git(shipping.bare, "config", "dockercoins.limit", "10")
    pushed = shipping.push("A version that keeps no promise")
    git(shipping.bare, "config", "--unset", "dockercoins.limit")
    show += ["a failing smoke test:", timeline(pushed), error(pushed)]
    shipping.edit(name, '"hushes": reading', '"hashes": reading')
    assert results(pushed) == {
        "check": "not run",
        "preview": "done",
        "apply": "done",
        "verify": "failed",
        "roll back": "done",
    }
    assert error(pushed).startswith("error: the delivery to test ended at `verify`")
    assert "/json tells no hashes" in error(pushed)
    assert "It was rolled back: the digests of before run again, and work" in error(pushed)
    assert "=== deployed" not in said(pushed)
    assert shipping.deployment.project.outputs()["images"] == good
    # Nothing that was not verified is promoted.
    assert not shipping.file("verified.json").exists()
    first = shipping.deployment.page()["hashes"]
    until(lambda: shipping.deployment.page()["hashes"] > first, "hashes to grow")


def test_a_version_whose_pods_crash_stops_the_update_midway_and_is_rolled_back(
    shipping: Shipping, show: list[str]
) -> None:
    good = shipping.deployment.project.outputs()["images"]
    name = "services/rng/rng/app.py"
    shipping.edit(name, "import asyncio\n", "import asyncio\n\nraise SystemExit(1)\n")
    shipping.edit("Pulumi.test.yaml", "config:\n", "config:\n  dockercoins:rolloutSeconds: '20'\n")
    pushed = shipping.push("A version that crashes")
    show += ["crashing pods:", timeline(pushed), error(pushed)]
    shipping.edit(name, "import asyncio\n\nraise SystemExit(1)\n", "import asyncio\n")
    # After the rollback before, the repositories are still the stack's.
    assert "What goes away" not in said(pushed)
    assert results(pushed) == {
        "check": "not run",
        "preview": "done",
        "apply": "failed",
        "roll back": "done",
        "verify": "not run",
    }
    assert error(pushed).startswith("error: the delivery to test ended at `apply`")
    assert "The update stopped midway" in error(pushed)
    assert "It was rolled back: the digests of before run again, and work" in error(pushed)
    assert shipping.deployment.project.outputs()["images"] == good
    (container,) = shipping.deployment.objects("deployments")["rng"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == good["rng"]


def test_a_commit_that_fails_its_tests_changes_nothing(shipping: Shipping, show: list[str]) -> None:
    before = shipping.running()
    # All tests of this stage import it, and so the stage fails within seconds.
    package = shipping.clone / "tests" / "unit" / "__init__.py"
    package.write_text("raise RuntimeError('this commit is broken')\n")
    pushed = shipping.push("A commit that its tests do not accept", stages="unit")
    show += ["failing tests:", timeline(pushed), error(pushed)]
    assert results(pushed) == {"check": "failed", "preview": "not run", "apply": "not run", "verify": "not run"}
    assert "this commit is broken" in said(pushed)
    assert error(pushed).endswith("test is as it was: nothing was changed")
    assert shipping.running() == before


def test_another_branch_is_not_deployed(shipping: Shipping) -> None:
    git(shipping.clone, "branch", "--force", "idea")
    pushed = shipping.push_ref("idea")
    assert pushed.returncode == 0, pushed.stdout
    assert "===" not in pushed.stdout
