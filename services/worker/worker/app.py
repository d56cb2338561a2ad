"""The worker: mines, and answers for its health over HTTP.

It has no endpoints but those of ``runtime``. It is ready while redis answers it. Its settings stand in ``settings``,
what it writes and guarantees in ``store``.
"""

import asyncio
import os
import secrets
import socket

import aiohttp
from aiohttp import web

from .miner import Miner
from .peers import Servers
from .runtime import ServerSettings, serve
from .settings import Settings, read_settings
from .store import Store, connect

__all__ = ["read_settings", "run"]

_CONNECT_SECONDS = 3.0


async def run(server: ServerSettings, settings: Settings) -> int:
    """Run the service until it is told to end; give its exit status."""
    redis = connect(settings.redis)
    store = Store(redis, f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}")

    async def mine(stop: asyncio.Event) -> None:
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=settings.request_seconds, sock_connect=_CONNECT_SECONDS)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            servers = Servers(session, settings.rng_url, settings.hasher_url, settings.concurrency, stop)
            await Miner(settings, servers, store, stop).run()

    try:
        return await serve(web.Application(), server, obstacle=store.obstacle, work=mine)
    finally:
        await redis.aclose()
