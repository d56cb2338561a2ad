"""Kubeconfigs, good and odd, and the environment in which they are read."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import yaml

NAMES: Final = ("one", "two", "kubernetes-admin@kubernetes", "arn:aws:eks:eu-west-1:123456789012:cluster/a", "ü", "123")
SERVERS: Final = ("https://192.0.2.1:6443", "https://a.example", "http://[2001:db8::1]:8080/prefix", "a.example:443")
CERTIFICATES: Final = ("ca.crt", "keys/one.pem", "./keys/../ca.crt")
ODD: Final[tuple[Any, ...]] = (
    None,
    "hello",
    "",
    7,
    1.5,
    True,
    [],
    ["a"],
    [None],
    {},
    {"a": 1},
    [["a"]],
    "2024-01-01",
    "1e3",
    "0x1F",
    "on",
)
MOST_FILES: Final = 3


@dataclass(frozen=True)
class Reading:
    """The files that are read, in order, and the context that is asked for."""

    files: tuple[Path, ...]
    context: str


def readings(seed: int, number: int, folder: Path) -> Iterator[Reading]:
    """Write ``number`` sets of kubeconfigs below ``folder``; the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    for index in range(number):
        place = folder / str(index)
        (place / "keys").mkdir(parents=True)
        for name in ("ca.crt", "keys/one.pem"):
            (place / name).write_text(name)
        files = tuple(_file(chance, place, count) for count in range(chance.randint(1, MOST_FILES)))
        yield Reading(files, chance.choice(NAMES))


def _file(chance: random.Random, place: Path, count: int) -> Path:
    folder = place / chance.choice((".", "keys", f"clusters/{count}"))
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"config-{count}"
    kind = chance.random()
    if kind < 0.05:
        return file
    if kind < 0.1:
        file.write_bytes(
            chance.choice((b"", b"\n", b"# nothing\n", b"---\n", b"null\n", b"just text\n", b"[]\n", b"a: ["))
        )
        return file
    config = _config(chance)
    if chance.random() < 0.3:
        _spoil(chance, config)
    file.write_bytes(chance.choice(WRITERS)(config))
    return file


def _as_yaml(config: Any) -> bytes:
    return yaml.safe_dump(config, allow_unicode=True).encode()


def _with_mark(config: Any) -> bytes:
    return b"\xef\xbb\xbf" + _as_yaml(config)


def _of_a_shell(config: Any) -> bytes:
    return yaml.safe_dump(config, allow_unicode=True).encode("utf-16")


def _with_another_document(config: Any) -> bytes:
    return b"---\n" + _as_yaml(config) + b"---\nanother: document\n"


def _with_returns(config: Any) -> bytes:
    return _as_yaml(config).replace(b"\n", b"\r\n")


WRITERS: Final[tuple[Callable[[Any], bytes], ...]] = (
    _as_yaml,
    _as_yaml,
    lambda config: json.dumps(config).encode(),
    lambda config: json.dumps(config, indent="\t").encode(),
    _with_mark,
    _of_a_shell,
    _with_another_document,
    _with_returns,
)


def _config(chance: random.Random) -> dict[str, Any]:
    names = chance.sample(NAMES, chance.randint(1, 4))
    config: dict[str, Any] = {
        "contexts": [
            {"name": name, "context": {"cluster": chance.choice(names), "user": chance.choice(names)}} for name in names
        ],
        "clusters": [{"name": name, "cluster": _cluster(chance)} for name in names],
        "users": [{"name": name, "user": _user(chance)} for name in names],
    }
    optional: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": names[0],
        "preferences": {},
        "unknown": [1],
    }
    return config | {key: value for key, value in optional.items() if chance.random() < 0.7}


def _cluster(chance: random.Random) -> dict[str, Any]:
    cluster: dict[str, Any] = {"server": chance.choice(SERVERS)}
    secured: dict[str, Any] = chance.choice(
        (
            {"certificate-authority": chance.choice(CERTIFICATES)},
            {"certificate-authority-data": "Y2EuY3J0"},
            {"insecure-skip-tls-verify": True},
            {},
        )
    )
    extras: dict[str, Any] = {
        "tls-server-name": "kubernetes.default",
        "proxy-url": "http://proxy.example:3128",
        "disable-compression": True,
        "extensions": [{"name": "of-a-tool", "extension": {"last-update": "Mon, 01 Jan 2024"}}],
    }
    return cluster | secured | {key: value for key, value in extras.items() if chance.random() < 0.15}


def _user(chance: random.Random) -> dict[str, Any]:
    command = chance.choice(
        ("aws", "../bin/get-token.sh", "./get-token", "/usr/bin/gke-gcloud-auth-plugin", "bin/../t")
    )
    api = "client.authentication.k8s.io/v1beta1"
    choices: tuple[dict[str, Any], ...] = (
        {"token": "of-one"},
        {"tokenFile": "keys/one.pem"},
        {"username": "admin", "password": "a password"},
        {"client-certificate": "ca.crt", "client-key": "keys/one.pem"},
        {"client-certificate-data": "Y2EuY3J0", "client-key-data": "Y2EuY3J0"},
        {"exec": {"command": command, "apiVersion": api, "args": ["get", "token"], "env": None}},
        {"exec": {"command": command, "apiVersion": api, "env": [{"name": "A", "value": "b"}]}},
        {"token": "of-one", "as": "somebody", "as-groups": ["a"], "as-user-extra": {"b": ["c"]}},
        {},
    )
    return dict(chance.choice(choices))


def _spoil(chance: random.Random, config: dict[str, Any]) -> None:
    """Put something odd in a random place of the tree."""
    node: dict[str, Any] | list[Any] = config
    while True:
        inner = chance.choice(list(node.values()) if isinstance(node, dict) else node)
        if not isinstance(inner, (dict, list)) or not inner or chance.random() < 0.25:
            break
        node = cast("dict[str, Any] | list[Any]", inner)
    if isinstance(node, dict):
        key = chance.choice(list(node))
        if chance.random() < 0.2:
            del node[key]
        else:
            node[key] = chance.choice(ODD)
    elif chance.random() < 0.3:
        node.append(node[0])
    else:
        node[chance.randrange(len(node))] = chance.choice(ODD)
