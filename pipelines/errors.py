"""How a step ends when it does not succeed."""

from __future__ import annotations

from typing import Final

FAILED: Final = 1
"""Exit code of a step that failed, or refused; the message says which, and what to do."""

DIFFERS: Final = 3
"""Exit code of a step that found a difference, which is its result and no failure."""


class StepError(Exception):
    """A step that could not do what it is for. The message is all that a reader needs: what, why, what to do."""


class ChangedError(StepError):
    """A step that failed after it had changed the stack. The message says what was done about it, too."""
