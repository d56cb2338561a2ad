"""What the worker writes to redis, and what is guaranteed about it.

* ``wallet``: hash, hex digest → the random bytes. Writing an entry twice changes nothing.
* ``hashes``: the count of units. A batch of units is added exactly once: in one MULTI/EXEC with it, the batch's number
  is written to ``worker:<id>:sequence``, a key of this worker's process alone. Each attempt first WATCHes and reads
  that key. If the number is already there, an earlier attempt got through and only its answer was lost: nothing is
  written. If an earlier attempt gets through later than that, one of the two EXECs is refused, because the watched key
  has changed. So the count is right as long as redis keeps what it acknowledged, and the key: it lasts 24 hours, which
  is the longest time that redis may be out of reach between two attempts.
* ``workers``: hash, worker's id → JSON with ``at`` (seconds since the epoch), ``units``, and for ``rng`` and ``hasher``
  ``up`` (null before the first request) and ``ms`` (mean time of an answer); ``unit_ms``, the mean time of a whole
  unit, ``pause_ms``, the part of it that the worker sleeps, and ``write_ms``, the mean time of a write to redis. A time
  is null before the first. Written about once a second, removed at a clean end; entries of others that are older than
  60 s are removed.

Lost are only units that were done and not yet written when the process is killed or redis loses data: about a second's.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, cast

from redis.asyncio import Redis

from .ledger import Batch
from .redis_access import FAILURES, Trouble

STALE_SECONDS = 60.0

_SEQUENCE_SECONDS = 24 * 3600
_PING_SECONDS = 0.5


def stale_workers(heartbeats: Mapping[bytes, bytes], now: float) -> list[bytes]:
    """Give the ids of the workers whose heartbeat is older than STALE_SECONDS, or is none."""

    def is_stale(value: bytes) -> bool:
        try:
            return now - float(json.loads(value)["at"]) > STALE_SECONDS
        except (ValueError, TypeError, KeyError):
            return True

    return [worker for worker, value in heartbeats.items() if is_stale(value)]


class Store:
    """One worker's view of redis. Every method raises one of FAILURES when redis does not do what it is told."""

    def __init__(self, redis: "Redis", worker: str) -> None:
        self._redis = cast(Any, redis)  # the client's own types answer "either a value or an awaitable of it"
        self._worker = worker
        self._sequence_key = f"worker:{worker}:sequence"

    async def add(self, batch: Batch) -> None:
        """Count the batch's units and keep its coins, once, however often this is called with it."""
        async with self._redis.pipeline(transaction=True) as pipe:
            await pipe.watch(self._sequence_key)
            written = await pipe.get(self._sequence_key)
            if written is not None and int(written) >= batch.sequence:
                return
            pipe.multi()
            if batch.coins:
                pipe.hset("wallet", mapping=batch.coins)
            pipe.incrby("hashes", batch.units)
            pipe.set(self._sequence_key, batch.sequence, ex=_SEQUENCE_SECONDS)
            await pipe.execute()

    async def beat(self, heartbeat: Mapping[str, object]) -> None:
        """Tell how this worker is."""
        await self._redis.hset("workers", self._worker, json.dumps(heartbeat))

    async def prune(self, now: float) -> None:
        """Remove what workers left behind that ended without a goodbye."""
        stale = stale_workers(await self._redis.hgetall("workers"), now)
        if stale:
            await self._redis.hdel("workers", *stale)

    async def leave(self) -> None:
        """Remove this worker's own entries."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hdel("workers", self._worker)
            pipe.delete(self._sequence_key)
            await pipe.execute()

    async def obstacle(self) -> str | None:
        """Say why redis cannot be used, or None; takes half a second at most."""
        try:
            async with asyncio.timeout(_PING_SECONDS):
                await self._redis.ping()
        except FAILURES as error:
            return str(Trouble.of(error))
        return None
