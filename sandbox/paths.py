"""Where the sandbox keeps its files: everything is under one folder of the user's cache."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CHECKOUT: Final = Path(__file__).resolve().parent.parent
"""The project's folder."""

_SOCKET_PATH: Final = 104
"""The longest path that containerd takes for a socket, in bytes."""
_LONGEST_SOCKET: Final = "containerd/containerd-debug.sock"

SOURCES: Final = Path(__file__).resolve().parent
"""This package's folder: the pinned modules and the image recipes are in it."""


@dataclass(frozen=True)
class Paths:
    """The folders and files of the sandbox.

    What is under `state` describes what runs now and goes with `make down`; everything else is a cache that can be
    deleted at any time, at the cost of building it again.
    """

    root: Path

    @property
    def tools(self) -> Path:
        """Programs that were built or fetched, each in a folder named by what it was made from."""
        return self.root / "tools"

    @property
    def go(self) -> Path:
        """Go's caches while programs are being built."""
        return self.root / "go"

    @property
    def extras(self) -> Path:
        """What is built beside the platform, with caches of its own: builds of both may run at the same time."""
        return self.root / "extras"

    @property
    def venvs(self) -> Path:
        """Python environments, each named by its requirements."""
        return self.root / "venvs"

    @property
    def docker(self) -> Path:
        """The data of a Docker Engine that the sandbox started."""
        return self.root / "docker"

    @property
    def durations(self) -> Path:
        """How long each task took last time."""
        return self.root / "durations.json"

    @property
    def lock(self) -> Path:
        """Held by the one command that changes the sandbox."""
        return self.root / "sandbox.lock"

    @property
    def state(self) -> Path:
        """What `make down` removes."""
        return self.root / "sandbox"

    @property
    def logs(self) -> Path:
        """One log for each task and daemon."""
        return self.state / "logs"

    @property
    def run(self) -> Path:
        """Records of what was started."""
        return self.state / "run"

    @property
    def engine(self) -> Path:
        """The sockets of a Docker Engine that the sandbox started: in `run`, unless that makes their paths too long."""
        inside = self.run / "docker"
        if len(str(inside / _LONGEST_SOCKET)) <= _SOCKET_PATH:
            return inside
        return Path("/run") / f"dockercoins-{hashlib.sha256(str(self.root).encode()).hexdigest()[:8]}"

    @property
    def bin(self) -> Path:
        """Links to the programs that were chosen; it stands first on PATH."""
        return self.state / "bin"

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig of the cluster."""
        return self.state / "kubeconfig"

    @property
    def pulumi_home(self) -> Path:
        """Pulumi's home: plugins and credentials."""
        return self.state / "pulumi-home"

    @property
    def pulumi_backend(self) -> Path:
        """Pulumi's state of the stacks."""
        return self.state / "pulumi-backend"

    def log(self, name: str) -> Path:
        """The log of one task or daemon."""
        return self.logs / f"{name}.log"

    def make(self) -> None:
        """Make the folders that commands rely on."""
        for folder in (self.tools, self.venvs, self.logs, self.run, self.bin, self.pulumi_home, self.pulumi_backend):
            folder.mkdir(parents=True, exist_ok=True)


def cache_root(environment: Mapping[str, str]) -> Path:
    """`dockercoins` in the user's cache folder (XDG Base Directory Specification)."""
    base = environment.get("XDG_CACHE_HOME", "")
    # The specification: a relative path is invalid and is ignored.
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "dockercoins"


def of_user() -> Paths:
    """The sandbox of the user who runs this."""
    return Paths(cache_root(os.environ))
