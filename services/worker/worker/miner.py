"""The worker's work: units done side by side, and their count written about once a second."""

import asyncio
import logging
import time
from contextlib import suppress

from .backoff import Contact, delays, set_within
from .ledger import Ledger
from .peers import Servers, Stopping
from .settings import Settings
from .store import FAILURES, Store

WRITE_SECONDS = 1.0
_PRUNE_EVERY = 15

_log = logging.getLogger(__name__)


class Miner:
    """Does units until it is told to stop, and then ends without losing one."""

    def __init__(self, settings: Settings, servers: Servers, store: Store, stop: asyncio.Event) -> None:
        self._settings = settings
        self._servers = servers
        self._store = store
        self._stop = stop
        self._ledger = Ledger(settings.buffer_units)
        self._room = asyncio.Event()
        self._room.set()
        self._mined = asyncio.Event()
        self._redis = Contact("redis")

    async def run(self) -> None:
        """Mine until stopped; then finish the units in flight, write what is counted, and take leave."""
        writer = asyncio.create_task(self._write())
        units = [asyncio.create_task(self._mine()) for _ in range(self._settings.concurrency)]
        stopped = asyncio.create_task(self._stop.wait())
        tasks = {writer, stopped, *units}
        try:
            # None of the tasks ends before the stop, unless by a mistake in this program: that must not go unnoticed.
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopped}:
                task.result()
            self._room.set()
            await asyncio.gather(*units)
            self._mined.set()
            await writer
        finally:
            for task in tasks:
                task.cancel()
            level = logging.ERROR if self._ledger.unwritten else logging.INFO
            _log.log(level, "mining ended", extra={"units": self._ledger.total, "units_lost": self._ledger.unwritten})

    async def _mine(self) -> None:
        with suppress(Stopping):
            while True:
                await self._room.wait()
                if self._stop.is_set():
                    return
                if self._settings.delay_seconds and await set_within(self._stop, self._settings.delay_seconds):
                    return  # a unit that was only waited for is not begun
                random_bytes = await self._servers.random_bytes()
                self._ledger.record(await self._servers.sha256(random_bytes), random_bytes)
                if self._ledger.full and self._room.is_set() and not self._stop.is_set():
                    _log.warning("mining pauses: the buffer is full", extra={"units": self._ledger.unwritten})
                    self._room.clear()

    async def _write(self) -> None:
        """Write about once a second, and once more after the last unit; redis is tried until it answers."""
        rounds, pauses = 0, delays()
        while True:
            last = self._mined.is_set()
            try:
                await self._write_once(prune=rounds % _PRUNE_EVERY == 0, leave=last)
            except FAILURES as error:
                self._redis.failed(error)
                if last and not self._ledger.unwritten:
                    return  # only the goodbye is missing, and others clear up after a while
                await asyncio.sleep(next(pauses))
                continue
            self._redis.succeeded()
            if last:
                return
            rounds, pauses = rounds + 1, delays()
            if not (self._room.is_set() or self._ledger.full):
                _log.info("mining goes on")
                self._room.set()
            await set_within(self._mined, WRITE_SECONDS)

    async def _write_once(self, *, prune: bool, leave: bool) -> None:
        while batch := self._ledger.batch():
            await self._store.add(batch)
            self._ledger.settle(batch)
            # While mining goes on there is always a next unit: it can wait for the next round.
            if not (leave or self._ledger.full):
                break
        if leave:
            await self._store.leave()
            return
        await self._store.beat(self._heartbeat())
        if prune:
            await self._store.prune(time.time())

    def _heartbeat(self) -> dict[str, object]:
        rng, hasher = self._servers.rng, self._servers.hasher
        return {
            "at": time.time(),
            "units": self._ledger.total,
            "rng": {"up": rng.contact.up, "ms": rng.latency_ms()},
            "hasher": {"up": hasher.contact.up, "ms": hasher.latency_ms()},
        }
