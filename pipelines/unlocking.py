"""The step ``unlock``: clears the lock that a killed update of one's own has left."""

from __future__ import annotations

import json
import re
from typing import Final

from pipelines import locks, problems
from pipelines.engine import Pulumi
from pipelines.errors import StepError
from pipelines.locks import Here, Lock, Standing

_REFUSED: Final = re.compile(r"a stack named \S+ already exists")


def unlock(pulumi: Pulumi, here: Here) -> list[Lock]:
    """Clear the stack's locks if each is of this user and this machine, and of a process that is gone.

    Returns:
        The locks that were cleared; none if there were none.

    Raises:
        StepError: a lock is somebody else's, or of an update that runs; then none is cleared.
    """
    found = _locks(pulumi)
    if any(locks.standing(lock, here) is not Standing.STALE for lock in found):
        raise StepError(f"not unlocked; nothing was changed:\n{locks.told(found, here)}")
    if found:
        # It removes all locks there are. As long as the stale one is there nobody gets another.
        pulumi.query("cancel", "--yes")
    return found


def _locks(pulumi: Pulumi) -> list[Lock]:
    who = pulumi.ask("whoami", "--verbose", "--json")
    backend = str(json.loads(who.printed)["url"]) if who.succeeded else ""
    if backend.startswith(("http://", "https://")):
        raise StepError(
            f"{backend} has no lock files. See there who updates {pulumi.stack}; only if that update was killed, who "
            "started it clears its lock by `pulumi cancel`. Nothing was changed"
        )
    # It takes the lock, and then does nothing, as a stack cannot get the name that it has.
    renamed = who if not who.succeeded else pulumi.ask("stack", "rename", pulumi.stack, "--stack", pulumi.stack)
    found = locks.read(renamed.said)
    if not found and _REFUSED.search(renamed.said) is None:
        raise StepError(problems.explain("the look for locks", None, renamed.said))
    return found
