"""Waiting for a condition."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait(condition: Callable[[], bool], what: str, limit: float = 180.0, every: float = 0.1) -> None:
    """Wait until a condition holds.

    Args:
        condition: is asked again and again.
        what: is waited for, for the message.
        limit: seconds after which it is given up.
        every: seconds between two looks.

    Raises:
        TimeoutError: it did not hold in time.
    """
    end = time.monotonic() + limit
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {limit:.0f} s for {what}")
        time.sleep(every)
