"""Turns what docker, a builder or a registry says into one clear line: what failed, with its names, and what to do."""

from __future__ import annotations

import re
from typing import Final

from .build_output import Failed
from .spec import ImageSpec

_NO_DAEMON: Final = re.compile(
    r"Cannot connect to the Docker daemon(?: at (?P<where>\S+?)\.? |\.)|error during connect|"
    r"permission denied while trying to connect to the Docker (?:daemon|API)|failed to connect to the docker API",
    re.IGNORECASE,
)
_NO_SPACE: Final = re.compile(r"no space left on device|ENOSPC|disk quota exceeded", re.IGNORECASE)
_NO_LOGIN: Final = re.compile(r"no basic auth credentials", re.IGNORECASE)
_LOGIN_REFUSED: Final = re.compile(
    r"unauthorized|authentication required|incorrect username or password|authorization token has expired|401 ",
    re.IGNORECASE,
)
_IMMUTABLE: Final = re.compile(r"tag is immutable|cannot be overwritten because", re.IGNORECASE)
_NO_REPOSITORY: Final = re.compile(
    r"name unknown|repository (?:with name )?\S* ?(?:does not exist|not found)|repository name not known", re.IGNORECASE
)
_DENIED: Final = re.compile(r"denied|forbidden|403 ", re.IGNORECASE)
_UNREACHABLE: Final = re.compile(
    r"connection refused|no such host|i/o timeout|network is unreachable|HTTP response to HTTPS client|x509:|"
    r"deadline exceeded|connection reset|TLS handshake|proxyconnect",
    re.IGNORECASE,
)
_DISK: Final = "the disk of the Docker Engine is full (no space left on device); see what uses it: docker system df"


def daemon_failure(text: str, host: str) -> str | None:
    """The line for an engine that does not answer, when that is what the text says; `host` is what was asked for."""
    match = _NO_DAEMON.search(text)
    if match is None:
        return None
    where = host or match["where"] or "the default address"
    if "permission denied" in text.lower():
        return (
            f"the Docker daemon at {where} refuses this user: permission denied; "
            "join the group docker (sudo usermod -aG docker $USER, then log in again), or run as root"
        )
    return (
        f"no Docker daemon answers at {where}; start it (sudo systemctl start docker, or Docker Desktop), "
        "or name another by DOCKER_HOST or the provider's host"
    )


def build_failure(spec: ImageSpec, failed: Failed, text: str, host: str) -> str:
    """The lines for a failed build: the cause in the first one, then what the failed step printed."""
    if daemon := daemon_failure(text, host):
        return f"{spec.name} was not built: {daemon}"
    if _NO_SPACE.search(text):
        return f"{spec.name} was not built: {_DISK}"
    where = f"{spec.dockerfile} line {failed.line}" if failed.line else spec.dockerfile
    if failed.base_image:
        return (
            f"{spec.name} was not built: the base image {failed.base_image} for {spec.platform} cannot be pulled "
            f"({where}): {failed.reason}"
        )
    what = f"{where}: {failed.instruction}" if failed.instruction else where
    lines = [f"{spec.name} was not built: {what}: {failed.reason}"]
    if failed.tail:
        lines += ["the step printed at its end:", *(f"    {line}" for line in failed.tail)]
    return "\n".join(lines)


def push_failure(spec: ImageSpec, text: str, host: str) -> str:
    """The line for a push that failed."""
    reference = spec.reference
    registry = reference.registry or "docker.io"
    said = last_line(text)
    user = spec.registry.username if spec.registry.has_login else ""
    who = f"user {user!r}" if user else "the docker login of this machine"
    cases: list[tuple[bool, str]] = [
        (bool(_NO_SPACE.search(text)), f"no space left on device, here or in {registry}: {said}; docker system df"),
        (
            bool(_NO_LOGIN.search(text)) and not user,
            f"registry {registry} asks for a login and there is none; "
            f"set registry.username and registry.password, or run: docker login {registry}",
        ),
        (
            bool(_IMMUTABLE.search(text)),
            f"the tag {reference.tag or 'latest'} exists in {reference.repository} with another content, and tags "
            f"there are immutable: {said}; choose a tag that changes with the content",
        ),
        (
            bool(_NO_REPOSITORY.search(text)),
            f"there is no repository {reference.path} in registry {registry}: {said}; create it first",
        ),
        (
            bool(_LOGIN_REFUSED.search(text) or _NO_LOGIN.search(text)),
            f"registry {registry} refuses the login of {who}: {said}",
        ),
        (
            bool(_DENIED.search(text)),
            f"registry {registry} does not let {who} push to {reference.path}: {said}",
        ),
        (bool(_UNREACHABLE.search(text)), f"registry {registry} cannot be reached: {said}"),
    ]
    reason = daemon_failure(text, host) or next((line for applies, line in cases if applies), said)
    return f"{spec.name} was built but not pushed: {reason}"


def last_line(text: str) -> str:
    """The last line of a text that is not empty."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "docker gave no reason")
