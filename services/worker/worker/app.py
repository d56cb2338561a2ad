"""The worker: mines, and answers for its health over HTTP.

It has no endpoints but those of ``runtime``. It is ready while redis answers it. Its settings stand in ``settings``,
what it writes and guarantees in ``store``, what it measures in ``figures``.
"""

import asyncio
import os
import secrets
import socket

import aiohttp
from aiohttp import web

from .figures import Figures
from .miner import Miner
from .peers import Peer, Servers
from .redis_access import connect
from .runtime import ServerSettings, Telemetry, serve
from .settings import Settings, read_settings
from .store import Store

__all__ = ["read_settings", "run"]

_CONNECT_SECONDS = 3.0


async def run(telemetry: Telemetry, server: ServerSettings, settings: Settings) -> int:
    """Run the service until it is told to end; give its exit status."""
    redis = connect(settings.redis, _CONNECT_SECONDS)
    store = Store(redis, f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}")
    figures = Figures(telemetry.metrics)

    async def mine(stop: asyncio.Event) -> None:
        rng, hasher = (
            Peer(name, stop, durations, settings.request_seconds)
            for name, durations in (("rng", figures.rng), ("hasher", figures.hasher))
        )
        connector = aiohttp.TCPConnector(limit=0)
        # How long a whole request may take is watched by its Peer.
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS)
        async with aiohttp.ClientSession(
            connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
        ) as session:
            servers = Servers(
                session,
                (settings.rng_url, rng),
                (settings.hasher_url, hasher),
                settings.concurrency,
                telemetry.tracer,
            )
            miner = Miner(settings, servers, store, stop, figures=figures, tracer=telemetry.tracer, ids=telemetry.ids)
            figures.tell(telemetry.metrics, miner.ledger, miner.redis, rng, hasher)
            await miner.run()

    try:
        return await serve(web.Application(), server, telemetry, obstacle=store.obstacle, work=mine)
    finally:
        await redis.aclose()
