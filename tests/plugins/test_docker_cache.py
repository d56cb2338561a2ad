"""Builds that take their layers from a registry: on an engine that has none of its own, as on a fresh machine."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.registry_server import error

from .docker_support import (
    BASE_IMAGE,
    PASSWORD,
    PLUGINS,
    PRELUDE,
    USER,
    environment,
    new_repository,
    registry,
    remove_images,
    write_context,
)
from .engine_support import Outcome, Project
from .fresh_engine import fresh_engine, needs_engine_of_its_own
from .push_registry import push_registry

# It holds a shell and no more, so that a fresh engine has it in no time.
BASE = f"""
FROM {BASE_IMAGE} AS whole
RUN mkdir /small && cp --parents --dereference /bin/sh $(ldd /bin/sh | grep -o '/[^ ]*') /small
FROM scratch
COPY --from=whole /small /
COPY who /base
"""
# What a RUN writes here is never the same twice: where layers are equal, it did not run again.
DOCKERFILE = """
ARG BASE
FROM ${BASE} AS tools
RUN read id < /proc/sys/kernel/random/uuid && echo $id > /tool
FROM ${BASE}
COPY --from=tools /tool /
RUN read id < /proc/sys/kernel/random/uuid && echo $id > /once
COPY who /
"""
STEPS = ("RUN read id < /proc/sys/kernel/random/uuid && echo $id > /once", "COPY who /")
BASE_PROGRAM = """
base = docker.Image("base", image_name=f"{REPOSITORY}/base:1", build=build("base"), registry=login())
"""
# The network is part of what a step is known by, and the fresh engine has no bridge.
PROGRAM = """
engine = docker.Provider("engine", host=os.environ.get("TEST_ENGINE"))
image = docker.Image(
    "image",
    image_name=f"{REPOSITORY}:{os.environ['TEST_TAG']}",
    build=build(
        args={"BASE": f"{REPOSITORY}/base:1", "BUILDKIT_INLINE_CACHE": "1"},
        cache_from=docker.CacheFromArgs(images=[os.environ["TEST_CACHE"]]),
        network="host",
    ),
    registry=login(),
    opts=pulumi.ResourceOptions(provider=engine, depends_on=AFTER),
)
"""


@dataclass(frozen=True)
class Cached:
    """A repository with a base image, and an image under the tag `cache`: built and pushed by the machine's engine."""

    repository: str
    first: Outcome

    @property
    def cache(self) -> str:
        return f"{registry().host}/{self.repository}:cache"

    def layers(self, tag: str) -> list[str]:
        """The digests of an image's layers, but for those of its base."""
        base = len(registry().manifest(f"{self.repository}/base", "1")["layers"])
        return [layer["digest"] for layer in registry().manifest(self.repository, tag)["layers"]][base:]

    def built_afresh(self, folder: Path, tag: str, program: str = PROGRAM, /, who: str = "", **more: str) -> Outcome:
        """Build on a fresh engine, and push under a tag."""
        with fresh_engine(int(registry().host.rpartition(":")[2])) as address:
            return up(folder, program.replace("AFTER", "[]"), self.repository, tag, who, TEST_ENGINE=address, **more)


def up(folder: Path, program: str, repository: str, tag: str, who: str = "", /, **more: str) -> Outcome:
    cache = f"{registry().host}/{repository}:cache"
    variables: Mapping[str, str] = {"TEST_TAG": tag, "TEST_CACHE": cache, **environment(repository), **more}
    project = Project.create(folder, PRELUDE + program, PLUGINS, variables)
    write_context(project.directory / "base", {"Dockerfile": BASE, "who": repository})
    write_context(project.directory / "context", {"Dockerfile": DOCKERFILE, "who": who or repository})
    outcome = project.up()
    assert outcome.succeeded, outcome.output
    return outcome


@pytest.fixture(scope="module")
def cached(tmp_path_factory: pytest.TempPathFactory) -> Generator[Cached]:
    repository = new_repository()
    try:
        program = BASE_PROGRAM + PROGRAM.replace("AFTER", "[base]")
        yield Cached(repository, up(tmp_path_factory.mktemp("machine"), program, repository, "cache"))
    finally:
        remove_images(repository)


def shown(outcome: Outcome) -> list[str]:
    """What was shown beside the image."""
    return [line.strip() for line in outcome.statuses("image")]


def from_cache(outcome: Outcome) -> list[str]:
    """The steps that a build told to be from the cache."""
    return [line.removeprefix("CACHED ") for line in shown(outcome) if line.startswith("CACHED ")]


def test_a_cache_that_is_not_there_yet_hinders_no_build(cached: Cached) -> None:
    assert f"no build cache at {cached.cache} yet" in shown(cached.first)
    assert cached.first.warnings == []


@needs_engine_of_its_own
def test_a_fresh_engine_takes_every_step_from_the_registry(cached: Cached, tmp_path: Path) -> None:
    outcome = cached.built_afresh(tmp_path, "same")
    found = from_cache(outcome)
    assert all(any(step.endswith(wanted) for step in found) for wanted in STEPS), found
    assert any("/tool" in step and "RUN" in step for step in found), "the step of another stage"
    assert cached.layers("same") == cached.layers("cache")
    # The registry lets in nobody without a login.
    assert PASSWORD not in outcome.output


@needs_engine_of_its_own
def test_a_fresh_engine_builds_only_what_changed(cached: Cached, tmp_path: Path) -> None:
    outcome = cached.built_afresh(tmp_path, "changed", who="changed")
    assert any(step.endswith(STEPS[0]) for step in from_cache(outcome))
    assert not any(step.endswith(STEPS[1]) for step in from_cache(outcome))
    *kept, last = cached.layers("changed")
    *others, previous = cached.layers("cache")
    assert kept == others
    assert last != previous


@needs_engine_of_its_own
def test_a_fresh_engine_without_the_cache_builds_everything(cached: Cached, tmp_path: Path) -> None:
    program = PROGRAM.replace("        cache_from=", "        # cache_from=")
    outcome = cached.built_afresh(tmp_path, "anew", program)
    assert from_cache(outcome) == []
    # The last one, a file of the context, comes out the same.
    assert not set(cached.layers("anew")[:-1]) & set(cached.layers("cache")[:-1])


@needs_engine_of_its_own
def test_the_machines_own_login_reads_the_cache(cached: Cached, tmp_path: Path) -> None:
    own = write_context(tmp_path / "docker-config", {})
    own.mkdir()
    login = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    (own / "config.json").write_text(json.dumps({"auths": {registry().host: {"auth": login}}}))
    program = PROGRAM.replace("    registry=login(),\n", "")
    outcome = cached.built_afresh(tmp_path, "own", program, DOCKER_CONFIG=str(own))
    assert any(step.endswith(STEPS[0]) for step in from_cache(outcome))
    assert cached.layers("own") == cached.layers("cache")


def test_a_cache_that_refuses_the_login_is_told_and_hinders_no_build(cached: Cached, tmp_path: Path) -> None:
    asking = error(401, "UNAUTHORIZED", "authentication required", WWW_Authenticate='Basic realm="here"')
    with push_registry({"every": lambda _: asking}) as server:
        cache = f"{server.host}/team/app:cache"
        outcome = up(tmp_path, PROGRAM.replace("AFTER", "[]"), cached.repository, "refused", TEST_CACHE=cache)
        (warning,) = outcome.warnings
        assert warning.startswith(f"the build cache {cache} was not used: ")
        assert "401 Unauthorized" in warning
