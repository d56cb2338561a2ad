"""Debian packages, installed only where something needs them and is not there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from . import processes
from .errors import SandboxError
from .progress import Step


def install(step: Step, names: Sequence[str], purpose: str, log: Path, *, where_known: Sequence[str] = ()) -> None:
    """Install packages with apt-get.

    Args:
        step: is told what is done.
        names: the packages.
        purpose: what they are for, for the error.
        log: takes what apt-get says.
        where_known: packages that only some releases have, installed there.

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
    known = [name for name in where_known if processes.succeeds(["apt-cache", "show", name])]
    processes.stream(
        ["apt-get", "install", "-q", "-y", "--no-install-recommends", *names, *known], log=log, env=environment
    )
