"""The docker client, as the benchmarks of images and of mining in containers use it."""

from __future__ import annotations

import os

from benchmarks.processes import run
from tests.services.harness import docker


def client() -> str:
    """The path of the client.

    Raises:
        RuntimeError: there is none.
    """
    found = docker()
    if found is None:
        raise RuntimeError("no docker client: install it, or let `make up` look for it")
    return found


def ask(*arguments: str) -> str:
    """What a command of the client prints; builds are BuildKit's.

    Raises:
        RuntimeError: it failed; the message has what it said.
    """
    return run([client(), *arguments], {**os.environ, "DOCKER_BUILDKIT": "1"})
