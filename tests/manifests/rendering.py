"""Runs the whole program without an engine, and gives the Kubernetes objects that it declares."""

from __future__ import annotations

import contextlib
import os
import runpy
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast
from unittest import mock

import yaml

from tests.unit.recording import Record, Recorder, run
from tests.unit.stacks import REQUIRED, ROOT, SECRETS, project, secret_keys, values

_OBJECTS: Final = "kubernetes:"
_CONTEXT: Final = "kubeContext"
"""The one setting of a stack file that does not hold here: there is no such cluster."""


def of_file(stack: str) -> dict[str, Any]:
    """The settings in a stack's file."""
    document: dict[str, Any] = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())
    settings = {key.removeprefix("dockercoins:"): value for key, value in document["config"].items()}
    return {key: value for key, value in settings.items() if key != _CONTEXT}


_PASSWORDS: Final = {key: f"a-{key}-of-the-tests" for key in sorted(SECRETS)}

STACKS: Final[Mapping[str, Mapping[str, Any]]] = {
    "default": {},
    "dev": of_file("dev"),
    "prod": of_file("prod"),
    "full": {
        "profile": "full",
        "pullCredentials": "refresh",
        "autoscale": {"worker": {"min": 2, "max": 10}, "hasher": {"min": 2, "max": 5}, "rng": {"min": 2, "max": 5}},
        "webuiReplicas": "2",
        "webuiIngress": {"host": "coins.example.com", "class": "nginx", "tlsSecret": "coins"},
        "webuiFrom": ["ingress-nginx"],
        "metrics": {"scrape": "podMonitor"},
        "otlpEndpoint": "http://collector.monitoring:4318",
        "redisStorage": "1Gi",
        "redisStorageClass": "standard",
        "redisPassword": _PASSWORDS["redisPassword"],
    },
    "route": {
        "pullCredentials": "static",
        "webuiRoute": {"host": "coins.example.com", "gateway": "public", "namespace": "gateways"},
        "metrics": {"scrape": "annotations"},
    },
}
"""The stacks that are rendered, with the settings in which each differs from the defaults."""


def objects(stack: str) -> list[Record]:
    """The objects of a stack of :data:`STACKS`, named as they would be in the cluster, secrets laid open."""
    return of_program(stack, STACKS[stack])


def of_program(stack: str, settings: Mapping[str, Any]) -> list[Record]:
    """The objects that the program declares for a stack's settings."""
    recorder = Recorder(account=settings.get("awsAccount", REQUIRED["awsAccount"]))
    with tempfile.TemporaryDirectory() as folder:
        place = project(Path(folder))
        environment = {"KUBECONFIG": str(place / "kubeconfig"), "DOCKERCOINS_ROLLOUTS": "unchecked"}
        with contextlib.chdir(place), mock.patch.dict(os.environ, environment):
            run(
                lambda: runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__"),
                stack_name=stack,
                values=values(**settings),
                secret_keys=secret_keys(),
                recorder=recorder,
            )
    # What is only read, such as a storage class, is not requested.
    requested = sorted(key for key in recorder.requests if key[0].startswith(_OBJECTS))
    return [_named(name, recorder.of_type(typ)[name]) for typ, name in requested]


def identity(document: Record) -> str:
    """``Kind/name``, as people name an object within a namespace."""
    return f"{document['kind']}/{document['metadata']['name']}"


def write(documents: list[Record], folder: Path) -> None:
    """Write each object into a file of its own, ``<kind>-<name>.yaml``."""
    folder.mkdir(parents=True, exist_ok=True)
    for document in documents:
        name = identity(document).lower().replace("/", "-").replace(":", "-")
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(document, sort_keys=False))


def _named(name: str, inputs: Record) -> Record:
    """An object that the program leaves for the provider to name gets a name like the provider's."""
    metadata = {"name": f"{name}-0a1b2c3", **inputs.get("metadata", {})}
    return _whole({"apiVersion": inputs["apiVersion"], "kind": inputs["kind"], **inputs, "metadata": metadata})


def _whole(value: Any) -> Any:
    """The engine's protocol has no integers; the provider turns them back into what the schema wants."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case dict():
            return {key: _whole(entry) for key, entry in cast("Record", value).items()}
        case list():
            return [_whole(entry) for entry in cast("list[Any]", value)]
        case _:
            return value
