"""Pulumi's home with its plugins, and the program's Python environment."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from . import files, plugin_kind, processes, venvs
from .errors import SandboxError
from .paths import CHECKOUT, Paths
from .plugins.install import PluginDownloadError, PluginInstallError, install, site_answers, to_build
from .progress import Step

REQUIREMENTS: Final = CHECKOUT / "requirements.txt"
PLUGINS: Final = ("aws", "docker", "kubernetes")


def plugins_to_build(paths: Paths, official_home: Path, *, download: bool = True) -> frozenset[str]:
    """The packages whose plugin has to be built, since no official one is there or can be downloaded.

    Args:
        paths: where the sandbox is.
        official_home: the user's own Pulumi home, whose plugins may be used.
        download: whether official plugins may be downloaded.

    Raises:
        SandboxError: a package is not pinned.
    """
    return to_build(
        paths.pulumi_home,
        plugin_versions(REQUIREMENTS.read_text()),
        official_home if official_home.is_dir() else None,
        can_download=lambda: download and site_answers(),
    )


def ensure_plugins(step: Step, paths: Paths, official_home: Path, built: Mapping[str, Path]) -> None:
    """Make the plugins be there in the versions of the program's packages.

    Args:
        step: is told what is done.
        paths: where the sandbox is.
        official_home: the user's own Pulumi home, whose plugins may be used.
        built: the programs of those that `plugins_to_build` named.

    Raises:
        PluginDownloadError: the download of a plugin failed that could have been built.
        SandboxError: a plugin cannot be had, or another kind of it would serve the live stack.
    """
    lines: list[str] = []
    step.work("installing plugins")
    versions = plugin_versions(REQUIREMENTS.read_text())
    users_home = official_home if official_home.is_dir() else None
    guard = plugin_kind.guard(paths)
    guard.require_installed(paths.pulumi_home, users_home, versions[plugin_kind.PACKAGE])
    try:
        origins = install(
            paths.pulumi_home,
            Path(sys.executable),
            versions,
            users_home,
            built=built,
            report=lines.append,
            download=guard.download(),
        )
    except PluginDownloadError:
        raise
    except PluginInstallError as error:
        raise SandboxError(str(error)) from error
    guard.require(origins[plugin_kind.PACKAGE], f"in {paths.pulumi_home}")
    plugin_kind.record(paths, origins[plugin_kind.PACKAGE])
    step.finish(", ".join(f"{name} {origin}" for name, origin in sorted(origins.items())))


def plugin_versions(requirements: str) -> dict[str, str]:
    """The versions of the providers' packages, which are those of their plugins.

    Raises:
        SandboxError: a package is not pinned.
    """
    versions: dict[str, str] = {}
    for name in PLUGINS:
        match = re.search(rf"^pulumi[-_]{name}==([0-9][^\s;]*)", requirements, re.MULTILINE)
        if match is None:
            raise SandboxError(
                f"requirements.txt does not pin pulumi-{name}; it needs a line `pulumi-{name}==<version>`"
            )
        versions[name] = match[1]
    return versions


def ensure_program(step: Step, paths: Paths) -> None:
    """Make the program's environment be there, linked as `.venv` into the project.

    Raises:
        SandboxError: it cannot be installed, or a `.venv` of the user's own stands in the way.
    """
    folder = paths.venvs / f"program-{venvs.key(REQUIREMENTS, Path(sys.executable))}"
    log = paths.log("python-program")
    link = CHECKOUT / ".venv"
    if link.exists() and not link.is_symlink():
        raise SandboxError(
            f"{link} is a folder that the sandbox did not make, and Pulumi runs the program with it. "
            "Move it away, then run this again."
        )
    venvs.ensure(
        folder,
        REQUIREMENTS,
        lambda command: processes.stream(command, log=log),
        lambda: step.work("installing the program's packages"),
    )
    files.link(link, folder)
    step.finish(f"{link.name} has the program's packages")
