"""Reads objects from a cluster's API server, with the official client library's credentials and transport."""

from __future__ import annotations

import json
import logging
import os
import threading
from base64 import b64decode
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final, Protocol, cast
from urllib.parse import urlencode

from components.kubeconfig import ClusterAccess
from components.rollout.objects import Object, children, name_of, text

_CONNECT_TIMEOUT: Final = 10.0  # seconds
_READ_TIMEOUT: Final = 30.0  # seconds
_CONNECTIONS: Final = 32


class ClusterError(Exception):
    """The API server did not answer, or refused the request; the message is its own."""

    def __init__(self, message: str, status: int | None = None) -> None:
        """``status`` is the HTTP status of a refusal, ``None`` without an answer."""
        super().__init__(message)
        self.status = status

    @property
    def may_pass(self) -> bool:
        """Whether the same request may succeed later."""
        return self.status is None or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR or self.status in _BUSY


_BUSY: Final = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)


class _Stream(Protocol):
    """A response of urllib3."""

    def read_chunked(self, amt: int) -> Iterator[bytes]: ...
    def close(self) -> None: ...


class _Response(Protocol):
    """A response of the client library."""

    status: int
    response: _Stream

    def read(self) -> bytes: ...


class Cluster:
    """An API server. Its methods may be called from several threads at once."""

    def __init__(self, access: ClusterAccess) -> None:
        """Load the credentials, which may start the kubeconfig's credential plugin; the first request connects.

        Raises:
            ClusterError: the credentials cannot be loaded.
        """
        self._server = access.server.rstrip("/")
        self._context = access.context
        self._configuration, self._transport = _load(access)
        self._credentials_lock = threading.Lock()

    def get(self, path: str) -> Object:
        """The object at a path of the API, such as ``/apis/apps/v1/namespaces/shop/deployments/web``.

        Raises:
            ClusterError: there is none (``status`` 404), or the request failed.
        """
        answer: object = json.loads(self._request(path, {}).read())
        return cast("Object", answer) if isinstance(answer, dict) else {}

    def list(self, path: str, *, labels: str = "", fields: str = "") -> list[Object]:
        """The objects at a path of the API that match the selectors.

        Raises:
            ClusterError: the request failed.
        """
        query = {"labelSelector": labels, "fieldSelector": fields}
        answer: object = json.loads(self._request(path, {key: value for key, value in query.items() if value}).read())
        return children(cast("Object", answer), "items") if isinstance(answer, dict) else []

    def wait_for_change(self, path: str, obj: Object) -> None:
        """Wait until an object in the list at ``path`` is no longer as ``obj``, for about a second at most.

        https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes

        Raises:
            ClusterError: it cannot be watched.
        """
        query = {
            "watch": "true",
            "fieldSelector": f"metadata.name={name_of(obj)}",
            "resourceVersion": text(obj, "metadata", "resourceVersion"),
            "timeoutSeconds": "1",
        }
        stream = self._request(path, query).response
        try:
            # The first event is enough; the rest of the answer comes when the second is over.
            next(iter(stream.read_chunked(1)), None)
        except Exception as error:  # what urllib3 raises when the connection ends
            raise ClusterError(self._unreachable(error)) from None
        finally:
            stream.close()

    def _request(self, path: str, query: dict[str, str]) -> _Response:
        from urllib3.exceptions import HTTPError  # noqa: PLC0415 - comes with the client library

        url = f"{self._server}{path}" + (f"?{urlencode(query)}" if query else "")
        headers = {"Accept": "application/json"}
        with self._credentials_lock:  # a token that has expired is fetched again, once
            token: str | None = self._configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        if token:
            headers["Authorization"] = token
        try:
            response = cast(
                "_Response",
                self._transport.request(
                    "GET", url, headers=headers, _request_timeout=(_CONNECT_TIMEOUT, _READ_TIMEOUT)
                ),
            )
        except (HTTPError, OSError) as error:
            raise ClusterError(self._unreachable(error)) from None
        except Exception as error:
            if type(error).__name__ == "ApiException":  # the library's word for a TLS failure
                raise ClusterError(self._unreachable(error)) from None
            raise
        if response.status >= HTTPStatus.BAD_REQUEST:
            raise ClusterError(_refusal(response), response.status)
        return response

    def _unreachable(self, error: Exception) -> str:
        reason: object = error
        while isinstance(inner := getattr(reason, "reason", None), Exception):
            reason = inner
        words = getattr(reason, "strerror", None) or getattr(reason, "reason", None) or reason
        return (
            f"the cluster at {self._server} (context {self._context!r}) does not answer: {' '.join(str(words).split())}"
        )


def _refusal(response: _Response) -> str:
    content = response.read()
    try:
        body: object = json.loads(content)
    except ValueError:
        body = None
    message = text(cast("Object", body), "message") if isinstance(body, dict) else content.decode(errors="replace")
    return message.strip()[:300] or f"the API server answered {response.status}"


class _Complaints(logging.Handler):
    """Collects what the library logs, and does not raise, when a credential plugin fails."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(" ".join(record.getMessage().split()))


def _load(access: ClusterAccess) -> tuple[Any, Any]:
    """The library's configuration and transport for a context. It publishes no types, hence ``Any``."""
    from kubernetes.client.configuration import Configuration  # noqa: PLC0415 - slow, and only an update needs it
    from kubernetes.client.rest import RESTClientObject  # noqa: PLC0415
    from kubernetes.config.config_exception import ConfigException  # noqa: PLC0415
    from kubernetes.config.kube_config import KubeConfigLoader  # noqa: PLC0415

    configuration = cast("Any", Configuration)()
    configuration.connection_pool_maxsize = _CONNECTIONS
    configuration.retries = False
    complaints = _Complaints()
    root = logging.getLogger()
    root.addHandler(complaints)
    try:
        document: Object = json.loads(access.kubeconfig)
        loader = cast("Any", KubeConfigLoader)(config_dict=_without_files(document), active_context=access.context)
        loader.load_and_set(configuration)
    except (ConfigException, ValueError) as error:  # ValueError: a certificate or key that is not base64
        raise ClusterError(f"the kubeconfig's context {access.context!r} cannot be used: {error}") from None
    finally:
        root.removeHandler(complaints)
    if complaints.messages:
        raise ClusterError(
            f"the credential plugin of the kubeconfig's context {access.context!r} failed: {complaints.messages[-1]}"
        )
    return configuration, cast("Any", RESTClientObject)(configuration)


def _without_files(document: Object) -> Object:
    """The kubeconfig with its embedded certificates and keys in files that exist in memory only, where there are such.

    The library writes them to the temporary folder, where a killed process leaves a private key behind.
    """
    if not hasattr(os, "memfd_create"):
        return document
    for section, part in (("clusters", "cluster"), ("users", "user")):
        for entry in children(document, section):
            values = entry.get(part)
            if not isinstance(values, dict):
                continue
            for key in ("certificate-authority", "client-certificate", "client-key"):
                if encoded := text(values, f"{key}-data"):
                    del values[f"{key}-data"]
                    values[key] = _in_memory(encoded)
    return document


def _in_memory(encoded: str) -> str:
    # It stays open: the library reads the file again for each new connection.
    descriptor = os.memfd_create("kubeconfig")
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(b64decode(encoded))
    return f"/proc/self/fd/{descriptor}"
