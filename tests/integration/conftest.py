from collections.abc import Generator
from pathlib import Path

import pytest

from tests.integration.deployment import Deployment, create
from tests.plugins.conftest import repository

__all__ = ["deployment", "repository"]


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Generator[Deployment]:
    """The application as a first ``up`` leaves it, previewed before; destroyed when all tests are done."""
    deployment = create(Path(tmp_path_factory.mktemp("deployment")))
    try:
        deployment.outcomes["first preview"] = deployment.project.preview()
        deployment.outcomes["first up"] = deployment.project.up()
        assert deployment.outcomes["first up"].succeeded, deployment.outcomes["first up"].output
        yield deployment
    finally:
        outcome = deployment.project.destroy()
        assert outcome.succeeded, outcome.output
