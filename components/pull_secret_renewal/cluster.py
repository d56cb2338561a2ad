"""Puts a registry's login into a Secret, through the Kubernetes API."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Final, cast

from .aws import Token
from .exchange import Answer, send
from .outcomes import MisconfiguredError, RefusedError, RenewalError, UnavailableError

RENEWED: Final = "dockercoins/renewed"
"""The annotation with the time of the last renewal."""
EXPIRES: Final = "dockercoins/expires"
"""The annotation with the time when the token ends."""

_FIELD_MANAGER: Final = "pull-secret-renewal"
_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True)
class Target:
    """The Secret that is renewed, and the server whose login it holds."""

    namespace: str
    name: str
    server: str


def docker_config(server: str, token: Token) -> str:
    """The JSON that a Secret of type ``kubernetes.io/dockerconfigjson`` holds for one server."""
    auth = base64.b64encode(f"{token.username}:{token.password}".encode()).decode()
    return json.dumps({"auths": {server: {"username": token.username, "password": token.password, "auth": auth}}})


@dataclass(frozen=True)
class Cluster:
    """The API server of the cluster that the pod runs in.

    ``account`` is the folder with the service account's ``token`` and the cluster's ``ca.crt``.
    """

    address: str
    account: Path = _ACCOUNT

    @classmethod
    def around(cls, environment: Mapping[str, str]) -> Cluster:
        """The cluster that the pod's variables name.

        Raises:
            MisconfiguredError: they name none.
        """
        host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT", "443")
        if not host:
            raise MisconfiguredError("KUBERNETES_SERVICE_HOST is not set: this runs in a pod of a cluster")
        return cls(f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}")

    def put(self, target: Target, token: Token, now: datetime) -> None:
        """Replace the login in the Secret, and nothing else of it; it must be there.

        Raises:
            RenewalError: it was not replaced; the message is the API server's own.
        """
        annotations = {RENEWED: _stamp(now), EXPIRES: _stamp(token.expires) if token.expires else None}
        config = base64.b64encode(docker_config(target.server, token).encode()).decode()
        patch = {"metadata": {"annotations": annotations}, "data": {".dockerconfigjson": config}}
        answer = send(
            "PATCH",
            f"{self.address}/api/v1/namespaces/{target.namespace}/secrets/{target.name}?fieldManager={_FIELD_MANAGER}",
            {"Authorization": f"Bearer {self.token()}", "Content-Type": "application/merge-patch+json"},
            json.dumps(patch).encode(),
            trust=self._trust() if self.address.startswith("https:") else None,
        )
        if answer.status != HTTPStatus.OK:
            raise _refusal(target, answer)

    def token(self) -> str:
        """The service account's token. The kubelet renews the file, so it is read each time."""
        path = self.account / "token"
        try:
            return path.read_text().strip()
        except OSError as error:
            raise MisconfiguredError(f"{path}: {error.strerror}; the pod's service account has no token") from error

    def _trust(self) -> ssl.SSLContext:
        path = self.account / "ca.crt"
        try:
            return ssl.create_default_context(cafile=path)
        except OSError as error:
            raise MisconfiguredError(f"{path}: {error.strerror or error}; the cluster's CA is missing") from error


def _refusal(target: Target, answer: Answer) -> RenewalError:
    what = f"the patch of Secret {target.namespace}/{target.name}"
    words = f"{_message(answer) or answer.quote or 'no reason given'} (HTTP {answer.status})"
    if (
        answer.status in (HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS)
        or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    ):
        return UnavailableError(f"the Kubernetes API server did not serve {what}: {words}")
    hint = ". `pulumi up --refresh` makes it again" if answer.status == HTTPStatus.NOT_FOUND else ""
    return RefusedError(f"the Kubernetes API server refused {what}: {words}{hint}")


def _message(answer: Answer) -> str:
    try:
        status: object = json.loads(answer.body)
    except ValueError:
        return ""
    return str(cast("dict[str, object]", status).get("message", "")) if isinstance(status, dict) else ""


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
