"""The whole program deployed for a benchmark, as a stack of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.integration.deployment import Deployment, create


@contextmanager
def deployed(**settings: Any) -> Generator[Deployment]:
    """The application on the sandbox's cluster as a first ``up`` leaves it; it is destroyed afterwards.

    Args:
        settings: of the stack, beside those of the sandbox.

    Raises:
        RuntimeError: ``pulumi up`` failed; the message is its output.
    """
    with tempfile.TemporaryDirectory(prefix="dockercoins-benchmark-") as name:
        deployment = create(Path(name), **settings)
        try:
            bring_up(deployment)
            yield deployment
        finally:
            deployment.project.destroy()


def bring_up(deployment: Deployment) -> None:
    """Make the cluster as the stack's settings say.

    Raises:
        RuntimeError: ``pulumi up`` failed; the message is its output.
    """
    outcome = deployment.project.up()
    if not outcome.succeeded:
        raise RuntimeError(outcome.output)
