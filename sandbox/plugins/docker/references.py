"""Image references, `[registry/]repository[:tag][@digest]`, by the grammar of distribution/reference."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

DOCKER_HUB: Final = "docker.io"
DOCKER_HUB_LOGIN: Final = "https://index.docker.io/v1/"
"""The key under which a Docker configuration keeps Docker Hub's credentials."""

_HUB_ALIASES: Final = frozenset({DOCKER_HUB, "index.docker.io", "registry-1.docker.io"})
_COMPONENT: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST: Final = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_REFERENCE: Final = re.compile(
    rf"(?:(?P<registry>{_HOST})/)?(?P<path>{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?\Z",
    re.ASCII,
)


@dataclass(frozen=True)
class Reference:
    """A parsed reference. `registry` is empty where the text names none, which stands for Docker Hub."""

    registry: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def repository(self) -> str:
        """Registry and path, as they were written."""
        return f"{self.registry}/{self.path}" if self.registry else self.path

    @property
    def canonical_repository(self) -> str:
        """Registry and path with Docker Hub's defaults written out, for comparison."""
        registry = self.registry or DOCKER_HUB
        if registry in _HUB_ALIASES:
            registry = DOCKER_HUB
            path = self.path if "/" in self.path else f"library/{self.path}"
            return f"{registry}/{path}"
        return f"{registry}/{self.path}"


def parse(text: str) -> Reference:
    """Parse a reference.

    Raises:
        ValueError: the text is no reference; the message says what one looks like.
    """
    match = _REFERENCE.match(text)
    registry, path = (match["registry"] or "", match["path"]) if match else ("", "")
    if match and registry and not _names_a_host(registry):
        # `team/app`: the first part is a part of the repository's name.
        registry, path = "", f"{registry}/{path}"
    if match is None or path != path.lower():
        raise ValueError(
            f"expected registry/repository:tag in lower case, as registry.example.com/team/app:1, got {text!r}"
        )
    return Reference(registry, path, match["tag"] or "", match["digest"] or "")


def is_local(image: str) -> bool:
    """Whether an image's registry is on a loopback address, where Docker speaks to it without TLS too."""
    host = re.sub(r":\d+\Z", "", image.partition("/")[0])
    return host in ("localhost", "[::1]") or re.fullmatch(r"127(\.\d+){3}", host) is not None


def login_key(server: str) -> str:
    """The key for a registry's credentials in a Docker configuration, from a host, a URL or `host/repository`."""
    host = re.sub(r"^https?://", "", server).split("/", 1)[0]
    return DOCKER_HUB_LOGIN if host in _HUB_ALIASES else host


def _names_a_host(part: str) -> bool:
    return "." in part or ":" in part or part == "localhost" or part != part.lower()
