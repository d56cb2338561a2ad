"""A command of the sandbox that goes on after the one that started it, and that is known by a record of it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, cast

import psutil

from . import files, leftovers, processes

_CLOCK_TOLERANCE: Final = 1.0  # seconds by which two readings of a process's start may differ


@dataclass(frozen=True)
class _Started:
    """What was started."""

    pid: int
    created: float
    """When the process began, in seconds since the epoch: with the number it names the process for good."""
    subject: str
    """What it works on."""


@dataclass(frozen=True)
class Background:
    """At most one process at a time."""

    record: Path

    def start(self, argv: Sequence[str | Path], subject: str, *, log: Path, folder: Path) -> None:
        """Start a Python program of a folder.

        Args:
            argv: the command.
            subject: names what it works on.
            log: takes what it prints.
            folder: where its modules are.
        """
        process = processes.daemon(argv, log=log, env=os.environ | {"PYTHONPATH": str(folder)})
        started = _Started(process.pid, psutil.Process(process.pid).create_time(), subject)
        files.write(self.record, json.dumps(asdict(started)) + "\n")

    def running(self) -> bool:
        """Whether it still runs."""
        return self._process() is not None

    def works_on(self, subject: str) -> bool:
        """Whether it runs, and works on this."""
        started = self._started()
        return started is not None and started.subject == subject and self.running()

    def end(self) -> bool:
        """End it if it runs; tell whether it did."""
        process = self._process()
        if process is not None:
            leftovers.end([process])
        self.record.unlink(missing_ok=True)
        return process is not None

    def _started(self) -> _Started | None:
        try:
            document: Any = json.loads(self.record.read_text())
            return _Started(**cast("dict[str, Any]", document))
        except (OSError, ValueError, TypeError):
            return None

    def _process(self) -> psutil.Process | None:
        started = self._started()
        if started is None:
            return None
        try:
            process = psutil.Process(started.pid)
            same = abs(process.create_time() - started.created) < _CLOCK_TOLERANCE
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None
