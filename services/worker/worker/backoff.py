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
    """Whether a server answers, None before it was asked; every change of that is logged once.

    ``returns`` counts how often it answered again after it had not.
    """

    name: str
    up: bool | None = None
    returns: int = 0
    _trouble: str | None = None

    def succeeded(self) -> None:
        """Note that the server answered."""
        if not self.up:
            _log.info("%s answers", self.name)
        if self._trouble is not None:
            self.returns += 1
        self.up, self._trouble = True, None

    def failed(self, reason: object, trouble: str | None = None) -> None:
        """Note that it did not, or did in another way than it should, which ``trouble`` says then."""
        trouble = trouble or f"{self.name} does not answer"
        if trouble != self._trouble:
            _log.warning("%s: trying on", trouble, extra={"reason": str(reason) or repr(reason)})
        self.up, self._trouble = False, trouble
