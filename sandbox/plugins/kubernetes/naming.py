"""Names of objects for which the program gives none.

As the official plugin does: the resource's own name, a dash and eight characters, with an annotation that tells it; a
replacement of such an object is made beside it, under another name, before the old one goes.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Final

from ..protocol.provider import Autonaming, AutonamingMode
from .objects import AUTONAMED, Object, child, is_annotated, name_of

_SUFFIX_LENGTH: Final = 8
_LONGEST_NAME: Final = 63  # characters; a Service or a label takes no more (RFC 1123 label)
# RFC 1123 subdomain; objects of RBAC also take colons and upper case, so they are left to the API server.
_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")


class NamingError(ValueError):
    """The stack's configuration forbids the name that the program leaves open."""


def auto_name(base: str, seed: bytes) -> str:
    """`base` with a suffix made from the engine's seed, so that a preview and its update agree; random without one."""
    suffix = hashlib.sha256(seed + base.encode()).hexdigest() if seed else secrets.token_hex(_SUFFIX_LENGTH)
    return f"{base[: _LONGEST_NAME - _SUFFIX_LENGTH - 1].rstrip('-.')}-{suffix[:_SUFFIX_LENGTH]}"


def choose_name(base: str, seed: bytes, autonaming: Autonaming | None) -> str:
    """The name for a resource called `base` in the program.

    Raises:
        NamingError: `pulumi:autonaming` is `disabled` in the stack's configuration.
    """
    if autonaming is None:
        return auto_name(base, seed)
    if autonaming.mode is AutonamingMode.DISABLE:
        raise NamingError("the stack's pulumi:autonaming is disabled: give metadata.name in the program")
    return autonaming.proposed_name


def named(obj: Object, name: str) -> Object:
    """The object with a name that this plugin chose, marked as such."""
    metadata = child(obj, "metadata")
    annotations = {**child(metadata, "annotations"), AUTONAMED: "true"}
    return {**obj, "metadata": {**metadata, "name": name, "annotations": annotations}}


def is_autonamed(obj: Object) -> bool:
    """Whether this plugin, or the official one, chose the object's name."""
    return bool(name_of(obj)) and is_annotated(obj, AUTONAMED)


def name_problem(name: str) -> str | None:
    """Why the API server would not take a name, or None when it would."""
    if _SUBDOMAIN.match(name):
        return None
    return (
        f"{name!r} is not a name that Kubernetes takes: it takes lower case letters, digits, '-' and '.', "
        "with a letter or digit at both ends"
    )
