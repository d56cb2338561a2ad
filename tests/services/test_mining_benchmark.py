"""The benchmark of mining in small: it measures, and it finds services that cheat."""

import asyncio
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks import mining, mining_containers
from benchmarks.crew import Crew, speed
from benchmarks.honesty import DishonestError
from benchmarks.mining_containers import containers
from benchmarks.rounds import measure

from .harness import Fleet, Redis, docker


@contextmanager
def _answering(content: bytes) -> Generator[str]:
    """The URL of a server that gives the same answer to everybody."""

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815 - the name that the library looks for

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


async def _mined(fleet: Fleet, redis: Redis, rng: str, hasher: str) -> None:
    workers = await mining.start_workers(fleet, redis, 1, [rng], [hasher])
    await asyncio.to_thread(speed, redis.hashes, 1)
    await mining.stop(workers)


async def test_ours_and_the_simplest_way_are_measured() -> None:
    assert await mining.ours(Crew(1, 1, 2), 1) > await mining.simplest(1, 1) > 0


@pytest.fixture
def engine() -> str:
    client = docker()
    if client is None or subprocess.run([client, "info"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no Docker Engine")
    return client


def _nothing_is_left(client: str) -> bool:
    kinds = (("ps", "--all"), ("network", "ls"), ("image", "ls"))
    listed = [subprocess.run([client, *kind], capture_output=True, text=True, check=True).stdout for kind in kinds]
    return not any("dockercoins-mining-" in text for text in listed)


@pytest.mark.docker
def test_processes_and_containers_take_turns_and_nothing_of_them_is_left(engine: str) -> None:
    with mining.processes(1) as here, containers(1) as boxed:
        contenders = {"processes": lambda: here(Crew(1, 1, 1)), "containers": lambda: boxed(Crew(2, 1, 2))}
        figures = measure(contenders, 1, lambda _: None, "hashes/s")
    assert all(figure.lowest > 0 for figure in figures.values())
    assert _nothing_is_left(engine)


def _seven(metrics: str) -> int:
    del metrics
    return 7


@pytest.mark.docker
def test_containers_that_cheat_are_found_and_nothing_of_them_is_left(
    engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mining_containers, "answered", _seven)
    with containers(1) as mine, pytest.raises(DishonestError, match=r"rng answered 14 .*hasher answered 7 "):
        mine(Crew(2, 1, 1))
    assert _nothing_is_left(engine)


async def test_an_rng_that_repeats_itself_is_found(fleet: Fleet, redis: Redis) -> None:
    hasher = await fleet.start("hasher")
    with _answering(bytes(range(32))) as rng:
        await _mined(fleet, redis, rng, hasher.url)
    with pytest.raises(DishonestError, match="hashes give about"):
        mining.check(redis)


async def test_a_hasher_that_only_pretends_is_found(fleet: Fleet, redis: Redis) -> None:
    rng = await fleet.start("rng")
    with _answering(b"0" * 64) as hasher:
        await _mined(fleet, redis, rng.url, hasher)
    with pytest.raises(DishonestError, match="are not the SHA-256 of their bytes"):
        mining.check(redis)


async def test_a_worker_that_counts_more_than_it_does_is_found(fleet: Fleet, redis: Redis) -> None:
    rng, hasher = await fleet.start("rng"), await fleet.start("hasher")
    await _mined(fleet, redis, rng.url, hasher.url)
    # So many that chance cannot explain it, however few were mined on a busy machine.
    redis.client.incrby("hashes", 9 * redis.hashes())
    with pytest.raises(DishonestError, match=r"hashes give about.*answered \d+ requests"):
        mining.check(redis, {"rng": redis.hashes() // 2, "hasher": redis.hashes()})
