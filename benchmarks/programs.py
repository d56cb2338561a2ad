"""The programs that the application's is compared with: a stack of its own each, same engine, same plugins."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from benchmarks import registry_storage
from benchmarks.processes import run
from tests.integration.deployment import ROOT, SANDBOX_REGISTRY, Deployment
from tests.plugins.engine_support import UP

_PLAIN: Final = ROOT / "benchmarks" / "plain_program"
ALONE: Final = "SDKs and plugins alone"

_PROJECT: Final = "name: alone\nruntime: {name: python, options: {toolchain: pip, virtualenv: .venv}}\n"
_ALONE: Final = """\
import os
from pathlib import Path

import pulumi
import pulumi_aws as aws
import pulumi_docker as docker
import pulumi_kubernetes as kubernetes

account = aws.Provider(
    "aws",
    region="{region}",
    allowed_account_ids=["{account}"],
    endpoints=[aws.ProviderEndpointArgs(ecr="{endpoint}", sts="{endpoint}", iam="{endpoint}")],
)
docker.Provider("docker")
kubernetes.Provider("cluster", kubeconfig=Path(os.environ["KUBECONFIG"]).read_text(), context="{context}")
# The SDK for Kubernetes imports a group of its API with the first class that is asked for.
kubernetes.core.v1.Namespace, kubernetes.meta.v1.ObjectMetaArgs, kubernetes.apps.v1.Deployment
kubernetes.networking.v1.NetworkPolicy, aws.ecr.Repository
aws.get_caller_identity(opts=pulumi.InvokeOptions(provider=account))
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

    @property
    def services(self) -> Path:
        """The contexts of its images."""
        return self.folder / "services"

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


def plain(folder: Path, like: Deployment, namespace: str) -> Stack:
    """The objects of the application by the SDKs directly, in a namespace of their own; nothing is deployed yet.

    Args:
        folder: is made, and has the program and its own copy of the services.
        like: the application.
        namespace: also the prefix of its repositories.
    """
    copy_plain("application.py", folder)
    shutil.copytree(like.folder / "services", folder / "services")
    settings = _settings(like)
    values = {
        "namespace": namespace,
        "prefix": namespace,
        "host": SANDBOX_REGISTRY,
        "platform": "linux/amd64",
        "teaching": str(settings.get("profile", "teaching") == "teaching").lower(),
        **{key: settings[key] for key in ("awsAccount", "awsEndpoint", "kubeContext", "pythonImage", "redisImage")},
    }
    (folder / "Pulumi.test.yaml").write_text(
        yaml.safe_dump({"config": {f"plain:{key}": value for key, value in values.items()}})
    )
    return _made(folder, like)


def copy_plain(program: str, folder: Path) -> None:
    """Make ``folder`` a project with one of the programs of `benchmarks/plain_program`."""
    folder.mkdir()
    for name in ("Pulumi.yaml", "objects.py"):
        shutil.copy2(_PLAIN / name, folder / name)
    shutil.copy2(_PLAIN / program, folder / "__main__.py")


def remove_plain(stack: Stack, namespace: str) -> None:
    """Destroy a stack of :func:`plain`, and let the registry forget the images that it has pushed."""
    stack.pulumi("destroy", "--yes", "--skip-preview")
    registry_storage.forget_application(namespace)


def alone(folder: Path, like: Deployment) -> Stack:
    """A program that imports the SDKs and starts their plugins, and no more, brought up."""
    settings = _settings(like)
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text(_PROJECT)
    named = {
        "account": settings["awsAccount"],
        "region": settings["awsRegion"],
        "endpoint": settings["awsEndpoint"],
        "context": settings["kubeContext"],
    }
    (folder / "__main__.py").write_text(_ALONE.format(**named))
    stack = _made(folder, like)
    stack.pulumi(*UP)
    return stack


def _settings(like: Deployment) -> dict[str, Any]:
    settings = yaml.safe_load((like.folder / "Pulumi.test.yaml").read_text())["config"]
    return {key.removeprefix("dockercoins:"): value for key, value in settings.items()}


def _made(folder: Path, like: Deployment) -> Stack:
    (folder / ".venv").symlink_to((ROOT / ".venv").resolve())
    backend = folder.parent / f"{folder.name}-backend"
    backend.mkdir()
    stack = Stack(folder, {**like.project.environment, "PULUMI_BACKEND_URL": backend.as_uri()})
    run(["pulumi", "--cwd", str(folder), "stack", "init", "test"], stack.variables)
    return stack
