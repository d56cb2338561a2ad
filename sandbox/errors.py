"""What the user is told when something cannot be done."""

from __future__ import annotations


class SandboxError(Exception):
    """One thing that went wrong, in words for the user: what, the value received, what is accepted, what to do."""


class Stopped(SandboxError):  # noqa: N818 - not an error of its own: the user, or the failure of another task, ended it
    """The work was stopped before its end."""
