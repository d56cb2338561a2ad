"""Garbage collection on a real registry: what no tag names any more goes, and what a tag names stays whole."""

from __future__ import annotations

import json
import re
import secrets
import threading
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

from components.registry_api import Outcome, RegistryApi
from sandbox.plugins.docker.client import Client, Endpoint, client
from sandbox.plugins.docker.logins import Login
from tests.integration.own_registry import OwnRegistry, own_registry
from tests.plugins.docker_support import BASE_IMAGE, PASSWORD, USER, Registry, new_repository

CONFIG = "/etc/distribution/config.yml"
SHARED, OWN = 300_000, 1_000_000
"""The bytes of the layer that both images have, and of the layer that each has for itself."""

# Prints what the registry stores: digest to bytes.
LIST_BLOBS = """
import json, pathlib
data = pathlib.Path("/var/lib/registry/docker/registry/v2/blobs/sha256").glob("*/*/data")
print(json.dumps({"sha256:" + file.parent.name: file.stat().st_size for file in data}))
"""


@dataclass(frozen=True)
class Collected:
    """A registry of the test's own, a client that has logged in to it, and a repository there."""

    docker: Client
    registry: OwnRegistry
    repository: str

    @property
    def host(self) -> str:
        return self.registry.host

    @property
    def image(self) -> str:
        return f"{self.host}/{self.repository}:1"

    @property
    def api(self) -> RegistryApi:
        return RegistryApi(self.host, USER, PASSWORD)

    def run(self, *arguments: str) -> str:
        """What a docker command prints."""
        ended = self.docker.run(arguments)
        assert ended.exit_code == 0, ended.text
        return ended.text

    def push(self, folder: Path, version: str) -> str:
        """Build a version of the image, push it under the tag, and return its digest."""
        (folder / "own").write_bytes(secrets.token_bytes(OWN))
        (folder / "Dockerfile").write_text("FROM scratch\nCOPY shared /\nCOPY own /\n")
        self.run("build", "--tag", self.image, "--label", f"version={version}", str(folder))
        pushed = re.search(r"digest: (sha256:[0-9a-f]{64})", self.run("push", self.image))
        assert pushed is not None
        return pushed[1]

    def blobs_of(self, digest: str) -> set[str]:
        """The digests of all that an image consists of: manifest, configuration, layers."""
        manifest = Registry(self.host).manifest(self.repository, digest)
        return {digest, manifest["config"]["digest"], *(layer["digest"] for layer in manifest["layers"])}

    def stored(self) -> dict[str, int]:
        """What lies in the registry's storage: digest to bytes."""
        source = ("--volumes-from", f"{self.registry.container}:ro")
        printed = self.run("run", "--rm", "--network", "none", *source, BASE_IMAGE, "python3", "-c", LIST_BLOBS)
        return json.loads(printed.splitlines()[-1])

    def collect(self, *options: str) -> str:
        """Run the registry's garbage collection, and return what it tells."""
        return self.run(
            "exec", self.registry.container, "registry", "garbage-collect", "--delete-untagged", *options, CONFIG
        )


@pytest.fixture
def own(tmp_path: Path) -> Generator[Collected]:
    settings = tmp_path / "distribution"
    settings.mkdir()
    name = f"dockercoins-test-{secrets.token_hex(4)}"
    with (
        own_registry(settings, name, username=USER, password=PASSWORD) as registry,
        client(Endpoint(), [Login(registry.host, USER, PASSWORD)], threading.Event()) as docker,
    ):
        collected = Collected(docker, registry, new_repository())
        yield collected
        left = docker.run(["image", "ls", "--quiet", f"{registry.host}/{collected.repository}"])
        docker.run(["image", "rm", "--force", *left.lines])


def test_garbage_collection_removes_what_no_tag_names(
    own: Collected, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    context = tmp_path / "context"
    context.mkdir()
    (context / "shared").write_bytes(secrets.token_bytes(SHARED))
    untagged, tagged = own.push(context, "old"), own.push(context, "new")
    lost, kept = own.blobs_of(untagged), own.blobs_of(tagged)
    shared = lost & kept
    assert len(shared) == 1

    # The tag names the new one, and the old one is still there, by its digest.
    assert Registry(own.host).manifest_digest(own.repository, "1") == tagged
    assert own.api.find(own.repository, untagged).outcome is Outcome.PRESENT
    before = own.stored()
    assert set(before) == lost | kept

    told = own.collect("--dry-run")
    assert untagged in told
    assert own.stored() == before

    own.collect()
    after = own.stored()
    assert set(after) == kept
    assert sum(before.values()) - sum(after.values()) > OWN
    gone = own.api.find(own.repository, untagged)
    assert gone.outcome is Outcome.MISSING
    assert f"has no image {untagged} in the repository {own.repository}" in gone.problem

    # The layer that both had is there for the one that is left.
    own.run("image", "rm", "--force", own.image)
    own.run("pull", f"{own.host}/{own.repository}@{tagged}")
    own.run("pull", own.image)
    with capsys.disabled():
        sizes = [f"{len(blobs)} blobs, {sum(blobs.values()):,} bytes" for blobs in (before, after)]
        print(f"\ngarbage collection: {sizes[0]} before; {sizes[1]} after")
