"""Which plugin serves a package: the official one wherever it can be had, else the stand-in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.plugins import install as install_module
from sandbox.plugins.install import (
    PluginDownloadError,
    PluginInstallError,
    install,
    install_stand_in,
    plugin_folder,
    stand_in_key,
    to_build,
)

PYTHON = Path(sys.executable)
VERSIONS = {"docker": "5.2.0"}
KUBERNETES = {"kubernetes": "4.34.2"}


def no_download(_home: Path, _name: str, _version: str) -> bool:
    return False


def write_official(home: Path, name: str = "docker", version: str = "5.2.0") -> Path:
    """A plugin as Pulumi installs it."""
    folder = plugin_folder(home, name, version)
    folder.mkdir(parents=True)
    program = folder / f"pulumi-resource-{name}"
    program.write_text("#!/bin/sh\necho official\n")
    program.chmod(0o755)
    (folder / "PulumiPlugin.yaml").write_text("runtime: go\n")
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "pulumi-home"


def snapshot(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_an_official_plugin_that_is_there_is_kept(home: Path) -> None:
    folder = write_official(home)
    before = snapshot(folder)
    lines: list[str] = []
    assert install(home, PYTHON, VERSIONS, report=lines.append, download=no_download) == {"docker": "official"}
    assert snapshot(folder) == before
    assert lines == ["plugin docker 5.2.0: official, already there"]


def test_an_official_plugin_of_the_user_is_used_from_a_real_folder(home: Path, tmp_path: Path) -> None:
    official = tmp_path / "users-own"
    write_official(official)
    assert install(home, PYTHON, VERSIONS, official, report=no_report, download=no_download) == {"docker": "official"}
    folder = plugin_folder(home, "docker", "5.2.0")
    # The engine passes over a link to a folder.
    assert not folder.is_symlink()
    assert subprocess.check_output([folder / "pulumi-resource-docker"], text=True) == "official\n"


def test_an_official_plugin_that_appears_takes_the_stand_ins_place(home: Path, tmp_path: Path) -> None:
    assert install(home, PYTHON, VERSIONS, report=no_report, download=no_download) == {"docker": "stand-in"}
    official = tmp_path / "users-own"
    write_official(official)
    assert install(home, PYTHON, VERSIONS, official, report=no_report, download=no_download) == {"docker": "official"}
    folder = plugin_folder(home, "docker", "5.2.0")
    assert not (folder / "lib").exists()


def test_a_download_is_preferred_to_a_stand_in(home: Path) -> None:
    asked: list[tuple[str, str]] = []

    def download(to: Path, name: str, version: str) -> bool:
        asked.append((name, version))
        write_official(to, name, version)
        return True

    assert install(home, PYTHON, VERSIONS, report=no_report, download=download) == {"docker": "official"}
    assert asked == [("docker", "5.2.0")]


def test_a_download_that_leaves_nothing_is_not_believed(home: Path) -> None:
    def download(_home: Path, _name: str, _version: str) -> bool:
        return True

    assert install(home, PYTHON, VERSIONS, report=no_report, download=download) == {"docker": "stand-in"}


def test_a_current_stand_in_is_kept_and_asks_for_no_download(home: Path) -> None:
    assert install(home, PYTHON, VERSIONS, report=no_report, download=no_download) == {"docker": "stand-in"}
    before = snapshot(home)

    def download(_home: Path, _name: str, _version: str) -> bool:
        pytest.fail("a download was tried")

    assert install(home, PYTHON, VERSIONS, report=no_report, download=download) == {"docker": "stand-in"}
    assert snapshot(home) == before


def test_a_changed_stand_in_is_installed_again(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_stand_in(home, PYTHON, "docker", "5.2.0")
    sources = tmp_path / "plugins"
    shutil.copytree(Path(install_module.__file__).parent, sources)
    monkeypatch.setattr(install_module, "__file__", str(sources / "install.py"))
    old_key = stand_in_key(PYTHON, "docker")
    (sources / "docker" / "provider.py").write_text("# changed\n")
    assert stand_in_key(PYTHON, "docker") != old_key
    folder = install_stand_in(home, PYTHON, "docker", "5.2.0")
    copy = folder / "lib" / "sandbox" / "plugins" / "docker" / "provider.py"
    assert copy.read_text() == "# changed\n"
    assert sorted(path.name for path in folder.parent.iterdir()) == [folder.name]


def test_another_interpreter_is_another_stand_in(home: Path) -> None:
    assert stand_in_key(PYTHON, "docker") != stand_in_key(home / "python", "docker")


def test_what_an_interrupted_install_left_is_removed(home: Path) -> None:
    leftover = home / "plugins" / ".unfinished-abc"
    leftover.mkdir(parents=True)
    folder = plugin_folder(home, "docker", "5.2.0")
    folder.mkdir()
    Path(f"{folder}.partial").touch()
    assert install(home, PYTHON, VERSIONS, report=no_report, download=no_download) == {"docker": "stand-in"}
    assert sorted(path.name for path in (home / "plugins").iterdir()) == [folder.name]


def test_a_stand_in_that_cannot_be_written_leaves_nothing_half_done(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_staging: Path, _python: Path, _name: str, _key: str) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(install_module, "_write_stand_in", fail)
    with pytest.raises(OSError, match="no space"):
        install_stand_in(home, PYTHON, "docker", "5.2.0")
    assert list((home / "plugins").iterdir()) == []


@pytest.mark.parametrize("name", install_module.STAND_INS)
def test_a_stand_in_starts_from_its_copy_and_prints_its_port(home: Path, tmp_path: Path, name: str) -> None:
    folder = install_stand_in(home, PYTHON, name, "1.2.3")
    # A program's folder may hold a package `sandbox` of its own; the plugin does not take it.
    (tmp_path / "sandbox" / "plugins").mkdir(parents=True)
    (tmp_path / "sandbox" / "plugins" / "__init__.py").write_text("raise SystemExit('the wrong package')\n")
    process = subprocess.Popen(
        [folder / f"pulumi-resource-{name}", "127.0.0.1:1"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip().isdigit()
    finally:
        # As the engine does at its end: the plugin's standard input is closed, and it ends by itself.
        process.communicate(timeout=20)
    assert process.returncode == 0


def test_a_package_without_a_stand_in_is_told_with_the_way_to_go(home: Path) -> None:
    with pytest.raises(PluginInstallError, match=r"pulumi plugin install resource random 4\.16\.0"):
        install(home, PYTHON, {"random": "4.16.0"}, report=no_report, download=no_download)


def test_a_site_that_does_not_answer_is_asked_once_and_nothing_is_downloaded(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install_module, "DOWNLOAD_SITE", "http://127.0.0.1:1/")
    ran: list[str] = []

    def run(_home: Path, name: str, _version: str) -> bool:
        ran.append(name)
        return False

    monkeypatch.setattr(install_module, "_pulumi_plugin_install", run)
    versions = {"docker": "5.2.0", "aws": "7.51.1"}
    assert set(install(home, PYTHON, versions, report=no_report).values()) == {"stand-in"}
    assert ran == []


def build_program(folder: Path) -> Path:
    """A provider as the sandbox builds it."""
    folder.mkdir()
    program = folder / "pulumi-resource-kubernetes"
    program.write_text("#!/bin/sh\necho built\n")
    program.chmod(0o755)
    return program


def run_plugin(home: Path) -> str:
    return subprocess.check_output(
        [plugin_folder(home, "kubernetes", "4.34.2") / "pulumi-resource-kubernetes"], text=True
    )


def test_a_provider_is_built_only_if_no_official_one_is_there_or_can_be_downloaded(home: Path, tmp_path: Path) -> None:
    def needed(official: Path | None, *, can_download: bool) -> frozenset[str]:
        return to_build(home, KUBERNETES | VERSIONS, official, can_download=lambda: can_download)

    official = tmp_path / "users-own"
    assert needed(official, can_download=False) == {"kubernetes"}
    assert needed(official, can_download=True) == frozenset()
    write_official(official, "kubernetes", "4.34.2")
    assert needed(official, can_download=False) == frozenset()
    assert needed(None, can_download=False) == {"kubernetes"}
    write_official(home, "kubernetes", "4.34.2")
    assert needed(None, can_download=False) == frozenset()


def test_a_built_provider_that_is_there_asks_for_no_download(home: Path, tmp_path: Path) -> None:
    program = build_program(tmp_path / "tools")
    install(home, PYTHON, KUBERNETES, built={"kubernetes": program}, report=no_report, download=no_download)

    def can_download() -> bool:
        pytest.fail("the site was asked")

    assert to_build(home, KUBERNETES, None, can_download=can_download) == {"kubernetes"}


def test_the_order_is_official_there_then_of_the_user_then_built(home: Path, tmp_path: Path) -> None:
    built = {"kubernetes": build_program(tmp_path / "tools")}
    official = tmp_path / "users-own"

    def again() -> str:
        origin = install(home, PYTHON, KUBERNETES, official, built=built, report=no_report, download=no_download)
        return f"{origin['kubernetes']}: {run_plugin(home)}"

    assert again() == "built: built\n"
    before = snapshot(home)
    assert again() == "built: built\n"
    assert snapshot(home) == before
    write_official(official, "kubernetes", "4.34.2")
    assert again() == "official: official\n"
    official.rename(tmp_path / "gone")
    shutil.rmtree(plugin_folder(home, "kubernetes", "4.34.2"))
    assert again() == "built: built\n"


def test_a_provider_that_was_not_built_is_downloaded(home: Path) -> None:
    def download(to: Path, name: str, version: str) -> bool:
        write_official(to, name, version)
        return True

    assert install(home, PYTHON, KUBERNETES, report=no_report, download=download) == {"kubernetes": "official"}


def test_a_failed_download_of_a_provider_that_can_be_built_is_reported(home: Path) -> None:
    with pytest.raises(PluginDownloadError, match=r"plugin kubernetes 4\.34\.2: its download .* failed"):
        install(home, PYTHON, KUBERNETES, report=no_report, download=no_download)


def test_another_build_takes_the_place_of_the_old_one(home: Path, tmp_path: Path) -> None:
    for name in ("tools-1", "tools-2"):
        program = build_program(tmp_path / name)
        install(home, PYTHON, KUBERNETES, built={"kubernetes": program}, report=no_report, download=no_download)
    installed = plugin_folder(home, "kubernetes", "4.34.2") / program.name
    assert installed.resolve() == program


def no_report(_line: str) -> None:
    """Takes a line of progress, and shows nothing."""
