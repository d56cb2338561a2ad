"""Watches redis: notes its counts once a second, tells when it goes and comes, and whether webui is ready."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress

from .metrics import Metrics
from .redis_access import REFUSED, Trouble
from .snapshot import Away, Shared, Snapshot
from .status import History, fresh_heartbeats

_SAMPLE_SECONDS = 1.0

_log = logging.getLogger(__name__)


class Watch:
    """What was last read of redis, and what follows from it.

    webui is ready as soon as it has read redis once, and stays so: later it can tell visitors that redis is away, and
    it can only do that while its Service sends them to it. A version that never got to redis, because its password is
    wrong for example, does not replace one that did.
    """

    def __init__(self, shared: Shared[Snapshot | Away], history: History) -> None:
        self.returns = 0
        self._shared = shared
        self._history = history
        self._last: Snapshot | Away | None = None
        self._reached = False

    async def run(self, stop: asyncio.Event) -> None:
        """Read until stopped."""
        told: Trouble | None = None
        while not stop.is_set():
            reading = self._last = await self._shared.get()
            if isinstance(reading, Snapshot):
                self._history.add(reading)
                if told or not self._reached:
                    _log.info("redis answers")
                self.returns += told is not None
                self._reached, told = True, None
            else:
                if told is None or told.state != reading.trouble.state:
                    _log.warning("%s: trying on", reading.trouble.state, extra={"reason": reading.trouble.reason})
                told = reading.trouble
            with suppress(TimeoutError):
                async with asyncio.timeout(_SAMPLE_SECONDS):
                    await stop.wait()

    async def obstacle(self) -> str | None:
        """Say why webui is not ready, or None."""
        if self._reached:
            return None
        return str(self._last.trouble) if isinstance(self._last, Away) else "redis was not read yet"

    def detail(self) -> Mapping[str, object]:
        """Give the state of redis: ``up``, ``down``, ``refused`` or ``unknown``."""
        if isinstance(self._last, Away):
            trouble = self._last.trouble
            return {"redis": {"state": "refused" if trouble.state == REFUSED else "down", "reason": trouble.reason}}
        return {"redis": {"state": "unknown" if self._last is None else "up"}}

    def tell(self, metrics: Metrics) -> None:
        """Tell Prometheus."""
        counter, gauge = metrics.counter, metrics.gauge

        def seen() -> Snapshot | None:
            return self._last if isinstance(self._last, Snapshot) else None

        def workers() -> float | None:
            last = seen()
            return last and len(fresh_heartbeats(last.heartbeats, last.now))

        gauge("dockercoins_webui_hashes", "Hashes that redis counts.", lambda: (last := seen()) and last.hashes)
        gauge("dockercoins_webui_coins", "Coins that redis keeps.", lambda: (last := seen()) and last.coins)
        gauge("dockercoins_webui_workers", "Workers that sent a heartbeat of late.", workers)
        gauge("dockercoins_webui_redis_up", "1 if redis answered last, 0 if it did not.", lambda: float(bool(seen())))
        text = "How often redis answered again after it had not."
        counter("dockercoins_webui_redis_reconnects_total", text, lambda: self.returns)
