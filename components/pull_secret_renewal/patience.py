"""Tries again, for as long as that can help."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from .outcomes import RefusedError, RenewalError, UnavailableError

_FIRST_PAUSE: Final = 1.0  # seconds
_LONGEST_PAUSE: Final = 20.0  # seconds

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Patience:
    """How long to try.

    ``unavailable`` is for how many seconds somebody who does not answer is asked again; ``refused`` is the same for
    somebody who says no (IAM and RBAC know of a change some seconds after it was made). ``tell`` is called with what
    went wrong before each pause.
    """

    unavailable: float
    refused: float
    tell: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep

    def __call__(self, attempt: Callable[[], _Result]) -> _Result:
        """What the attempt gives in the end.

        Raises:
            RenewalError: it still failed after the time for it was over; the message says how often it was tried.
        """
        start = self.clock()
        seconds = _FIRST_PAUSE
        count = 1
        while True:
            try:
                return attempt()
            except (RefusedError, UnavailableError) as error:
                limit = self.refused if isinstance(error, RefusedError) else self.unavailable
                elapsed = self.clock() - start
                if elapsed + seconds > limit:
                    raise _in_the_end(error, count, elapsed) from error
                self.tell(f"{error}; trying again in {seconds:.0f} s")
            self.pause(seconds)
            seconds = min(seconds * 2, _LONGEST_PAUSE)
            count += 1


def _in_the_end(error: RenewalError, count: int, elapsed: float) -> RenewalError:
    if count == 1:
        return error
    return type(error)(f"{error} (tried {count} times in {elapsed:.0f} s)")
