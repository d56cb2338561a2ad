"""How long to wait between attempts, and what is said about it."""

import asyncio
import logging
import random
from collections.abc import Iterator
from dataclasses import dataclass

FIRST_SECONDS = 0.1
MOST_SECONDS = 5.0

_log = logging.getLogger(__name__)


def delays(first: float = FIRST_SECONDS, most: float = MOST_SECONDS) -> Iterator[float]:
    """Give ever longer delays in seconds, doubled up to the most, each shortened at random by up to a half.

    The random part keeps workers that lost the same server at the same moment from coming back at the same moment.
    """
    while True:
        yield first * random.uniform(0.5, 1.0)  # noqa: S311 - spreads attempts, guards nothing
        first = min(first * 2, most)


async def set_within(event: asyncio.Event, seconds: float) -> bool:
    """Wait so long, or until the event is set; give whether it is."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


@dataclass
class Contact:
    """Whether a server answers, None before it was asked; every change of that is logged once."""

    name: str
    up: bool | None = None

    def succeeded(self) -> None:
        """Note that the server answered."""
        if not self.up:
            _log.info("%s answers", self.name)
        self.up = True

    def failed(self, reason: object) -> None:
        """Note that it did not."""
        if self.up is not False:
            _log.warning("%s does not answer: trying on", self.name, extra={"reason": str(reason) or repr(reason)})
        self.up = False
