"""The log: its form, and one request id in all services that had a part in a unit of work."""

import json
import logging
from typing import Any

import aiohttp
import pytest

from services.worker.worker.logs import JsonLines, RequestIds, TextLines, request_id

from .harness import Fleet, Redis, Service, until
from .test_runtime import NAMES


def record(message: str = "%s\nanswers", **fields: object) -> logging.LogRecord:
    values = {"levelname": "INFO", "msg": message, "args": ("rng",) if "%" in message else (), "created": 1.5, **fields}
    return logging.makeLogRecord(values)


def test_a_record_is_one_line_of_json_with_its_fields() -> None:
    line = JsonLines("worker", lambda: {"trace_id": "abc"}).format(record(port=8080))
    assert "\n" not in line
    assert json.loads(line) == {
        "ts": "1970-01-01T00:00:01.500Z",
        "level": "info",
        "service": "worker",
        "msg": "rng\nanswers",
        "trace_id": "abc",
        "port": 8080,
    }


def test_a_record_as_text_is_one_line_too() -> None:
    line = TextLines("worker").format(record(reason="no\nway", port=8080))
    assert line == '1970-01-01T00:00:01.500Z INFO    worker rng answers reason="no\\nway" port=8080'


@pytest.mark.parametrize("formatter", [JsonLines("worker"), TextLines("worker")])
def test_a_line_names_the_request_that_it_belongs_to(formatter: logging.Formatter) -> None:
    token = request_id.set("abc-1")
    try:
        line = formatter.format(record())
    finally:
        request_id.reset(token)
    assert "abc-1" in line
    assert "request_id" in line
    assert "request_id" not in formatter.format(record())


def test_ids_are_unique_and_every_so_many_says_that_it_is_logged() -> None:
    ids, others = RequestIds(3), RequestIds(3)
    made = [ids.new() for _ in range(9)]
    assert len({*made, *(others.new() for _ in range(9))}) == 18
    assert [ids.logged(each) for each in made] == [True, False, False] * 3
    assert [others.logged(each) for each in made] == [True, False, False] * 3
    none = RequestIds(0)
    assert not any(none.logged(each) for each in [*made, none.new()])


@pytest.mark.parametrize("unfit", [None, "", "x" * 65, "é"])
def test_an_id_that_is_not_fit_to_be_sent_on_is_replaced(unfit: str | None) -> None:
    assert RequestIds(0).accepted(unfit) not in {unfit, ""}
    assert RequestIds(0).accepted("abc-1") == "abc-1"


@pytest.mark.parametrize(("path", "status"), [("/1", 200), ("/9999999", 413), ("/none", 404)])
async def test_the_id_of_a_request_is_returned_with_every_answer(
    fleet: Fleet, http: aiohttp.ClientSession, path: str, status: int
) -> None:
    rng = await fleet.start("rng")
    async with http.get(rng.url + path, headers={"X-Request-ID": "of-the-client"}) as answer:
        assert (answer.status, answer.headers["X-Request-ID"]) == (status, "of-the-client")
    async with http.get(rng.url + path) as answer:
        assert answer.headers["X-Request-ID"]


async def mine(fleet: Fleet, redis: Redis, **settings: object) -> dict[str, Service]:
    rng, hasher = await fleet.start("rng", **settings), await fleet.start("hasher", **settings)
    worker = await fleet.start("worker", RNG_URL=rng.url, HASHER_URL=hasher.url, **redis.settings, **settings)
    return {"rng": rng, "hasher": hasher, "worker": worker}


async def end(services: dict[str, Service]) -> None:
    for name in ("worker", "hasher", "rng"):
        services[name].terminate()
        assert await services[name].ended() == 0


def requests(service: Service) -> dict[str, dict[str, Any]]:
    """The lines of single requests or units, by request id."""
    lines = [line for line in service.events() if line["msg"] in {"request", "unit of work"}]
    by_id = {line["request_id"]: line for line in lines}
    assert len(by_id) == len(lines)
    return by_id


async def test_one_id_leads_through_the_logs_of_all_services_to_the_parts_of_a_unit(fleet: Fleet, redis: Redis) -> None:
    services = await mine(fleet, redis, LOG_LEVEL="debug", CONCURRENCY=4)
    await until(lambda: redis.hashes() > 20, "units")
    await end(services)
    units = requests(services["worker"])
    assert len(units) == redis.hashes()
    assert set(requests(services["rng"])) == set(requests(services["hasher"])) == set(units)
    for name, route, method in (("rng", "/{count}", "GET"), ("hasher", "/", "POST")):
        for line in requests(services[name]).values():
            assert (line["method"], line["route"], line["status"]) == (method, route, 200)
            assert line["ms"] >= 0
            assert set(line) == {"ts", "level", "service", "msg", "request_id", "method", "route", "status", "ms"}
    digests = {digest.decode() for digest in redis.client.hkeys("wallet")}
    text = "".join(service.log.read_text() for service in services.values())
    assert not any(digest in text for digest in digests)


async def test_one_in_so_many_units_is_logged_the_same_ones_in_all_services(fleet: Fleet, redis: Redis) -> None:
    services = await mine(fleet, redis, LOG_REQUESTS_EVERY=50)
    await until(lambda: redis.hashes() > 500, "units")
    await end(services)
    units = requests(services["worker"])
    assert len(units) == -(-redis.hashes() // 50)
    assert {line["level"] for line in units.values()} == {"info"}
    assert set(requests(services["rng"])) == set(requests(services["hasher"])) == set(units)


@pytest.mark.parametrize("settings", [{"LOG_REQUESTS_EVERY": 0}, {"LOG_LEVEL": "warning", "LOG_REQUESTS_EVERY": 1}])
async def test_no_request_is_logged_where_none_is_wanted(
    fleet: Fleet, http: aiohttp.ClientSession, settings: dict[str, object]
) -> None:
    rng = await fleet.start("rng", **settings) if "LOG_LEVEL" not in settings else fleet.launch("rng", **settings)

    async def served() -> bool:
        try:
            async with http.get(f"{rng.url}/1", headers={"X-Request-ID": "of-the-client-log"}) as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    await until(served, "an answer")
    rng.terminate()
    assert await rng.ended() == 0
    assert "of-the-client-log" not in rng.log.read_text()


@pytest.mark.parametrize("name", NAMES)
async def test_the_log_can_be_text(fleet: Fleet, redis: Redis, name: str) -> None:
    service = fleet.launch(name, LOG_FORMAT="text", **(redis.settings if name in {"webui", "worker"} else {}))
    await until(lambda: f"INFO    {name} started port={service.port}" in service.log.read_text(), "a line of text")
    service.terminate()
    await service.ended()


async def test_wrong_settings_are_told_as_text_where_text_is_set(fleet: Fleet) -> None:
    service = fleet.launch("rng", LOG_FORMAT="text", LOG_LEVEL="loud")
    assert await service.ended() == 2
    (line,) = service.log.read_text().splitlines()
    assert "ERROR   rng settings refused" in line
