"""What the services tell Prometheus."""

import asyncio
from collections.abc import AsyncGenerator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from services.rng.rng.logs import RequestIds
from services.rng.rng.metrics import SECONDS, Histogram, Metrics
from services.rng.rng.observation import Observer
from services.rng.rng.tracing import Tracer

from .harness import Fleet, Redis, Service, free_port, until
from .test_runtime import NAMES

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


async def families(http: aiohttp.ClientSession, url: str) -> list[Metric]:
    async with http.get(url) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/plain"
        return list(text_string_to_metric_families(await answer.text()))


async def value(http: aiohttp.ClientSession, service: Service, name: str, **labels: str) -> float | None:
    """The value of the sample that has these labels, and may have others."""
    found = [
        sample.value
        for family in await families(http, f"{service.url}/metrics")
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    assert len(found) < 2, f"{name} {labels} is told {len(found)} times"
    return found[0] if found else None


async def start(fleet: Fleet, redis: Redis, name: str, **settings: object) -> Service:
    needs_redis = name in {"webui", "worker"}
    return await fleet.start(name, **((redis.settings if needs_redis else {}) | settings))


@pytest.mark.parametrize("name", NAMES)
async def test_metrics_have_names_units_and_a_help_text_as_prometheus_wants_them(
    fleet: Fleet, redis: Redis, http: aiohttp.ClientSession, name: str
) -> None:
    service = await start(fleet, redis, name, SERVICE_VERSION="1.2.3")
    told = await families(http, f"{service.url}/metrics")
    own = [family for family in told if not family.name.startswith(("process_", "python_"))]
    assert {family.name for family in told} >= {"process_cpu_seconds", "process_resident_memory_bytes", "python_info"}
    for family in own:
        assert family.name.startswith("dockercoins_")
        assert family.documentation
        assert family.type in {"counter", "gauge", "histogram"}
        if family.type == "histogram":
            assert family.name.endswith("_seconds")
        for sample in family.samples:
            assert sample.labels["component"] == name
            assert family.type != "counter" or sample.name.endswith("_total")
    build = {"component": name, "version": "1.2.3"}
    assert await value(http, service, "dockercoins_build_info", **build) == 1


@pytest.mark.parametrize("name", NAMES)
async def test_metrics_can_have_a_port_of_their_own(
    fleet: Fleet, redis: Redis, http: aiohttp.ClientSession, name: str
) -> None:
    port = free_port()
    service = await start(fleet, redis, name, METRICS_PORT=port)
    assert await families(http, f"http://127.0.0.1:{port}/metrics")
    async with http.get(f"{service.url}/metrics") as answer:
        assert answer.status == 404
    async with http.get(f"http://127.0.0.1:{port}/") as answer:
        assert answer.status == 404
    service.terminate()
    assert await service.ended() == 0


async def test_a_port_for_metrics_that_is_taken_is_told(fleet: Fleet) -> None:
    other = await fleet.start("rng")
    service = fleet.launch("rng", METRICS_PORT=other.port)
    assert await service.ended() == 1
    assert service.event("cannot listen")["port"] == other.port


async def test_requests_are_counted_by_route_and_status_and_whatever_clients_send_makes_few_of_them(
    fleet: Fleet, http: aiohttp.ClientSession
) -> None:
    rng = await fleet.start("rng")
    for path in ["/1", "/2", "/32", "/9999999", "/a", "/b", "/healthz", "/readyz", "/metrics"]:
        async with http.get(rng.url + path) as answer:
            await answer.read()
    for method in ("POST", "PUT", "PROPFIND"):
        async with http.request(method, f"{rng.url}/32") as answer:
            assert answer.status == 405
    counted = {
        (sample.labels["method"], sample.labels["route"], sample.labels["status"]): sample.value
        for family in await families(http, f"{rng.url}/metrics")
        for sample in family.samples
        if sample.name == "dockercoins_http_request_duration_seconds_count"
    }
    assert counted == {
        ("GET", "/{count}", "200"): 3,
        ("GET", "/{count}", "413"): 1,
        ("GET", "unknown", "404"): 2,
        ("POST", "unknown", "405"): 1,
        ("_OTHER", "unknown", "405"): 2,
    }
    assert await value(http, rng, "dockercoins_rng_random_bytes_total") == 1 + 2 + 32


async def test_requests_in_flight_and_clients_that_went_away_are_told(
    fleet: Fleet, http: aiohttp.ClientSession
) -> None:
    rng = await fleet.start("rng", DELAY_SECONDS=30)
    request = asyncio.create_task(http.get(f"{rng.url}/32"))

    async def in_flight(count: int) -> bool:
        return await value(http, rng, "dockercoins_http_requests_in_flight") == count

    await until(lambda: in_flight(1), "the request to be in flight")
    request.cancel()
    await until(lambda: in_flight(0), "the request to be given up")
    gone = {"route": "/{count}", "status": "499"}
    assert await value(http, rng, "dockercoins_http_request_duration_seconds_count", **gone) == 1


@pytest.fixture
async def broken() -> AsyncGenerator[tuple[TestClient[web.Request, web.Application], Metrics]]:
    """A service whose only path fails."""

    async def fail(_: web.Request) -> web.Response:
        raise RuntimeError("broken")

    app = web.Application()
    app.router.add_get("/", fail)
    metrics = Metrics("broken", "1")
    Observer(metrics, Tracer(), RequestIds(0), ignore=frozenset()).watch(app, asyncio.Event())
    async with TestClient(TestServer(app)) as client:
        yield client, metrics


async def test_a_mistake_of_the_service_counts_as_500_and_is_logged_with_its_request(
    broken: tuple[TestClient[web.Request, web.Application], Metrics], caplog: pytest.LogCaptureFixture
) -> None:
    client, metrics = broken
    assert (await client.get("/")).status == 500
    labels = {"component": "broken", "method": "GET", "route": "/", "status": "500"}
    assert metrics.registry.get_sample_value("dockercoins_http_request_duration_seconds_count", labels) == 1
    assert metrics.registry.get_sample_value("dockercoins_http_requests_in_flight", {"component": "broken"}) == 0
    (line,) = [record for record in caplog.records if record.message == "request"]
    assert (line.levelname, line.__dict__["status"]) == ("WARNING", 500)


async def test_hasher_tells_what_it_hashed(fleet: Fleet, http: aiohttp.ClientSession) -> None:
    hasher = await fleet.start("hasher")
    for body in (b"", b"x" * 32, b"y" * 100_000):
        async with http.post(f"{hasher.url}/", data=body) as answer:
            assert answer.status == 200
    assert await value(http, hasher, "dockercoins_hasher_hashes_total") == 3
    assert await value(http, hasher, "dockercoins_hasher_hashed_bytes_total") == 100_032
    counted = {"method": "POST", "route": "/", "status": "200"}
    assert await value(http, hasher, "dockercoins_http_request_duration_seconds_count", **counted) == 3


async def test_worker_and_webui_tell_what_was_mined_and_how_redis_and_the_servers_are(
    fleet: Fleet, redis: Redis, http: aiohttp.ClientSession
) -> None:
    rng, hasher = await fleet.start("rng"), await fleet.start("hasher")
    worker = await fleet.start("worker", RNG_URL=rng.url, HASHER_URL=hasher.url, **redis.settings)
    webui = await fleet.start("webui", **redis.settings)

    async def up() -> bool:
        values = [
            await value(http, worker, "dockercoins_worker_server_up", server=server)
            for server in ("redis", "rng", "hasher")
        ]
        return values == [1, 1, 1] and await value(http, webui, "dockercoins_webui_redis_up") == 1

    await until(up, "all to be up")
    await until(lambda: redis.client.hlen("wallet") > 0, "a coin")
    redis.kill()

    async def away() -> bool:
        return (
            await value(http, worker, "dockercoins_worker_server_up", server="redis") == 0
            and await value(http, webui, "dockercoins_webui_redis_up") == 0
        )

    await until(away, "redis to be missed")
    assert await value(http, webui, "dockercoins_webui_hashes") is None
    failures = "dockercoins_worker_redis_failures_total"
    assert (await value(http, worker, failures, reason="away") or 0) > 0
    assert await value(http, worker, failures, reason="refused") == 0
    await redis.start()
    await until(up, "redis to be found again")
    rng.kill()

    async def missed() -> bool:
        return (await value(http, worker, "dockercoins_worker_rng_failures_total", reason="connection") or 0) > 0

    await until(missed, "rng to be missed")
    await fleet.start("rng", rng.port)
    await until(up, "rng to be found again")
    for server in ("redis", "rng"):
        assert await value(http, worker, "dockercoins_worker_reconnects_total", server=server) == 1
    assert await value(http, worker, "dockercoins_worker_reconnects_total", server="hasher") == 0
    assert await value(http, webui, "dockercoins_webui_redis_reconnects_total") == 1

    # With hasher away the worker stands still, and the figures can be held against each other.
    hasher.kill()
    await until(worker.told("hasher does not answer: trying on"), "hasher to be missed")

    async def written() -> bool:
        unwritten = await value(http, worker, "dockercoins_worker_units_unwritten")
        return unwritten == 0 and await value(http, webui, "dockercoins_webui_hashes") == redis.hashes()

    await until(written, "all to be written")
    units = await value(http, worker, "dockercoins_worker_units_total") or 0
    assert units == redis.hashes() > 0
    assert await value(http, worker, "dockercoins_worker_coins_total") == redis.client.hlen("wallet")
    assert await value(http, webui, "dockercoins_webui_coins") == redis.client.hlen("wallet")
    assert await value(http, webui, "dockercoins_webui_workers") == 1
    assert await value(http, worker, "dockercoins_worker_unit_duration_seconds_count") == units
    answers = "dockercoins_worker_request_duration_seconds_count"
    assert await value(http, worker, answers, server="hasher") == units
    assert (await value(http, worker, answers, server="rng") or 0) >= units
    assert (await value(http, worker, "dockercoins_worker_redis_write_duration_seconds_count") or 0) > 0
    assert await value(http, worker, "dockercoins_worker_units_in_flight") == 32


def test_a_duration_counts_in_the_bucket_whose_bound_it_does_not_pass() -> None:
    metrics = Metrics("test", "1")
    histogram: Histogram = metrics.histogram("dockercoins_test_seconds", "A test.", ("kind",))("a")
    for seconds in (0.0, SECONDS[0], SECONDS[0] * 1.01, 0.1, SECONDS[-1], SECONDS[-1] + 1):
        histogram.observe(seconds)

    def read(suffix: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(
            f"dockercoins_test_seconds{suffix}", {"component": "test", "kind": "a", **labels}
        )

    assert [read("_bucket", le=le) for le in ("0.0005", "0.001", "0.05", "0.1", "5.0", "10.0", "+Inf")] == [
        *(2, 3, 3, 4, 4, 5, 6)
    ]
    assert read("_count") == 6
    assert read("_sum") == pytest.approx(SECONDS[0] * 2.01 + 0.1 + 2 * SECONDS[-1] + 1)
