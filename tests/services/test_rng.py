"""rng: the wire contract, the queue of the teaching profile, and the drain."""

import asyncio
import socket

import aiohttp
import pytest

from services.rng.rng.app import MOST_BYTES, RandomSource, Settings

from .harness import Fleet, Service, until


async def test_the_root_names_the_service_and_its_host(fleet: Fleet, http: aiohttp.ClientSession) -> None:
    rng = await fleet.start("rng")
    async with http.get(f"{rng.url}/") as answer:
        assert (answer.status, answer.content_type) == (200, "text/plain")
        text = await answer.text()
    assert "rng" in text
    assert socket.gethostname() in text


async def test_exactly_so_many_bytes_are_given_as_asked_for_and_never_the_same(
    fleet: Fleet, http: aiohttp.ClientSession
) -> None:
    rng = await fleet.start("rng")
    for count in (0, 1, 32, 1000, MOST_BYTES):
        async with http.get(f"{rng.url}/{count}") as answer:
            assert (answer.status, answer.headers["Content-Type"]) == (200, "application/octet-stream")
            assert len(await answer.read()) == count
    given = {await (await http.get(f"{rng.url}/32")).read() for _ in range(50)}
    assert len(given) == 50


@pytest.mark.parametrize(
    ("path", "status"), [("1048577", 413), ("9" * 5000, 413), ("0032", 200), ("-1", 404), ("ten", 404), ("1/2", 404)]
)
async def test_what_is_too_much_or_no_number_is_refused(
    fleet: Fleet, http: aiohttp.ClientSession, path: str, status: int
) -> None:
    rng = await fleet.start("rng")
    async with http.get(f"{rng.url}/{path}") as answer:
        assert answer.status == status


async def test_a_client_of_http_1_0_without_a_host_is_served(fleet: Fleet) -> None:
    rng = await fleet.start("rng")
    reader, writer = await asyncio.open_connection("127.0.0.1", rng.port)
    writer.write(b"GET /32 HTTP/1.0\r\n\r\n")
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    assert b" 200 " in head.splitlines()[0]
    assert len(body) == 32


class Sleepers:
    """A sleep whose sleepers are woken by hand, and counted."""

    def __init__(self) -> None:
        self.asleep: list[asyncio.Future[None]] = []
        self.delays: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.delays.append(seconds)
        future = asyncio.get_running_loop().create_future()
        self.asleep.append(future)
        await future

    def wake(self) -> None:
        self.asleep.pop(0).set_result(None)


async def test_one_request_at_a_time_in_the_order_of_arrival() -> None:
    sleepers = Sleepers()
    source = RandomSource(Settings(delay_seconds=0.1, concurrency=1), sleepers.sleep)
    done: list[int] = []

    async def take(number: int) -> None:
        await source.take(32)
        done.append(number)

    tasks = [asyncio.create_task(take(number)) for number in range(5)]
    for served in range(5):
        await until(lambda: bool(sleepers.asleep), "the next request to be served")
        assert len(sleepers.asleep) == 1
        assert done == list(range(served))
        sleepers.wake()
    await asyncio.gather(*tasks)
    assert done == [0, 1, 2, 3, 4]
    assert sleepers.delays == [0.1] * 5


async def test_without_a_limit_all_requests_sleep_at_a_time() -> None:
    sleepers = Sleepers()
    source = RandomSource(Settings(delay_seconds=0.1, concurrency=0), sleepers.sleep)
    tasks = [asyncio.create_task(source.take(1)) for _ in range(40)]
    await until(lambda: len(sleepers.asleep) == 40, "all requests to sleep")
    while sleepers.asleep:
        sleepers.wake()
    await asyncio.gather(*tasks)


async def test_health_is_told_while_requests_queue(fleet: Fleet, http: aiohttp.ClientSession) -> None:
    rng = await fleet.start("rng", DELAY_SECONDS=5, CONCURRENCY=1)
    queue = [asyncio.create_task(http.get(f"{rng.url}/32")) for _ in range(10)]
    try:
        for path in ("healthz", "readyz", ""):
            async with http.get(f"{rng.url}/{path}", timeout=aiohttp.ClientTimeout(total=3)) as answer:
                assert answer.status == 200
        assert not any(task.done() for task in queue)
    finally:
        for task in queue:
            task.cancel()


async def test_who_leaves_the_queue_does_not_hold_up_the_others(fleet: Fleet, http: aiohttp.ClientSession) -> None:
    rng = await fleet.start("rng", DELAY_SECONDS=0.5, CONCURRENCY=1)
    for _ in range(60):
        _, writer = await asyncio.open_connection("127.0.0.1", rng.port)
        writer.write(b"GET /32 HTTP/1.1\r\nHost: rng\r\n\r\n")
        await writer.drain()
        writer.close()
    # Served in full, the sixty would take thirty seconds; the client gives up after twenty.
    async with http.get(f"{rng.url}/32") as answer:
        assert len(await answer.read()) == 32


class Load:
    """Clients that ask again and again, over kept connections; a request that fails is raised by stop()."""

    def __init__(self, http: aiohttp.ClientSession, service: Service, body: bytes | None) -> None:
        self.statuses: list[int] = []
        self._stop = asyncio.Event()
        method, url = ("GET", f"{service.url}/32") if body is None else ("POST", f"{service.url}/")

        async def client() -> None:
            while not self._stop.is_set():
                async with http.request(method, url, data=body) as answer:
                    await answer.read()
                    self.statuses.append(answer.status)

        self._clients = [asyncio.create_task(client()) for _ in range(32)]

    async def more(self, count: int) -> None:
        before = len(self.statuses)
        await until(lambda: len(self.statuses) >= before + count, f"{count} more answers")

    async def stop(self) -> None:
        self._stop.set()
        await asyncio.gather(*self._clients)


@pytest.mark.parametrize(("name", "body"), [("rng", None), ("hasher", b"x" * 32)])
async def test_a_drain_under_load_fails_no_request(
    fleet: Fleet, http: aiohttp.ClientSession, name: str, body: bytes | None
) -> None:
    service = await fleet.start(name, DELAY_SECONDS=0.05, DRAIN_SECONDS=3)
    load = Load(http, service, body)
    await load.more(100)
    async with http.get(f"{service.url}/readyz") as answer:
        assert answer.status == 200
    service.terminate()
    await until(service.told("draining"), "the drain")
    async with http.get(f"{service.url}/readyz") as answer:
        assert answer.status == 503
        assert await answer.json() == {"status": "not ready", "reason": "draining"}
        assert answer.headers["Connection"] == "close"
    async with http.get(f"{service.url}/healthz") as answer:
        assert answer.status == 200
    await load.more(200)
    await load.stop()
    assert set(load.statuses) == {200}
    assert await service.ended() == 0


async def test_requests_that_wait_in_the_queue_are_served_before_the_end(
    fleet: Fleet, http: aiohttp.ClientSession
) -> None:
    rng = await fleet.start("rng", DELAY_SECONDS=0.2, CONCURRENCY=1)

    async def take() -> int:
        async with http.get(f"{rng.url}/32") as answer:
            return len(await answer.read())

    queue = [asyncio.create_task(take()) for _ in range(8)]
    await asyncio.wait(queue, return_when=asyncio.FIRST_COMPLETED)
    rng.terminate()
    assert await asyncio.gather(*queue) == [32] * 8
    assert await rng.ended() == 0


async def test_the_end_does_not_wait_for_ever(fleet: Fleet, http: aiohttp.ClientSession) -> None:
    rng = await fleet.start("rng", DELAY_SECONDS=60, GRACE_SECONDS=0.5)
    request = asyncio.create_task(http.get(f"{rng.url}/32"))
    async with http.get(f"{rng.url}/healthz"):
        rng.terminate()
    await rng.ended()
    with pytest.raises(aiohttp.ClientError):
        await request
