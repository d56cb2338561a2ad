"""What every registry answers to those who push to it and pull from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import pulumi

CACHE_TAG: Final = "cache"
"""The tag that a build cache is kept under: the one tag of a repository that moves."""


def cache_tags(platforms: Sequence[str]) -> list[str]:
    """Filters, with ``*`` for any characters, for the tags of the build caches: several platforms have one each."""
    return [CACHE_TAG if len(platforms) == 1 else f"{CACHE_TAG}*"]


@dataclass(frozen=True)
class RegistryLogin:
    """What it takes to log in to a registry: its server, the user, and the password (a secret)."""

    server: str
    username: pulumi.Input[str]
    password: pulumi.Input[str]

    def at(self, server: str) -> RegistryLogin:
        """The same user at another server, such as the host that nodes pull from."""
        return replace(self, server=server)
