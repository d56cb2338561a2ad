"""What every registry answers to those who push to it and pull from it."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi


@dataclass(frozen=True)
class RegistryLogin:
    """What it takes to log in to a registry: its server, the user, and the password (a secret)."""

    server: str
    username: pulumi.Input[str]
    password: pulumi.Input[str]
