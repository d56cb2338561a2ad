"""What ``--or-roll-back`` does: where a version fails, the one before comes back by itself."""

from __future__ import annotations

from collections.abc import Callable

from pipelines.errors import ChangedError, StepError
from pipelines.timeline import Tell


def or_roll_back(attempt: Callable[[], None], roll_back: Callable[[], None], tell: Tell) -> None:
    """Do ``attempt``; if it fails, ``roll_back``, which brings back what ran before and verifies that.

    Raises:
        ChangedError: it failed; the message says why, and whether what ran before works again.
    """
    try:
        attempt()
    except StepError as failure:
        tell(f"{failure}\nRolling back.")
        try:
            roll_back()
        except StepError as another:
            raise ChangedError(f"{failure}\nIt was not rolled back to something that works: {another}") from None
        raise ChangedError(f"{failure}\nIt was rolled back: the digests of before run again, and work") from None
