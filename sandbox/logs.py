"""Shows what the pods say, and says where the platform's own logs are."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Final

from . import checkpoint, processes
from .errors import SandboxError
from .paths import CHECKOUT, Paths
from .settings import STACK, Settings
from .stack import PROJECT

SERVICES: Final = ("hasher", "redis", "rng", "webui", "worker")


def follow(paths: Paths, settings: Settings, variables: Mapping[str, str], service: str | None) -> int:
    """Follow the logs of one service's pods, or of all, and return kubectl's exit code.

    Raises:
        SandboxError: there is no such service, or no cluster.
    """
    if service is not None and service not in SERVICES:
        raise SandboxError(f"there is no service {service!r}; the services are {', '.join(SERVICES)}")
    print(places(paths, settings), file=sys.stderr)
    if not paths.kubeconfig.exists():
        raise SandboxError("there is no cluster; `make up` makes one")
    state = checkpoint.read(checkpoint.file(paths.pulumi_backend, PROJECT, STACK))
    namespace = str((state.outputs if state else {}).get("namespace", f"{PROJECT}-{STACK}"))
    selector = f"app.kubernetes.io/name={service}" if service else "app.kubernetes.io/part-of"
    return processes.foreground(
        [
            *(paths.bin / "kubectl", "--context", settings.context, "--namespace", namespace),
            *("logs", "--selector", selector, "--all-containers", "--prefix", "--follow"),
            *("--tail", "20", "--max-log-requests", "100"),
        ],
        env=dict(os.environ) | dict(variables),
        cwd=CHECKOUT,
    )


def places(paths: Paths, settings: Settings) -> str:
    """Where the platform's own logs are."""
    return (
        f"The platform's own logs: {paths.logs}, docker logs {settings.registry_container}, "
        f"docker logs {settings.ecr_container}"
    )
