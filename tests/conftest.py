"""How test files run beside each other, and what files of several folders share."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.integration.deployment import Deployment, create
from tests.manifests import tools


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "alone: disturbs others on the platform, so it runs when they are done")


# A wrapper, since xdist reads the groups in the same hook, before those of others.
@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None]:
    """Keep the tests of a file in one process, unless the file names a group of its own."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.location[0]))
    return (yield)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Remove the build cache of the tests' programs once, when no process builds any more."""
    if not hasattr(session.config, "workerinput"):
        tools.clean_up()


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Generator[Deployment]:
    """The application as a first ``up`` leaves it, previewed before; destroyed when all tests are done.

    Files that use it carry ``pytest.mark.xdist_group("deployment")``, so that one process makes it once.
    """
    deployment = create(Path(tmp_path_factory.mktemp("deployment")))
    try:
        deployment.outcomes["first preview"] = deployment.project.preview()
        deployment.outcomes["first up"] = deployment.project.up()
        assert deployment.outcomes["first up"].succeeded, deployment.outcomes["first up"].output
        yield deployment
    finally:
        outcome = deployment.project.destroy()
        assert outcome.succeeded, outcome.output
