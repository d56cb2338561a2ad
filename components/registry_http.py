"""Sends requests to registries and their token services, so that credentials go nowhere else.

They go over https, or to this machine itself. The proxies of the environment are used, and the certificate authorities
that Docker trusts for a registry.
"""

from __future__ import annotations

import enum
import functools
import ipaddress
import json
import logging
import os
import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final, cast
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

import urllib3

from components.proxies import proxy_for
from components.registry_challenges import Challenge, challenges

_MANIFEST_LIMIT: Final = 4 << 20
"""The most bytes of a manifest that every registry has to take."""

_REDIRECTS: Final = 5
_SAID_LIMIT: Final = 300  # characters
TIMEOUT: Final = urllib3.Timeout(connect=5.0, read=20.0)  # seconds
_PASSING_FAULTS: Final = (429, 500, 502, 503, 504)
RETRIES: Final = urllib3.Retry(
    total=3,
    backoff_factor=0.5,
    status_forcelist=_PASSING_FAULTS,
    raise_on_status=False,
    retry_after_max=20,  # seconds
)
CERTIFICATES: Final = Path("/etc/docker/certs.d")
"""Where Docker looks for the certificate authorities of a registry: ``<host>[:<port>]/*.crt`` in there."""

_CONNECTION: Final = re.compile(r"^(?:<?\w+\([^)]*\)>?: )?")


class Outcome(enum.Enum):
    """What came of asking for an image."""

    PRESENT = "present"
    MISSING = "missing"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    """The registry, or its token service, gave no usable answer."""


class Ended(Exception):  # noqa: N818 - an end that is no error of the program
    """Nothing more can be asked: the outcome, and what comes after `registry <host> `."""

    def __init__(self, outcome: Outcome, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.reason = reason


@dataclass(frozen=True)
class Response:
    """What a server answered; of its body, no more than a manifest may be long."""

    status: int
    headers: urllib3.HTTPHeaderDict
    body: bytes

    def said(self) -> str:
        """Its status, and the error that it tells."""
        phrase = HTTPStatus(self.status).phrase if self.status in set(HTTPStatus) else ""
        return ", ".join(part for part in (f"HTTP {self.status} {phrase}".strip(), error_of(self.body)) if part)

    def challenges(self) -> list[Challenge]:
        """The ways to log in that it asks for."""
        return challenges(self.headers.getlist("WWW-Authenticate"))


@dataclass(frozen=True)
class RegistryHttp:
    """Speaks to the registry whose API is at ``host``, and to those whom it names.

    ``certificates`` is laid out like ``/etc/docker/certs.d``.
    """

    host: str
    retries: urllib3.Retry
    timeout: urllib3.Timeout
    certificates: Path

    def send(self, method: str, url: str, headers: Mapping[str, str], image: str, body: bytes = b"") -> Response:
        """Send a request and follow its redirects, on which the login stays with the host that it is for.

        ``image`` is what the request is about, in messages.

        Raises:
            Ended: no server gave a usable answer.
        """
        sent = dict(headers)
        for _ in range(_REDIRECTS + 1):
            try:
                raw = self._client(urlsplit(url)).request(
                    method,
                    url,
                    headers=sent,
                    body=body or None,
                    timeout=self.timeout,
                    retries=self.retries,
                    redirect=False,
                    preload_content=False,
                )
                received = raw.read(_MANIFEST_LIMIT)
                raw.release_conn()
            except urllib3.exceptions.MaxRetryError as error:
                raise Ended(Outcome.UNREACHABLE, self._silence(image, url, error.reason)) from None
            except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                raise Ended(Outcome.UNREACHABLE, self._silence(image, url, error)) from None
            location = raw.get_redirect_location()
            if not location:
                return Response(raw.status, raw.headers, received)
            target = urljoin(url, location)
            if not is_safe(target):
                raise Ended(
                    Outcome.UNREACHABLE,
                    f"sends those who ask for {image} on to {shown(target)!r}: only https, or this machine, is safe",
                )
            if _origin(urlsplit(target)) != _origin(urlsplit(url)):
                if method == "POST":
                    raise Ended(
                        Outcome.UNREACHABLE,
                        f"sends an identity token, for {image}, on to {shown(target)!r}: it is for the token service",
                    )
                sent.pop("Authorization", None)
            url = target
        raise Ended(Outcome.UNREACHABLE, f"answers for {image} with more than {_REDIRECTS} redirects")

    def _silence(self, image: str, url: str, error: Exception | None) -> str:
        reason = _CONNECTION.sub("", str(error), count=1)
        asked = urlsplit(url).netloc
        where = "" if asked == self.host else f"{asked}: "
        return f"cannot be asked for {image}: {where}{shown(reason)}"

    def _client(self, url: SplitResult) -> urllib3.PoolManager:
        authorities = tuple(sorted((self.certificates / url.netloc).glob("*.crt")))
        return _client(proxy_for(url, os.environ), authorities)


@functools.lru_cache(maxsize=16)
def _client(proxy: str, authorities: Sequence[Path]) -> urllib3.PoolManager:
    # It warns of each attempt that failed, in words for programmers; the last one is in the problem that is told.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    context = ssl.create_default_context()
    for file in authorities:
        context.load_verify_locations(file)
    if not proxy:
        return urllib3.PoolManager(ssl_context=context)
    parts = urlsplit(proxy)
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else None
    headers = urllib3.make_headers(proxy_basic_auth=login)
    return urllib3.ProxyManager(proxy, proxy_headers=headers, ssl_context=context)


def is_safe(url: str) -> bool:
    """Whether credentials may go to this address: over https, or to this machine."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.netloc)))


def is_loopback(host: str) -> bool:
    """Whether ``host[:port]`` is this machine by its name or address."""
    name = urlsplit(f"//{host}").hostname or ""
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _origin(url: SplitResult) -> tuple[str, str | None, int | None]:
    return url.scheme, url.hostname, url.port or {"http": 80, "https": 443}.get(url.scheme)


def error_of(body: bytes) -> str:
    """The error that a registry or a token service tells: its code and message, on one line; empty if it tells none."""
    told = object_of(body)
    errors = told.get("errors")
    first: object = cast("list[object]", errors)[0] if isinstance(errors, list) and errors else told
    if not isinstance(first, dict):
        return ""
    entry = cast("dict[str, object]", first)
    texts = [entry.get(key) for key in ("code", "message")]
    if not any(isinstance(text, str) for text in texts):
        texts = [entry.get(key) for key in ("error", "error_description", "details")]
    return shown(": ".join(text for text in texts if isinstance(text, str) and text))


def object_of(body: bytes) -> dict[str, object]:
    """The JSON object that a body is; empty if it is none."""
    try:
        parsed: object = json.loads(body)
    except ValueError:
        return {}
    return cast("dict[str, object]", parsed) if isinstance(parsed, dict) else {}


def shown(text: str) -> str:
    """A text of somebody else's on one line of a message."""
    line = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return line if len(line) <= _SAID_LIMIT else f"{line[:_SAID_LIMIT]}…"
