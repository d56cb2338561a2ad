"""Which kind of docker plugin serves the live stack: the official one or the stand-in.

The kinds differ in what they build, push and keep in the state. So a stack keeps the kind that it was made with until
`make down` takes it away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from . import checkpoint, files
from .errors import SandboxError
from .paths import Paths
from .plugins.install import download_if_reachable, is_official, plugin_folder
from .settings import STACK
from .stack import PROJECT

PACKAGE: Final = "docker"
OFFICIAL: Final = "official"
STAND_IN: Final = "stand-in"

_CALLED: Final = {OFFICIAL: "the official docker plugin", STAND_IN: "the stand-in for the docker plugin"}

Download = Callable[[Path, str, str], bool]
"""Fetches (Pulumi's home, package, version), and tells whether it could."""


@dataclass(frozen=True)
class Guard:
    """Lets no other kind serve the stack than the one that does; `served` is None where no stack lives."""

    served: str | None

    def require(self, kind: str, where: str) -> None:
        """Refuse a kind that does not serve the live stack.

        Args:
            kind: what was found.
            where: where it was found, or why it is that one.

        Raises:
            SandboxError: another kind serves the stack.
        """
        if self.served in (None, kind):
            return
        raise SandboxError(
            f"The live stack is served by {_called(self.served or '')}, but found is {_called(kind)} ({where}). "
            f"A stack keeps the kind that it was made with; to make it anew with {_called(kind)}: make down && make up"
        )

    def require_installed(self, home: Path, official_home: Path | None, version: str) -> None:
        """Refuse the official plugin, if it is there to be used and does not serve the live stack.

        Raises:
            SandboxError: the stand-in serves the stack.
        """
        for place in (home, official_home):
            if place is not None and is_official(folder := plugin_folder(place, PACKAGE, version), PACKAGE):
                self.require(OFFICIAL, str(folder))

    def download(self, fetch: Download | None = None) -> Download:
        """`fetch` as far as it may change the kind; by default, `pulumi plugin install`.

        It does not fetch the official plugin where the stand-in serves the stack. It refuses the stand-in, which comes
        next, where the official plugin serves the stack and cannot be fetched.
        """
        try_to_fetch = fetch or download_if_reachable()

        def guarded(home: Path, name: str, version: str) -> bool:
            if name != PACKAGE:
                return try_to_fetch(home, name, version)
            if self.served == STAND_IN:
                return False
            fetched = try_to_fetch(home, name, version)
            if not fetched:
                self.require(STAND_IN, f"the official {version} is not installed and cannot be downloaded")
            return fetched

        return guarded


def guard(paths: Paths) -> Guard:
    """The guard of the stack in the sandbox."""
    state = checkpoint.read(checkpoint.file(paths.pulumi_backend, PROJECT, STACK))
    if state is None or not state.has_resources:
        return Guard(None)
    return Guard(_recorded(paths) or _installed(paths.pulumi_home))


def record(paths: Paths, kind: str) -> None:
    """Keep which kind serves the stack from now on."""
    files.write(_file(paths), f"{kind}\n")


def _file(paths: Paths) -> Path:
    return paths.run / "docker-plugin"


def _recorded(paths: Paths) -> str | None:
    try:
        return _file(paths).read_text().strip() or None
    except FileNotFoundError:
        return None


def _installed(home: Path) -> str | None:
    """The kind that lies in a Pulumi home; None if there is none, or both."""
    folders = (home / "plugins").glob(f"resource-{PACKAGE}-v*")
    kinds = {OFFICIAL if is_official(folder, PACKAGE) else STAND_IN for folder in folders if folder.is_dir()}
    return kinds.pop() if len(kinds) == 1 else None


def _called(kind: str) -> str:
    return _CALLED.get(kind, f"the {kind} docker plugin")
