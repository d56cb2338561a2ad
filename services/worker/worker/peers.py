"""rng and hasher, as the worker sees them: asked over HTTP, again and again until they answer."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import aiohttp

from .backoff import Contact, delays, set_within

RANDOM_BYTES = 32
RENEW_SECONDS = 10.0

_DIGEST = re.compile(rb"[0-9a-f]{64}")
_CLOSE = {"Connection": "close"}


class Stopping(Exception):  # noqa: N818 - a wish, not an error
    """The worker is to end, and a server that is away is not waited for."""


class WrongAnswerError(Exception):
    """A server answered, but not what the wire contract says."""


class Peer:
    """A server that is asked until it answers.

    The first failure is followed by one more attempt at once, because a kept connection may have been closed by a
    server that ended in good order. After the second, one unit at a time tries, with growing delays, and the others
    wait for it.
    """

    def __init__(self, name: str, stop: asyncio.Event) -> None:
        self.contact = Contact(name)
        self._stop = stop
        self._recovery = asyncio.Lock()
        self._seconds, self._answers = 0.0, 0
        self._last_ms: float | None = None

    async def ask(self, attempt: Callable[[], Awaitable[bytes]]) -> bytes:
        """Give what the attempt gives when it first succeeds.

        Raises:
            Stopping: the worker is to end and the server does not answer.
        """
        second = False
        while True:
            try:
                return await self._timed(attempt)
            except (aiohttp.ClientError, TimeoutError, OSError, WrongAnswerError) as error:
                if second or self._stop.is_set():
                    self.contact.failed(error)
                    await self._recover(attempt)
                second = True

    def latency_ms(self) -> float | None:
        """Give the mean time of the answers since the last call in milliseconds, or the last known; None before any."""
        if self._answers:
            self._last_ms = round(self._seconds / self._answers * 1000, 3)
            self._seconds, self._answers = 0.0, 0
        return self._last_ms

    async def _timed(self, attempt: Callable[[], Awaitable[bytes]]) -> bytes:
        begin = time.perf_counter()
        answer = await attempt()
        self._seconds += time.perf_counter() - begin
        self._answers += 1
        if not self.contact.up:
            self.contact.succeeded()
        return answer

    async def _recover(self, attempt: Callable[[], Awaitable[bytes]]) -> None:
        """Wait until the server answers."""
        async with self._recovery:
            for delay in delays():
                if self.contact.up:
                    return
                if await set_within(self._stop, delay):
                    raise Stopping
                try:
                    await self._timed(attempt)
                except (aiohttp.ClientError, TimeoutError, OSError, WrongAnswerError) as error:
                    self.contact.failed(error)


class Servers:
    """rng and hasher over kept connections.

    Each connection is given up now and then (on average after RENEW_SECONDS), so that servers which were added behind
    the same name get their share.
    """

    def __init__(
        self, session: aiohttp.ClientSession, rng_url: str, hasher_url: str, concurrency: int, stop: asyncio.Event
    ) -> None:
        self.rng = Peer("rng", stop)
        self.hasher = Peer("hasher", stop)
        self._session = session
        self._random_url = f"{rng_url}/{RANDOM_BYTES}"
        self._hash_url = f"{hasher_url}/"
        self._period = RENEW_SECONDS / concurrency
        self._renew_rng = self._renew_hasher = time.monotonic() + self._period

    async def random_bytes(self) -> bytes:
        """Give 32 random bytes of rng."""
        return await self.rng.ask(self._get_random_bytes)

    async def sha256(self, content: bytes) -> str:
        """Give the lowercase hex SHA-256 of the content, as hasher says."""

        async def post() -> bytes:
            headers = {"Content-Type": "application/octet-stream"}
            if (now := time.monotonic()) >= self._renew_hasher:
                self._renew_hasher = now + self._period
                headers |= _CLOSE
            return await self._read(self._session.post(self._hash_url, data=content, headers=headers), _is_digest)

        return (await self.hasher.ask(post)).decode()

    async def _get_random_bytes(self) -> bytes:
        headers = None
        if (now := time.monotonic()) >= self._renew_rng:
            self._renew_rng = now + self._period
            headers = _CLOSE
        return await self._read(self._session.get(self._random_url, headers=headers), _is_random)

    async def _read(
        self, request: AbstractAsyncContextManager[aiohttp.ClientResponse], expected: Callable[[bytes], bool]
    ) -> bytes:
        async with request as response:
            answer = await response.read()
        if response.status != 200 or not expected(answer):  # noqa: PLR2004 - the contract's status
            raise WrongAnswerError(f"status {response.status}, {len(answer)} bytes from {response.url}")
        return answer


def _is_random(answer: bytes) -> bool:
    return len(answer) == RANDOM_BYTES


def _is_digest(answer: bytes) -> bool:
    return _DIGEST.fullmatch(answer) is not None
