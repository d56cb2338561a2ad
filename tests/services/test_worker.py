"""worker: mines to the wire contract, and counts each unit once whatever goes away meanwhile."""

import asyncio
import hashlib
import itertools
import json
import re
import threading
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from services.worker.worker.backoff import Contact, delays
from services.worker.worker.ledger import PLACES, Ledger
from services.worker.worker.store import stale_workers

from .harness import Fleet, Redis, Service, free_port, until


class Mine:
    """rng, hasher and workers around one redis."""

    def __init__(self, fleet: Fleet, redis: Redis) -> None:
        self.fleet = fleet
        self.redis = redis
        self.rng_port = free_port()
        self.hasher_port = free_port()

    async def start_servers(self, delay_seconds: float = 0.0) -> dict[str, Service]:
        rng, hasher = await asyncio.gather(
            self.fleet.start("rng", self.rng_port, DELAY_SECONDS=delay_seconds),
            self.fleet.start("hasher", self.hasher_port, DELAY_SECONDS=delay_seconds),
        )
        return {"rng": rng, "hasher": hasher}

    async def start_worker(self, **settings: object) -> Service:
        usual: dict[str, object] = {
            "RNG_URL": f"http://127.0.0.1:{self.rng_port}",
            "HASHER_URL": f"http://127.0.0.1:{self.hasher_port}/",
            "CONCURRENCY": 4,
        }
        return await self.fleet.start("worker", **(usual | self.redis.settings | settings))

    async def growth(self, least: int = 1) -> None:
        before = self.redis.hashes()
        await until(lambda: self.redis.hashes() >= before + least, f"{least} more hashes")

    async def finish(self, *workers: Service) -> None:
        """End the workers, and hold what is in redis against what they say they did."""
        for worker in workers:
            worker.terminate()
        units = 0
        for worker in workers:
            assert await worker.ended() == 0
            told = worker.event("mining ended")
            assert told["units_lost"] == 0
            units += told["units"]
        assert units > 0
        assert self.redis.hashes() == units
        wallet: dict[bytes, bytes] = self.redis.client.hgetall("wallet")
        for digest, random_bytes in wallet.items():
            assert digest.startswith(b"0")
            assert len(random_bytes) == 32
            assert hashlib.sha256(random_bytes).hexdigest().encode() == digest
        # One in sixteen; ten standard deviations are allowed for.
        assert abs(len(wallet) - units / 16) < 10 * (units * 15 / 256) ** 0.5 + 1


@pytest.fixture
def mine(fleet: Fleet, redis: Redis) -> Mine:
    return Mine(fleet, redis)


async def test_hashes_and_coins_grow_and_are_what_the_workers_did(mine: Mine) -> None:
    await mine.start_servers()
    workers = [await mine.start_worker(), await mine.start_worker(CONCURRENCY=1)]
    await mine.growth(2000)
    await mine.finish(*workers)


async def test_the_keys_have_the_form_of_the_contract(mine: Mine) -> None:
    await mine.start_servers()
    worker = await mine.start_worker()
    await until(lambda: mine.redis.client.hlen("wallet") > 0, "a coin")
    assert mine.redis.client.type("wallet") == b"hash"
    assert mine.redis.client.get("hashes").isdigit()
    await mine.finish(worker)


async def test_the_worker_adds_to_what_others_have_counted(mine: Mine) -> None:
    mine.redis.client.set("hashes", 1_000_000)
    await mine.start_servers()
    worker = await mine.start_worker()
    await until(lambda: mine.redis.hashes() > 1_000_000, "the count to grow")
    mine.redis.client.decrby("hashes", 1_000_000)
    await mine.finish(worker)


async def test_a_clean_end_leaves_nothing_behind_but_the_counts(mine: Mine) -> None:
    await mine.start_servers()
    worker = await mine.start_worker()
    await mine.growth(100)
    assert mine.redis.client.hlen("workers") == 1
    assert {key.split(b":")[0] for key in mine.redis.client.scan_iter()} == {
        b"hashes",
        b"wallet",
        b"workers",
        b"worker",
    }
    await mine.finish(worker)
    assert set(mine.redis.client.scan_iter()) == {b"hashes", b"wallet"}


async def test_the_heartbeat_tells_how_rng_and_hasher_are(mine: Mine) -> None:
    servers = await mine.start_servers()
    worker = await mine.start_worker()

    def heartbeat() -> dict[str, Any]:
        values = mine.redis.client.hvals("workers")
        return json.loads(values[0]) if values else {"rng": {"up": False}, "hasher": {"up": False}}

    await until(lambda: bool(heartbeat()["rng"]["up"] and heartbeat()["hasher"]["up"]), "both to be up")
    beat = heartbeat()
    assert abs(beat["at"] - time.time()) < 5
    assert beat["units"] > 0
    assert beat["rng"]["ms"] > 0
    assert beat["unit_ms"] >= beat["rng"]["ms"]
    assert beat["pause_ms"] == 0
    servers["hasher"].kill()
    await until(lambda: not heartbeat()["hasher"]["up"], "hasher to be told as down")
    assert heartbeat()["rng"]["up"]
    await mine.finish(worker)


@pytest.mark.parametrize("name", ["rng", "hasher"])
async def test_a_server_that_goes_and_comes_back_costs_no_unit_and_two_lines_of_log(mine: Mine, name: str) -> None:
    servers = await mine.start_servers()
    worker = await mine.start_worker(CONCURRENCY=16)
    await mine.growth(100)
    servers[name].kill()
    await until(worker.told(f"{name} does not answer: trying on"), "the worker to notice")
    port = mine.rng_port if name == "rng" else mine.hasher_port
    await mine.fleet.start(name, port)
    await until(lambda: worker.count(f"{name} answers") == 2, "the worker to come back")
    await mine.growth(100)
    await mine.finish(worker)
    assert worker.count(f"{name} does not answer: trying on") == 1
    assert worker.count(f"{name} answers") == 2


async def test_a_server_that_ends_in_good_order_and_is_replaced_is_no_trouble(mine: Mine) -> None:
    servers = await mine.start_servers()
    worker = await mine.start_worker(CONCURRENCY=16)
    for name, port in (("rng", mine.rng_port), ("hasher", mine.hasher_port)):
        await mine.growth(100)
        servers[name].terminate()
        assert await servers[name].ended() == 0
        await mine.fleet.start(name, port)
    await mine.growth(100)
    await mine.finish(worker)


async def test_the_worker_waits_for_servers_and_redis_that_are_not_there_yet(fleet: Fleet, redis: Redis) -> None:
    mine = Mine(fleet, redis)
    redis.kill()
    worker = await mine.start_worker()
    await until(worker.told("redis does not answer: trying on"), "the worker to miss redis")
    await until(worker.told("rng does not answer: trying on"), "the worker to miss rng")
    await mine.start_servers()
    await redis.start()
    await mine.growth(100)
    await mine.finish(worker)


async def test_redis_killed_under_mining_workers_loses_and_doubles_nothing(mine: Mine) -> None:
    await mine.start_servers()
    workers = [await mine.start_worker(), await mine.start_worker()]
    for _ in range(3):
        await mine.growth(200)
        mine.redis.kill()
        for worker in workers:
            away = worker.count("redis answers")
            await until(
                lambda worker=worker, away=away: worker.count("redis does not answer: trying on") >= away,
                "the worker to miss redis",
            )
        await mine.redis.start()
        for worker in workers:
            await until(
                lambda worker=worker: worker.count("redis answers") > worker.count("redis does not answer: trying on"),
                "the worker to find redis again",
            )
    await mine.growth(200)
    await mine.finish(*workers)


class LossyProxy:
    """Stands before redis, and cuts connections at the moment when a transaction is run.

    ``before``: the transaction never reaches redis. ``after``: redis runs it, and its answer is lost.
    """

    def __init__(self, port: int, losses: list[str]) -> None:
        self.losses = losses
        self._redis_port = port
        self._tasks: set[asyncio.Task[None]] = set()
        self.server: asyncio.Server | None = None

    async def start(self) -> int:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self.server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        redis_reader, redis_writer = await asyncio.open_connection("127.0.0.1", self._redis_port)
        doomed = asyncio.Event()

        async def answers() -> None:
            while data := await redis_reader.read(65536):
                if doomed.is_set():
                    break
                writer.write(data)
            writer.transport.abort()

        task = asyncio.create_task(answers())
        self._tasks.add(task)
        while data := await reader.read(1 << 20):
            if b"\r\nEXEC\r\n" in data and b"INCRBY" in data and self.losses:
                if self.losses.pop(0) == "before":
                    break
                doomed.set()
            redis_writer.write(data)
        redis_writer.close()
        writer.transport.abort()


async def test_a_write_whose_answer_is_lost_is_counted_once(mine: Mine) -> None:
    await mine.start_servers(delay_seconds=0.01)
    proxy = LossyProxy(mine.redis.port, ["after", "before", "after", "after", "before"])
    worker = await mine.start_worker(REDIS_PORT=await proxy.start())
    await until(lambda: not proxy.losses, "all losses")
    await mine.growth(50)
    await mine.finish(worker)
    assert worker.count("redis does not answer: trying on") > 0


async def test_mining_pauses_when_the_buffer_is_full_and_goes_on_when_redis_is_back(mine: Mine) -> None:
    await mine.start_servers()
    worker = await mine.start_worker(BUFFER_UNITS=500)
    await mine.growth(1)
    mine.redis.kill()
    await until(worker.told("mining pauses: the buffer is full"), "the buffer to fill")
    held = worker.event("mining pauses: the buffer is full")["units"]
    assert held < 500 + 4
    await mine.redis.start()
    await mine.growth(1000)
    await mine.finish(worker)


async def test_units_that_cannot_be_written_at_the_end_are_told_as_lost(mine: Mine) -> None:
    await mine.start_servers()
    worker = await mine.start_worker(GRACE_SECONDS=0.5)
    await mine.growth(1)
    mine.redis.kill()
    await until(worker.told("redis does not answer: trying on"), "the worker to miss redis")
    worker.terminate()
    assert await worker.ended() == 1
    assert worker.event("mining ended")["units_lost"] > 0


async def test_a_worker_that_has_nothing_to_write_does_not_wait_for_redis(mine: Mine) -> None:
    mine.redis.kill()
    worker = await mine.start_worker(GRACE_SECONDS=600)
    await until(worker.told("redis does not answer: trying on"), "the worker to miss redis")
    worker.terminate()
    assert await worker.ended() == 0


async def test_the_end_does_not_wait_for_a_server_that_is_away(mine: Mine) -> None:
    servers = await mine.start_servers()
    worker = await mine.start_worker(GRACE_SECONDS=600)
    await mine.growth(1)
    servers["rng"].kill()
    servers["hasher"].kill()
    await until(worker.told("rng does not answer: trying on"), "the worker to miss rng")
    await mine.finish(worker)


async def test_units_in_flight_are_finished_and_counted_at_the_end(mine: Mine) -> None:
    await mine.start_servers(delay_seconds=0.3)
    worker = await mine.start_worker(CONCURRENCY=8)
    await until(worker.told("rng answers"), "units to be in flight")
    worker.terminate()
    assert await worker.ended() == 0
    assert mine.redis.hashes() == worker.event("mining ended")["units"] >= 8


async def test_readiness_knows_redis_and_liveness_does_not(mine: Mine, http: aiohttp.ClientSession) -> None:
    await mine.start_servers()
    worker = await mine.start_worker()

    async def status(path: str) -> int:
        async with http.get(f"{worker.url}{path}") as answer:
            return answer.status

    assert (await status("/healthz"), await status("/readyz")) == (200, 200)
    mine.redis.kill()
    assert (await status("/healthz"), await status("/readyz")) == (200, 503)
    async with http.get(f"{worker.url}/readyz") as answer:
        assert "redis does not answer" in (await answer.json())["reason"]
    await mine.redis.start()

    async def ready() -> bool:
        return await status("/readyz") == HTTPStatus.OK

    await until(ready, "the worker to be ready again")


async def test_the_password_of_redis_is_used_and_a_wrong_one_is_told(fleet: Fleet, tmp_path: Path) -> None:
    redis = Redis(tmp_path, password="hunter2")
    try:
        await redis.start()
        mine = Mine(fleet, redis)
        await mine.start_servers()
        secret = tmp_path / "password"
        secret.write_text("hunter2\n")
        wrong = await mine.start_worker(REDIS_PASSWORD="wrong")
        await until(wrong.told("redis refuses the password: trying on"), "the wrong password to be told")
        assert "REDIS_PASSWORD" in wrong.event("redis refuses the password: trying on")["reason"]
        wrong.kill()
        worker = await mine.start_worker(REDIS_PASSWORD_FILE=secret)
        await mine.growth(10)
        await mine.finish(worker)
        assert "hunter2" not in worker.log.read_text()
    finally:
        redis.close()


async def test_entries_of_workers_that_ended_without_a_goodbye_are_removed(mine: Mine) -> None:
    mine.redis.client.hset("workers", "gone", json.dumps({"at": time.time() - 61}))
    mine.redis.client.hset("workers", "there", json.dumps({"at": time.time() + 5}))
    await mine.start_worker()
    await until(lambda: not mine.redis.client.hexists("workers", "gone"), "the old entry to go")
    assert mine.redis.client.hexists("workers", "there")


class OldServer(BaseHTTPRequestHandler):
    """rng and hasher in one, over HTTP/1.0, with a new connection for each request, as the public originals do."""

    rng_answers = itertools.count()
    short_answers = 0

    def do_GET(self) -> None:
        # Every third answer is a byte short.
        short = next(self.rng_answers) % 3 == 0
        OldServer.short_answers += short
        self._answer(bytes(31 if short else 32), "application/octet-stream")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(hashlib.sha256(body).hexdigest().encode(), "text/plain;charset=utf-8")

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _answer(self, body: bytes, content_type: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def old_server() -> Generator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), OldServer) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


async def test_servers_without_kept_connections_are_worked_with_and_wrong_answers_do_not_count(mine: Mine) -> None:
    with old_server() as url:
        worker = await mine.start_worker(CONCURRENCY=1, RNG_URL=url, HASHER_URL=url)
        await mine.growth(5)
        worker.terminate()
        assert await worker.ended() == 0
    units = worker.event("mining ended")["units"]
    assert mine.redis.hashes() == units
    assert OldServer.short_answers > 0
    assert units <= next(OldServer.rng_answers) - OldServer.short_answers


class SlowServer:
    """rng and hasher in one, which notes how many requests it has at a time."""

    def __init__(self) -> None:
        self.requests = self.at_a_time = self.most_at_a_time = 0
        self.unanswered = 0

    async def answer(self, request: web.Request) -> web.Response:
        self.requests += 1
        self.at_a_time += 1
        self.most_at_a_time = max(self.most_at_a_time, self.at_a_time)
        try:
            if self.unanswered:
                self.unanswered -= 1
                await asyncio.Event().wait()
            await asyncio.sleep(0.02)
            body = await request.read()
        finally:
            self.at_a_time -= 1
        if request.method == "GET":
            return web.Response(body=bytes(32))
        return web.Response(text=hashlib.sha256(body).hexdigest())


@pytest.fixture
async def slow_server(mine: Mine) -> AsyncGenerator[SlowServer]:
    server = SlowServer()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    for port in (mine.rng_port, mine.hasher_port):
        await web.TCPSite(runner, "127.0.0.1", port).start()
    yield server
    await runner.cleanup()


@pytest.mark.parametrize("concurrency", [1, 7])
async def test_so_many_units_are_in_flight_as_set(mine: Mine, slow_server: SlowServer, concurrency: int) -> None:
    worker = await mine.start_worker(CONCURRENCY=concurrency)
    await until(lambda: slow_server.requests >= 20 * concurrency, "requests")
    worker.terminate()
    assert await worker.ended() == 0
    assert slow_server.most_at_a_time == concurrency
    assert mine.redis.hashes() == worker.event("mining ended")["units"] == slow_server.requests // 2


async def test_a_unit_is_begun_after_its_delay_and_not_at_all_after_a_stop(mine: Mine, slow_server: SlowServer) -> None:
    worker = await mine.start_worker(DELAY_SECONDS=60, GRACE_SECONDS=600)
    await until(worker.told("redis answers"), "the first heartbeat")
    worker.terminate()
    assert await worker.ended() == 0
    assert slow_server.requests == 0


async def test_a_request_without_an_answer_is_given_up_and_tried_again(
    mine: Mine, slow_server: SlowServer, http: aiohttp.ClientSession
) -> None:
    slow_server.unanswered = 5
    worker = await mine.start_worker(REQUEST_SECONDS=0.3)
    await mine.growth(20)
    async with http.get(f"{worker.url}/metrics") as answer:
        text = await answer.text()
    assert re.search(
        r'dockercoins_worker_(rng|hasher)_failures_total\{component="worker",reason="timeout"\} [1-9]', text
    )
    assert slow_server.unanswered == 0
    worker.terminate()
    assert await worker.ended() == 0
    assert mine.redis.hashes() == worker.event("mining ended")["units"]


def test_a_batch_stays_the_same_until_it_is_settled() -> None:
    ledger = Ledger(capacity=10)
    assert ledger.batch() is None
    ledger.record("0a", b"coin")
    ledger.record("a0", b"none")
    batch = ledger.batch()
    assert batch is not None
    assert (batch.sequence, batch.units, batch.coins) == (1, 2, {"0a": b"coin"})
    ledger.record("00", b"another")
    assert ledger.batch() is batch
    assert (batch.units, batch.coins) == (2, {"0a": b"coin"})
    ledger.settle(batch)
    following = ledger.batch()
    assert following is not None
    assert (following.sequence, following.units, following.coins) == (2, 1, {"00": b"another"})


def test_settling_a_batch_twice_does_not_drop_the_next() -> None:
    ledger = Ledger(capacity=10)
    ledger.record("0", b"")
    first = ledger.batch()
    assert first is not None
    ledger.settle(first)
    ledger.record("1", b"")
    second = ledger.batch()
    ledger.settle(first)
    assert ledger.batch() is second


def test_the_ledger_is_full_when_written_and_unwritten_units_reach_its_capacity() -> None:
    ledger = Ledger(capacity=3)
    ledger.record("1", b"")
    batch = ledger.batch()
    ledger.record("2", b"")
    assert (ledger.unwritten, ledger.full) == (2, False)
    ledger.record("3", b"")
    assert (ledger.unwritten, ledger.full) == (3, True)
    assert batch is not None
    ledger.settle(batch)
    assert (ledger.unwritten, ledger.full, ledger.total) == (2, False, 3)


def test_delays_double_up_to_the_most_and_are_spread() -> None:
    runs = [list(itertools.islice(delays(0.1, 5.0), 10)) for _ in range(50)]
    for run in runs:
        for delay, full in zip(run, [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0, 5.0], strict=True):
            assert full / 2 <= delay <= full
    assert len({run[3] for run in runs}) > 25


def test_only_changes_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    contact = Contact("rng")
    for outcome in "ffsssffs":
        contact.failed("reason") if outcome == "f" else contact.succeeded()
    assert [record.message for record in caplog.records] == [
        "rng does not answer: trying on",
        "rng answers",
        "rng does not answer: trying on",
        "rng answers",
    ]


def test_another_trouble_is_logged_and_only_a_return_after_one_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    contact = Contact("redis")
    contact.succeeded()
    assert contact.returns == 0
    for trouble in (None, "redis refuses the password", "redis refuses the password", None):
        contact.failed("reason", trouble)
    contact.succeeded()
    contact.succeeded()
    assert contact.returns == 1
    assert [record.message for record in caplog.records] == [
        "redis answers",
        "redis does not answer: trying on",
        "redis refuses the password: trying on",
        "redis does not answer: trying on",
        "redis answers",
    ]


def test_a_batch_takes_the_places_of_its_units_in_traces_along_but_not_too_many() -> None:
    ledger = Ledger(capacity=10**6)
    for place in range(PLACES + 5):
        ledger.record("1", b"", place)
    ledger.record("1", b"")
    batch = ledger.batch()
    assert batch is not None
    assert batch.places == list(range(PLACES))
    ledger.settle(batch)
    ledger.record("0", b"", "next")
    following = ledger.batch()
    assert following is not None
    assert following.places == ["next"]
    assert ledger.coins == 1


def test_stale_is_what_is_old_or_cannot_be_read() -> None:
    entries = {b"a": b'{"at": 1000}', b"b": b'{"at": 939}', b"c": b"x", b"d": b"{}", b"e": b"[]", b"f": b'{"at": 941}'}
    assert stale_workers(entries, 1000.0) == [b"b", b"c", b"d", b"e"]
