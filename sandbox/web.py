"""Asks local servers whether they are there."""

from __future__ import annotations

import time
from collections.abc import Callable

import urllib3

from .errors import SandboxError


def status(url: str, *, user: tuple[str, str] | None = None, timeout: float = 3.0, method: str = "GET") -> int | None:
    """The status that a server answers with; None if nobody answers in time."""
    headers = urllib3.make_headers(basic_auth=":".join(user)) if user else None
    try:
        answer = urllib3.request(method, url, headers=headers, timeout=timeout, retries=False, redirect=False)
    except urllib3.exceptions.HTTPError:
        return None
    return answer.status


def body(url: str, *, timeout: float = 3.0) -> bytes | None:
    """What a server answers; None unless it is a success."""
    try:
        answer = urllib3.request("GET", url, timeout=timeout, retries=False)
    except urllib3.exceptions.HTTPError:
        return None
    return answer.data if answer.status == 200 else None  # noqa: PLR2004 - the HTTP status of a success


def await_status(url: str, accepted: int, within: float, *, user: tuple[str, str] | None = None) -> int | None:
    """Ask until the status is the accepted one, or for `within` seconds; return the last status."""
    deadline = time.monotonic() + within
    while True:
        last = status(url, user=user)
        if last == accepted or time.monotonic() > deadline:
            return last
        time.sleep(0.2)


def wait(condition: Callable[[], bool], within: float, failure: Callable[[], str]) -> None:
    """Wait for a condition.

    Raises:
        SandboxError: it does not hold after `within` seconds; `failure` words it.
    """
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise SandboxError(failure())
        time.sleep(0.5)
