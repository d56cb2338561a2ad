"""Read the part of a kubeconfig that one cluster needs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import yaml

_FILE_KEYS: Final = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
"""Keys of a kubeconfig that hold a path, relative to the file that they stand in."""


class KubeconfigError(Exception):
    """A kubeconfig that cannot be used; the message says why."""


@dataclass(frozen=True)
class ClusterAccess:
    """What it takes to reach one cluster as one user.

    ``kubeconfig`` is JSON (which is YAML too) with this one context, and may hold a private key: treat it as a secret.
    """

    context: str
    server: str
    kubeconfig: str


def kubeconfig_files(environment: Mapping[str, str], home: Path) -> list[Path]:
    """The files that kubectl reads: those of ``KUBECONFIG``, separated as in ``PATH``, or ``~/.kube/config``."""
    listed = [part for part in environment.get("KUBECONFIG", "").split(os.pathsep) if part]
    return [Path(part).expanduser() for part in listed] or [home / ".kube" / "config"]


def cluster_access(files: Sequence[Path], context: str) -> ClusterAccess:
    """The access that ``context`` names in the first of ``files`` that has it.

    Raises:
        KubeconfigError: no file can be read, none has the context, or none has the cluster or user that it names.
    """
    contexts: dict[str, dict[str, Any]] = {}
    clusters: dict[str, dict[str, Any]] = {}
    users: dict[str, dict[str, Any]] = {}
    existing = [file for file in files if file.is_file()]
    if not existing:
        raise KubeconfigError(f"there is no kubeconfig at {', '.join(map(str, files))}")
    for file in existing:
        config = _read(file)
        _collect(config, "contexts", "context", file, contexts)
        _collect(config, "clusters", "cluster", file, clusters)
        _collect(config, "users", "user", file, users)
    if context not in contexts:
        known = ", ".join(sorted(contexts)) or "none"
        raise KubeconfigError(f"{', '.join(map(str, existing))} has no context {context!r}; it has: {known}")
    chosen = contexts[context]
    cluster_name, user_name = str(chosen.get("cluster", "")), str(chosen.get("user", ""))
    if cluster_name not in clusters:
        raise KubeconfigError(f"the context {context!r} names a cluster {cluster_name!r} that no kubeconfig describes")
    if user_name not in users:
        raise KubeconfigError(f"the context {context!r} names a user {user_name!r} that no kubeconfig describes")
    single = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "contexts": [{"name": context, "context": chosen}],
        "clusters": [{"name": cluster_name, "cluster": clusters[cluster_name]}],
        "users": [{"name": user_name, "user": users[user_name]}],
    }
    server = str(clusters[cluster_name].get("server", ""))
    return ClusterAccess(context, server, json.dumps(single, sort_keys=True))


def _read(file: Path) -> dict[str, Any]:
    try:
        loaded: object = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise KubeconfigError(f"{file} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        # What is wrong may stand beside a token, so nothing of the content is quoted.
        mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
        where = f" in line {mark.line + 1}" if mark else ""
        raise KubeconfigError(f"{file} cannot be read as a kubeconfig: it is no YAML{where}") from None
    if not isinstance(loaded, dict):
        raise KubeconfigError(f"{file} is not a kubeconfig: it holds no mapping")
    return cast("dict[str, Any]", loaded)


def _collect(config: dict[str, Any], section: str, key: str, file: Path, into: dict[str, dict[str, Any]]) -> None:
    for entry in cast("list[dict[str, Any]]", config.get(section) or []):
        values = dict(cast("dict[str, Any]", entry.get(key) or {}))
        for path_key in _FILE_KEYS:
            if values.get(path_key):
                values[path_key] = str(file.parent.joinpath(str(values[path_key])).resolve())
        into.setdefault(str(entry.get("name", "")), values)
