"""One HTTP request and its answer."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final
from urllib.parse import urlsplit

from .outcomes import MisconfiguredError, RefusedError, UnavailableError

_TIMEOUT: Final = 10.0  # seconds
_LONGEST_ANSWER: Final = 1 << 20  # bytes
_LONGEST_QUOTE: Final = 300  # characters


@dataclass(frozen=True)
class Answer:
    """What a server answered."""

    status: int
    headers: Message
    body: bytes

    @property
    def date(self) -> datetime | None:
        """The server's clock when it answered."""
        try:
            return parsedate_to_datetime(self.headers.get("Date", ""))
        except ValueError:
            return None

    @property
    def is_busy(self) -> bool:
        """Whether the same request may well be served later."""
        return self.status >= HTTPStatus.INTERNAL_SERVER_ERROR or self.status == HTTPStatus.TOO_MANY_REQUESTS

    @property
    def quote(self) -> str:
        """The beginning of the body, in one line."""
        return " ".join(self.body.decode(errors="replace").split())[:_LONGEST_QUOTE]


def send(
    method: str, url: str, headers: Mapping[str, str], body: bytes = b"", *, trust: ssl.SSLContext | None = None
) -> Answer:
    """Send a request, and follow no redirect: what it carries is for this server alone.

    Args:
        method: the HTTP method.
        url: ``http`` or ``https``.
        headers: those to send; ``Host`` and ``Content-Length`` are added.
        body: what to send.
        trust: the authorities that the server's certificate may come from; without, those of the system.

    Raises:
        MisconfiguredError: the URL is none.
        RefusedError: the server's certificate is not trusted.
        UnavailableError: there is no answer.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise MisconfiguredError(f"{url!r} is no address: expected http://<host> or https://<host>")
    connection = (
        HTTPSConnection(parts.hostname, parts.port, timeout=_TIMEOUT, context=trust)
        if parts.scheme == "https"
        else HTTPConnection(parts.hostname, parts.port, timeout=_TIMEOUT)
    )
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request(method, target, body, dict(headers))
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read(_LONGEST_ANSWER))
    except ssl.SSLCertVerificationError as error:
        raise RefusedError(f"the certificate of {parts.netloc} is not trusted: {error.verify_message}") from error
    except (OSError, HTTPException) as error:
        cause = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UnavailableError(f"{parts.netloc} does not answer: {cause}") from error
    finally:
        connection.close()
