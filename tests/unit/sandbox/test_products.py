from pathlib import Path

import pytest

from sandbox import products
from sandbox.docker import Docker
from sandbox.toolchain import Tool

HOST = "localhost:5001"
RUNNING, EARLIER, OLD = (f"sha256:{letter * 64}" for letter in "abc")
LISTED = f"""\
{HOST}/dockercoins/hasher:2 {RUNNING}
{HOST}/dockercoins/hasher:1 {EARLIER}
{HOST}/dockercoins/hasher:1 {OLD}
{HOST}/dockercoins/hasher:0 {OLD}
{HOST}/dockercoins/hasher:<none> {OLD}
{HOST}/dockercoins/rng:broken <none>
"""


@pytest.fixture
def docker(tmp_path: Path) -> Docker:
    """A docker program that lists images, and writes down what it is asked."""
    (tmp_path / "listed").write_text(LISTED)
    program = tmp_path / "docker"
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n[ "$1" != images ] || cat {tmp_path}/listed\n')
    program.chmod(0o755)
    return Docker(Tool(program, "29.0.0", "here"))


def _removed(tmp_path: Path) -> list[str]:
    lines = (tmp_path / "asked").read_text().splitlines()
    return [name for line in lines if line.startswith("rmi ") for name in line.split()[1:]]


def test_what_neither_runs_nor_ran_before_is_removed(docker: Docker, tmp_path: Path) -> None:
    assert products.remove(docker, HOST, {RUNNING, EARLIER}) == 2
    assert _removed(tmp_path) == [f"{HOST}/dockercoins/hasher:0", f"{HOST}/dockercoins/rng:broken"]


def test_with_nothing_to_keep_all_is_removed_and_nothing_of_another_registry_is_looked_at(
    docker: Docker, tmp_path: Path
) -> None:
    assert products.remove(docker, HOST) == 4
    assert f"reference={HOST}/*/*" in (tmp_path / "asked").read_text()


def test_without_images_nothing_is_removed(docker: Docker, tmp_path: Path) -> None:
    (tmp_path / "listed").write_text("")
    assert products.remove(docker, HOST) == 0
    assert _removed(tmp_path) == []


def test_the_digests_of_a_stack_are_those_that_it_deploys() -> None:
    assert products.deployed({"images": {"hasher": f"{HOST}/dockercoins/hasher@{RUNNING}"}}) == {RUNNING}
    assert products.deployed({}) == set()
