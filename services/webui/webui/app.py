"""webui over HTTP.

======================  ==================================================================================
``GET /``               302 to ``/index.html``
``GET /index.html``     the page, and beside it the files that it loads
``GET /json``           200, JSON: ``coins`` and ``hashes`` (numbers), ``now`` (seconds since the epoch, when
                        they were read); 503 with ``error`` and ``reason`` while redis is away or refuses the
                        password
``GET /status``         200, JSON: the state of redis, rng, hasher and worker, and which of them holds the others
                        back; see the module ``status``
``GET /history``        200, JSON: ``samples`` of the last five minutes: lists of ``now``, ``hashes``, workers, and
                        the mean milliseconds of an answer of rng and of hasher
``GET /healthz``        see the module ``runtime``, as for ``/metrics``
``GET /readyz``         likewise, and in ``redis`` its state; ready from the first answer of redis on, as the
                        module ``watch`` says
======================  ==================================================================================

Answers are shared between clients for SHARED_SECONDS. Settings stand in ``settings``.
"""

import asyncio

from aiohttp import web

from .assets import Asset, add_security_headers, load_assets
from .redis_access import REFUSED
from .runtime import ServerSettings, Telemetry, serve
from .settings import RedisSettings, read_settings
from .snapshot import Away, Shared, Snapshot, Store
from .status import History, status
from .watch import Watch

__all__ = ["read_settings", "run"]

SHARED_SECONDS = 0.2
_NO_STORE = {"Cache-Control": "no-store"}


def make_app(shared: Shared[Snapshot | Away], history: History, assets: dict[str, Asset]) -> web.Application:
    """Make the application that shows what is read."""

    async def index(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/index.html"})

    async def counts(_: web.Request) -> web.Response:
        reading = await shared.get()
        if isinstance(reading, Away):
            refused = reading.trouble.state == REFUSED
            answer = {"error": REFUSED if refused else "redis is away", "reason": reading.trouble.reason}
            return web.json_response(answer, status=503, headers=_NO_STORE)
        answer = {"coins": reading.coins, "hashes": reading.hashes, "now": reading.now}
        return web.json_response(answer, headers=_NO_STORE)

    async def states(_: web.Request) -> web.Response:
        reading = await shared.get()
        return web.json_response(status(reading, history), headers=_NO_STORE)

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
    app.router.add_get(r"/{name:[A-Za-z0-9/._-]+}", asset)
    return app


async def run(telemetry: Telemetry, server: ServerSettings, settings: RedisSettings) -> int:
    """Run the service until it is told to end; give its exit status."""
    read = telemetry.metrics.histogram("dockercoins_webui_redis_read_duration_seconds", "Time of a read of redis.")
    store = Store(settings, read())
    shared = Shared(store.read, SHARED_SECONDS)
    history = History()
    watch = Watch(shared, history)
    watch.tell(telemetry.metrics)

    async def work(stop: asyncio.Event) -> None:
        await watch.run(stop)

    app = make_app(shared, history, load_assets())
    try:
        return await serve(app, server, telemetry, obstacle=watch.obstacle, detail=watch.detail, work=work)
    finally:
        await store.close()
