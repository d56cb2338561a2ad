"""Programs that do next to nothing, on the engine of the application's program: what no program can do without."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from benchmarks.processes import run
from tests.integration.deployment import ROOT, Deployment
from tests.plugins.engine_support import UP

EMPTY: Final = "empty program"
ALONE: Final = "SDKs and plugins alone"

_PROJECT: Final = "name: idle\nruntime: {name: python, options: {toolchain: pip, virtualenv: .venv}}\n"
_EMPTY: Final = "import pulumi\n"
_ALONE: Final = """\
import atexit
import gc
import os
import threading
from pathlib import Path

import pulumi
import pulumi_aws as aws
import pulumi_docker as docker
import pulumi_kubernetes as kubernetes

# As in the application's program: no debug messages, little garbage, and what is not needed at once imported meanwhile.
gc.set_threshold(100_000)
atexit.register(gc.freeze)
pulumi.log.debug = lambda *_, **__: None


def load():
    # The SDK for Kubernetes imports a group of its API with the first class that is asked for.
    kubernetes.core.v1.Namespace, kubernetes.meta.v1.ObjectMetaArgs, kubernetes.apps.v1.Deployment
    kubernetes.networking.v1.NetworkPolicy, aws.ecr.Repository


account = aws.Provider(
    "aws",
    region="{region}",
    allowed_account_ids=["{account}"],
    endpoints=[aws.ProviderEndpointArgs(ecr="{endpoint}", sts="{endpoint}", iam="{endpoint}")],
)
docker.Provider("docker")
kubernetes.Provider("cluster", kubeconfig=Path(os.environ["KUBECONFIG"]).read_text(), context="{context}")
loading = threading.Thread(target=load)
loading.start()
aws.get_caller_identity(opts=pulumi.InvokeOptions(provider=account))
loading.join()
"""


@dataclass(frozen=True)
class Stack:
    """Where a program with the stack `test` is, and the variables that the engine needs for it."""

    folder: Path
    variables: Mapping[str, str]

    @classmethod
    def of(cls, deployment: Deployment) -> Stack:
        """The stack of the application."""
        return cls(deployment.folder, dict(deployment.project.environment))

    def pulumi(self, *arguments: str) -> None:
        """Run a command of Pulumi on it.

        Raises:
            RuntimeError: it failed; the message has what it said.
        """
        run(["pulumi", "--non-interactive", "--cwd", str(self.folder), *arguments, "--stack", "test"], self.variables)

    def seconds(self, *arguments: str) -> float:
        """How long a command of Pulumi takes."""
        began = time.monotonic()
        self.pulumi(*arguments)
        return time.monotonic() - began


def empty(folder: Path, like: Deployment) -> Stack:
    """A program that only imports Pulumi, brought up."""
    return _made(folder / "empty", _EMPTY, like)


def alone(folder: Path, like: Deployment) -> Stack:
    """A program that imports the SDKs and starts their plugins, as the application's does, and no more, brought up."""
    settings = yaml.safe_load((like.folder / "Pulumi.test.yaml").read_text())["config"]
    named = {
        "account": settings["dockercoins:awsAccount"],
        "region": settings["dockercoins:awsRegion"],
        "endpoint": settings["dockercoins:awsEndpoint"],
        "context": settings["dockercoins:kubeContext"],
    }
    return _made(folder / "alone", _ALONE.format(**named), like)


def _made(folder: Path, program: str, like: Deployment) -> Stack:
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text(_PROJECT)
    (folder / ".venv").symlink_to((ROOT / ".venv").resolve())
    (folder / "__main__.py").write_text(program)
    stack = Stack(folder, {**like.project.environment, "PULUMI_BACKEND_URL": folder.as_uri()})
    run(["pulumi", "--cwd", str(folder), "stack", "init", "test"], stack.variables)
    stack.pulumi(*UP)
    return stack
