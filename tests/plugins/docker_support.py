"""What the tests of the docker plugin share: a registry to push to, build contexts, and a look at the processes.

The registry is the sandbox's, unless `DOCKERCOINS_TEST_REGISTRY` names another one at `localhost:<port>`; it must take
the login below.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from sandbox.plugins.docker.client import find_docker

USER = "AWS"
PASSWORD = "123456789012-auth-token"
PLUGINS = {"docker": "5.2.0"}
BASE_IMAGE = "python:3.13-slim-trixie"
"""An image that the engine has already: the sandbox makes it, or has pulled it."""

_INDEX = "application/vnd.oci.image.index.v1+json"
_MANIFESTS = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"

PRELUDE = """
import os

import pulumi
import pulumi_docker as docker

REGISTRY = os.environ["TEST_REGISTRY"]
REPOSITORY = f"{REGISTRY}/{os.environ['TEST_REPOSITORY']}"


def login(password=os.environ["TEST_PASSWORD"], username="AWS"):
    return docker.RegistryArgs(server=REGISTRY, username=username, password=pulumi.Output.secret(password))


def build(context="context", **more):
    return docker.DockerBuildArgs(
        **{"context": context, "platform": "linux/amd64", "builder_version": "BuilderBuildKit", **more}
    )
"""


@dataclass(frozen=True)
class Registry:
    """A registry at `host`, asked over its own API."""

    host: str

    def manifest_digest(self, repository: str, reference: str) -> str | None:
        """The digest that the registry itself gives for a tag; None when there is no such tag."""
        request = self._request(f"{repository}/manifests/{reference}", method="HEAD")
        request.add_header("Accept", _MANIFESTS)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - http, above
                return answer.headers["Docker-Content-Digest"]
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    def manifest(self, repository: str, reference: str) -> dict[str, Any]:
        """The manifest of a tag or digest."""
        request = self._request(f"{repository}/manifests/{reference}")
        request.add_header("Accept", _MANIFESTS)
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - http, above
            return json.load(answer)

    def image_config(self, repository: str, reference: str) -> dict[str, Any]:
        """The configuration of an image, which says what it was built for."""
        digest = self.manifest(repository, reference)["config"]["digest"]
        with urllib.request.urlopen(self._request(f"{repository}/blobs/{digest}"), timeout=10) as answer:  # noqa: S310
            return json.load(answer)

    def put_index(self, repository: str, tag: str, platforms: Mapping[str, str]) -> str:
        """Make an index of some images, platform to tag, and return its digest."""
        entries: list[dict[str, Any]] = []
        for platform, reference in platforms.items():
            system, _, architecture = platform.partition("/")
            request = self._request(f"{repository}/manifests/{reference}")
            request.add_header("Accept", _MANIFESTS)
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                entries.append(
                    {
                        "mediaType": answer.headers["Content-Type"],
                        "digest": answer.headers["Docker-Content-Digest"],
                        "size": int(answer.headers["Content-Length"]),
                        "platform": {"os": system, "architecture": architecture},
                    }
                )
        request = self._request(f"{repository}/manifests/{tag}", method="PUT")
        request.add_header("Content-Type", _INDEX)
        request.data = json.dumps({"schemaVersion": 2, "mediaType": _INDEX, "manifests": entries}).encode()
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return answer.headers["Docker-Content-Digest"]

    def tags(self, repository: str) -> list[str]:
        """The tags of a repository; none when there is no such repository."""
        try:
            with urllib.request.urlopen(self._request(f"{repository}/tags/list"), timeout=10) as answer:  # noqa: S310
                return json.load(answer)["tags"] or []
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return []
            raise

    def answers(self) -> bool:
        """Whether it is up and takes the login."""
        try:
            with urllib.request.urlopen(self._request(""), timeout=5):  # noqa: S310
                return True
        except OSError:
            return False

    def _request(self, path: str, method: str = "GET") -> urllib.request.Request:
        request = urllib.request.Request(f"http://{self.host}/v2/{path}", method=method)
        request.add_header("Authorization", f"Basic {b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}")
        return request


@cache
def registry() -> Registry:
    """The registry for these tests; the test fails when it is not up."""
    found = Registry(os.environ.get("DOCKERCOINS_TEST_REGISTRY", "localhost:5001"))
    if not found.answers():
        pytest.fail(
            f"no registry at {found.host} takes the login of {USER}: start the sandbox (make up), "
            "or name another registry by DOCKERCOINS_TEST_REGISTRY"
        )
    return found


def environment(repository: str) -> dict[str, str]:
    """The variables that `PRELUDE` reads."""
    return {"TEST_REGISTRY": registry().host, "TEST_REPOSITORY": repository, "TEST_PASSWORD": PASSWORD}


def new_repository() -> str:
    """A repository name that no other test uses."""
    return f"plugin-tests/{secrets.token_hex(6)}"


def write_context(folder: Path, files: Mapping[str, str]) -> Path:
    """Write files under a folder, and return it."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


def remove_images(repository: str) -> None:
    """Remove what a test built in this repository, and in those under it, from the engine."""
    docker = find_docker()
    for pattern in (f"{registry().host}/{repository}", f"{registry().host}/{repository}/*"):
        listing = [docker, "image", "ls", "--quiet", "--filter", f"reference={pattern}"]
        if images := subprocess.run(listing, capture_output=True, text=True, check=True).stdout.split():
            subprocess.run([docker, "image", "rm", "--force", *images], capture_output=True, check=False)


@dataclass(frozen=True)
class Process:
    """A process as every user (its arguments) and its owner (its environment) can see it."""

    pid: int
    parent: int
    arguments: str
    environment: Mapping[str, str]


def processes(marker: str) -> Iterator[Process]:
    """The running processes with this text among their arguments."""
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            arguments = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if marker in arguments:
                pairs = (folder / "environ").read_bytes().decode(errors="replace").split("\0")
                # The fields after the command's name, which stands in parentheses: state, parent, … (proc(5)).
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                variables = dict(pair.split("=", maxsplit=1) for pair in pairs if "=" in pair)
                yield Process(int(folder.name), parent, arguments, variables)
        except OSError:
            continue  # it ended meanwhile


def docker_builds(marker: str) -> list[Process]:
    """The running `docker build` commands with this text among their arguments."""
    return [process for process in processes(marker) if "--progress=plain" in process.arguments]
