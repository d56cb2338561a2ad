"""Why a renewal did not succeed: each kind is answered in another way."""

from __future__ import annotations


class RenewalError(Exception):
    """The secret was not renewed; the message says why, in the words of the one who refused."""


class MisconfiguredError(RenewalError):
    """What the pod was given does not do: trying again is of no use."""


class RefusedError(RenewalError):
    """Somebody said no. A role or a binding that was made a moment ago may still be on its way, so not for good."""


class UnavailableError(RenewalError):
    """Somebody did not answer, or asked to come back later."""
