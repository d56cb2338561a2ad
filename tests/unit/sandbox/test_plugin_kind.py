from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from sandbox import checkpoint, plugin_kind, pulumi_home
from sandbox.errors import SandboxError
from sandbox.paths import Paths
from sandbox.plugins import install as install_module
from sandbox.plugins.install import is_official, plugin_folder
from sandbox.progress import Step
from sandbox.settings import STACK
from sandbox.stack import PROJECT

if TYPE_CHECKING:
    from pathlib import Path

VERSIONS = pulumi_home.plugin_versions(pulumi_home.REQUIREMENTS.read_text())
DOCKER = VERSIONS["docker"]


class Sandbox:
    """A sandbox without anything but Pulumi's home; `downloads` says whether Pulumi's site answers."""

    def __init__(self, root: Path) -> None:
        self.paths = Paths(root / "cache")
        self.users_home = root / "users-own"
        self.users_home.mkdir()
        self.downloads = False
        self.paths.make()

    def fetch(self, home: Path, name: str, version: str) -> bool:
        if self.downloads:
            write_official(home, name, version)
        return self.downloads

    def up(self) -> str:
        """Install the plugins, and give what the step says."""
        step = Step("plugins")
        program = self.paths.tools / "pulumi-resource-kubernetes"
        program.touch(mode=0o755)
        pulumi_home.ensure_plugins(step, self.paths, self.users_home, {"kubernetes": program})
        return "official" if is_official(self.folder, "docker") else "stand-in"

    def make_stack(self, *, resources: bool = True) -> None:
        made = [{"type": "docker:index/image:Image", "custom": True}] if resources else []
        file = checkpoint.file(self.paths.pulumi_backend, PROJECT, STACK)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"version": 3, "checkpoint": {"latest": {"resources": made}}}))

    @property
    def folder(self) -> Path:
        return plugin_folder(self.paths.pulumi_home, "docker", DOCKER)


def write_official(home: Path, name: str = "docker", version: str = DOCKER) -> None:
    folder = plugin_folder(home, name, version)
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / f"pulumi-resource-{name}"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    made = Sandbox(tmp_path)
    monkeypatch.setattr(plugin_kind, "download_if_reachable", lambda: made.fetch)
    monkeypatch.setattr(install_module, "download_if_reachable", lambda: made.fetch)
    return made


def test_an_official_plugin_that_appears_does_not_serve_a_stack_of_the_stand_in(sandbox: Sandbox) -> None:
    assert sandbox.up() == "stand-in"
    sandbox.make_stack()
    write_official(sandbox.users_home)
    with pytest.raises(SandboxError) as refused:
        sandbox.up()
    told = str(refused.value)
    assert told.startswith("The live stack is served by the stand-in for the docker plugin, but found is the official")
    assert str(plugin_folder(sandbox.users_home, "docker", DOCKER)) in told
    assert told.endswith("make down && make up")
    assert not is_official(sandbox.folder, "docker")


def test_a_site_that_answers_again_changes_nothing_for_a_stack_of_the_stand_in(sandbox: Sandbox) -> None:
    assert sandbox.up() == "stand-in"
    sandbox.make_stack()
    sandbox.downloads = True
    assert sandbox.up() == "stand-in"


def test_the_stand_in_does_not_serve_a_stack_of_the_official_plugin(sandbox: Sandbox) -> None:
    sandbox.downloads = True
    assert sandbox.up() == "official"
    sandbox.make_stack()
    sandbox.downloads = False
    # As another version in requirements.txt would need it.
    sandbox.folder.rename(sandbox.paths.root / "gone")
    with pytest.raises(SandboxError, match=r"served by the official docker plugin, but found is the stand-in .*"):
        sandbox.up()
    assert not sandbox.folder.exists()


def test_a_stack_stays_with_the_kind_that_serves_it(sandbox: Sandbox) -> None:
    write_official(sandbox.users_home)
    assert sandbox.up() == "official"
    sandbox.make_stack()
    assert sandbox.up() == "official"


@pytest.mark.parametrize("made", ["no stack", "an empty stack"])
def test_without_resources_the_kind_may_change(sandbox: Sandbox, made: str) -> None:
    assert sandbox.up() == "stand-in"
    if made == "an empty stack":
        sandbox.make_stack(resources=False)
    write_official(sandbox.users_home)
    assert sandbox.up() == "official"


def test_what_is_installed_tells_the_kind_where_it_was_not_recorded(sandbox: Sandbox) -> None:
    assert sandbox.up() == "stand-in"
    sandbox.make_stack()
    (sandbox.paths.run / "docker-plugin").unlink()
    assert plugin_kind.guard(sandbox.paths).served == "stand-in"
