"""Asking a real registry, Distribution, for images."""

from __future__ import annotations

import pytest

from components.registry_api import Outcome, RegistryApi, find_image

from .docker_support import PASSWORD, USER, new_repository, registry

ABSENT = f"sha256:{'0' * 64}"


@pytest.fixture(scope="module")
def image() -> str:
    """An index without images, `repository@digest`."""
    repository = new_repository()
    return f"{repository}@{registry().put_index(repository, '1', {})}"


def test_an_image_that_is_there_is_no_problem(image: str) -> None:
    assert find_image(f"{registry().host}/{image}", USER, PASSWORD).outcome is Outcome.PRESENT


def test_an_image_that_is_missing_is_named(image: str) -> None:
    repository = image.partition("@")[0]
    problem = find_image(f"{registry().host}/{repository}@{ABSENT}", USER, PASSWORD).problem
    assert problem == (
        f"registry {registry().host} has no image {ABSENT} in the repository {repository}: "
        "HTTP 404 Not Found, MANIFEST_UNKNOWN: manifest unknown"
    )


def test_an_image_of_a_repository_that_is_missing_is_missing() -> None:
    repository = new_repository()
    answer = RegistryApi(registry().host, USER, PASSWORD).find(repository, ABSENT)
    assert answer.outcome is Outcome.MISSING
    assert repository in answer.problem


def test_a_wrong_password_is_told_and_not_shown(image: str) -> None:
    path, _, digest = image.partition("@")
    answer = RegistryApi(registry().host, USER, "wrong-and-secret").find(path, digest)
    assert answer.outcome is Outcome.REFUSED
    assert f"refuses to show {image} to user {USER!r}: HTTP 401 Unauthorized" in answer.problem
    assert "UNAUTHORIZED: authentication required" in answer.problem
    assert "wrong-and-secret" not in answer.problem


def test_a_missing_login_is_told(image: str) -> None:
    answer = find_image(f"{registry().host}/{image}")
    problem = answer.problem
    assert answer.outcome is Outcome.REFUSED
    assert f"asks for a login and there is none, to show {image}" in problem
