"""The provider's `kubeconfig` setting: content or path, and the context in it.

Precedence is kubectl's: the setting, then `KUBECONFIG` (several files, merged), then `~/.kube/config`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias, cast

from ..protocol.provider import ProviderError
from ..protocol.values import Plain
from .objects import Object, child, children, text

Document: TypeAlias = dict[str, Plain]

_DEFAULT_PATH: Final = "~/.kube/config"


class KubeconfigError(ProviderError):
    """The kubeconfig cannot be used; the message says what is wrong with it and what was expected."""


@dataclass(frozen=True)
class Context:
    """One context of a kubeconfig, with the cluster and the user that it names."""

    name: str
    namespace: str
    cluster: Object
    document: Document = field(repr=False)
    """A kubeconfig with this context alone, as it is for the client library. It may hold credentials."""

    @property
    def server(self) -> str:
        """The API server's address."""
        return text(self.cluster, "server")


def select_context(kubeconfig: str | None, context: str | None, cluster: str | None = None) -> Context:
    """The context to use.

    Args:
        kubeconfig: YAML or JSON, or the path of a file; None or empty for kubectl's places.
        context: its name; None or empty for the current one.
        cluster: another cluster of the kubeconfig than the context's.

    Raises:
        KubeconfigError: there is no kubeconfig, it is malformed, or has no such context.
    """
    documents = _documents(kubeconfig)
    wanted = context or next((name for d in documents if (name := text(d, "current-context"))), "")
    if not wanted:
        raise KubeconfigError("the kubeconfig has no current-context: set the provider's context")
    entry = _named(documents, "contexts", wanted)
    if entry is None:
        known = sorted({text(item, "name") for d in documents for item in children(d, "contexts")})
        raise KubeconfigError(
            f"the kubeconfig has no context {wanted!r}; it has: {', '.join(known) or 'none'} "
            "(set the provider's context, or its kubeconfig)"
        )
    selected = child(entry, "context")
    cluster_name = cluster or text(selected, "cluster")
    cluster_entry = _named(documents, "clusters", cluster_name)
    if cluster_entry is None:
        raise KubeconfigError(f"the kubeconfig's context {wanted!r} names the cluster {cluster_name!r}, which it lacks")
    user_entry = _named(documents, "users", text(selected, "user"))
    document: Document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": wanted,
        "contexts": [{"name": wanted, "context": {**selected, "cluster": cluster_name}}],
        "clusters": [cluster_entry],
        "users": [user_entry] if user_entry else [],
    }
    return Context(wanted, text(selected, "namespace"), child(cluster_entry, "cluster"), document)


def _documents(kubeconfig: str | None) -> list[Document]:
    if kubeconfig:
        path = Path(kubeconfig).expanduser()
        if _looks_like_path(kubeconfig):
            if not path.is_file():
                raise KubeconfigError(f"the provider's kubeconfig is neither YAML or JSON nor a file: {kubeconfig}")
            return [_load(path.read_text(), str(path), path.parent)]
        return [_load(kubeconfig, "the provider's kubeconfig", None)]
    places = os.environ.get("KUBECONFIG") or _DEFAULT_PATH
    paths = [Path(place).expanduser() for place in places.split(os.pathsep) if place]
    found = [path for path in paths if path.is_file()]
    if not found:
        raise KubeconfigError(f"no kubeconfig: looked at {', '.join(map(str, paths))} (set the provider's kubeconfig)")
    return [_load(path.read_text(), str(path), path.parent) for path in found]


def _looks_like_path(kubeconfig: str) -> bool:
    return "\n" not in kubeconfig and not kubeconfig.lstrip().startswith("{") and ": " not in kubeconfig


def _load(content: str, source: str, folder: Path | None) -> Document:
    import yaml  # noqa: PLC0415 - needed once a cluster is

    try:
        document: object = yaml.load(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - safe
    except yaml.YAMLError as error:
        # The error's own text quotes the content, which holds credentials.
        mark = cast("object", getattr(error, "problem_mark", None))
        line = getattr(mark, "line", None)
        where = f" (line {line + 1})" if isinstance(line, int) else ""
        raise KubeconfigError(f"{source} is no valid YAML or JSON{where}") from None
    if not isinstance(document, dict) or "contexts" not in document:
        raise KubeconfigError(f"{source} is no kubeconfig: it has no contexts")
    loaded = cast("Document", document)
    if folder is not None:
        _make_absolute(loaded, folder)
    return loaded


def _make_absolute(document: Document, folder: Path) -> None:
    """Files in a kubeconfig are relative to it (clientcmd's `ResolveLocalPaths`)."""
    for section, part, keys in (
        ("clusters", "cluster", ("certificate-authority",)),
        ("users", "user", ("client-certificate", "client-key", "tokenFile")),
    ):
        for entry in children(document, section):
            values = child(entry, part)
            for key in keys:
                if path := text(values, key):
                    values[key] = str(folder / path)
    for entry in children(document, "users"):
        command = text(entry, "user", "exec", "command")
        if os.sep in command and not Path(command).is_absolute():
            child(entry, "user", "exec")["command"] = str(folder / command)


def _named(documents: list[Document], section: str, name: str) -> Object | None:
    """The first entry wins, as in kubectl's merge."""
    return next((item for d in documents for item in children(d, section) if text(item, "name") == name), None)
