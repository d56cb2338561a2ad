"""The images: what is in them, how big they are, and that they run with nothing but what Kubernetes will give them."""

import asyncio
import json
import os
import subprocess
import uuid
from collections.abc import Generator
from typing import Any

import aiohttp
import pytest

from .harness import SERVICES, docker, free_port, until

NAMES = ("hasher", "rng", "webui", "worker")
BASE = "python:3.13-slim-trixie"
MOST_OVER_BASE = 60_000_000

pytestmark = pytest.mark.docker


def run_docker(*arguments: str) -> str:
    client = docker()
    assert client
    environment = os.environ | {"DOCKER_BUILDKIT": "1"}
    done = subprocess.run([client, *arguments], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def inspect(image: str) -> dict[str, Any]:
    return json.loads(run_docker("image", "inspect", image))[0]


@pytest.fixture(scope="module")
def images() -> Generator[dict[str, str]]:
    """All images, built from their own folders; service → tag."""
    client = docker()
    if client is None or subprocess.run([client, "info"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no Docker Engine")
    run = uuid.uuid4().hex[:12]
    tags = {name: f"dockercoins-test-{name}:{run}" for name in NAMES}
    try:
        for name, tag in tags.items():
            run_docker("build", "--build-arg", f"PYTHON_IMAGE={BASE}", "--tag", tag, str(SERVICES / name))
        yield tags
    finally:
        subprocess.run([client, "image", "rm", "--force", *tags.values()], capture_output=True, check=False)


@pytest.mark.parametrize("name", NAMES)
def test_an_image_adds_at_most_60_mb_to_its_base(images: dict[str, str], name: str) -> None:
    assert inspect(images[name])["Size"] - inspect(BASE)["Size"] <= MOST_OVER_BASE


@pytest.mark.parametrize("pair", [("rng", "hasher"), ("worker", "webui")])
def test_images_with_equal_locks_share_all_layers_but_the_code(images: dict[str, str], pair: tuple[str, str]) -> None:
    first, second = (inspect(images[name])["RootFS"]["Layers"] for name in pair)
    assert first[:-1] == second[:-1]
    assert first[-1] != second[-1]


@pytest.mark.parametrize("name", NAMES)
def test_an_image_runs_as_nobody_in_particular_and_says_what_it_is(images: dict[str, str], name: str) -> None:
    config = inspect(images[name])["Config"]
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["python3", "-m", name]
    assert set(config["ExposedPorts"]) == {"8080/tcp"}
    assert config["Labels"]["org.opencontainers.image.title"] == f"dockercoins-{name}"
    assert config["Labels"]["org.opencontainers.image.description"]


FIND_LEFTOVERS = """
import pathlib, shutil
print(*filter(shutil.which, ["gcc", "cc", "g++", "make", "cargo", "uv"]))
print(*(p for p in pathlib.Path("/").glob("root/.cache/pip")))
print(*(p for root in ("/app", "/opt/packages") for p in pathlib.Path(root).rglob("*.py")
        if not (p.parent / "__pycache__").is_dir()))
"""


@pytest.mark.parametrize("name", NAMES)
def test_an_image_holds_no_build_tool_and_no_cache_and_compiled_code(images: dict[str, str], name: str) -> None:
    found = run_docker("run", "--rm", "--user", "0", "--entrypoint", "python3", images[name], "-c", FIND_LEFTOVERS)
    assert found == ""


@pytest.mark.parametrize("name", NAMES)
async def test_an_image_runs_read_only_without_capabilities_and_ends_when_told(
    images: dict[str, str], http: aiohttp.ClientSession, name: str
) -> None:
    port = free_port()
    container = run_docker(
        *("run", "--detach", "--read-only", "--cap-drop", "ALL", "--user", "10001", "--network", "bridge"),
        *("--security-opt", "no-new-privileges", "--publish", f"127.0.0.1:{port}:8080", images[name]),
    )
    try:

        async def alive() -> bool:
            try:
                async with http.get(f"http://127.0.0.1:{port}/healthz") as answer:
                    return answer.status == 200
            except aiohttp.ClientError:
                return False

        await until(alive, f"health of {name}")
        await asyncio.to_thread(run_docker, "stop", "--time", "20", container)
        assert run_docker("inspect", "--format", "{{.State.ExitCode}}", container) == "0"
        for line in run_docker("logs", container).splitlines():
            assert json.loads(line)["service"] == name
    finally:
        run_docker("rm", "--force", container)


@pytest.mark.parametrize("name", NAMES)
def test_a_dockerfile_pins_its_base_by_digest_and_needs_no_other_frontend(name: str) -> None:
    lines = (SERVICES / name / "Dockerfile").read_text().splitlines()
    assert lines[0].startswith("ARG PYTHON_IMAGE=python:3.13.")
    assert "@sha256:" in lines[0]
    assert {line for line in lines if line.startswith("FROM")} <= {
        "FROM ${PYTHON_IMAGE}",
        "FROM ${PYTHON_IMAGE} AS packages",
        "FROM ${PYTHON_IMAGE} AS code",
    }
    assert not any(line.startswith("# syntax=") for line in lines)
