"""Real services and a real redis for tests: started on free loopback ports, and gone when the test is."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast

import redis as redis_client

ROOT = Path(__file__).parents[2]
SERVICES = ROOT / "services"
REDIS_IMAGE = "redis:8-trixie"
PATIENCE_SECONDS = 20.0


async def until(condition: Callable[[], bool | Awaitable[bool]], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait for a condition; fail with what was waited for."""
    end = time.monotonic() + seconds
    while True:
        holds = condition()
        if holds is True or (not isinstance(holds, bool) and await holds):
            return
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds:g} s in vain for: {what}")
        await asyncio.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def docker() -> str | None:
    """The docker client; the distribution's own comes first, as one earlier on PATH may lack BuildKit."""
    return next((path for path in ("/usr/bin/docker", shutil.which("docker")) if path and Path(path).exists()), None)


@dataclass
class Service:
    """One process of a service."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]

    def event(self, message: str) -> dict[str, Any]:
        found = [line for line in self.events() if line["msg"] == message]
        assert found, f"no line {message!r} in {self.events()}"
        return found[-1]

    def count(self, message: str) -> int:
        return sum(line["msg"] == message for line in self.events())

    def told(self, message: str) -> Callable[[], bool]:
        return lambda: self.count(message) > 0

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    async def ended(self, seconds: float = PATIENCE_SECONDS) -> int:
        await until(lambda: self.process.poll() is not None, f"the end of {self.name}", seconds)
        return cast(int, self.process.returncode)


@dataclass
class Fleet:
    """Starts processes of services, and ends those that are left."""

    folder: Path
    processes: list[Service] = field(default_factory=list[Service])

    def launch(self, name: str, listen: int | None = None, /, **settings: object) -> Service:
        """Start a service without waiting for it."""
        port = listen or free_port()
        inherited = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
        environment = inherited | {"PYTHONDONTWRITEBYTECODE": "1", "HOST": "127.0.0.1", "PORT": str(port)}
        environment |= {key: str(value) for key, value in settings.items()}
        log = self.folder / f"{name}-{len(self.processes)}.log"
        with log.open("wb") as stdout:
            process = subprocess.Popen(
                [sys.executable, "-m", name], cwd=SERVICES / name, env=environment, stdout=stdout
            )
        service = Service(name, port, process, log)
        self.processes.append(service)
        return service

    async def start(self, name: str, listen: int | None = None, /, **settings: object) -> Service:
        """Start a service and wait until it listens."""
        service = self.launch(name, listen, **settings)

        def listens() -> bool:
            assert service.process.poll() is None, f"{name} ended: {service.events()}"
            return service.count("started") > 0

        await until(listens, f"{name} to listen")
        return service

    def close(self) -> None:
        for service in self.processes:
            if service.process.poll() is None:
                service.kill()


class Engine(Protocol):
    """Something that runs redis and can be killed and started again with its data."""

    def start(self) -> None: ...
    def kill(self) -> None: ...
    def remove(self) -> None: ...


class RedisProcess:
    """redis-server of this machine."""

    def __init__(self, port: int, folder: Path, arguments: list[str]) -> None:
        self._command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), *arguments]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()

    remove = kill


class RedisContainer:
    """redis in a container, where the machine has no redis-server."""

    def __init__(self, client: str, port: int, arguments: list[str]) -> None:
        self._client = client
        self._name = f"dockercoins-test-redis-{port}"
        self._create = ["run", "--detach", "--name", self._name, "--publish", f"127.0.0.1:{port}:6379", REDIS_IMAGE]
        # Its port is published on loopback alone, but to redis everybody seems to come from elsewhere.
        self._create += ["redis-server", "--dir", "/tmp", "--protected-mode", "no", *arguments]  # noqa: S108
        self._made = False

    def start(self) -> None:
        self._docker(*(["start", self._name] if self._made else self._create))
        self._made = True

    def kill(self) -> None:
        self._docker("kill", self._name)

    def remove(self) -> None:
        self._docker("rm", "--force", "--volumes", self._name)

    def _docker(self, *arguments: str) -> None:
        subprocess.run([self._client, *arguments], check=True, capture_output=True)


class Redis:
    """A real redis that keeps everything it acknowledges, even if it is killed."""

    def __init__(self, folder: Path, password: str | None = None) -> None:
        self.port = free_port()
        arguments = ["--save", "", "--appendonly", "yes", "--appendfsync", "always"]
        arguments += ["--requirepass", password] if password else []
        client = docker()
        if shutil.which("redis-server"):
            self._engine: Engine = RedisProcess(self.port, folder, arguments)
        elif client:
            self._engine = RedisContainer(client, self.port, arguments)
        else:
            raise AssertionError("these tests need redis-server on PATH (apt-get install redis-server), or docker")
        # The client's own types answer "either a value or an awaitable of it".
        self.client: Any = redis_client.Redis(port=self.port, password=password)

    @property
    def settings(self) -> dict[str, object]:
        """The environment variables by which a service finds it."""
        return {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": self.port}

    def hashes(self) -> int:
        return int(self.client.get("hashes") or 0)

    async def start(self) -> None:
        self._engine.start()

        def answers() -> bool:
            try:
                return bool(self.client.ping())
            except redis_client.RedisError:
                return False

        await until(answers, "redis")

    def kill(self) -> None:
        self._engine.kill()

    def close(self) -> None:
        self.client.close()
        self._engine.remove()
