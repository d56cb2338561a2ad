"""The whole program deployed for a benchmark, as a stack of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import registry_storage
from tests.integration.deployment import Deployment, create


@contextmanager
def workplace() -> Generator[Path]:
    """Give an empty folder, which is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="dockercoins-benchmark-") as name:
        yield Path(name)


@contextmanager
def deployed(**settings: Any) -> Generator[Deployment]:
    """The application on the sandbox's cluster, as ``deployed_in`` gives it, in a folder of its own."""
    with workplace() as folder, deployed_in(folder, **settings) as deployment:
        yield deployment


@contextmanager
def deployed_in(folder: Path, **settings: Any) -> Generator[Deployment]:
    """The application on the sandbox's cluster as a first ``up`` leaves it; it is removed afterwards.

    Args:
        folder: where the stack and its copy of the program are, and stay.
        settings: of the stack, beside those of the sandbox.

    Raises:
        RuntimeError: ``pulumi up`` failed; the message is its output.
    """
    deployment = create(folder, **settings)
    try:
        bring_up(deployment)
        yield deployment
    finally:
        remove(deployment)


def bring_up(deployment: Deployment) -> None:
    """Make the cluster as the stack's settings say.

    Raises:
        RuntimeError: ``pulumi up`` failed; the message is its output.
    """
    outcome = deployment.project.up()
    if not outcome.succeeded:
        raise RuntimeError(outcome.output)


def remove(deployment: Deployment) -> None:
    """Destroy the stack, and let the registry forget the images that it has pushed."""
    deployment.project.destroy()
    registry_storage.forget_application(deployment.name)
