"""An image for two platforms on a real engine, registry and node: each node pulls its own from the one digest."""

import base64
import json
import re
import secrets
import subprocess
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, cast

import pytest
import urllib3

from sandbox import settings as sandbox_settings
from tests.integration.deployment import ROOT
from tests.plugins.docker_support import (
    PASSWORD,
    PLUGINS,
    USER,
    environment,
    registry,
    write_context,
)
from tests.plugins.engine_support import Project

NODE = f"{sandbox_settings.read(ROOT / 'Pulumi.dev.yaml').cluster}-control-plane"
INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
# Nothing runs in this build, so that it needs no emulator; still its content tells the platform.
DOCKERFILE = "FROM scratch\nARG TARGETARCH\nCOPY ${TARGETARCH}.txt /platform\nCOPY who /\n"
PROGRAM = """
import os

import pulumi
import pulumi_docker as docker

from components.registry import RegistryLogin
from components.service_image import ServiceImage, ServiceImageArgs

host, password = os.environ["TEST_REGISTRY"], os.environ.get("TEST_LOGIN")
image = ServiceImage(
    "marker",
    ServiceImageArgs(
        context="./context",
        repository=f"{host}/{os.environ['TEST_REPOSITORY']}",
        platforms=["linux/amd64", "linux/arm64"],
        login=RegistryLogin(host, "AWS", pulumi.Output.secret(password)) if password else None,
    ),
    provider=docker.Provider("docker"),
)
pulumi.export("tag", image.tag)
pulumi.export("reference", image.reference)
"""

NewProject = Callable[..., Project]


@pytest.fixture
def new_project(tmp_path: Path, repository: str) -> Generator[NewProject]:
    """Makes the project, and destroys its stack with the test."""
    made: list[Project] = []

    def make(**variables: str) -> Project:
        settings = {**environment(repository), "PYTHONPATH": str(ROOT), **variables}
        project = Project.create(tmp_path, PROGRAM, PLUGINS, settings)
        files = {"Dockerfile": DOCKERFILE, "amd64.txt": "amd64", "arm64.txt": "arm64", "who": repository}
        write_context(project.directory / "context", files)
        made.append(project)
        return project

    yield make
    for project in made:
        outcome = project.destroy()
        assert outcome.succeeded, outcome.output


def manifest(repository: str, reference: str) -> tuple[str, dict[str, Any]]:
    """What the registry itself has under a tag or digest: its digest and its content."""
    headers = urllib3.make_headers(basic_auth=f"{USER}:{PASSWORD}")
    image_types = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
    headers["Accept"] = ", ".join((*INDEX_TYPES, *image_types))
    url = f"http://{registry().host}/v2/{repository}/manifests/{reference}"
    answer = urllib3.request("GET", url, headers=headers, timeout=10)
    assert answer.status == 200, answer.data
    return answer.headers["Docker-Content-Digest"], cast("dict[str, Any]", answer.json())


def pushes(repository: str, tag: str) -> int:
    """How often the registry was sent a manifest under a tag."""
    container = sandbox_settings.read(ROOT / "Pulumi.dev.yaml").registry_container
    log = subprocess.run(
        ["docker", "logs", container], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True
    ).stdout
    return len(re.findall(f'"PUT /v2/{repository}/manifests/{tag} ', log))


def in_node(*command: str) -> str:
    completed = subprocess.run(
        ["docker", "exec", NODE, *command], capture_output=True, text=True, timeout=120, check=False
    )
    assert completed.returncode == 0, completed.stderr
    return completed.stdout


@pytest.fixture
def containerd() -> Generator[Callable[..., str]]:
    """The node's containerd, in a namespace of the test's own that the kubelet does not see."""
    namespace = f"it-{secrets.token_hex(4)}"
    in_node("ctr", "namespaces", "create", namespace)

    def ctr(*arguments: str) -> str:
        return in_node("ctr", "--namespace", namespace, *arguments)

    yield ctr
    for image in ctr("images", "list", "--quiet").split():
        ctr("images", "remove", "--sync", image)
    in_node("ctr", "namespaces", "remove", namespace)


def test_two_platforms_are_one_digest_of_which_a_node_pulls_its_own(
    new_project: NewProject, repository: str, containerd: Callable[..., str]
) -> None:
    project = new_project(TEST_LOGIN=PASSWORD)
    first = project.preview()
    assert first.succeeded, first.output
    assert registry().tags(repository) == []

    outcome = project.up()
    assert outcome.succeeded, outcome.output
    assert outcome.ops() == {"marker": "create", "marker-amd64": "create", "marker-arm64": "create"}
    tag, reference = project.outputs()["tag"], project.outputs()["reference"]
    assert sorted(registry().tags(repository)) == [tag, f"{tag}-amd64", f"{tag}-arm64"]
    digest, index = manifest(repository, tag)
    assert reference == f"{registry().host}/{repository}@{digest}"
    assert index["mediaType"] in INDEX_TYPES
    named = {entry["platform"]["architecture"]: entry["digest"] for entry in index["manifests"]}
    assert named == {
        architecture: manifest(repository, f"{tag}-{architecture}")[0] for architecture in ("amd64", "arm64")
    }
    assert named["amd64"] != named["arm64"]

    containerd("images", "pull", "--hosts-dir", "/etc/containerd/certs.d", "--user", f"{USER}:{PASSWORD}", reference)
    folder = f"/run/{secrets.token_hex(4)}"
    in_node("mkdir", folder)
    try:
        containerd("images", "mount", reference, folder)
        assert in_node("cat", f"{folder}/platform") == "amd64"
    finally:
        containerd("images", "unmount", "--rm", folder)
        in_node("rmdir", folder)

    preview = project.preview("--expect-no-changes")
    assert preview.succeeded, preview.output
    assert preview.warnings == []
    again = project.up()
    assert set(again.ops().values()) == {"same"}, again.output
    assert project.outputs()["reference"] == reference
    assert pushes(repository, tag) == 1


def test_the_login_of_docker_pushes_the_images_and_the_index(
    new_project: NewProject, repository: str, tmp_path: Path
) -> None:
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {registry().host: {"auth": auth}}}))
    project = new_project(DOCKER_CONFIG=str(tmp_path))
    outcome = project.up()
    assert outcome.succeeded, outcome.output
    digest, _ = manifest(repository, project.outputs()["tag"])
    assert project.outputs()["reference"].endswith(f"@{digest}")


def test_a_part_that_is_gone_is_told_and_another_rebuild_brings_it_back(
    new_project: NewProject, repository: str
) -> None:
    project = new_project(TEST_LOGIN=PASSWORD)
    outcome = project.up()
    assert outcome.succeeded, outcome.output
    part, _ = manifest(repository, f"{project.outputs()['tag']}-arm64")
    headers = urllib3.make_headers(basic_auth=f"{USER}:{PASSWORD}")
    url = f"http://{registry().host}/v2/{repository}/manifests/{part}"
    assert urllib3.request("DELETE", url, headers=headers, timeout=10).status == 202

    preview = project.preview()
    assert preview.succeeded, preview.output
    assert any(part in warning for warning in preview.warnings)
    broken = project.up()
    assert not broken.succeeded
    assert f"registry {registry().host} has no image {part} in the repository {repository}" in broken.errors
    assert "another `rebuild` builds and pushes it again" in broken.errors
    assert "Traceback" not in broken.output

    project.write(PROGRAM.replace("platforms=", 'rebuild="1", platforms='))
    mended = project.up()
    assert mended.succeeded, mended.output
    _, index = manifest(repository, project.outputs()["tag"])
    assert len(index["manifests"]) == 2
