"""How long the program's packages take to import, as the interpreter itself tells it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.integration.deployment import ROOT

_LINE: Final = re.compile(r"^import time:\s+(\d+) \|\s+(\d+) \| ( *)(\S+)$", re.MULTILINE)
_PROGRAM: Final = """\
import gc
gc.set_threshold(100_000)
import pulumi
import pulumi_kubernetes as kubernetes
import settings
kubernetes.core.v1.Namespace, kubernetes.apps.v1.Deployment, kubernetes.networking.v1.NetworkPolicy
import components.dockercoins, components.mirrors, components.pull_secret
import components.aws_account
import components.ecr
import components.service_image
"""
# The SDK for Kubernetes imports a group of its API with the first class that is asked for.
_STEPS: Final = (
    "pulumi",
    "pulumi_kubernetes",
    "pulumi_kubernetes.core.v1.Binding",
    "pulumi_kubernetes.apps.v1.ControllerRevisionList",
    "pulumi_kubernetes.networking.v1.Ingress",
    "pulumi_aws",
    "components.ecr",
    "pulumi_docker",
    "components.service_image",
    "settings",
)


def imported(interpreter: Path) -> list[tuple[str, float]]:
    """Each package that the program imports first, and the milliseconds that it took with all that it imports itself.

    It is what a stack of the sandbox imports: images are built, and shipped through Amazon ECR.
    """
    told = subprocess.run(
        [str(interpreter), "-X", "importtime", "-c", _PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True
    ).stderr
    return shown(told)


def shown(told: str, names: Sequence[str] = _STEPS) -> list[tuple[str, float]]:
    """Names and milliseconds from what ``-X importtime`` writes, in order of the names; those not imported left out."""
    found = {name: int(total) / 1000 for _, total, _, name in _LINE.findall(told)}
    return [(name, found[name]) for name in names if name in found]
