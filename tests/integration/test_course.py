"""The course, as it is written: each command runs, and each number that the text claims is measured."""

import os
import re
import subprocess
from collections.abc import Callable, Generator
from dataclasses import dataclass

import pytest

from tests.integration.deployment import ROOT, Deployment, reach_speed

_MEASURED_FOR = 8.0  # seconds, by webui's own clock
_SETTLES_WITHIN = 90.0  # seconds
_PART = re.compile(r"^```sh\n(?P<commands>.*?)^```$|^<!-- (?P<claim>\w+): (?P<what>.*?) -->$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Part:
    """A block of commands, or a claim about what they have led to."""

    commands: str
    claim: str
    what: str


COURSE = [
    Part(match["commands"] or "", match["claim"] or "", match["what"] or "")
    for match in _PART.finditer((ROOT / "docs" / "course.md").read_text())
]


@pytest.fixture
def taught(deployment: Deployment) -> Generator[Deployment]:
    """The application, which is afterwards as it was before."""
    yield deployment
    deployment.configure(workerReplicas=None, rngReplicas=None)
    outcome = deployment.project.up("--refresh")
    assert outcome.succeeded, outcome.output
    deployment.settle()
    subprocess.run(["docker", "rmi", "--force", "course/hasher"], capture_output=True, check=False)


def test_every_command_runs_and_every_number_is_true(taught: Deployment) -> None:
    checks: dict[str, Callable[[Deployment, str, str], None]] = {
        "speed": _speed,
        "slower": _slower,
        "replicas": _replicas,
    }
    assert len([part for part in COURSE if part.commands]) >= 10
    assert {part.claim for part in COURSE if part.claim} == set(checks)
    variables, printed = "", ""
    for part in COURSE:
        if part.claim:
            checks[part.claim](taught, part.what, printed)
            continue
        printed = _run(taught, variables + part.commands)
        variables += "".join(line for line in part.commands.splitlines(True) if re.match(r"\w+=\$\(", line))


def _run(deployment: Deployment, commands: str) -> str:
    """What commands print, run in the checkout by a shell that has the environment of ``make env``."""
    environment = {**os.environ, **deployment.project.environment, "PULUMI_STACK": "test"}
    # The stack that is taught on has a project folder of its own, beside the checkout with the services.
    commands = re.sub(r"^(.*\$\()?pulumi ", rf"\g<0>--cwd {deployment.folder} ", commands, flags=re.MULTILINE)
    completed = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert completed.returncode == 0, f"{commands}\n{completed.stdout}\n{completed.stderr}"
    return completed.stdout


def _speed(deployment: Deployment, what: str, _: str) -> None:
    low, _, high = what.partition(" to ")
    reach_speed(deployment, float(low), float(high), seconds=_MEASURED_FOR, limit=_SETTLES_WITHIN)


def _slower(_: Deployment, what: str, printed: str) -> None:
    slow, fast = what.split()
    seconds = {name: float(value) for name, value in re.findall(r"^(\w+) ([0-9.]+) s$", printed, re.MULTILINE)}
    assert seconds[slow] > 3 * seconds[fast], printed


def _replicas(deployment: Deployment, what: str, _: str) -> None:
    words = what.split()
    deployments = deployment.objects("deployments")
    for name, count in zip(words[::2], words[1::2], strict=True):
        assert deployments[name]["spec"]["replicas"] == int(count), name
