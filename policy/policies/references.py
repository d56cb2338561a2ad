"""References of images, as far as a policy needs them.

The grammar: https://github.com/distribution/reference/blob/v0.6.0/reference.go.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_HUB: Final = "docker.io"


@dataclass(frozen=True)
class Reference:
    """``host/path:tag@digest``; ``tag`` and ``digest`` are empty where there is none."""

    host: str
    path: str
    tag: str
    digest: str

    @property
    def repository(self) -> str:
        """``host/path``."""
        return f"{self.host}/{self.path}"

    @property
    def registry(self) -> str:
        """The host, and the folder of the repository in it."""
        return self.repository.rpartition("/")[0]

    def is_below(self, places: Iterable[str]) -> bool:
        """Whether it is in one of these: hosts, or hosts with the beginning of a path."""
        return any(f"{self.repository}/".startswith(f"{place.rstrip('/')}/") for place in places)

    def ends_with(self, paths: Iterable[str]) -> bool:
        """Whether its path is one of these or ends with one, as that of a mirrored image does."""
        return any(f"/{self.path}".endswith(f"/{path.strip('/')}") for path in paths)


def parse(text: str) -> Reference:
    """The parts of a reference, with Docker Hub's where they are left out."""
    name, _, digest = text.partition("@")
    folder, slash, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    path = f"{folder}{slash}{last}"
    host, slash, rest = path.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        host, rest = _HUB, path
    if host == _HUB and "/" not in rest:
        rest = f"library/{rest}"
    return Reference(host, rest, tag, digest)
