"""What redis knows at one moment, read so that any number of browsers cost redis the same."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from .metrics import Histogram
from .redis_access import FAILURES, RedisSettings, Trouble, connect

_ANSWER_SECONDS = 2.0

ValueT = TypeVar("ValueT")


@dataclass(frozen=True)
class Snapshot:
    """Counts and heartbeats, when they were read (seconds since the epoch), and how long that took."""

    now: float
    hashes: int
    coins: int
    heartbeats: Mapping[bytes, bytes]
    ms: float


@dataclass(frozen=True)
class Away:
    """Why redis could not be read, and when that was tried."""

    now: float
    trouble: Trouble


class Store:
    """Reads redis; it raises nothing, but says why it could not."""

    def __init__(self, settings: RedisSettings, durations: Histogram) -> None:
        # The client's own types answer "either a value or an awaitable of it".
        self._redis = cast(Any, connect(settings, _ANSWER_SECONDS))
        self._durations = durations

    async def read(self) -> Snapshot | Away:
        """Read everything in one round trip."""
        begin = time.perf_counter()
        try:
            async with asyncio.timeout(_ANSWER_SECONDS), self._redis.pipeline(transaction=False) as pipe:
                hashes, coins, heartbeats = await pipe.get("hashes").hlen("wallet").hgetall("workers").execute()
            seconds = time.perf_counter() - begin
            self._durations.observe(seconds)
            return Snapshot(
                now=time.time(),
                hashes=int(hashes or 0),
                coins=int(coins),
                heartbeats=heartbeats,
                ms=round(seconds * 1000, 3),
            )
        except (*FAILURES, ValueError) as error:
            return Away(time.time(), Trouble.of(error))

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()


class Shared(Generic[ValueT]):
    """Gives a value that is read at most once in a while, however many ask for it and however long a read takes."""

    def __init__(
        self,
        read: Callable[[], Awaitable[ValueT]],
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._seconds = seconds
        self._clock = clock
        self._reading: asyncio.Task[ValueT] | None = None
        self._read_at = float("-inf")

    async def get(self) -> ValueT:
        """Give the value, at most so old as was told at the start, and younger than that if it was asked for late."""
        reading = self._reading
        if reading is None or (reading.done() and self._clock() - self._read_at >= self._seconds):
            reading = self._reading = asyncio.create_task(self._read_once())
        # One who gives up waiting must not take the answer away from the others.
        return await asyncio.shield(reading)

    async def _read_once(self) -> ValueT:
        value = await self._read()
        self._read_at = self._clock()
        return value
