"""Which texts the API server takes as names, labels, annotations and hosts.

The rules are those of https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ and of
``k8s.io/apimachinery/pkg/util/validation``.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

LABEL_LIMIT: Final = 63  # characters
_SUBDOMAIN_LIMIT: Final = 253  # characters
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_NAME = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]*)?[A-Za-z0-9]")


def is_label(text: str) -> bool:
    """Whether a text names a namespace or a Service."""
    return len(text) <= LABEL_LIMIT and _LABEL.fullmatch(text) is not None


def is_subdomain(text: str) -> bool:
    """Whether a text names an object of most other kinds."""
    return len(text) <= _SUBDOMAIN_LIMIT and _SUBDOMAIN.fullmatch(text) is not None


def is_host(text: str) -> bool:
    """Whether a text is the host of a rule of an Ingress: a name, or ``*.`` and a name, and no address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return len(text) <= _SUBDOMAIN_LIMIT and is_subdomain(text.removeprefix("*."))
    return False


def is_label_value(text: str) -> bool:
    """Whether a text is the value of a label."""
    return not text or (len(text) <= LABEL_LIMIT and _NAME.fullmatch(text) is not None)


def is_qualified_name(text: str) -> bool:
    """Whether a text is the key of a label, or in lowercase that of an annotation: ``prefix/name`` or ``name``."""
    prefix, slash, name = text.rpartition("/")
    return (not slash or is_subdomain(prefix)) and len(name) <= LABEL_LIMIT and _NAME.fullmatch(name) is not None
