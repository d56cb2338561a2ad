"""What lies in the sandbox's registry, and how to be rid of it."""

from __future__ import annotations

from typing import Final

import urllib3

from benchmarks import docker_client
from sandbox.settings import REGISTRY_USER
from tests.integration.deployment import SANDBOX, SANDBOX_REGISTRY, SERVICES
from tests.plugins.docker_support import Registry

_CONFIG: Final = "/etc/distribution/config.yml"
_MANIFESTS: Final = (
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json"
)
_NOT_FOUND: Final = 404


def forget(repository: str) -> None:
    """Let the registry have no image in a repository. Their layers stay until ``collect_garbage``.

    https://distribution.github.io/distribution/spec/api/#deleting-an-image

    Raises:
        RuntimeError: the registry refuses.
    """
    login = urllib3.make_headers(basic_auth=f"{REGISTRY_USER}:{SANDBOX.registry_password}")
    address = f"http://{SANDBOX_REGISTRY}/v2/{repository}"
    for tag in Registry(SANDBOX_REGISTRY).tags(repository):
        known = urllib3.request("HEAD", f"{address}/manifests/{tag}", headers={**login, "Accept": _MANIFESTS})
        digest = known.headers.get("Docker-Content-Digest", tag)
        answer = urllib3.request("DELETE", f"{address}/manifests/{digest}", headers=login)
        # Several tags may have been of one image.
        if answer.status >= 400 and answer.status != _NOT_FOUND:  # noqa: PLR2004 - HTTP's first status of an error
            raise RuntimeError(f"the registry does not remove {repository}:{tag}: HTTP {answer.status}")


def forget_application(prefix: str) -> None:
    """:func:`forget` the repositories of the application's images."""
    for service in SERVICES:
        forget(f"{prefix}/{service}")


def collect_garbage() -> None:
    """Let the registry's storage have no layer that no image needs, so that it has to be sent again.

    Nobody may push meanwhile: https://distribution.github.io/distribution/about/garbage-collection/

    Raises:
        RuntimeError: it failed; the message has what it said.
    """
    try:
        docker_client.ask("exec", SANDBOX.registry_container, "registry", "garbage-collect", _CONFIG)
    except RuntimeError as error:
        raise RuntimeError(f"{error}\n`make down` removes the registry with all that others have left in it") from None
