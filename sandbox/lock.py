"""Lets one command at a time change the sandbox."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO, cast


@dataclass(frozen=True)
class Owner:
    """Who holds the lock."""

    pid: int
    command: str
    since: str

    def __str__(self) -> str:
        """Name it to somebody who has to wait."""
        return f"`{self.command}` (process {self.pid}, since {self.since})"


@contextlib.contextmanager
def held(path: Path, command: str, waiting: Callable[[Owner | None, float], None]) -> Generator[None]:
    """Hold the lock for a while.

    It is the kernel's lock on an open file, so it is free as soon as its owner is dead; the file's content only says
    who that is.

    Args:
        path: the lock file, which stays.
        command: what its owner does.
        waiting: is told who holds the lock, and for how many seconds this one has waited, about twice a second.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        began = time.monotonic()
        while not _taken(file):
            waiting(owner(path), time.monotonic() - began)
            time.sleep(0.5)
        file.truncate(0)
        file.write(json.dumps(asdict(Owner(os.getpid(), command, time.strftime("%H:%M:%S")))))
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def owner(path: Path) -> Owner | None:
    """Who the lock file says holds it; None if it does not say."""
    try:
        document: Any = json.loads(path.read_text())
        entry = cast("dict[str, Any]", document)
        return Owner(int(entry["pid"]), str(entry["command"]), str(entry["since"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _taken(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
