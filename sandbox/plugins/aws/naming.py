"""Physical names that the program leaves to Pulumi: the resource's name, and some random digits."""

from __future__ import annotations

from typing import Final

from ..protocol.provider import AutonamingMode, CheckRequest, Failure
from ..protocol.values import get_string

DEFAULTS: Final = "__defaults"
"""Names the inputs that the program left out, as the official plugin keeps it: a name made here is kept."""

_RANDOM_DIGITS: Final = 7


def automatic(request: CheckRequest, longest: int) -> str | Failure:
    """A name that was made before, or that `pulumi:autonaming` proposes, or a new one; Failure where there is none."""
    old = request.old_inputs or {}
    old_defaults = old.get(DEFAULTS)
    old_name = get_string(old, "name")
    if old_name and isinstance(old_defaults, list) and "name" in old_defaults:
        return old_name
    naming = request.autonaming
    if naming is not None and naming.mode is AutonamingMode.DISABLE:
        return Failure("name", "missing, and automatic naming is disabled (pulumi:autonaming)")
    if naming is not None and naming.proposed_name:
        return naming.proposed_name
    name = f"{request.name}-{request.random_seed.hex()[:_RANDOM_DIGITS]}"
    if len(name) > longest:
        return Failure(
            "name",
            f"missing, and one made from the resource's name, {name}, would have more than {longest} characters: set "
            "name, or give the resource a shorter name",
        )
    return name
