"""Debian packages, installed only where something needs them and is not there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from . import processes
from .errors import SandboxError
from .progress import Step


def install(step: Step, names: Sequence[str], purpose: str, log: Path) -> None:
    """Install packages with apt-get.

    Raises:
        SandboxError: there is no apt-get, or this user may not use it; the message says what to install by hand.
    """
    wanted = " ".join(names)
    if shutil.which("apt-get") is None:
        raise SandboxError(
            f"{purpose} needs {wanted} (names of Debian packages), and this system has no apt-get. "
            "Install the equivalent by hand, then run this again."
        )
    if os.geteuid() != 0:
        raise SandboxError(
            f"{purpose} needs packages that only root can install. "
            f"Run this, then try again:\n  sudo apt-get install --no-install-recommends {wanted}"
        )
    step.work(f"installing {wanted}")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    processes.stream(["apt-get", "update", "-q"], log=log, env=environment)
    processes.stream(["apt-get", "install", "-q", "-y", "--no-install-recommends", *names], log=log, env=environment)


def available(name: str) -> bool:
    """Whether apt knows a package."""
    return shutil.which("apt-cache") is not None and processes.succeeds(["apt-cache", "show", name])
