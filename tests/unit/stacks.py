"""What the engine would hand to the program for a stack, and a project folder to run it in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("hasher", "rng", "webui", "worker")

REQUIRED = {"kubeContext": "test-context", "awsAccount": "111122223333", "awsRegion": "eu-west-1"}


def declared() -> dict[str, dict[str, Any]]:
    """Each key that ``Pulumi.yaml`` declares, with its type, default and description."""
    return yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]


SECRETS = frozenset({"registryPassword", "registryPullPassword", "refreshSecretAccessKey", "redisPassword"})


def values(**settings: Any) -> dict[str, str]:
    """The configuration of a stack: the defaults, what is required, and ``settings``, as the engine hands it over."""
    keys = {key: declaration["default"] for key, declaration in declared().items()}
    return {f"dockercoins:{key}": handed_over(value) for key, value in {**keys, **REQUIRED, **settings}.items()}


def secret_keys() -> list[str]:
    """The full keys that a careful user keeps encrypted."""
    return [f"dockercoins:{key}" for key in SECRETS]


def handed_over(value: Any) -> str:
    """A value of a stack file as the engine hands it over."""
    return value if isinstance(value, str) else json.dumps(value)


def project(folder: Path) -> Path:
    """Make ``folder`` a project: a context for each service, and a kubeconfig with ``test-context``."""
    for service in SERVICES:
        (folder / "services" / service).mkdir(parents=True)
        (folder / "services" / service / "Dockerfile").write_text(f"FROM scratch\nCOPY {service}.py /\n")
        (folder / "services" / service / f"{service}.py").write_text("")
    kubeconfig = {
        "current-context": "test-context",
        "contexts": [{"name": "test-context", "context": {"cluster": "test", "user": "test"}}],
        "clusters": [{"name": "test", "cluster": {"server": "https://test-cluster:6443"}}],
        "users": [{"name": "test", "user": {"client-key-data": "PRIVATE+KEY="}}],
    }
    (folder / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
    return folder
