"""hasher over HTTP.

======================  ==================================================================================
``GET /``               200, text: the service and the host that answers
``POST /``              200, ``text/plain``: the SHA-256 of the body in lowercase hex, 64 characters, no
                        newline; the body is at most 16 MiB and is not held in memory, 413 for a longer one
``GET /healthz``        see the module ``runtime``, as for ``/readyz`` and ``/metrics``
======================  ==================================================================================

Environment variables, beside those of ``runtime``:

=================  =========  ==============================================================================
``DELAY_SECONDS``  0          sleep so long for each hash, 0 to 60; any number of requests sleep at a time
=================  =========  ==============================================================================

The course's hasher is ``DELAY_SECONDS=0.1``.
"""

import asyncio
import hashlib
import socket
from dataclasses import dataclass

from aiohttp import web

from .runtime import Environment, ServerSettings, Telemetry, serve

MOST_BYTES = 16 << 20


@dataclass(frozen=True)
class Settings:
    """How slowly a hash is given."""

    delay_seconds: float = 0.0


def read_settings(environment: Environment) -> tuple[ServerSettings, Settings]:
    """Read the settings of the server and those of hasher."""
    return ServerSettings.read(environment), Settings(delay_seconds=environment.seconds("DELAY_SECONDS", 0.0, 60.0))


@dataclass
class Tally:
    """What was done since the start."""

    hashes: int = 0
    bytes: int = 0


def make_app(settings: Settings, tally: Tally) -> web.Application:
    """Make the application that hashes what it is sent, and counts it in the tally."""

    async def name(_: web.Request) -> web.Response:
        return web.Response(text=f"hasher on {socket.gethostname()}\n")

    async def sha256(request: web.Request) -> web.Response:
        if settings.delay_seconds:
            await asyncio.sleep(settings.delay_seconds)
        content, length = request.content, 0
        digest = hashlib.sha256()
        if content.is_eof():
            # A small body is here as a whole with its head, and to ask for it in chunks takes longer than to hash it.
            body = content.read_nowait()
            length = len(body)
            digest.update(body)
        else:
            async for chunk in content.iter_any():
                length += len(chunk)
                if length > MOST_BYTES:
                    return web.Response(status=413, text=f"at most {MOST_BYTES} bytes for each request\n")
                digest.update(chunk)
        tally.hashes += 1
        tally.bytes += length
        return web.Response(body=digest.hexdigest().encode(), content_type="text/plain")

    app = web.Application()
    app.router.add_get("/", name)
    app.router.add_post("/", sha256)
    return app


async def run(telemetry: Telemetry, server: ServerSettings, settings: Settings) -> int:
    """Run the service until it is told to end; give its exit status."""
    tally = Tally()
    counter = telemetry.metrics.counter
    counter("dockercoins_hasher_hashes_total", "Digests that were given.", lambda: tally.hashes)
    counter("dockercoins_hasher_hashed_bytes_total", "Bytes that they were made of.", lambda: tally.bytes)
    return await serve(make_app(settings, tally), server, telemetry)
