"""Traces, sent to a small collector of OTLP over HTTP."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from .harness import SERVICES, Fleet, Redis, Service, free_port, until
from .test_runtime import NAMES

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


class Collector:
    """Takes what it is sent, and keeps the spans."""

    def __init__(self) -> None:
        self.port = free_port()
        self.spans: list[dict[str, Any]] = []

    @property
    def settings(self) -> dict[str, object]:
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self.port}", "OTEL_BSP_SCHEDULE_DELAY": 100}

    async def take(self, request: web.Request) -> web.Response:
        sent = ExportTraceServiceRequest.FromString(await request.read())
        for of_resource in sent.resource_spans:
            resource = _attributes(of_resource.resource.attributes)
            for of_scope in of_resource.scope_spans:
                for span in of_scope.spans:
                    self.spans.append(
                        {
                            "service": resource["service.name"],
                            "version": resource["service.version"],
                            "name": span.name,
                            "kind": Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
                            "trace": span.trace_id.hex(),
                            "id": span.span_id.hex(),
                            "parent": span.parent_span_id.hex(),
                            "start": span.start_time_unix_nano,
                            "end": span.end_time_unix_nano,
                            "failed": span.status.code == span.status.STATUS_CODE_ERROR,
                            **_attributes(span.attributes),
                        }
                    )
        return web.Response()

    def traces(self) -> dict[str, dict[str, dict[str, Any]]]:
        """The spans by trace, and by service and name."""
        traces: dict[str, dict[str, dict[str, Any]]] = {}
        for span in self.spans:
            traces.setdefault(span["trace"], {})[f"{span['service']}: {span['name']}"] = span
        return traces


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


@pytest.fixture
async def collector() -> AsyncGenerator[Collector]:
    collector = Collector()
    app = web.Application()
    app.router.add_post("/v1/traces", collector.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", collector.port).start()
    yield collector
    await runner.cleanup()


async def mine(fleet: Fleet, redis: Redis, **settings: object) -> dict[str, Service]:
    rng, hasher = await fleet.start("rng", **settings), await fleet.start("hasher", **settings)
    slow: dict[str, object] = {"DELAY_SECONDS": 0.05, "CONCURRENCY": 1, **redis.settings, **settings}
    worker = await fleet.start("worker", RNG_URL=rng.url, HASHER_URL=hasher.url, **slow)
    return {"rng": rng, "hasher": hasher, "worker": worker}


async def test_a_unit_of_work_is_one_trace_through_worker_rng_hasher_and_redis(
    fleet: Fleet, redis: Redis, collector: Collector
) -> None:
    services = await mine(fleet, redis, **collector.settings, LOG_LEVEL="debug", SERVICE_VERSION="1.2.3")
    parts = {
        "worker: unit of work": "internal",
        "worker: GET": "client",
        "rng: GET /{count}": "server",
        "worker: POST": "client",
        "hasher: POST /": "server",
        "worker: EXEC": "client",
    }
    await until(lambda: sum(set(trace) == set(parts) for trace in collector.traces().values()) >= 5, "whole traces")
    for service in reversed(services.values()):
        service.terminate()
        assert await service.ended() == 0
    # What was in flight at the end is sent too.
    for trace in collector.traces().values():
        assert {name: span["kind"] for name, span in trace.items()} == parts
        unit, get, rng, post, hasher, write = (trace[name] for name in parts)
        assert unit["parent"] == ""
        assert {get["parent"], post["parent"], write["parent"]} == {unit["id"]}
        assert (rng["parent"], hasher["parent"]) == (get["id"], post["id"])
        assert get["end"] <= post["start"] <= post["end"] <= write["start"] <= write["end"]
        assert {span["version"] for span in trace.values()} == {"1.2.3"}
        for span in (get, rng, post, hasher):
            assert span["http.response.status_code"] == 200
        assert (rng["http.route"], get["server.port"]) == ("/{count}", services["rng"].port)
        assert (write["db.system.name"], write["dockercoins.units"] >= 1) == ("redis", True)
        assert not any(span["failed"] for span in trace.values())
    assert len(collector.traces()) == redis.hashes()
    for line in services["rng"].events():
        if line["msg"] == "request":
            assert line["span_id"] == collector.traces()[line["trace_id"]]["rng: GET /{count}"]["id"]


async def test_a_server_goes_on_with_the_trace_of_its_client_and_keeps_to_its_choice_of_what_is_recorded(
    fleet: Fleet, collector: Collector, http: aiohttp.ClientSession
) -> None:
    rng = await fleet.start("rng", **collector.settings)
    for path, flags in (("/1", "00"), ("/9999999", "01"), ("/healthz", "01")):
        async with http.get(rng.url + path, headers={"traceparent": f"00-{TRACE}-{PARENT}-{flags}"}) as answer:
            await answer.read()
    rng.terminate()
    assert await rng.ended() == 0
    (span,) = collector.spans
    assert (span["trace"], span["parent"], span["http.response.status_code"]) == (TRACE, PARENT, 413)
    assert not span["failed"]


async def test_so_large_a_part_is_recorded_as_set(fleet: Fleet, redis: Redis, collector: Collector) -> None:
    sampler = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": 0}
    services = await mine(fleet, redis, **collector.settings, **sampler)
    await until(lambda: redis.hashes() > 5, "units")
    for service in reversed(services.values()):
        service.terminate()
        assert await service.ended() == 0
    assert collector.spans == []


async def test_a_collector_that_is_away_holds_up_neither_the_work_nor_the_end(fleet: Fleet, redis: Redis) -> None:
    away = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}", "OTEL_BSP_SCHEDULE_DELAY": 100}
    services = await mine(fleet, redis, **away)
    await until(lambda: redis.hashes() > 20, "units")
    for service in reversed(services.values()):
        service.terminate()
    ends = await asyncio.gather(*(service.ended(8) for service in services.values()))
    assert ends == [0, 0, 0]
    for service in services.values():
        for line in service.events():
            assert line["service"] == service.name
            assert "traceback" not in line


@pytest.mark.parametrize("name", NAMES)
def test_without_an_endpoint_nothing_is_loaded_that_makes_or_sends_traces(name: str) -> None:
    program = f"""
import sys
from {name} import app, runtime
runtime.Telemetry({name!r}, runtime.ServerSettings.read(runtime.Environment({{"OTEL_TRACES_SAMPLER": "loud"}})))
print(*[module for module in sys.modules if module.startswith(("opentelemetry", "google", "requests"))])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=SERVICES / name, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    if name in {"hasher", "rng"}:
        assert loaded == set()
    # The client of redis loads the metrics of OpenTelemetry by itself, and with them the names of its traces.
    assert not {each for each in loaded if each.startswith(("opentelemetry.exporter", "google", "requests"))}
    assert "opentelemetry.sdk.trace.export" not in loaded


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_TRACES_SAMPLER", "some"),
        ("OTEL_TRACES_SAMPLER_ARG", "2"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "collector"),
    ],
)
async def test_wrong_settings_of_traces_are_refused(fleet: Fleet, name: str, value: str) -> None:
    service = fleet.launch("rng", **({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"} | {name: value}))
    assert await service.ended() == 2
    (problem,) = service.event("settings refused")["problems"]
    assert name in problem
    assert value in problem


@pytest.mark.parametrize("off", [{"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none"}])
async def test_traces_can_be_switched_off_by_the_settings_that_opentelemetry_has_for_it(
    fleet: Fleet, collector: Collector, http: aiohttp.ClientSession, off: dict[str, str]
) -> None:
    rng = await fleet.start("rng", **collector.settings, **off)
    async with http.get(f"{rng.url}/1") as answer:
        assert answer.status == 200
    rng.terminate()
    assert await rng.ended() == 0
    assert collector.spans == []
