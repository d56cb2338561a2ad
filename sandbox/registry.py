"""The registry: Distribution, which asks for the user and password that ECR's authorization token holds."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import bcrypt

from . import containers, files, ports, web
from .docker import Docker
from .errors import SandboxError
from .paths import SOURCES, Paths
from .progress import Step
from .settings import REGISTRY_USER, Settings

PORT: Final = 5000
"""Where it listens inside its container, and in the cluster's network."""

_CONFIG: Final = SOURCES / "images" / "registry" / "config.yml"
_ANSWERS_WITHIN: Final = 30.0  # seconds
_OK: Final = 200
_UNAUTHORIZED: Final = 401


def ensure(docker: Docker, step: Step, paths: Paths, settings: Settings, image: str) -> None:
    """Make the registry answer, and let in exactly the one user.

    Raises:
        SandboxError: its port is taken, it does not answer, or it refuses the login.
    """
    folder = paths.state / "registry"
    config = folder / "config.yml"
    passwords = folder / "htpasswd"
    if not config.exists() or config.read_text() != _CONFIG.read_text():
        files.write(config, _CONFIG.read_text())
    if not _fits(passwords, settings.registry_password):
        hashed = bcrypt.hashpw(settings.registry_password.encode(), bcrypt.gensalt(rounds=6)).decode()
        files.write(passwords, f"{REGISTRY_USER}:{hashed}\n")
    wanted = containers.Container(
        name=settings.registry_container,
        image=image,
        command=("serve", "/etc/distribution/config.yml"),
        port=(settings.registry_port, PORT),
        mounts=(
            f"type=volume,source={settings.registry_container},target=/var/lib/registry",
            f"type=bind,source={folder},target=/etc/distribution,readonly",
        ),
        environment=(("OTEL_TRACES_EXPORTER", "none"),),
        contents=(config, passwords),
    )
    changed = containers.ensure(
        docker, step, wanted, lambda: ports.require(settings.registry_port, "registry.host", "the registry")
    )
    check(settings, _ANSWERS_WITHIN)
    step.finish(f"{settings.registry_host} {'started' if changed else 'running'}")


def check(settings: Settings, within: float = 0.0) -> None:
    """Make sure that the registry lets in the user, and nobody without a password.

    Raises:
        SandboxError: it does not.
    """
    address = f"http://{settings.registry_host}/v2/"
    with_password = web.await_status(address, _OK, within, user=(REGISTRY_USER, settings.registry_password))
    if with_password is None:
        raise SandboxError(
            f"the registry does not answer at {address}; its log: docker logs {settings.registry_container}"
        )
    if with_password != _OK:
        raise SandboxError(
            f"the registry at {address} refuses the login of user {REGISTRY_USER!r} (HTTP {with_password}). "
            f"Remove it with `docker rm --force {settings.registry_container}` and run `make up` again."
        )
    if web.status(address) != _UNAUTHORIZED:
        raise SandboxError(f"the registry at {address} lets in anybody; is another registry on that port?")


def _fits(passwords: Path, password: str) -> bool:
    try:
        user, _, hashed = passwords.read_text().strip().partition(":")
        return user == REGISTRY_USER and bcrypt.checkpw(password.encode(), hashed.encode())
    except (OSError, ValueError):
        return False
