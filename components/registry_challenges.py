"""How a registry asks for a login: the challenges of its ``WWW-Authenticate`` headers.

``Basic`` is RFC 7617; ``Bearer`` names a token service, as in https://distribution.github.io/distribution/spec/auth/token/.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

_PIECE: Final = re.compile(
    r'(?P<key>[\w-]+)\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s,"]+))|(?P<scheme>[A-Za-z][\w-]*)'
)


@dataclass(frozen=True)
class Challenge:
    """One way to log in: its scheme in lower case (``basic``, ``bearer``), and its parameters by their names."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])


def challenges(headers: Iterable[str]) -> list[Challenge]:
    """The challenges of some ``WWW-Authenticate`` headers, in their order; a header may hold more than one."""
    found: list[tuple[str, dict[str, str]]] = []
    for header in headers:
        for piece in _PIECE.finditer(header):
            if piece["scheme"]:
                found.append((piece["scheme"].lower(), {}))
            elif found:
                value = re.sub(r"\\(.)", r"\1", piece["quoted"]) if piece["plain"] is None else piece["plain"]
                found[-1][1][piece["key"].lower()] = value
    return [Challenge(scheme, parameters) for scheme, parameters in found]
