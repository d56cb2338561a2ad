"""Requests to a Kubernetes API server, over the `kubernetes` client library's configuration and transport."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Protocol, cast
from urllib.parse import urlencode

from ..protocol.provider import ProviderError
from ..protocol.values import Plain
from .kinds import POD, Kind
from .kubeconfig import Context, KubeconfigError
from .objects import Object, child, children, text

_CONNECT_TIMEOUT: Final = 10.0  # seconds
_READ_TIMEOUT: Final = 60.0  # seconds; the API server's own limit of a request
_IDLE_CONNECTIONS: Final = 32
_USER_AGENT: Final = "pulumi-kubernetes-stand-in/4.34.2"


class ApiError(ProviderError):
    """The API server refused a request; the message is its own."""

    def __init__(self, status: int, body: Object) -> None:
        """Keep what the server's Status object says."""
        self.status = status
        self.reason = text(body, "reason")
        self.causes = children(body, "details", "causes")
        self.details = child(body, "details")
        super().__init__(text(body, "message") or f"the API server answered {status}")

    @property
    def is_missing(self) -> bool:
        """The object, or what it is in, does not exist."""
        return self.status == HTTPStatus.NOT_FOUND

    @property
    def is_of_an_unknown_kind(self) -> bool:
        """The cluster does not serve the kind: no definition of it is installed."""
        # Of a group that it lacks it answers in plain text, of a kind that a group of its lacks in these words.
        unknown = not self.reason or str(self) == "the server could not find the requested resource"
        return self.is_missing and unknown

    @property
    def is_forbidden(self) -> bool:
        """The credentials do not allow it."""
        return self.status == HTTPStatus.FORBIDDEN

    @property
    def is_conflict(self) -> bool:
        """Another field manager owns a field (or the object changed meanwhile)."""
        return self.status == HTTPStatus.CONFLICT

    @property
    def is_immutable(self) -> bool:
        """A field cannot change."""
        return self.status == HTTPStatus.UNPROCESSABLE_ENTITY and "immutable" in str(self)


class ClusterUnreachable(ProviderError):  # noqa: N818 - a state of the cluster, handled where it is expected
    """There was no answer from the API server, or none that could be trusted."""


class _Stream(Protocol):
    """A response of urllib3."""

    def read_chunked(self, amt: int) -> Iterator[bytes]: ...
    def close(self) -> None: ...


class _Response(Protocol):
    status: int
    response: _Stream

    def read(self) -> bytes: ...


@dataclass(frozen=True)
class ApplyOptions:
    """How to apply: as which field manager, taking over others' fields or not, really or as a dry run."""

    field_manager: str
    force: bool = False
    dry_run: bool = False


class Cluster:
    """An API server. Methods may be called from several threads at once."""

    def __init__(self, context: Context, timeout: float | None = None) -> None:
        """Load the credentials; the first request connects. `timeout` limits every request, in seconds.

        Raises:
            KubeconfigError: the credentials cannot be loaded, or the plugin that gives them failed.
        """
        self.context = context
        self._timeout = (min(_CONNECT_TIMEOUT, timeout or _CONNECT_TIMEOUT), timeout or _READ_TIMEOUT)
        self._configuration, self._transport = _load(context)
        self._credentials_lock = threading.Lock()

    def check(self) -> None:
        """See whether the API server answers, and takes the credentials.

        Raises:
            ClusterUnreachable: it does not.
        """
        try:
            self._request("GET", "/version", timeout=(_CONNECT_TIMEOUT, _CONNECT_TIMEOUT))
        except ApiError as error:
            if error.status == HTTPStatus.UNAUTHORIZED:
                raise ClusterUnreachable(
                    f"the Kubernetes cluster {self.context.server} refuses the credentials of the context "
                    f"{self.context.name!r}: check the user in the kubeconfig, or log in again"
                ) from None
            if not error.is_forbidden:
                raise ClusterUnreachable(
                    f"{self.context.server} (context {self.context.name!r}) does not answer as a Kubernetes API "
                    f"server: {error}"
                ) from None

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """An object, or None when it does not exist."""
        try:
            return self._json("GET", kind.path(namespace, name))
        except ApiError as error:
            if error.is_missing:
                return None
            raise

    def list(self, kind: Kind, namespace: str, *, labels: str = "", fields: str = "") -> list[Object]:
        """The objects of a namespace (of the cluster, when that is empty) that match the selectors."""
        query = {"labelSelector": labels, "fieldSelector": fields}
        answer = self._json("GET", kind.path(namespace), {key: value for key, value in query.items() if value})
        return children(answer, "items")

    def apply(self, kind: Kind, namespace: str, name: str, manifest: Object, options: ApplyOptions) -> Object:
        """Apply a manifest on the server, and return the object as it is then.

        Unknown fields are refused, as kubectl does by default.
        """
        query = {
            "fieldManager": options.field_manager,
            "fieldValidation": "Strict",
            "force": "true" if options.force else "false",
        }
        if options.dry_run:
            query["dryRun"] = "All"
        return self._json("PATCH", kind.path(namespace, name), query, manifest, "application/apply-patch+yaml")

    def delete(self, kind: Kind, namespace: str, name: str, propagation: str) -> bool:
        """Ask for an object's deletion; False when it does not exist."""
        try:
            self._json("DELETE", kind.path(namespace, name), {}, {"propagationPolicy": propagation})
        except ApiError as error:
            if error.is_missing:
                return False
            raise
        return True

    def log(self, namespace: str, pod: str, container: str, *, lines: int, previous: bool) -> str:
        """The last lines that a container, or the one before it, wrote; empty when there are none to be had."""
        query = {"container": container, "tailLines": str(lines), "previous": "true" if previous else "false"}
        try:
            return self._request("GET", f"{POD.path(namespace, pod)}/log", query).decode(errors="replace")
        except ApiError:
            return ""

    def wait_for_change(self, kind: Kind, obj: Object) -> None:
        """Wait until an object is no longer as it is here, for at most about a second. It may end early for nothing.

        https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes

        Raises:
            ApiError: it may not be watched.
            ClusterUnreachable: the API server does not answer.
        """
        query = {
            "watch": "true",
            "fieldSelector": f"metadata.name={text(obj, 'metadata', 'name')}",
            "resourceVersion": text(obj, "metadata", "resourceVersion"),
            "timeoutSeconds": "1",
        }
        with self._asked("GET", kind.path(text(obj, "metadata", "namespace")), query) as response:
            for _ in response.response.read_chunked(1):
                # The rest would come when the second is over.
                response.response.close()
                return

    def _json(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        content_type: str = "application/json",
    ) -> Object:
        answer: Plain = json.loads(self._request(method, path, query, body=body, content_type=content_type))
        return answer if isinstance(answer, dict) else {}

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        body: Object | None = None,
        content_type: str = "application/json",
        timeout: tuple[float, float] | None = None,
    ) -> bytes:
        with self._asked(method, path, query, body=body, content_type=content_type, timeout=timeout) as response:
            return response.read()

    @contextmanager
    def _asked(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        body: Object | None = None,
        content_type: str = "application/json",
        timeout: tuple[float, float] | None = None,
    ) -> Generator[_Response]:
        """The answer to a request, whose content has not come yet, unless it is a refusal."""
        from urllib3.exceptions import HTTPError  # noqa: PLC0415 - comes with the client library

        url = f"{self.context.server.rstrip('/')}{path}" + (f"?{urlencode(query)}" if query else "")
        headers = {"Accept": "application/json, */*", "Content-Type": content_type, "User-Agent": _USER_AGENT}
        with self._credentials_lock:  # a token that has expired is fetched anew, once
            token: str | None = self._configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        if token:
            headers["Authorization"] = token
        try:
            response = cast(
                "_Response",
                self._transport.request(
                    method, url, headers=headers, body=body, _request_timeout=timeout or self._timeout
                ),
            )
            _raise_if_refused(response)
            yield response
        except (HTTPError, OSError) as error:
            raise self._unreachable(error) from None
        except Exception as error:
            if type(error).__name__ == "ApiException":  # how the library tells of a TLS failure
                raise self._unreachable(error) from None
            raise

    def _unreachable(self, error: Exception) -> ClusterUnreachable:
        return ClusterUnreachable(
            f"the Kubernetes cluster {self.context.server} (context {self.context.name!r}) is unreachable: "
            f"{_cause(error)} (is it running, and is this its kubeconfig?)"
        )


def _raise_if_refused(response: _Response) -> None:
    if response.status >= HTTPStatus.BAD_REQUEST:
        raise ApiError(response.status, _status_object(response.read()))


def _status_object(content: bytes) -> Object:
    try:
        body: object = json.loads(content)
    except ValueError:
        return {"message": content.decode(errors="replace").strip()[:200]}
    return cast("Object", body) if isinstance(body, dict) else {}


def _cause(error: Exception) -> str:
    """The innermost reason, without the library's wrapping: `Connection refused`."""
    reason: object = error
    while isinstance(inner := getattr(reason, "reason", None), Exception):
        reason = inner
    match reason:
        case OSError(strerror=str(words)) if words:
            return words
        case _:
            words = str(getattr(reason, "reason", None) or reason).replace("\n", " ")
            words = words.rsplit("] ", 1)[-1].rsplit(": ", 1)[-1]
            if words.count(")") > words.count("("):
                words = words.rstrip(")")
            return words or type(reason).__name__


class _Complaints(logging.Handler):
    """What the library writes to the root logger instead of raising it: why a credential plugin failed."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


def _load(context: Context) -> tuple[Any, Any]:
    """The library's configuration and its REST client for a context. Its types are not published, hence Any."""
    from kubernetes.client.configuration import Configuration  # noqa: PLC0415 - 0.2 s, not needed by every start
    from kubernetes.client.rest import RESTClientObject  # noqa: PLC0415
    from kubernetes.config.config_exception import ConfigException  # noqa: PLC0415
    from kubernetes.config.kube_config import KubeConfigLoader  # noqa: PLC0415

    configuration = cast("Any", Configuration)()
    configuration.connection_pool_maxsize = _IDLE_CONNECTIONS
    # A request is repeated only where this plugin knows that it may be; urllib3 would hide a refused connection.
    configuration.retries = False
    complaints = _Complaints()
    root = logging.getLogger()
    root.addHandler(complaints)
    try:
        loader = cast("Any", KubeConfigLoader)(
            config_dict=_without_files(context.document), active_context=context.name
        )
        loader.load_and_set(configuration)
    except ConfigException as error:
        raise KubeconfigError(f"the kubeconfig's context {context.name!r} cannot be used: {error}") from None
    finally:
        root.removeHandler(complaints)
    if complaints.messages:
        raise KubeconfigError(
            f"the credential plugin of the kubeconfig's context {context.name!r} failed: "
            f"{' '.join(complaints.messages[-1].split())}"
        )
    return configuration, cast("Any", RESTClientObject)(configuration)


def _without_files(document: Object) -> Object:
    """The kubeconfig with its embedded certificates and keys in files that exist in memory only.

    The library writes them to the temporary folder, where a killed process would leave a private key behind.
    """
    if not hasattr(os, "memfd_create"):
        return document
    copy: Object = json.loads(json.dumps(document))
    for section, part in (("clusters", "cluster"), ("users", "user")):
        for entry in children(copy, section):
            values = child(entry, part)
            for key in ("certificate-authority", "client-certificate", "client-key"):
                if encoded := text(values, f"{key}-data"):
                    del values[f"{key}-data"]
                    values[key] = _in_memory(encoded)
    return copy


def _in_memory(encoded: str) -> str:
    from base64 import b64decode  # noqa: PLC0415

    # Stays open as long as the process: the library reads the file for every new connection.
    descriptor = os.memfd_create("kubeconfig")
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(b64decode(encoded))
    return f"/proc/self/fd/{descriptor}"
