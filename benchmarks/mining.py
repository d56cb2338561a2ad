"""Hashes a second on this machine, of ours and of the same contract written the simplest way."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import urllib3

from benchmarks.crew import Crew, Mine, speed
from benchmarks.honesty import answered, verify
from sandbox import web
from tests.services.harness import Fleet, Redis, Service, free_port, until

_Size = TypeVar("_Size")


async def ours(crew: Crew, seconds: float) -> float:
    """Hashes a second of our services as processes of this machine.

    Raises:
        DishonestError: some were counted that were not done.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        redis, fleet = Redis(folder), Fleet(folder)
        try:
            await redis.start()
            rngs = [await fleet.start("rng") for _ in range(crew.rngs)]
            hashers = [await fleet.start("hasher") for _ in range(crew.hashers)]
            workers = await start_workers(
                fleet, redis, crew.workers, [rng.url for rng in rngs], [hasher.url for hasher in hashers]
            )
            figure = await asyncio.to_thread(speed, redis.hashes, seconds)
            await stop(workers)
            check(redis, {"rng": requests_answered(rngs), "hasher": requests_answered(hashers)})
            return figure
        finally:
            fleet.close()
            redis.close()


async def start_workers(
    fleet: Fleet, redis: Redis, count: int, rngs: Sequence[str], hashers: Sequence[str]
) -> list[Service]:
    """Start so many workers; they share the rngs and hashers at these URLs as evenly as can be."""
    return [
        await fleet.start(
            "worker",
            **redis.settings,
            RNG_URL=rngs[number % len(rngs)],
            HASHER_URL=hashers[number % len(hashers)],
        )
        for number in range(count)
    ]


async def stop(workers: Sequence[Service]) -> None:
    """Let workers end in good order: all that they have done is counted then."""
    for worker in workers:
        worker.terminate()
    for worker in workers:
        await worker.ended()


def check(redis: Redis, served: dict[str, int] | None = None) -> None:
    """Raise DishonestError if what redis holds cannot come from as many hashes as it counts."""
    verify(redis.hashes(), redis.client.hgetall("wallet"), served)


async def simplest(workers: int, seconds: float) -> float:
    """Hashes a second of the simplest services, checked like ours as far as they tell."""
    with tempfile.TemporaryDirectory() as name:
        redis = Redis(Path(name))
        processes: list[subprocess.Popen[bytes]] = []

        def start(module: str, *arguments: object) -> None:
            command = [sys.executable, "-m", f"benchmarks.simplest.{module}", *map(str, arguments)]
            processes.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

        try:
            await redis.start()
            rng, hasher = free_port(), free_port()
            start("rng", rng)
            start("hasher", hasher)
            for port in (rng, hasher):
                await until(partial(_answers, port), f"port {port}")
            for _ in range(workers):
                start("worker", f"http://127.0.0.1:{rng}", f"http://127.0.0.1:{hasher}", redis.port)
            return await asyncio.to_thread(speed, redis.hashes, seconds)
        finally:
            for process in processes:
                process.kill()
                process.wait()
            redis.close()


@contextmanager
def processes(seconds: float) -> Generator[Mine]:
    """Our services as processes of this machine, measured for so many seconds; see ``ours``."""
    yield lambda crew: _run(ours, crew, seconds)


def measured_simplest(workers: int, seconds: float) -> float:
    """What ``simplest`` gives, for callers that wait."""
    return _run(simplest, workers, seconds)


def simplest_name(workers: int) -> str:
    """What so many workers of the simplest way are called."""
    return f"simplest, {workers} worker{'s' if workers > 1 else ''}"


def _run(measured: Callable[[_Size, float], Coroutine[None, None, float]], size: _Size, seconds: float) -> float:
    return asyncio.run(measured(size, seconds))


def requests_answered(services: Sequence[Service]) -> int:
    """How many requests they have answered, those of probes among them."""
    return sum(
        answered(urllib3.request("GET", f"{service.url}/metrics", timeout=5).data.decode()) for service in services
    )


def _answers(port: int) -> bool:
    return web.status(f"http://127.0.0.1:{port}/1") is not None
