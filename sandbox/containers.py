"""Keeps one container as it should be: made, made anew when anything about it changes, started when it is stopped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from . import files
from .docker import Docker
from .progress import Step

KEY: Final = "dockercoins.key"
"""The label that says what a container was made from."""


@dataclass(frozen=True)
class Container:
    """What a container should be."""

    name: str
    image: str
    command: tuple[str, ...] = ()
    port: tuple[int, int] | None = None
    """Port of the loopback address, port of the container."""
    mounts: tuple[str, ...] = ()
    """Each as `docker run --mount` takes it."""
    environment: tuple[tuple[str, str], ...] = ()
    contents: tuple[Path, ...] = ()
    """Files that the container reads when it starts: another content is another container."""

    def key(self, image_id: str) -> str:
        """Names it by all that it is made from."""
        spec = f"{self.name} {image_id} {self.command} {self.port} {self.mounts} {self.environment}"
        return files.digest([spec, *self.contents])


def ensure(docker: Docker, step: Step, wanted: Container, before_start: Callable[[], None]) -> bool:
    """Make a container be there and run.

    Args:
        docker: the client.
        step: is told what is done.
        wanted: what it should be.
        before_start: called before it is started, such as to see that its port is free.

    Returns:
        Whether anything had to be done.
    """
    image = docker.inspect("image", wanted.image)
    key = wanted.key(str(image["Id"]) if image else "")
    there = docker.inspect("container", wanted.name)
    if there is not None and label(there, KEY) == key:
        if bool(there["State"]["Running"]):
            return False
        step.work("starting")
        before_start()
        docker.output("start", wanted.name)
        return True
    step.work("starting")
    if there is not None:
        docker.output("rm", "--force", wanted.name)
    before_start()
    docker.output(*_run(wanted, key), timeout=120.0)
    return True


def label(inspected: dict[str, Any], key: str) -> str:
    """A label of what `docker inspect` told, empty if it has none."""
    labels = cast("dict[str, str] | None", inspected["Config"]["Labels"])
    return (labels or {}).get(key, "")


def _run(wanted: Container, key: str) -> Sequence[str]:
    options = ["run", "--detach", "--name", wanted.name, "--restart", "unless-stopped", "--label", f"{KEY}={key}"]
    if wanted.port is not None:
        options += ["--publish", f"127.0.0.1:{wanted.port[0]}:{wanted.port[1]}"]
    for mount in wanted.mounts:
        options += ["--mount", mount]
    for variable, value in wanted.environment:
        options += ["--env", f"{variable}={value}"]
    return [*options, wanted.image, *wanted.command]
