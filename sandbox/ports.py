"""Says who holds a port that the sandbox needs."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass

import psutil

from .errors import SandboxError


@dataclass(frozen=True)
class Holder:
    """The process that listens on a port. Only its owner and root can see which it is."""

    pid: int | None
    name: str

    def __str__(self) -> str:
        """Name it to the user."""
        return f"{self.name} (process {self.pid})" if self.pid is not None else "a process of another user"


def is_free(port: int) -> bool:
    """Whether somebody could listen on this port of the loopback address now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def holder(port: int) -> Holder:
    """Who listens on a port that is not free."""
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return Holder(None, "")
    for connection in connections:
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port:
            if connection.pid is None:
                break
            try:
                return Holder(connection.pid, psutil.Process(connection.pid).name())
            except psutil.NoSuchProcess:
                break
    return Holder(None, "")


def require(port: int, key: str, purpose: str) -> None:
    """Make sure that the sandbox can have a port.

    Raises:
        SandboxError: somebody else has it; the message says who, and which setting names another.
    """
    if not is_free(port):
        raise SandboxError(taken(port, key, purpose, holder(port)))


def taken(port: int, key: str, purpose: str, by: Holder) -> str:
    """What to tell the user about a port that is taken."""
    return (
        f"port {port}, meant for {purpose}, is taken by {by}. "
        f"Stop that, or choose another port: dockercoins:{key} in Pulumi.dev.yaml."
    )
