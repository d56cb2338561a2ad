"""Asks a registry whether an image is there, and reads and writes manifests, over its HTTP API.

The API is that of the OCI distribution specification (https://github.com/opencontainers/distribution-spec), with the
logins of https://distribution.github.io/distribution/spec/auth/. Credentials go to the registry and to the token
service that it names, over https or to this machine itself, and nowhere else.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Final, NoReturn
from urllib.parse import urlencode, urlsplit

import urllib3

from components.image_reference import DOCKER_HUB, parse
from components.registry_challenges import Challenge
from components.registry_http import (
    CERTIFICATES,
    RETRIES,
    TIMEOUT,
    Ended,
    Outcome,
    RegistryHttp,
    Response,
    error_of,
    is_loopback,
    is_safe,
    object_of,
    shown,
)

__all__ = [
    "Answer",
    "Manifest",
    "Outcome",
    "RegistryApi",
    "RegistryError",
    "Repository",
    "UnaskableError",
    "find_image",
]

_DOCKER_HUB_API: Final = "registry-1.docker.io"
_MANIFESTS: Final = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)


@dataclass(frozen=True)
class Answer:
    """An outcome, with a sentence about it that is empty where the image is present."""

    outcome: Outcome
    problem: str = ""


@dataclass(frozen=True)
class Manifest:
    """A manifest, byte for byte; its digest is that of ``content``."""

    media_type: str
    content: bytes = field(repr=False)

    @property
    def digest(self) -> str:
        """``sha256:<64 hexadecimal digits>``."""
        return f"sha256:{hashlib.sha256(self.content).hexdigest()}"


class RegistryError(Exception):
    """A registry did not do what it was asked for; the message names it, the repository, and what it said."""

    def __init__(self, outcome: Outcome, problem: str) -> None:
        super().__init__(problem)
        self.outcome = outcome


class UnaskableError(ValueError):
    """A reference that no registry can be asked for: it names none, or no digest."""


def find_image(reference: str, username: str = "", password: str = "", identity_token: str = "") -> Answer:
    """Whether its registry has ``reference`` (``host/path@sha256:…``).

    Without both a username and a password, or an identity token, the registry is asked as anybody may. One that does
    not answer, or is too busy, is asked four times before it counts as out of reach.

    Raises:
        ReferenceFormatError: it is no reference.
        UnaskableError: it has no digest, or no host.
    """
    image = parse(reference)
    if not image.digest:
        raise UnaskableError(f"{reference!r} has no digest; expected <repository>@sha256:<64 hexadecimal digits>")
    if not image.host:
        raise UnaskableError(f"{reference!r} names no registry: a host has no '_'")
    return RegistryApi(image.host, username, password, identity_token=identity_token).find(image.path, image.digest)


@dataclass(frozen=True)
class RegistryApi:
    """A registry at ``host``, as an image's name has it (``docker.io``, ``localhost:5001``), and who asks it.

    That is a user with a password, or one with an ``identity_token``, by which a token service gives others. Plain http
    is spoken on a loopback address alone. ``certificates`` is laid out like ``/etc/docker/certs.d``.
    """

    host: str
    username: str = ""
    password: str = field(default="", repr=False)
    retries: urllib3.Retry = RETRIES
    timeout: urllib3.Timeout = TIMEOUT
    certificates: Path = CERTIFICATES
    identity_token: str = field(default="", repr=False)

    def find(self, path: str, digest: str) -> Answer:
        """Whether the repository at ``path`` has a manifest with this digest."""
        try:
            self.repository(path).require(digest)
        except RegistryError as error:
            return Answer(error.outcome, str(error))
        return Answer(Outcome.PRESENT)

    def repository(self, path: str, *, push: bool = False) -> Repository:
        """The repository at ``path``, to read from, and to write to with ``push``; nothing is asked yet."""
        return Repository(self, path, push=push)

    @contextmanager
    def telling(self) -> Generator[None]:
        """Raise what ends a conversation as an error that names the registry, and shows no secret."""
        try:
            yield
        except Ended as ended:
            reason = ended.reason
            for secret in filter(None, (self.password, self.identity_token)):
                reason = reason.replace(secret, "***")
            raise RegistryError(ended.outcome, f"registry {self.host} {reason}") from None

    @property
    def api_host(self) -> str:
        """Where the API is: the host, but for Docker Hub."""
        return _DOCKER_HUB_API if self.host == DOCKER_HUB else self.host

    @property
    def who(self) -> str:
        """Who asks, in a message."""
        if self.basic:
            return f"user {self.username!r}"
        return "the identity token of docker's login" if self.identity_token else "anybody without a login"

    @property
    def basic(self) -> str:
        """The header of a login by user and password (RFC 7617); empty if there is none."""
        if not self.username or not self.password:
            return ""
        return f"Basic {base64.b64encode(f'{self.username}:{self.password}'.encode()).decode()}"

    def send(self, method: str, url: str, headers: Mapping[str, str], image: str, body: bytes = b"") -> Response:
        """Send a request, as :meth:`components.registry_http.RegistryHttp.send` does."""
        http = RegistryHttp(self.api_host, self.retries, self.timeout, self.certificates)
        return http.send(method, url, headers, image, body)

    def ask_for_token(self, realm: str, question: Mapping[str, str], image: str) -> Response:
        """What a token service answers; with an identity token it is asked as OAuth 2 has it, else by the login.

        https://distribution.github.io/distribution/spec/auth/oauth/ tells the first,
        https://distribution.github.io/distribution/spec/auth/token/ the second.
        """
        if self.identity_token:
            grant = {"grant_type": "refresh_token", "client_id": "docker", "refresh_token": self.identity_token}
            form = urlencode({**grant, **question}).encode()
            return self.send("POST", realm, {"Content-Type": "application/x-www-form-urlencoded"}, image, form)
        url = f"{realm}{'&' if urlsplit(realm).query else '?'}{urlencode(question)}"
        return self.send("GET", url, {"Authorization": self.basic} if self.basic else {}, image)


class Repository:
    """One repository of a registry. Its manifests are asked for and sent over one login."""

    def __init__(self, api: RegistryApi, path: str, *, push: bool = False) -> None:
        self._api = api
        self._path = path
        self._push = push
        self._root = ""
        self._speaks_api = False
        self._login: dict[str, str] = {}
        self._met: list[Challenge] = []
        self._writes = False

    def require(self, digest: str) -> None:
        """Make sure that it has a manifest with this digest.

        Raises:
            RegistryError: it has none, or cannot be asked.
        """
        with self._api.telling():
            self._require(digest)

    def manifest(self, digest: str) -> Manifest:
        """The manifest with this digest, whose content is checked against it.

        Raises:
            RegistryError: there is none, or it cannot be asked for.
        """
        with self._api.telling():
            response = self._read(digest)
            # A body may be served as plain JSON; where it says what it is, that is what its digest stands for.
            said = object_of(response.body).get("mediaType")
            kind = said if isinstance(said, str) else response.headers.get("Content-Type", "").partition(";")[0]
            return Manifest(kind.strip(), response.body)

    def digest_of(self, tag: str) -> str | None:
        """The digest of what a tag names; ``None`` if there is no such tag.

        Raises:
            RegistryError: it cannot be asked for.
        """
        with self._api.telling():
            response = self._request("HEAD", tag)
            digest = response.headers.get("Docker-Content-Digest")
            if response.status == HTTPStatus.OK and digest:
                return digest
            response = self._request("GET", tag)
            if response.status == HTTPStatus.NOT_FOUND and (self._speaks_api or error_of(response.body)):
                return None
            if response.status != HTTPStatus.OK:
                self._end(response, tag)
            return Manifest("", response.body).digest

    def push(self, tag: str, manifest: Manifest) -> None:
        """Put ``manifest`` under ``tag``; all that it refers to has to be there.

        Raises:
            RegistryError: the registry did not take it, or took it for something else.
        """
        with self._api.telling():
            response = self._request("PUT", tag, manifest)
            if response.status not in (HTTPStatus.CREATED, HTTPStatus.OK, HTTPStatus.ACCEPTED):
                self._end_push(response, tag)
            digest = response.headers.get("Docker-Content-Digest")
            if not digest:
                self._require(manifest.digest)
            elif digest != manifest.digest:
                raise Ended(
                    Outcome.UNREACHABLE, f"took {self._image(tag)} for {shown(digest)}, and it is {manifest.digest}"
                )

    def _require(self, digest: str) -> None:
        response = self._request("HEAD", digest)
        if response.status != HTTPStatus.OK or response.headers.get("Docker-Content-Digest") != digest:
            # A HEAD has no place for an error's text, and some servers do not serve it.
            self._read(digest)

    def _read(self, digest: str) -> Response:
        response = self._request("GET", digest)
        if response.status != HTTPStatus.OK:
            self._end(response, digest)
        algorithm, _, wanted = digest.partition(":")
        if hashlib.new(algorithm, response.body).hexdigest() != wanted:
            image, kind = self._image(digest), response.headers.get("Content-Type", "no content type")
            raise Ended(Outcome.UNREACHABLE, f"answers for {image} with something else ({kind}); is it a registry?")
        return response

    def _image(self, reference: str) -> str:
        return f"{self._path}{'@' if ':' in reference else ':'}{reference}"

    def _request(self, method: str, reference: str, manifest: Manifest | None = None) -> Response:
        image = self._image(reference)
        self._writes = manifest is not None
        if not self._root:
            self._open(image)
        url = f"{self._root}{self._path}/manifests/{reference}"
        kind = {"Content-Type": manifest.media_type} if manifest else {"Accept": _MANIFESTS}
        body = manifest.content if manifest else b""
        response = self._api.send(method, url, {**kind, **self._login}, image, body)
        if response.status == HTTPStatus.UNAUTHORIZED and self._asks_for_more(response):
            # It knows better what to ask for here than at the door, such as the scope of a token.
            self._login |= self._authorization(response, image)
            response = self._api.send(method, url, {**kind, **self._login}, image, body)
        return response

    def _open(self, image: str) -> None:
        root = f"{'http' if is_loopback(self._api.host) else 'https'}://{self._api.api_host}/v2/"
        start = self._api.send("GET", root, {}, image)
        if root.startswith("http://") and start.status == HTTPStatus.BAD_REQUEST and b"https" in start.body.lower():
            root = root.replace("http://", "https://", 1)
            start = self._api.send("GET", root, {}, image)
        # Some registries hide a repository from strangers without a word: log in as soon as they ask at the door.
        if start.status == HTTPStatus.UNAUTHORIZED:
            self._login |= self._authorization(start, image)
        self._root = root
        self._speaks_api = start.status != HTTPStatus.NOT_FOUND

    def _asks_for_more(self, response: Response) -> bool:
        asked = response.challenges()
        if not self._login:
            return True
        return any(challenge.scheme == "bearer" and challenge not in self._met for challenge in asked)

    def _refuses(self, image: str) -> str:
        who = self._api.who
        return f"refuses to take {image} from {who}" if self._writes else f"refuses to show {image} to {who}"

    def _end(self, response: Response, reference: str) -> NoReturn:
        image, said, path = self._image(reference), response.said(), self._path
        match response.status:
            case HTTPStatus.UNAUTHORIZED:
                raise Ended(Outcome.REFUSED, f"{self._refuses(image)}: {said}")
            case HTTPStatus.FORBIDDEN:
                raise Ended(Outcome.REFUSED, f"does not let {self._api.who} pull {image}: {said}")
            case HTTPStatus.NOT_FOUND if self._speaks_api or error_of(response.body):
                if "NAME_UNKNOWN" in said:
                    raise Ended(Outcome.MISSING, f"has no repository {path}, and so no image {reference} there: {said}")
                raise Ended(Outcome.MISSING, f"has no image {reference} in the repository {path}: {said}")
            case HTTPStatus.NOT_FOUND:
                raise Ended(Outcome.UNREACHABLE, f"does not answer as one when asked for {image}: {said} at /v2/")
            case _:
                raise Ended(Outcome.UNREACHABLE, f"does not tell whether it has {image}: {said}")

    def _end_push(self, response: Response, tag: str) -> NoReturn:
        image, said = self._image(tag), response.said()
        match response.status:
            case HTTPStatus.UNAUTHORIZED:
                raise Ended(Outcome.REFUSED, f"{self._refuses(image)}: {said}")
            case HTTPStatus.FORBIDDEN:
                raise Ended(Outcome.REFUSED, f"does not let {self._api.who} push {image}: {said}")
            case HTTPStatus.NOT_FOUND:
                raise Ended(Outcome.MISSING, f"has no repository {self._path} to take {image}: {said}")
            case _:
                raise Ended(Outcome.UNREACHABLE, f"does not take {image}: {said}")

    def _authorization(self, response: Response, image: str) -> Mapping[str, str]:
        """The header that meets what a 401 asks for."""
        self._met += response.challenges()
        asked = {challenge.scheme: challenge for challenge in reversed(response.challenges())}
        if bearer := asked.get("bearer"):
            return {"Authorization": f"Bearer {self._token(bearer, image)}"}
        if "basic" in asked and self._api.basic:
            return {"Authorization": self._api.basic}
        schemes = ", ".join(asked) or "no scheme"
        need = "asks for a login and there is none" if "basic" in asked else f"asks for a login by {schemes}"
        raise Ended(Outcome.REFUSED, f"{need}, to {'take' if self._writes else 'show'} {image}: {response.said()}")

    def _token(self, challenge: Challenge, image: str) -> str:
        realm = challenge.parameters.get("realm", "")
        if not is_safe(realm):
            raise Ended(
                Outcome.UNREACHABLE,
                f"sends those who ask for {image} to a token service at {shown(realm)!r}: only https, or this "
                "machine, is safe for a password",
            )
        question = {"scope": self._scope(challenge)}
        if service := challenge.parameters.get("service"):
            question["service"] = service
        response = self._api.ask_for_token(realm, question, image)
        where = f"its token service {urlsplit(realm).netloc.rpartition('@')[2]}"
        if response.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise Ended(Outcome.REFUSED, f"{self._refuses(image)}: {where} answers {response.said()}")
        if response.status != HTTPStatus.OK:
            raise Ended(Outcome.UNREACHABLE, f"cannot be asked for {image}: {where} answers {response.said()}")
        told = object_of(response.body)
        token = told.get("token") or told.get("access_token")
        if not isinstance(token, str) or not re.fullmatch(r"[\x21-\x7e]+", token):
            raise Ended(Outcome.UNREACHABLE, f"cannot be asked for {image}: {where} answers without a token")
        return token

    def _scope(self, challenge: Challenge) -> str:
        """What a token is to be for; a registry that is asked to show something does not think of a push."""
        asked = challenge.parameters.get("scope", "")
        if asked and (not self._push or "push" in asked):
            return asked
        return f"repository:{self._path}:{'pull,push' if self._push else 'pull'}"
