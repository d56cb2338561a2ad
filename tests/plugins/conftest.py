"""What tests of several plugins stand on."""

from collections.abc import Generator

import pytest
import urllib3

from .aws_support import ecr_api
from .docker_support import new_repository, remove_images
from .kubernetes_support import temporary_namespace


@pytest.fixture(scope="module")
def server() -> Generator[str]:
    """The address of an ECR API of a test module's own."""
    with ecr_api() as address:
        yield address


@pytest.fixture
def api(server: str) -> str:
    """The ECR API, empty."""
    assert urllib3.request("POST", f"{server}/moto-api/reset", timeout=5.0).status == 200
    return server


@pytest.fixture
def repository() -> Generator[str]:
    """A repository of the test's own in the registry, whose images leave the engine with the test."""
    name = new_repository()
    yield name
    remove_images(name)


@pytest.fixture(scope="module")
def namespace() -> Generator[str]:
    """A namespace of a test module's own."""
    with temporary_namespace() as name:
        yield name
