"""Finds and ends processes that work on the sandbox though nobody waits for them any more."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

import psutil

_ENDS_WITHIN: Final = 10.0  # seconds


def using(folder: Path, only: Callable[[psutil.Process], bool] = lambda _: True) -> list[psutil.Process]:
    """The processes that are part of what lives in a folder, but for this one and its parents.

    Args:
        folder: holds their programs, or is Pulumi's home.
        only: a further condition.
    """
    own = {process.pid for process in [psutil.Process(), *psutil.Process().parents()]}
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        if process.pid in own:
            continue
        # Processes end meanwhile, and others' are not to be looked into.
        with contextlib.suppress(psutil.Error):
            if belongs(process.cmdline(), process.environ(), folder) and only(process):
                found.append(process)
    return found


def belongs(command: Iterable[str], environment: Mapping[str, str], folder: Path) -> bool:
    """Whether a process is part of what lives in a folder.

    That is a program in the folder or with an argument that names it, Python with modules from there (a plugin), or
    Pulumi with its home there. A shell that only has the variables set is not.
    """
    place = str(folder)
    words = list(command)
    program = Path(words[0]).name if words else ""
    return (
        any(place in word for word in words)
        or place in environment.get("PYTHONPATH", "")
        or (program.startswith("pulumi") and environment.get("PULUMI_HOME") == place)
    )


def is_orphan(process: psutil.Process) -> bool:
    """Whether the process that started it is gone."""
    parent = process.parent()
    return parent is None or parent.pid == 1


def end(processes: list[psutil.Process]) -> int:
    """End processes, and return how many there were."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, alive = psutil.wait_procs(processes, timeout=_ENDS_WITHIN)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, timeout=_ENDS_WITHIN)
    return len(processes)
