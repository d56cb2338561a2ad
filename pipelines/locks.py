"""Who holds the locks of a stack, and who may clear them: told from what Pulumi prints when it meets one.

A lock is a file beside the state that says who made it, where and when; a killed update leaves it behind. `pulumi
cancel` removes it whether or not the update still runs, and two updates at a time ruin the state. So a lock counts as
stale only for who made it, on the machine where its process would be seen.
"""

from __future__ import annotations

import os
import pwd
import re
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from pathlib import Path
from typing import Final

_LOCK: Final = re.compile(
    r"^\s*(?P<url>\S+): created by (?P<user>.+)@(?P<host>[^@\s]+) \(pid (?P<pid>\d+)\) at (?P<since>\S+)\s*$",
    re.MULTILINE,
)
_LOCKED: Final = "the stack is currently locked by"
_CLOCKS: Final = timedelta(seconds=5)  # that a machine's clock may have been set by between two looks at it

# The namespace of processes that has all others in it: PROC_PID_INIT_INO in the kernel's include/linux/proc_ns.h.
_ALL_PROCESSES: Final = "pid:[4026531836]"


@dataclass(frozen=True)
class Lock:
    """One lock as Pulumi tells it."""

    url: str
    user: str
    host: str
    pid: int
    since: datetime

    @property
    def stack(self) -> str:
        """The name of the stack, without organization and project."""
        return self.url.partition("?")[0].rsplit("/", 2)[-2]


class Standing(Enum):
    """How a lock stands to whoever looks at it."""

    ANOTHERS = auto()
    RUNNING = auto()
    UNSEEN = auto()
    STALE = auto()


@dataclass(frozen=True)
class Here:
    """Who looks, from where."""

    user: str
    host: str
    started: Callable[[int], datetime | None]
    """When the process with this number started; None if there is none."""
    sees_processes: bool = True
    """False in a container, which may share the name of its host, and does not see what runs beside it."""


def read(text: str) -> list[Lock]:
    """The locks that a message of Pulumi is about; none if it is about something else."""
    if _LOCKED not in text:
        return []
    return [
        Lock(match["url"], match["user"], match["host"], int(match["pid"]), _time(match["since"]))
        for match in _LOCK.finditer(text)
    ]


def standing(lock: Lock, here: Here) -> Standing:
    """Whether the lock is the own one of who looks, and its process is gone."""
    if (lock.user, lock.host) != (here.user, here.host) or lock.host.partition(".")[0] == "localhost":
        return Standing.ANOTHERS
    if not here.sees_processes:
        return Standing.UNSEEN
    started = here.started(lock.pid)
    # Numbers are used again: a process that is younger than the lock has not made it.
    return Standing.STALE if started is None or started > lock.since + _CLOCKS else Standing.RUNNING


def told(locks: Sequence[Lock], here: Here) -> str:
    """Who holds the stack, since when, and what may be done about it by whom."""
    return "\n".join(
        f"- {lock.user}@{lock.host} (process {lock.pid}) since {lock.since.isoformat()}: "
        f"{_ADVICE[standing(lock, here)].format(lock=lock)}\n  {lock.url}"
        for lock in locks
    )


_ADVICE: Final = {
    Standing.ANOTHERS: "ask there whether it still runs, and wait if it does. Only if it does not, its holder clears "
    "the lock, as {lock.user} on {lock.host}: python -m pipelines unlock --stack {lock.stack}",
    Standing.RUNNING: "that is you, here, and process {lock.pid} runs: wait for it, or end it by "
    "`kill -INT {lock.pid}`; then it clears the lock itself",
    Standing.UNSEEN: "that is you, but in a container, where not all processes are seen. Look on the host itself "
    "whether it still runs; only if it does not, clear the lock there: pulumi cancel --stack {lock.stack}",
    Standing.STALE: "that is you, here, and process {lock.pid} is gone: the lock is stale. Clear it: "
    "python -m pipelines unlock --stack {lock.stack}",
}


def here() -> Here:
    """This user on this machine, named as Pulumi names them."""
    return Here(_user(), socket.gethostname(), _started, _sees_processes())


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return os.environ.get("USER", "")


def _sees_processes() -> bool:
    try:
        return str(Path("/proc/self/ns/pid").readlink()) == _ALL_PROCESSES
    except OSError:
        return sys.platform == "darwin"


def _started(pid: int) -> datetime | None:
    """When a process started; without /proc, which alone tells that, the beginning of time stands for one that runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    try:
        # After the name, which is in brackets, the 22nd field is the 20th: proc_pid_stat(5).
        ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
        booted = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime "))
    except (FileNotFoundError, ProcessLookupError):
        return datetime.min.replace(tzinfo=UTC)
    seconds = int(booted.split()[1]) + ticks / os.sysconf("SC_CLK_TCK")
    return datetime.fromtimestamp(seconds, UTC)


def _time(text: str) -> datetime:
    # RFC 3339, as Go writes it.
    return datetime.fromisoformat(text)
