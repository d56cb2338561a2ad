"""Turns what docker, a builder or a registry says into one clear line: what failed, with its names, and what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence
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
_NO_RIGHT: Final = re.compile(
    r"to access repository|not authorized to perform|permission_denied|insufficient_scope|"
    r"access to the resource is denied",
    re.IGNORECASE,
)
_LOGIN_REFUSED: Final = re.compile(
    r"unauthorized|authentication required|incorrect username or password|authorization token has expired|401 ",
    re.IGNORECASE,
)
_IMMUTABLE: Final = re.compile(r"immutab|cannot be overwritten because", re.IGNORECASE)
_NO_REPOSITORY: Final = re.compile(
    r"name unknown|repository (?:with name )?\S* ?(?:does not exist|not found)|repository name not known|HTTP 404 ",
    re.IGNORECASE,
)
_QUOTA: Final = re.compile(
    r"quota|exceed the configured upper limit|maximum number of|limit ?_?exceeded|storage limit", re.IGNORECASE
)
_TOO_LARGE: Final = re.compile(r"HTTP 413 |size invalid|entity too large|too large", re.IGNORECASE)
_TOO_MANY: Final = re.compile(r"toomanyrequests|too many requests|HTTP 429 ", re.IGNORECASE)
_DENIED: Final = re.compile(r"denied|forbidden|403 ", re.IGNORECASE)
_UNREACHABLE: Final = re.compile(
    r"connection refused|no such host|i/o timeout|network is unreachable|HTTP response to HTTPS client|x509:|"
    r"deadline exceeded|connection reset|TLS handshake|proxyconnect",
    re.IGNORECASE,
)
_NO_PLATFORM: Final = re.compile(r"no match for platform", re.IGNORECASE)
_FOREIGN_PROGRAM: Final = re.compile(r"exec format error", re.IGNORECASE)
_PAGE: Final = re.compile(r'error parsing HTTP (\d+) response body: .*?: "(.*)"\Z', re.DOTALL)
_TITLE: Final = re.compile(r"<title>\s*(?:\d+ )?(.*?)\s*</title>", re.IGNORECASE)
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


def build_failure(spec: ImageSpec, failed: Failed, text: str, host: str, local_platform: str = "") -> str:
    """The lines for a failed build: the cause in the first one, then what the failed step printed.

    `local_platform` is that of the base image in the engine, where it could not be pulled for the wanted one.
    """
    if daemon := daemon_failure(text, host):
        return f"{spec.name} was not built: {daemon}"
    if _NO_SPACE.search(text):
        return f"{spec.name} was not built: {_DISK}"
    where = f"{spec.dockerfile} line {failed.line}" if failed.line else spec.dockerfile
    if failed.base_image:
        here = f"; the engine has it for {local_platform} only" if local_platform else ""
        return (
            f"{spec.name} was not built: the base image {failed.base_image} for {spec.platform} cannot be pulled "
            f"({where}): {failed.reason}{here}"
        )
    what = f"{where}: {failed.instruction}" if failed.instruction else where
    reason = failed.reason
    if any(_FOREIGN_PROGRAM.search(line) for line in (*failed.tail, reason)):
        reason += (
            f": the engine's machine does not run programs for {spec.platform}; install an emulator there "
            "(docker run --privileged --rm tonistiigi/binfmt --install all), or build on such a machine"
        )
    lines = [f"{spec.name} was not built: {what}: {reason}"]
    if failed.tail:
        lines += ["the step printed at its end:", *(f"    {line}" for line in failed.tail)]
    return "\n".join(lines)


def lacks_platform(failed: Failed) -> bool:
    """Whether a build failed since its base image is not there for the wanted platform."""
    return _NO_PLATFORM.search(failed.reason) is not None


def wrong_platform(spec: ImageSpec, image: str, line: int, there: Sequence[str]) -> str:
    """The line for a base image that is not there for the wanted platform, but for others."""
    where = f"{spec.dockerfile} line {line}" if line else spec.dockerfile
    others = f": it is there for {', '.join(there)}" if there else ""
    return (
        f"{spec.name} was not built: the base image {image} is not there for {spec.platform} ({where}){others}; "
        "take a base image that is, or set another build.platform"
    )


def push_failure(spec: ImageSpec, text: str, host: str) -> str:
    """The line for a push that failed: registry, repository, and what the registry said."""
    reference = spec.reference
    registry = reference.registry or "docker.io"
    said = _said(text)
    user = spec.registry.username if spec.registry.has_login else ""
    who = f"user {user!r}" if user else "the docker login of this machine"
    cases: list[tuple[bool, str]] = [
        (bool(_NO_SPACE.search(text)), f"no space left on device, here or in {registry}: {said}; docker system df"),
        (
            bool(_NO_LOGIN.search(text)) and not user,
            f"registry {registry} asks for a login to push to {reference.path} and there is none; "
            f"set registry.username and registry.password, or run: docker login {registry}",
        ),
        (
            bool(_IMMUTABLE.search(said)),
            f"the tag {reference.tag or 'latest'} exists in {reference.repository} with another content, and tags "
            f"there are immutable: {said}; choose a tag that changes with the content",
        ),
        (
            bool(_QUOTA.search(said)),
            f"registry {registry} has no room for it in {reference.path}: {said}; remove images there, or raise the "
            "limit",
        ),
        (
            bool(_TOO_LARGE.search(said)),
            f"registry {registry}, or a proxy before it, takes no layer of that size for {reference.path}: {said}; "
            "raise its limit (nginx: client_max_body_size), or make the layer smaller",
        ),
        (
            bool(_TOO_MANY.search(said)),
            f"registry {registry} takes no more requests for {reference.path} now: {said}; run again later",
        ),
        (
            bool(_NO_REPOSITORY.search(said)),
            f"there is no repository {reference.path} in registry {registry}: {said}; create it first",
        ),
        (bool(_NO_RIGHT.search(said)), f"registry {registry} does not let {who} push to {reference.path}: {said}"),
        (
            bool(_LOGIN_REFUSED.search(text) or _NO_LOGIN.search(text)),
            f"registry {registry} refuses the login of {who}, to push to {reference.path}: {said}",
        ),
        (bool(_DENIED.search(said)), f"registry {registry} does not let {who} push to {reference.path}: {said}"),
        (bool(_UNREACHABLE.search(text)), f"registry {registry} cannot be reached: {said}"),
    ]
    otherwise = f"registry {registry} did not take it in {reference.path}: {said}"
    reason = daemon_failure(text, host) or next((line for applies, line in cases if applies), otherwise)
    return f"{spec.name} was built but not pushed: {reason}"


def _said(text: str) -> str:
    """What the registry said at last; of a page in the place of an error, its title."""
    said = last_line(text)
    page = _PAGE.search(said)
    if page is None:
        return said
    title = _TITLE.search(page[2])
    return f"HTTP {page[1]} {title[1] if title else ''}".rstrip() + " (a page, no registry's error)"


def last_line(text: str) -> str:
    """The last line of a text that is not empty."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "docker gave no reason")
