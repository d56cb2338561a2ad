"""Hashes a second of our services as containers of this machine's Docker Engine, without a cluster."""

from __future__ import annotations

import secrets
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import redis as redis_client
import urllib3
import yaml

from benchmarks import docker_client
from benchmarks.crew import Crew, Mine, speed
from benchmarks.honesty import answered, verify
from benchmarks.waiting import wait
from sandbox import web
from tests.services.harness import ROOT, SERVICES

_PORT: Final = 8080
_REDIS_PORT: Final = 6379
_LABEL: Final = "dockercoins.mining"
_BUILT: Final = ("hasher", "rng", "worker")
_READY_WITHIN: Final = 30.0  # seconds
_STOPPED_WITHIN: Final = 20  # seconds
# What pods are held to as well. No container is limited in its use of the processor.
_RESTRICTED: Final = (
    *("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
    *("--user", "10001:10001"),
)


@contextmanager
def containers(seconds: float) -> Generator[Mine]:
    """Our services as containers, measured for so many seconds; the images are built before and removed afterwards.

    Each crew has a network, a redis and containers of its own. Workers share rngs and hashers as evenly as can be.

    Raises:
        RuntimeError: docker is missing, or has failed; the message has what it said.
        DishonestError: hashes were counted that were not done.
    """
    images = {service: f"dockercoins-mining-{service}:{secrets.token_hex(4)}" for service in _BUILT}
    settings: Mapping[str, Any] = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text())["config"]
    python = f"PYTHON_IMAGE={settings['dockercoins:pythonImage']}"
    try:
        for service, image in images.items():
            docker_client.ask("build", "--quiet", "--build-arg", python, "--tag", image, str(SERVICES / service))
        images["redis"] = settings["dockercoins:redisImage"]

        def mine(crew: Crew) -> float:
            with _place(images) as place:
                return _measured(place, crew, seconds)

        yield mine
    finally:
        built = docker_client.ask(
            "image", "ls", "--quiet", *(f"--filter=reference={images[service]}" for service in _BUILT)
        )
        if built:
            docker_client.ask("image", "rm", "--force", *(images[service] for service in _BUILT))


@dataclass(frozen=True)
class _Place:
    """A network whose containers find each other by their names."""

    name: str
    images: Mapping[str, str]

    def start(self, service: str, alias: str, *command: str, **settings: str) -> None:
        """Start a container that others find as ``alias``; its port is published on a free one of loopback."""
        port = _REDIS_PORT if service == "redis" else _PORT
        variables = [part for item in settings.items() for part in ("--env", "=".join(item))]
        docker_client.ask(
            *("run", "--detach", "--name", f"{self.name}-{alias}", "--label", f"{_LABEL}={self.name}"),
            *("--network", self.name, "--network-alias", alias, "--publish", f"127.0.0.1::{port}"),
            *(*_RESTRICTED, *variables, self.images[service], *command),
        )

    def address(self, alias: str, port: int = _PORT) -> str:
        """Where a container's port is on this machine, like ``127.0.0.1:49153``."""
        return docker_client.ask("port", f"{self.name}-{alias}", f"{port}/tcp").splitlines()[0]

    def stop(self, aliases: Sequence[str]) -> None:
        """Let containers end in good order, all at the same time."""
        docker_client.ask("stop", "--time", str(_STOPPED_WITHIN), *(f"{self.name}-{alias}" for alias in aliases))


@contextmanager
def _place(images: Mapping[str, str]) -> Generator[_Place]:
    place = _Place(f"dockercoins-mining-{secrets.token_hex(4)}", images)
    docker_client.ask("network", "create", place.name)
    try:
        yield place
    finally:
        left = docker_client.ask("ps", "--all", "--quiet", "--filter", f"label={_LABEL}={place.name}").split()
        if left:
            docker_client.ask("rm", "--force", "--volumes", *left)
        docker_client.ask("network", "rm", place.name)


def _measured(place: _Place, crew: Crew, seconds: float) -> float:
    rngs = [f"rng-{number}" for number in range(crew.rngs)]
    hashers = [f"hasher-{number}" for number in range(crew.hashers)]
    workers = [f"worker-{number}" for number in range(crew.workers)]
    place.start("redis", "redis", "redis-server", "--save", "", "--appendonly", "no", "--protected-mode", "no")
    for alias in (*rngs, *hashers):
        place.start(alias.partition("-")[0], alias)
    host, _, port = place.address("redis", _REDIS_PORT).partition(":")
    # The client's own types answer "either a value or an awaitable of it".
    redis: Any = redis_client.Redis(host=host, port=int(port))
    try:
        wait(lambda: _answers(redis), "redis", _READY_WITHIN)
        addresses = {alias: place.address(alias) for alias in (*rngs, *hashers)}
        for alias, address in addresses.items():
            wait(lambda at=address: web.status(f"http://{at}/readyz") is not None, alias, _READY_WITHIN)
        for number, alias in enumerate(workers):
            peers = {"RNG_URL": rngs[number % len(rngs)], "HASHER_URL": hashers[number % len(hashers)]}
            urls = {variable: f"http://{peer}:{_PORT}" for variable, peer in peers.items()}
            place.start("worker", alias, REDIS_HOST="redis", **urls)
        figure = speed(lambda: int(redis.get("hashes") or 0), seconds)
        place.stop(workers)
        served = {"rng": 0, "hasher": 0}
        for alias, address in addresses.items():
            text = urllib3.request("GET", f"http://{address}/metrics", timeout=5).data.decode()
            served[alias.partition("-")[0]] += answered(text)
        verify(int(redis.get("hashes") or 0), redis.hgetall("wallet"), served)
        return figure
    finally:
        redis.close()


def _answers(redis: Any) -> bool:
    try:
        return bool(redis.ping())
    except redis_client.RedisError:
        return False
