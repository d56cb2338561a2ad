"""How test files run beside each other, and what files of several folders share."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.integration.deployment import Deployment, create
from tests.manifests import tools

SHARE_THE_DEPLOYMENT = frozenset(
    {
        "tests/browser/test_page.py",
        "tests/integration/test_application.py",
        "tests/integration/test_course.py",
        "tests/integration/test_network.py",
        "tests/pipelines/test_preview_role.py",
    }
)
"""The files whose tests take :func:`deployment`, so that one process makes it once for all of them."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "alone: disturbs others on the platform, so it runs when they are done")


class ByFile(LoadScopeScheduling):
    """Keeps the tests of a file in one process, and those of all files that share the application."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "deployment" if file in SHARE_THE_DEPLOYMENT else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    return ByFile(config, log)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Remove the build cache of the tests' programs once, when no process builds any more."""
    if not hasattr(session.config, "workerinput"):
        tools.clean_up()


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
