"""Read the part of a kubeconfig that one cluster needs, as kubectl reads it.

The rules are those of ``k8s.io/client-go/tools/clientcmd``: the first file that has an entry wins, and a relative path
is one of the folder of the file that it stands in.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import yaml

_Entries = dict[str, dict[str, Any]]
_SECTIONS: Final = {"contexts": "context", "clusters": "cluster", "users": "user"}
_PATHS: Final = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
_TEXT: Final = "a text"
_FLAG: Final = "true or false"
_BASE64: Final = "base64"
_ANY_KEY: Final = "*"
_EXTENSIONS_FORM: Final = [{"name": _TEXT}]
_CONTEXT_FORM: Final = {"cluster": _TEXT, "user": _TEXT, "namespace": _TEXT, "extensions": _EXTENSIONS_FORM}
_CLUSTER_FORM: Final = {
    "server": _TEXT,
    "tls-server-name": _TEXT,
    "insecure-skip-tls-verify": _FLAG,
    "certificate-authority": _TEXT,
    "certificate-authority-data": _BASE64,
    "proxy-url": _TEXT,
    "disable-compression": _FLAG,
    "extensions": _EXTENSIONS_FORM,
}
_EXEC_FORM: Final = {
    "command": _TEXT,
    "args": [_TEXT],
    "env": [{"name": _TEXT, "value": _TEXT}],
    "apiVersion": _TEXT,
    "installHint": _TEXT,
    "provideClusterInfo": _FLAG,
    "interactiveMode": _TEXT,
}
_USER_FORM: Final = {
    "client-certificate": _TEXT,
    "client-certificate-data": _BASE64,
    "client-key": _TEXT,
    "client-key-data": _BASE64,
    "token": _TEXT,
    "tokenFile": _TEXT,
    "as": _TEXT,
    "as-uid": _TEXT,
    "as-groups": [_TEXT],
    "as-user-extra": {_ANY_KEY: [_TEXT]},
    "username": _TEXT,
    "password": _TEXT,
    "auth-provider": {"name": _TEXT, "config": {_ANY_KEY: _TEXT}},
    "exec": _EXEC_FORM,
    "extensions": _EXTENSIONS_FORM,
}
_FORM: Final[dict[str, object]] = {
    "apiVersion": _TEXT,
    "kind": _TEXT,
    "preferences": {"colors": _FLAG, "extensions": _EXTENSIONS_FORM},
    "extensions": _EXTENSIONS_FORM,
    "current-context": _TEXT,
    "contexts": [{"name": _TEXT, "context": _CONTEXT_FORM}],
    "clusters": [{"name": _TEXT, "cluster": _CLUSTER_FORM}],
    "users": [{"name": _TEXT, "user": _USER_FORM}],
}
"""What a kubeconfig holds, by key: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/"""


class _Loader(yaml.SafeLoader):
    """Reads ``1e3`` as a number, as Go does; PyYAML wants a point and a sign in it."""


cast("Any", _Loader).add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+"), list("-+0123456789")
)


class KubeconfigError(Exception):
    """A kubeconfig that cannot be used; the message says why, and quotes nothing that may be secret."""


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
    listed = environment.get("KUBECONFIG", "")
    if not listed:
        return [home / ".kube" / "config"]
    return [Path(part) for part in dict.fromkeys(listed.split(os.pathsep)) if part]


def cluster_access(files: Sequence[Path], context: str) -> ClusterAccess:
    """The access that ``context`` names in the first of ``files`` that has it. Files that do not exist are skipped.

    Raises:
        KubeconfigError: no file exists, one cannot be read or is no kubeconfig, none has the context, or none has the
            cluster or user that it names.
    """
    existing = [file for file in files if file.exists()]
    if not existing:
        raise KubeconfigError(f"there is no kubeconfig at {', '.join(map(str, files))}")
    found: dict[str, _Entries] = {section: {} for section in _SECTIONS}
    for file in existing:
        for section, entries in _read(file).items():
            found[section] = entries | found[section]
    where = ", ".join(map(str, existing))
    if context not in found["contexts"]:
        known = ", ".join(sorted(found["contexts"])) or "none"
        raise KubeconfigError(f"{where} has no context {context!r}; it has: {known}")
    chosen = found["contexts"][context]
    clusters = _named(found, "clusters", context, chosen)
    if not clusters:
        raise KubeconfigError(f"the context {context!r} names no cluster")
    server = clusters[0]["cluster"].get("server")
    if not server:
        raise KubeconfigError(f"the cluster {clusters[0]['name']!r} of the context {context!r} has no server")
    single = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "contexts": [{"name": context, "context": chosen}],
        "clusters": clusters,
        "users": _named(found, "users", context, chosen),
    }
    return ClusterAccess(context, str(server), json.dumps(single, sort_keys=True))


def _named(
    found: Mapping[str, _Entries], section: str, context: str, chosen: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The entry that a context names; none where it names none, as it may do of a user."""
    what = _SECTIONS[section]
    name = chosen.get(what)
    if not name:
        return []
    if name not in found[section]:
        raise KubeconfigError(f"the context {context!r} names a {what} {name!r} that no kubeconfig describes")
    return [{"name": name, what: found[section][name]}]


def _read(file: Path) -> dict[str, _Entries]:
    try:
        config = _first_document(file.read_bytes())
    except OSError as error:
        raise KubeconfigError(f"{file} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        # What is wrong may stand beside a token, so nothing of the content is quoted.
        mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
        where = f" in line {mark.line + 1}" if mark else ""
        raise KubeconfigError(f"{file} cannot be read as a kubeconfig: it is no YAML{where}") from None
    if config is None:
        return {}
    if not isinstance(config, dict):
        raise KubeconfigError(f"{file} is not a kubeconfig: it holds no mapping")
    values = cast("dict[str, object]", config)
    if (values.get("kind") or "Config", values.get("apiVersion") or "v1") != ("Config", "v1"):
        raise KubeconfigError(f"{file} is not a kubeconfig: its kind and apiVersion are not Config and v1")
    wrong = _wrong(values, _FORM, "")
    if wrong:
        raise KubeconfigError(f"{file} is not a kubeconfig: {wrong}")
    return {section: _entries(file, section, values.get(section)) for section in _SECTIONS}


def _first_document(content: bytes) -> object:
    # JSON is YAML, but PyYAML takes no tabs.
    with contextlib.suppress(ValueError):
        return json.loads(content)
    return next(yaml.load_all(content, _Loader), None)


def _entries(file: Path, section: str, listed: object) -> _Entries:
    entries: _Entries = {}
    for index, item in enumerate(cast("list[dict[str, Any] | None]", listed or [])):
        entry = item or {}
        name: str = entry.get("name") or ""
        if name in entries:
            raise KubeconfigError(f"{file} is not a kubeconfig: {section}[{index}] has the name of another one")
        values: dict[str, Any] = dict(entry.get(_SECTIONS[section]) or {})
        for key in _PATHS:
            if values.get(key):
                values[key] = _beside(file, values[key])
        execute: dict[str, Any] = values.get("exec") or {}
        command: str = execute.get("command") or ""
        if "/" in command:
            values["exec"] = execute | {"command": _beside(file, command)}
        entries[name] = values
    return entries


def _beside(file: Path, path: str) -> str:
    return path if path.startswith("/") else os.path.normpath(file.absolute().parent / path)


def _wrong(value: object, form: object, where: str) -> str | None:
    """What in ``value`` has not the form wanted, with its place; ``None`` if nothing has. The value is not quoted."""
    if value is None:
        return None
    if isinstance(form, str):
        return None if _is(value, form) else f"{where} is not {form}"
    if isinstance(form, list):
        (entry,) = cast("list[object]", form)
        if not isinstance(value, list):
            return f"{where} is not a list"
        parts = [(f"{where}[{index}]", item, entry) for index, item in enumerate(cast("list[object]", value))]
    else:
        forms = cast("dict[str, object]", form)
        if not isinstance(value, dict):
            return f"{where} is not a mapping"
        items = cast("dict[str, object]", value).items()
        parts = [(f"{where}.{key}".lstrip("."), item, forms.get(key, forms.get(_ANY_KEY))) for key, item in items]
    found = (_wrong(item, wanted, place) for place, item, wanted in parts if wanted is not None)
    return next((wrong for wrong in found if wrong), None)


def _is(value: object, form: str) -> bool:
    if form == _FLAG:
        return isinstance(value, bool)
    if not isinstance(value, str):
        return False
    if form == _BASE64:
        try:
            base64.b64decode(value.replace("\r", "").replace("\n", ""), validate=True)
        except ValueError:
            return False
    return True
