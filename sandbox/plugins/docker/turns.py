"""One push at a time to each registry: what the first one sends, the others need not send.

Of a layer that another repository of the registry has, docker only sends the name. Pushes side by side all compress and
send the layers that they share, since none of them is there yet when the others look.
https://distribution.github.io/distribution/spec/api/#cross-repository-blob-mount
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

from ..protocol.provider import Cancelled

_LOOK: Final = 0.1  # seconds between two looks whether the run was stopped


class Turns:
    """Who is next, for each registry."""

    def __init__(self) -> None:
        """Nobody pushes yet."""
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    @contextmanager
    def turn(self, registry: str, cancelled: threading.Event, on_wait: Callable[[str], None]) -> Generator[None]:
        """Wait until nobody else pushes to a registry, and tell `on_wait` of it; the others wait until the block ends.

        Raises:
            Cancelled: the user stopped the run meanwhile.
        """
        with self._lock:
            lock = self._locks.setdefault(registry, threading.Lock())
        if not lock.acquire(blocking=False):
            on_wait(f"waiting for another push to {registry}, which may send layers of this image")
            while not lock.acquire(timeout=_LOOK):
                if cancelled.is_set():
                    raise Cancelled(f"cancelled: the push to {registry} was not begun")
        try:
            yield
        finally:
            lock.release()
