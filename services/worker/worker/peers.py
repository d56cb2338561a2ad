"""rng and hasher, as the worker sees them: asked over HTTP, again and again until they answer."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import cast

import aiohttp
from aiohttp import hdrs
from yarl import URL

from .backoff import Contact, delays, set_within
from .durations import Durations
from .logs import request_id
from .observation import REQUEST_ID
from .tracing import Tracer

RANDOM_BYTES = 32
RENEW_SECONDS = 10.0

_DIGEST = re.compile(rb"[0-9a-f]{64}")
_FAILURES = ("timeout", "wrong_answer", "connection")


class Stopping(Exception):  # noqa: N818 - a wish, not an error
    """The worker is to end, and a server that is away is not waited for."""


class WrongAnswerError(Exception):
    """A server answered, but not what the wire contract says."""


class Peer:
    """A server that is asked until it answers.

    The first failure is followed by one more attempt at once, because a kept connection may have been closed by a
    server that ended in good order. After the second, one unit at a time tries, with growing delays, and the others
    wait for it. An attempt that takes longer than the seconds given has failed.
    """

    def __init__(self, name: str, stop: asyncio.Event, durations: Durations, seconds: float) -> None:
        self.contact = Contact(name)
        self._seconds = seconds
        self.durations = durations
        self.failures: dict[str, int] = dict.fromkeys(_FAILURES, 0)
        self._stop = stop
        self._recovery = asyncio.Lock()
        self._attempts: dict[asyncio.Task[object], float] = {}
        self._given_up: set[asyncio.Task[object]] = set()

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
                self._count(error)
                if second or self._stop.is_set():
                    self.contact.failed(error)
                    await self._recover(attempt)
                second = True

    async def watch(self) -> None:
        """Give up attempts that take too long, by a look at all of them now and then.

        A timer for each would take a part of each unit's time, and the limit need not be kept to the moment.
        """
        while True:
            await asyncio.sleep(min(1.0, self._seconds / 4))
            latest = time.perf_counter() - self._seconds
            for task, begin in self._attempts.items():
                if begin < latest and task not in self._given_up:
                    self._given_up.add(task)
                    task.cancel()

    async def _timed(self, attempt: Callable[[], Awaitable[bytes]]) -> bytes:
        task = cast("asyncio.Task[object]", asyncio.current_task())
        begin = self._attempts[task] = time.perf_counter()
        try:
            answer = await attempt()
        except asyncio.CancelledError:
            if task not in self._given_up:
                raise
            self._given_up.remove(task)
            task.uncancel()
            raise TimeoutError(f"no answer within {self._seconds:g} s") from None
        finally:
            del self._attempts[task]
        self.durations.add(time.perf_counter() - begin)
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
                    self._count(error)
                    self.contact.failed(error)

    def _count(self, error: Exception) -> None:
        timeout, wrong_answer, connection = _FAILURES
        wrong = isinstance(error, WrongAnswerError)
        self.failures[timeout if isinstance(error, TimeoutError) else wrong_answer if wrong else connection] += 1


class Servers:
    """rng and hasher, each at its URL, over kept connections.

    Each connection is given up now and then (on average after RENEW_SECONDS), so that servers which were added behind
    the same name get their share.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        rng: tuple[str, Peer],
        hasher: tuple[str, Peer],
        concurrency: int,
        tracer: Tracer,
    ) -> None:
        rng_url, self.rng = rng
        hasher_url, self.hasher = hasher
        self._session = session
        self._tracer = tracer
        self._random_url = URL(f"{rng_url}/{RANDOM_BYTES}")
        self._hash_url = URL(f"{hasher_url}/")
        self._period = RENEW_SECONDS / concurrency
        self._renew_rng = self._renew_hasher = time.monotonic() + self._period

    async def random_bytes(self) -> bytes:
        """Give 32 random bytes of rng."""
        return await self.rng.ask(self._get_random_bytes)

    async def sha256(self, content: bytes) -> str:
        """Give the lowercase hex SHA-256 of the content, as hasher says."""

        async def post() -> bytes:
            headers = _headers()
            headers[hdrs.CONTENT_TYPE] = "application/octet-stream"
            if (now := time.monotonic()) >= self._renew_hasher:
                self._renew_hasher = now + self._period
                headers[hdrs.CONNECTION] = "close"
            return await self._exchange("POST", self._hash_url, headers, content, _is_digest)

        return (await self.hasher.ask(post)).decode()

    async def _get_random_bytes(self) -> bytes:
        headers = _headers()
        if (now := time.monotonic()) >= self._renew_rng:
            self._renew_rng = now + self._period
            headers[hdrs.CONNECTION] = "close"
        return await self._exchange("GET", self._random_url, headers, None, _is_random)

    async def _exchange(
        self, method: str, url: URL, headers: dict[str, str], content: bytes | None, expected: Callable[[bytes], bool]
    ) -> bytes:
        if not self._tracer.enabled:
            return await self._read(self._session.request(method, url, data=content, headers=headers), expected)
        attributes = {
            "http.request.method": method,
            "url.full": str(url),
            "server.address": url.host or "",
            "server.port": url.port or 0,
        }
        with self._tracer.span(method, "client", attributes):
            self._tracer.inject(headers)
            return await self._read(self._session.request(method, url, data=content, headers=headers), expected)

    async def _read(
        self, request: AbstractAsyncContextManager[aiohttp.ClientResponse], expected: Callable[[bytes], bool]
    ) -> bytes:
        async with request as response:
            answer = await response.read()
        if self._tracer.enabled:
            self._tracer.annotate(response.status)
        if response.status != 200 or not expected(answer):  # noqa: PLR2004 - the contract's status
            raise WrongAnswerError(f"status {response.status}, {len(answer)} bytes from {response.url}")
        return answer


def _headers() -> dict[str, str]:
    return {REQUEST_ID: request_id.get() or ""}


def _is_random(answer: bytes) -> bool:
    return len(answer) == RANDOM_BYTES


def _is_digest(answer: bytes) -> bool:
    return _DIGEST.fullmatch(answer) is not None
