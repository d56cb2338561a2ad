"""The worker's work: units done side by side, and their count written about once a second."""

import asyncio
import logging
import time
from contextlib import suppress

from .backoff import Contact, delays, set_within
from .figures import Figures
from .ledger import Batch, Ledger
from .logs import RequestIds, request_id
from .peers import Servers, Stopping
from .redis_access import FAILURES, REFUSED, Trouble
from .settings import Settings
from .store import Store
from .tracing import Attributes, Tracer

WRITE_SECONDS = 1.0
_PRUNE_EVERY = 15
_NO_ATTRIBUTES: Attributes = {}
_WRITE_ATTRIBUTES = {"db.system.name": "redis", "db.operation.name": "EXEC"}

_log = logging.getLogger(__name__)


class Miner:
    """Does units until it is told to stop, and then ends without losing one."""

    def __init__(
        self,
        settings: Settings,
        servers: Servers,
        store: Store,
        stop: asyncio.Event,
        *,
        figures: Figures,
        tracer: Tracer,
        ids: RequestIds,
    ) -> None:
        self.ledger = Ledger(settings.buffer_units)
        self.redis = Contact("redis")
        self._settings = settings
        self._servers = servers
        self._store = store
        self._stop = stop
        self._figures = figures
        self._tracer = tracer
        self._ids = ids
        self._verbose = _log.isEnabledFor(logging.DEBUG)
        self._room = asyncio.Event()
        self._room.set()
        self._mined = asyncio.Event()

    async def run(self) -> None:
        """Mine until stopped; then finish the units in flight, write what is counted, and take leave."""
        writer = asyncio.create_task(self._write())
        units = [asyncio.create_task(self._mine()) for _ in range(self._settings.concurrency)]
        stopped = asyncio.create_task(self._stop.wait())
        watches = [asyncio.create_task(peer.watch()) for peer in (self._servers.rng, self._servers.hasher)]
        tasks = {writer, stopped, *units, *watches}
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
            level = logging.ERROR if self.ledger.unwritten else logging.INFO
            _log.log(level, "mining ended", extra={"units": self.ledger.total, "units_lost": self.ledger.unwritten})

    async def _mine(self) -> None:
        with suppress(Stopping):
            while True:
                await self._room.wait()
                if self._stop.is_set():
                    return
                begin = time.perf_counter()
                if self._settings.delay_seconds and await set_within(self._stop, self._settings.delay_seconds):
                    return  # a unit that was only waited for is not begun
                self._figures.in_flight += 1
                try:
                    await self._unit(begin)
                finally:
                    self._figures.in_flight -= 1
                if self.ledger.full and self._room.is_set() and not self._stop.is_set():
                    _log.warning("mining pauses: the buffer is full", extra={"units": self.ledger.unwritten})
                    self._room.clear()

    async def _unit(self, begin: float) -> None:
        """Do one unit, which began at that reading of the clock."""
        given = self._ids.new()
        request_id.set(given)
        with self._tracer.span("unit of work", "internal", _NO_ATTRIBUTES):
            random_bytes = await self._servers.random_bytes()
            digest = await self._servers.sha256(random_bytes)
            self.ledger.record(digest, random_bytes, self._tracer.here())
        seconds = time.perf_counter() - begin
        self._figures.unit.add(seconds)
        if self._verbose or self._ids.logged(given):
            level = logging.INFO if self._ids.logged(given) else logging.DEBUG
            _log.log(level, "unit of work", extra={"ms": round(seconds * 1000, 3)})

    async def _write(self) -> None:
        """Write about once a second, and once more after the last unit; redis is tried until it answers."""
        rounds, pauses = 0, delays()
        while True:
            last = self._mined.is_set()
            try:
                await self._write_once(prune=rounds % _PRUNE_EVERY == 0, leave=last)
            except FAILURES as error:
                trouble = Trouble.of(error)
                self._figures.redis_failures["refused" if trouble.state == REFUSED else "away"] += 1
                self.redis.failed(trouble.reason, trouble.state)
                if last and not self.ledger.unwritten:
                    return  # only the goodbye is missing, and others clear up after a while
                await asyncio.sleep(next(pauses))
                continue
            self.redis.succeeded()
            if last:
                return
            rounds, pauses = rounds + 1, delays()
            if not (self._room.is_set() or self.ledger.full):
                _log.info("mining goes on")
                self._room.set()
            await set_within(self._mined, WRITE_SECONDS)

    async def _write_once(self, *, prune: bool, leave: bool) -> None:
        while batch := self.ledger.batch():
            await self._add(batch)
            self.ledger.settle(batch)
            # While mining goes on there is always a next unit: it can wait for the next round.
            if not (leave or self.ledger.full):
                break
        if leave:
            await self._store.leave()
            return
        await self._store.beat(self._heartbeat())
        if prune:
            await self._store.prune(time.time())

    async def _add(self, batch: Batch) -> None:
        start, begin = time.time_ns(), time.perf_counter()
        await self._store.add(batch)
        seconds = time.perf_counter() - begin
        self._figures.write.add(seconds)
        if batch.places:
            # Many units are written at a time: each trace shows the one write, and how many units it was for.
            attributes = _WRITE_ATTRIBUTES | {"dockercoins.units": batch.units, "dockercoins.coins": len(batch.coins)}
            end = start + round(seconds * 1e9)
            self._tracer.afterwards("EXEC", batch.places, start, end, attributes)

    def _heartbeat(self) -> dict[str, object]:
        rng, hasher, figures = self._servers.rng, self._servers.hasher, self._figures
        return {
            "at": time.time(),
            "units": self.ledger.total,
            "rng": {"up": rng.contact.up, "ms": figures.rng.mean_ms()},
            "hasher": {"up": hasher.contact.up, "ms": figures.hasher.mean_ms()},
            "unit_ms": figures.unit.mean_ms(),
            "pause_ms": self._settings.delay_seconds * 1000,
            "write_ms": figures.write.mean_ms(),
        }
