"""Credentials for registries, and how they get into a Docker configuration."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

from ..protocol.values import Value, contains_unknown, unwrap
from . import references

_AUTH_KEYS: Final = frozenset({"address", "authDisabled", "password", "username"})


class LoginsError(ValueError):
    """Logins that are not accepted; the message holds none of their values."""


@dataclass(frozen=True)
class Login:
    """Credentials for one registry. An empty user name and password mean: without a login."""

    server: str
    username: str
    password: str = field(repr=False)


def parse_logins(registry_auth: Value) -> list[Login]:
    """The logins of the provider's `registryAuth`, a list that arrives as JSON.

    Raises:
        LoginsError: it is no such list, or has something that is not served; no value of it is in the message.
    """
    value = unwrap(registry_auth)
    if value is None or contains_unknown(value):
        return []
    if isinstance(value, str):
        try:
            value = cast("Value", json.loads(value))
        except ValueError:
            raise LoginsError("expected a list of logins as JSON") from None
    if not isinstance(value, list):
        raise LoginsError("expected a list of logins")
    return [_registry_login(entry) for entry in value]


def _registry_login(entry: Value) -> Login:
    if not isinstance(entry, dict) or not isinstance(entry.get("address"), str):
        raise LoginsError("each login needs the registry's address")
    unknown = sorted(key for key, value in entry.items() if value is not None and key not in _AUTH_KEYS)
    if unknown:
        raise LoginsError(
            f"{', '.join(unknown)} is not served; use {', '.join(sorted(_AUTH_KEYS))}, or docker login on this machine"
        )
    address = references.login_key(_text(entry.get("address")))
    if entry.get("authDisabled") is True:
        return Login(address, "", "")
    return Login(address, _text(entry.get("username")), _text(entry.get("password")))


def with_logins(config: Mapping[str, object], logins: Sequence[Login]) -> dict[str, object]:
    """A Docker configuration in which these logins come before what it says itself."""
    auths = _section(config, "auths")
    helpers = _section(config, "credHelpers")
    for login in logins:
        key = references.login_key(login.server)
        if login.username or login.password:
            pair = f"{login.username}:{login.password}".encode()
            auths[key] = {"auth": b64encode(pair).decode()}
        else:
            auths.pop(key, None)
        # A credential store answers for every registry, except for one with a helper of its own; "" is the file.
        if "credsStore" in config or key in helpers:
            helpers[key] = ""
    return {**config, "auths": auths, **({"credHelpers": helpers} if helpers else {})}


def _section(config: Mapping[str, object], key: str) -> dict[str, object]:
    section = config.get(key)
    return dict(cast("dict[str, object]", section)) if isinstance(section, dict) else {}


def _text(value: Value) -> str:
    unwrapped = unwrap(value)
    return unwrapped if isinstance(unwrapped, str) else ""
