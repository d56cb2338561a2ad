"""Asks a registry whether an image is there, over its HTTP API.

The API is that of the OCI distribution specification (https://github.com/opencontainers/distribution-spec), with the
logins of https://distribution.github.io/distribution/spec/auth/. Credentials go to the registry and to the token
service that it names, over https or to this machine itself, and nowhere else.
"""

from __future__ import annotations

import base64
import enum
import functools
import hashlib
import ipaddress
import json
import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Final, NoReturn, cast
from urllib.parse import SplitResult, unquote, urlencode, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3

from components.image_reference import DOCKER_HUB, parse
from components.registry_challenges import Challenge, challenges

_DOCKER_HUB_API: Final = "registry-1.docker.io"
_MANIFESTS: Final = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
_MANIFEST_LIMIT: Final = 4 << 20
"""The most bytes of a manifest that every registry has to take."""

_REDIRECTS: Final = 5
_SAID_LIMIT: Final = 300  # characters
_TIMEOUT: Final = urllib3.Timeout(connect=5.0, read=20.0)  # seconds
_PASSING_FAULTS: Final = (429, 500, 502, 503, 504)
_RETRIES: Final = urllib3.Retry(
    total=3,
    backoff_factor=0.5,
    status_forcelist=_PASSING_FAULTS,
    raise_on_status=False,
    retry_after_max=20,  # seconds
)
_CERTIFICATES: Final = Path("/etc/docker/certs.d")
"""Where Docker looks for the certificate authorities of a registry: ``<host>[:<port>]/*.crt`` in there."""

_CONNECTION: Final = re.compile(r"^(?:<?\w+\([^)]*\)>?: )?")


class Outcome(enum.Enum):
    """What came of asking for an image."""

    PRESENT = "present"
    MISSING = "missing"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    """The registry, or its token service, gave no usable answer."""


@dataclass(frozen=True)
class Answer:
    """An outcome, with a sentence about it that is empty where the image is present."""

    outcome: Outcome
    problem: str = ""


def manifest_problem(reference: str, username: str | None, password: str | None) -> str | None:
    """What stands against pulling ``reference`` (``host/path@sha256:…``); None if the registry has it.

    The problem is one sentence that names the registry, the repository, the digest, and what the registry said. Without
    both a username and a password, the registry is asked as anybody may. One that does not answer, or is too busy, is
    asked four times before it counts as out of reach.

    Raises:
        ValueError: the reference is none, or has no digest.
    """
    parsed = parse(reference)
    if not parsed.digest:
        raise ValueError(f"{reference!r} has no digest; expected <repository>@sha256:<64 hexadecimal digits>")
    if not parsed.host:
        raise ValueError(f"{reference!r} names no registry: a host has no '_'")
    api = RegistryApi(parsed.host, username or "", password or "")
    return api.find(parsed.path, parsed.digest).problem or None


class _Ended(Exception):  # noqa: N818 - an end that is no error of the program
    """Nothing more can be asked: the outcome, and what comes after `registry <host> `."""

    def __init__(self, outcome: Outcome, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.reason = reason


@dataclass(frozen=True)
class _Response:
    status: int
    headers: urllib3.HTTPHeaderDict
    body: bytes

    def said(self) -> str:
        """Its status, and the error that it tells."""
        phrase = HTTPStatus(self.status).phrase if self.status in set(HTTPStatus) else ""
        return ", ".join(part for part in (f"HTTP {self.status} {phrase}".strip(), _error_of(self.body)) if part)

    def challenges(self) -> list[Challenge]:
        return challenges(self.headers.getlist("WWW-Authenticate"))


@dataclass(frozen=True)
class RegistryApi:
    """A registry at ``host``, as an image's name has it (``docker.io``, ``localhost:5001``), and who asks it.

    Plain http is spoken on a loopback address alone. ``certificates`` is laid out like ``/etc/docker/certs.d``.
    """

    host: str
    username: str = ""
    password: str = field(default="", repr=False)
    retries: urllib3.Retry = _RETRIES
    timeout: urllib3.Timeout = _TIMEOUT
    certificates: Path = _CERTIFICATES

    def find(self, path: str, digest: str) -> Answer:
        """Whether the repository at ``path`` has a manifest with this digest."""
        try:
            self._find(path, digest)
        except _Ended as ended:
            return Answer(ended.outcome, f"registry {self.host} {self._without_password(ended.reason)}")
        return Answer(Outcome.PRESENT)

    def _find(self, path: str, digest: str) -> None:
        image = f"{path}@{digest}"
        root = f"{'http' if is_loopback(self.host) else 'https'}://{self._api_host}/v2/"
        start = self._send("GET", root, {}, image)
        if root.startswith("http://") and start.status == HTTPStatus.BAD_REQUEST and b"https" in start.body.lower():
            root = root.replace("http://", "https://", 1)
            start = self._send("GET", root, {}, image)
        # Some registries hide a repository from strangers without a word: log in as soon as they ask at the door.
        headers = {"Accept": _MANIFESTS}
        if start.status == HTTPStatus.UNAUTHORIZED:
            headers |= self._authorization(start, path, image)
        url = f"{root}{path}/manifests/{digest}"
        response = self._send("HEAD", url, headers, image)
        asked = {challenge.scheme for challenge in response.challenges()}
        if response.status == HTTPStatus.UNAUTHORIZED and ("bearer" in asked or "Authorization" not in headers):
            # It knows better what to ask for here than at the door, such as the scope of a token.
            headers |= self._authorization(response, path, image)
            response = self._send("HEAD", url, headers, image)
        if response.status == HTTPStatus.OK and response.headers.get("Docker-Content-Digest") == digest:
            return
        # A HEAD has no place for an error's text, and some servers do not serve it.
        response = self._send("GET", url, headers, image)
        if response.status != HTTPStatus.OK:
            self._end(response, path, digest, is_registry=start.status != HTTPStatus.NOT_FOUND)
        algorithm, _, wanted = digest.partition(":")
        if hashlib.new(algorithm, response.body).hexdigest() != wanted:
            kind = response.headers.get("Content-Type", "no content type")
            raise _Ended(Outcome.UNREACHABLE, f"answers for {image} with something else ({kind}); is it a registry?")

    @property
    def _api_host(self) -> str:
        return _DOCKER_HUB_API if self.host == DOCKER_HUB else self.host

    @property
    def _has_login(self) -> bool:
        return bool(self.username and self.password)

    @property
    def _who(self) -> str:
        return f"user {self.username!r}" if self._has_login else "anybody without a login"

    def _end(self, response: _Response, path: str, digest: str, *, is_registry: bool) -> NoReturn:
        image, said = f"{path}@{digest}", response.said()
        match response.status:
            case HTTPStatus.UNAUTHORIZED:
                raise _Ended(Outcome.REFUSED, f"refuses to show {image} to {self._who}: {said}")
            case HTTPStatus.FORBIDDEN:
                raise _Ended(Outcome.REFUSED, f"does not let {self._who} pull {image}: {said}")
            case HTTPStatus.NOT_FOUND if is_registry or _error_of(response.body):
                if "NAME_UNKNOWN" in said:
                    raise _Ended(Outcome.MISSING, f"has no repository {path}, and so no image {digest} there: {said}")
                raise _Ended(Outcome.MISSING, f"has no image {digest} in the repository {path}: {said}")
            case HTTPStatus.NOT_FOUND:
                raise _Ended(Outcome.UNREACHABLE, f"does not answer as one when asked for {image}: {said} at /v2/")
            case _:
                raise _Ended(Outcome.UNREACHABLE, f"does not tell whether it has {image}: {said}")

    def _authorization(self, response: _Response, path: str, image: str) -> Mapping[str, str]:
        """The header that meets what a 401 asks for."""
        asked = {challenge.scheme: challenge for challenge in reversed(response.challenges())}
        if bearer := asked.get("bearer"):
            return {"Authorization": f"Bearer {self._token(bearer, path, image)}"}
        if "basic" in asked and self._has_login:
            return {"Authorization": self._basic}
        schemes = ", ".join(asked) or "no scheme"
        need = "asks for a login and there is none" if "basic" in asked else f"asks for a login by {schemes}"
        raise _Ended(Outcome.REFUSED, f"{need}, to show {image}: {response.said()}")

    @property
    def _basic(self) -> str:
        return f"Basic {base64.b64encode(f'{self.username}:{self.password}'.encode()).decode()}"

    def _token(self, challenge: Challenge, path: str, image: str) -> str:
        realm = challenge.parameters.get("realm", "")
        if not _is_safe(realm):
            raise _Ended(
                Outcome.UNREACHABLE,
                f"sends those who ask for {image} to a token service at {_shown(realm)!r}: only https, or this "
                "machine, is safe for a password",
            )
        query = {"scope": challenge.parameters.get("scope") or f"repository:{path}:pull"}
        if service := challenge.parameters.get("service"):
            query["service"] = service
        headers = {"Authorization": self._basic} if self._has_login else {}
        url = f"{realm}{'&' if urlsplit(realm).query else '?'}{urlencode(query)}"
        response = self._send("GET", url, headers, image)
        where = f"its token service {urlsplit(realm).netloc.rpartition('@')[2]}"
        if response.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise _Ended(Outcome.REFUSED, f"refuses to show {image} to {self._who}: {where} answers {response.said()}")
        if response.status != HTTPStatus.OK:
            raise _Ended(Outcome.UNREACHABLE, f"cannot be asked for {image}: {where} answers {response.said()}")
        told = _object(response.body)
        token = told.get("token") or told.get("access_token")
        if not isinstance(token, str) or not re.fullmatch(r"[\x21-\x7e]+", token):
            raise _Ended(Outcome.UNREACHABLE, f"cannot be asked for {image}: {where} answers without a token")
        return token

    def _send(self, method: str, url: str, headers: Mapping[str, str], image: str) -> _Response:
        """Send a request and follow its redirects, on which the login stays with the host that it is for."""
        sent = dict(headers)
        for _ in range(_REDIRECTS + 1):
            try:
                raw = self._client(urlsplit(url)).request(
                    method,
                    url,
                    headers=sent,
                    timeout=self.timeout,
                    retries=self.retries,
                    redirect=False,
                    preload_content=False,
                )
                body = raw.read(_MANIFEST_LIMIT)
                raw.release_conn()
            except urllib3.exceptions.MaxRetryError as error:
                raise _Ended(Outcome.UNREACHABLE, self._silence(image, url, error.reason)) from None
            except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                raise _Ended(Outcome.UNREACHABLE, self._silence(image, url, error)) from None
            location = raw.get_redirect_location()
            if not location:
                return _Response(raw.status, raw.headers, body)
            target = urljoin(url, location)
            if not _is_safe(target):
                raise _Ended(
                    Outcome.UNREACHABLE,
                    f"sends those who ask for {image} on to {_shown(target)!r}: only https, or this machine, is safe",
                )
            if _origin(urlsplit(target)) != _origin(urlsplit(url)):
                sent.pop("Authorization", None)
            url = target
        raise _Ended(Outcome.UNREACHABLE, f"answers for {image} with more than {_REDIRECTS} redirects")

    def _silence(self, image: str, url: str, error: Exception | None) -> str:
        reason = _CONNECTION.sub("", str(error), count=1)
        asked = urlsplit(url).netloc
        where = "" if asked == self._api_host else f"{asked}: "
        return f"cannot be asked for {image}: {where}{_shown(reason)}"

    def _client(self, url: SplitResult) -> urllib3.PoolManager:
        authorities = tuple(sorted((self.certificates / url.netloc).glob("*.crt")))
        return _client(_proxy(url), authorities)

    def _without_password(self, text: str) -> str:
        return text.replace(self.password, "***") if self.password else text


@functools.lru_cache(maxsize=16)
def _client(proxy: str, authorities: Sequence[Path]) -> urllib3.PoolManager:
    context = ssl.create_default_context()
    for file in authorities:
        context.load_verify_locations(file)
    if not proxy:
        return urllib3.PoolManager(ssl_context=context)
    parts = urlsplit(proxy)
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else None
    headers = urllib3.make_headers(proxy_basic_auth=login)
    return urllib3.ProxyManager(proxy, proxy_headers=headers, ssl_context=context)


def _proxy(url: SplitResult) -> str:
    """The proxy that the environment names for this address (``HTTPS_PROXY``, ``NO_PROXY``); empty for none."""
    if is_loopback(url.netloc) or proxy_bypass(url.netloc):
        return ""
    return getproxies().get(url.scheme, "")


def _is_safe(url: str) -> bool:
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


def _error_of(body: bytes) -> str:
    """The error that a registry or a token service tells: its code and message, on one line; empty if it tells none."""
    told = _object(body)
    errors = told.get("errors")
    first: object = cast("list[object]", errors)[0] if isinstance(errors, list) and errors else told
    if not isinstance(first, dict):
        return ""
    entry = cast("dict[str, object]", first)
    texts = [entry.get(key) for key in ("code", "message")]
    if not any(isinstance(text, str) for text in texts):
        texts = [entry.get(key) for key in ("error", "error_description", "details")]
    return _shown(": ".join(text for text in texts if isinstance(text, str) and text))


def _object(body: bytes) -> dict[str, object]:
    try:
        parsed: object = json.loads(body)
    except ValueError:
        return {}
    return cast("dict[str, object]", parsed) if isinstance(parsed, dict) else {}


def _shown(text: str) -> str:
    """A text of somebody else's on one line of a message."""
    line = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return line if len(line) <= _SAID_LIMIT else f"{line[:_SAID_LIMIT]}…"
