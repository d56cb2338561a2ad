"""Python environments, each made once for its requirements. Only the standard library is imported here."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path

Run = Callable[[list[str]], None]
"""Runs a command to its end; raises an exception if it fails."""


def key(requirements: Path, python: Path) -> str:
    """Names an environment by its requirements and its interpreter."""
    interpreter = f"{os.path.realpath(python)} {platform.python_version()} {platform.machine()}"
    return hashlib.sha256(requirements.read_bytes() + interpreter.encode()).hexdigest()[:12]


def python_of(folder: Path) -> Path:
    """The interpreter of an environment."""
    return folder / "bin" / "python"


def is_complete(folder: Path) -> bool:
    """Whether everything that it should hold has been installed."""
    return (folder / "complete").exists()


def ensure(folder: Path, requirements: Path, run: Run, working: Callable[[], None]) -> bool:
    """Make an environment be there, with the interpreter that runs this.

    An environment cannot be moved, so it is made in place; a mark that is written last tells a whole one.

    Args:
        folder: where it belongs.
        requirements: what it holds, all pinned.
        run: runs a command.
        working: is called once there is something to do.

    Returns:
        Whether it had to be made.
    """
    if is_complete(folder):
        return False
    with lock(folder.parent / f"{folder.name}.lock"):
        if is_complete(folder):
            return False
        working()
        if folder.exists():
            shutil.rmtree(folder)
        run([sys.executable, "-m", "venv", str(folder)])
        run(
            [
                *(str(python_of(folder)), "-m", "pip", "install"),
                # Most modules of Pulumi's SDKs are never imported: compiling them all takes half of an installation.
                *("--disable-pip-version-check", "--no-compile", "--no-deps", "--requirement", str(requirements)),
            ]
        )
        (folder / "complete").touch()
    return True


def can_be_made() -> bool:
    """Whether this interpreter has what an environment needs; Debian keeps it in a package of its own."""
    return (
        subprocess.run([sys.executable, "-c", "import ensurepip, venv"], check=False, capture_output=True).returncode
        == 0
    )


@contextlib.contextmanager
def lock(path: Path) -> Generator[None]:
    """Hold a lock file for a block; whoever else wants it waits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
