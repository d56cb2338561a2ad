"""webui under a class: so many browsers that have the page open, while the services mine on the same processors."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from benchmarks import mining
from benchmarks.attendance import Attendance
from benchmarks.browsers import STARTED
from benchmarks.crew import speed
from benchmarks.rounds import Figures, measure
from tests.services.harness import ROOT, Fleet, Redis, Service

ALONE: Final = "mining alone"
_LEAVING_WITHIN: Final = 90.0  # seconds


def with_a_class(browsers: int) -> str:
    """What mining beside so many browsers is called."""
    return f"mining with a class of {browsers}"


def compare(
    rounds: int, tell: Callable[[str], None], *, browsers: int = 500, workers: int = 1, seconds: float = 8.0
) -> tuple[dict[str, Figures], list[Attendance]]:
    """Hashes a second without and with browsers at webui, in turn; and what the browsers met with, round by round.

    The services are the same processes all the time: redis, one rng, one hasher, so many workers, and a webui.

    Args:
        rounds: how often each is measured.
        tell: is given one line for each figure, and for each class.
        browsers: how many there are.
        workers: how many mine.
        seconds: how long each is measured, at least.

    Raises:
        DishonestError: hashes were counted that were not done.
    """
    lessons: list[Attendance] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        redis, fleet = Redis(folder), Fleet(folder)
        try:
            services = asyncio.run(_started(fleet, redis, workers))

            def alone() -> float:
                return speed(redis.hashes, seconds)

            def watched() -> float:
                with attending(f"{services['webui'][0].url}/json", browsers) as leave:
                    figure = speed(redis.hashes, seconds)
                    lessons.append(leave())
                tell(str(lessons[-1]))
                return figure

            figures = measure({ALONE: alone, with_a_class(browsers): watched}, rounds, tell, "hashes/s")
            asyncio.run(mining.stop(services["worker"]))
            mining.check(redis, {name: mining.requests_answered(services[name]) for name in ("rng", "hasher")})
        finally:
            fleet.close()
            redis.close()
    return figures, lessons


@contextmanager
def attending(url: str, browsers: int) -> Generator[Callable[[], Attendance]]:
    """Let browsers ask for a URL while the block runs; what is given makes them leave, and tells what they met with.

    Raises:
        RuntimeError: they could not begin; the message is what they said.
    """
    command = [sys.executable, "-m", "benchmarks.browsers", url, str(browsers)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as process:
        try:
            if not process.stdout or process.stdout.readline().strip() != STARTED:
                process.kill()
                raise RuntimeError(f"no browsers: {process.communicate()[1]}")

            def leave() -> Attendance:
                told, complaint = process.communicate(timeout=_LEAVING_WITHIN)
                if process.returncode:
                    raise RuntimeError(f"the browsers ended ({process.returncode}): {complaint}")
                return _read(told)

            yield leave
        finally:
            process.kill()


def _read(text: str) -> Attendance:
    """An attendance as the browsers print it."""
    document: dict[str, Any] = json.loads(text)
    document["latencies"] = tuple(document["latencies"])
    return Attendance(**document)


async def _started(fleet: Fleet, redis: Redis, workers: int) -> dict[str, list[Service]]:
    await redis.start()
    rng, hasher = await fleet.start("rng"), await fleet.start("hasher")
    webui = await fleet.start("webui", **redis.settings)
    crew = await mining.start_workers(fleet, redis, workers, [rng.url], [hasher.url])
    return {"rng": [rng], "hasher": [hasher], "webui": [webui], "worker": crew}
