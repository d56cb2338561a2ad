"""webui over HTTP.

======================  ==================================================================================
``GET /``               302 to ``/index.html``
``GET /index.html``     the page, and beside it the files that it loads
``GET /json``           200, JSON: ``coins`` and ``hashes`` (numbers), ``now`` (seconds since the epoch, when
                        they were read); 503 with ``error`` and ``reason`` while redis is away
``GET /status``         200, JSON: the state of redis, rng, hasher and worker; see the module ``status``
``GET /history``        200, JSON: ``samples``, pairs of ``now`` and ``hashes`` of the last five minutes
``GET /healthz``        see the module ``runtime``
``GET /readyz``         likewise; not ready while redis does not answer within half a second
======================  ==================================================================================

Answers are shared between clients for SHARED_SECONDS. Settings stand in ``settings``.
"""

import asyncio
import logging
from contextlib import suppress

from aiohttp import web

from .assets import Asset, add_security_headers, load_assets
from .runtime import ServerSettings, serve
from .settings import RedisSettings, read_settings
from .snapshot import Away, Shared, Snapshot, Store
from .status import History, status

__all__ = ["read_settings", "run"]

SHARED_SECONDS = 0.2
_SAMPLE_SECONDS = 1.0
_NO_STORE = {"Cache-Control": "no-store"}

_log = logging.getLogger(__name__)


def make_app(shared: Shared[Snapshot | Away], history: History, assets: dict[str, Asset]) -> web.Application:
    """Make the application that shows what is read."""

    async def index(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/index.html"})

    async def counts(_: web.Request) -> web.Response:
        reading = await shared.get()
        if isinstance(reading, Away):
            answer = {"error": "redis is away", "reason": reading.reason}
            return web.json_response(answer, status=503, headers=_NO_STORE)
        answer = {"coins": reading.coins, "hashes": reading.hashes, "now": reading.now}
        return web.json_response(answer, headers=_NO_STORE)

    async def states(_: web.Request) -> web.Response:
        reading = await shared.get()
        return web.json_response(status(reading, growing=history.growing(reading.now)), headers=_NO_STORE)

    async def samples(_: web.Request) -> web.Response:
        return web.json_response({"samples": history.samples()}, headers=_NO_STORE)

    async def asset(request: web.Request) -> web.Response:
        found = assets.get(request.match_info["name"])
        return found.respond(request) if found else web.Response(status=404, text="no such page\n")

    app = web.Application()
    app.on_response_prepare.append(add_security_headers)
    app.router.add_get("/", index)
    app.router.add_get("/json", counts)
    app.router.add_get("/status", states)
    app.router.add_get("/history", samples)
    app.router.add_get(r"/{name:[a-z]+\.[a-z]+}", asset)
    return app


async def sample(shared: Shared[Snapshot | Away], history: History, stop: asyncio.Event) -> None:
    """Note the counts once a second, and log when redis goes or comes, until stopped."""
    up: bool | None = None
    while not stop.is_set():
        reading = await shared.get()
        if isinstance(reading, Snapshot):
            history.add(reading)
            if not up:
                _log.info("redis answers")
        elif up is not False:
            _log.warning("redis does not answer: trying on", extra={"reason": reading.reason})
        up = isinstance(reading, Snapshot)
        with suppress(TimeoutError):
            async with asyncio.timeout(_SAMPLE_SECONDS):
                await stop.wait()


async def run(server: ServerSettings, settings: RedisSettings) -> int:
    """Run the service until it is told to end; give its exit status."""
    store = Store(settings)
    shared = Shared(store.read, SHARED_SECONDS)
    history = History()

    async def work(stop: asyncio.Event) -> None:
        await sample(shared, history, stop)

    try:
        return await serve(make_app(shared, history, load_assets()), server, obstacle=store.obstacle, work=work)
    finally:
        await store.close()
