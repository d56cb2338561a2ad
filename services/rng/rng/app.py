"""rng over HTTP.

======================  ==================================================================================
``GET /``               200, text: the service and the host that answers
``GET /<n>``            200, ``application/octet-stream``: exactly n random bytes, n from 0 to 1,048,576;
                        413 for a greater n, 404 for what is not a number
``GET /healthz``        see the module ``runtime``, as for ``/readyz`` and ``/metrics``; none of them waits for the
                        random bytes
======================  ==================================================================================

Environment variables, beside those of ``runtime``:

=================  =========  ==============================================================================
``DELAY_SECONDS``  0          sleep so long for each request of random bytes, 0 to 60
``CONCURRENCY``    0          requests of random bytes served at a time, the others queue in the order of
                              their arrival; 0 is no limit, 1 is one by one
=================  =========  ==============================================================================

The course's rng is ``DELAY_SECONDS=0.1`` with ``CONCURRENCY=1``: ten requests a second at most, for everybody together.
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import dataclass

from aiohttp import web

from .runtime import Environment, ServerSettings, Telemetry, serve

MOST_BYTES = 1 << 20
_MOST_DIGITS = len(str(MOST_BYTES))


@dataclass(frozen=True)
class Settings:
    """How slowly the bytes are given."""

    delay_seconds: float = 0.0
    concurrency: int = 0


def read_settings(environment: Environment) -> tuple[ServerSettings, Settings]:
    """Read the settings of the server and those of rng."""
    return ServerSettings.read(environment), Settings(
        delay_seconds=environment.seconds("DELAY_SECONDS", 0.0, 60.0),
        concurrency=environment.integer("CONCURRENCY", 0, 0, 100_000),
    )


class RandomSource:
    """Gives random bytes of the operating system, so slowly and to so many at a time as the settings say."""

    def __init__(self, settings: Settings, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._delay = settings.delay_seconds
        self._sleep = sleep
        self.given = 0
        self._turn = asyncio.Semaphore(settings.concurrency) if settings.concurrency else None

    async def take(self, count: int) -> bytes:
        """Give count random bytes."""
        if self._turn or self._delay:
            async with self._turn or nullcontext():
                if self._delay:
                    await self._sleep(self._delay)
        self.given += count
        return os.urandom(count)


def make_app(source: RandomSource) -> web.Application:
    """Make the application that answers with bytes of the source."""

    async def name(_: web.Request) -> web.Response:
        return web.Response(text=f"rng on {socket.gethostname()}\n")

    async def random_bytes(request: web.Request) -> web.Response:
        # Leading zeros do not count, and a number of thousands of digits is not worth converting.
        digits = request.match_info["count"].lstrip("0") or "0"
        if len(digits) > _MOST_DIGITS or int(digits) > MOST_BYTES:
            return web.Response(status=413, text=f"at most {MOST_BYTES} bytes for each request\n")
        return web.Response(body=await source.take(int(digits)), content_type="application/octet-stream")

    app = web.Application()
    app.router.add_get("/", name)
    app.router.add_get("/{count:[0-9]+}", random_bytes)
    return app


async def run(telemetry: Telemetry, server: ServerSettings, settings: Settings) -> int:
    """Run the service until it is told to end; give its exit status."""
    source = RandomSource(settings)
    text = "Random bytes that were given."
    telemetry.metrics.counter("dockercoins_rng_random_bytes_total", text, lambda: source.given)
    return await serve(make_app(source), server, telemetry)
