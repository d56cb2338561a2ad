"""The login that this machine's docker has for a registry: that of ``docker login``, or of a credential helper.

Where docker keeps them: https://docs.docker.com/reference/cli/docker/login/#credential-stores. How helpers are asked:
https://github.com/docker/docker-credential-helpers#development.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from components.registries import server_key

AUTH_CONFIG: Final = "DOCKER_AUTH_CONFIG"
"""The variable with logins that docker tries first: https://docs.docker.com/reference/cli/docker/#environment-variables"""

_HELPER: Final = "docker-credential-"
_NOT_FOUND: Final = "credentials not found in native keychain"
"""What each helper prints where it has nothing for a registry."""

_TOKEN_USER: Final = "<token>"  # noqa: S105 - the user name that marks an identity token
_PATIENCE: Final = 60.0  # seconds; a helper may ask its owner to unlock a keychain
_SAID_LIMIT: Final = 300  # characters


class DockerLoginError(Exception):
    """Docker's login cannot be read; the message says where it stands and why, and shows no secret."""


@dataclass(frozen=True)
class DockerLogin:
    """A user with a password, or an identity token; nothing of it where docker has no login."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)


def docker_login(host: str, environment: Mapping[str, str], home: Path) -> DockerLogin:
    """The login of docker for the registry at ``host``, as an image's name has it.

    ``environment`` may hold logins itself (``DOCKER_AUTH_CONFIG``), and may name docker's folder (``DOCKER_CONFIG``);
    without it, that is ``.docker`` in ``home``.

    Raises:
        DockerLoginError: docker's configuration is broken, or its credential helper fails.
    """
    folder = environment.get("DOCKER_CONFIG")
    file = (Path(folder) if folder else home / ".docker") / "config.json"
    server = server_key(host)
    given = _of_environment(environment.get(AUTH_CONFIG, ""), server)
    if given:
        return given
    config = _read(file)
    # A helper for this registry comes before the one for all; an empty name means the file itself.
    helper = _section(config, "credHelpers").get(server, config.get("credsStore"))
    if helper:
        return _of_helper(f"{_HELPER}{helper}", server, environment, file)
    return _of_file(_section(config, "auths"), server, file)


def _read(file: Path) -> dict[str, Any]:
    try:
        # Docker takes an empty file for none, and does not look at what follows the object.
        text = file.read_text(encoding="utf-8").strip()
        config: object = json.JSONDecoder().raw_decode(text)[0] if text else {}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise DockerLoginError(f"the configuration of docker, {file}, cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        # What is wrong may stand beside a password, so nothing of the content is quoted.
        raise DockerLoginError(f"the configuration of docker, {file}, cannot be read: it is no JSON") from None
    if not isinstance(config, dict):
        raise DockerLoginError(f"the configuration of docker, {file}, is no JSON object")
    return cast("dict[str, Any]", config)


def _section(config: Mapping[str, Any], key: str) -> dict[str, Any]:
    section = config.get(key)
    return cast("dict[str, Any]", section) if isinstance(section, dict) else {}


def _of_file(auths: Mapping[str, Any], server: str, file: Path) -> DockerLogin:
    # Docker once wrote addresses here (https://registry.example/v1/), and still reads them.
    key = server if server in auths else next((key for key in auths if _host_of(key) == server), None)
    entry = _section(auths, key) if key else {}
    token = entry.get("identitytoken")
    if isinstance(token, str) and token:
        return DockerLogin(identity_token=token)
    pair = entry.get("auth")
    if not isinstance(pair, str) or not pair:
        return DockerLogin(str(entry.get("username") or ""), str(entry.get("password") or ""))
    login = _decoded(pair)
    if login is None:
        raise DockerLoginError(
            f"the login for {server} in {file} is no user and password in base64; run: docker login {server}"
        )
    return login


def _decoded(pair: str) -> DockerLogin | None:
    """The login that is ``user:password`` in base64; ``None`` if it is none."""
    try:
        username, colon, password = base64.b64decode(pair, validate=True).decode().partition(":")
    except ValueError:
        return None
    return DockerLogin(username, password.strip("\0")) if colon and username else None


def _of_environment(text: str, server: str) -> DockerLogin | None:
    """The login that the environment has for a registry; as with docker, none if it is not well formed."""
    try:
        auths = _section(json.loads(text), "auths") if text else {}
    except (ValueError, AttributeError):
        return None
    pair = _section(auths, server).get("auth")
    return _decoded(pair) if isinstance(pair, str) else None


def _host_of(address: str) -> str:
    return address.removeprefix("https://").removeprefix("http://").partition("/")[0]


def _of_helper(helper: str, server: str, environment: Mapping[str, str], file: Path) -> DockerLogin:
    program = shutil.which(helper, path=environment.get("PATH"))
    if program is None:
        raise DockerLoginError(f"{file} says that {helper} has the login for {server}, and it is not on PATH")
    try:
        ended = subprocess.run(
            [program, "get"],
            input=server,
            env=dict(environment),
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, ValueError) as error:
        raise DockerLoginError(f"{helper}, which has the login for {server}, cannot be run: {error}") from None
    except subprocess.TimeoutExpired:
        raise DockerLoginError(
            f"{helper}, asked for the login for {server}, gave no answer in {_PATIENCE:.0f} s"
        ) from None
    if ended.returncode != 0:
        # It tells on either, and prints a login on none of them when it fails.
        said = " ".join((ended.stdout + " " + ended.stderr).split())
        if _NOT_FOUND in said:
            return DockerLogin()
        raise DockerLoginError(
            f"{helper}, asked for the login for {server}, ended with code {ended.returncode}: "
            f"{said[:_SAID_LIMIT] or 'it told nothing'}"
        )
    return _told(ended.stdout, helper, server)


def _told(text: str, helper: str, server: str) -> DockerLogin:
    try:
        answer: object = json.loads(text)
    except ValueError:
        answer = None
    entries = cast("dict[str, Any]", answer) if isinstance(answer, dict) else {}
    username, secret = entries.get("Username"), entries.get("Secret")
    if not isinstance(username, str) or not isinstance(secret, str):
        raise DockerLoginError(f"{helper}, asked for the login for {server}, answered without a Username and a Secret")
    return DockerLogin(identity_token=secret) if username == _TOKEN_USER else DockerLogin(username, secret)
