"""Looks at the machine before anything is done."""

from __future__ import annotations

import platform
import shutil
from pathlib import Path
from typing import Final

import psutil

from .errors import SandboxError
from .paths import Paths

_GIB: Final = 1024**3
_FIRST_TIME_DISK: Final = 20 * _GIB
"""Go's caches take 11 GB while everything is built, the images and layers 5."""
_DISK: Final = 3 * _GIB
_MEMORY: Final = 4 * _GIB


def check(paths: Paths) -> None:
    """Make sure that the machine can do it.

    Raises:
        SandboxError: the operating system is another one, or there is too little memory or disk.
    """
    first_time = not any(paths.tools.glob("kind-*")) and shutil.which("kind") is None
    folder = next(parent for parent in (paths.root, *paths.root.parents) if parent.exists())
    problem = verdict(
        system=platform.system(),
        memory=psutil.virtual_memory().total,
        disk=shutil.disk_usage(folder).free,
        needed_disk=_FIRST_TIME_DISK if first_time else _DISK,
        folder=folder,
    )
    if problem:
        raise SandboxError(problem)


def verdict(*, system: str, memory: int, disk: int, needed_disk: int, folder: Path) -> str:
    """What is wrong with a machine, in words for the user; empty if it will do. Sizes are in bytes."""
    if system != "Linux":
        return (
            f"the sandbox runs on Linux, this is {system}. Use a Linux virtual machine; or install docker, kind, "
            "kubectl and pulumi by hand, and use a cluster and a registry of your own (README.md, "
            "“Your own cluster and ECR”)."
        )
    if memory < _MEMORY:
        return f"this machine has {memory / _GIB:.1f} GiB of memory; the sandbox needs {_MEMORY // _GIB} GiB."
    if disk < needed_disk:
        return (
            f"{folder} has {disk / _GIB:.1f} GiB left; the sandbox needs {needed_disk // _GIB} GiB there now. "
            "Free some, or set XDG_CACHE_HOME to a folder on another disk."
        )
    return ""
