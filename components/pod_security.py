"""The Pod Security Standard that a namespace enforces."""

from collections.abc import Mapping
from typing import Final

_VERSION: Final = "v1.34"

RESTRICTED: Final[Mapping[str, str]] = {
    f"pod-security.kubernetes.io/{label}": value
    for mode in ("enforce", "audit", "warn")
    # A newer cluster does not ask for more; one that is older takes its own latest version.
    for label, value in ((mode, "restricted"), (f"{mode}-version", _VERSION))
}
"""The labels of a namespace that refuses pods which do not meet the standard ``restricted``, notes and tells them.

https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""
