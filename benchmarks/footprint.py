"""What the pods of the application take of processor and memory while they mine at the pace of the course."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.rounds import Figures
from benchmarks.stacks import deployed
from benchmarks.waiting import wait
from tests.integration.deployment import Deployment
from tests.integration.kubectl import kubectl

MILLICORES: Final = "millicores, all pods"
MEBIBYTES: Final = "MiB, all pods"
_SETTLED_AFTER: Final = 30.0  # seconds, in which the interpreters start and the first coins come
_WINDOW: Final = 20.0  # seconds; the kubelet reads the cgroups every ten


@dataclass(frozen=True)
class Sample:
    """What a pod had used by some moment, as its node's kubelet has read it."""

    moment: str
    core_nanoseconds: int
    working_set: int


def measured(rounds: int, tell: Callable[[str], None]) -> dict[str, Figures]:
    """Thousandths of a core and MiB (the working set) of all pods together; one figure for each round."""
    cores: list[float] = []
    memory: list[float] = []
    with deployed() as deployment:
        time.sleep(_SETTLED_AFTER)
        for number in range(rounds):
            first = _samples(deployment)
            began = time.monotonic()
            time.sleep(_WINDOW)

            def is_newer(before: dict[str, Sample] = first) -> bool:
                return all(before[pod].moment != sample.moment for pod, sample in _samples(deployment).items())

            wait(is_newer, "the kubelet to look again", every=1)
            last = _samples(deployment)
            seconds = time.monotonic() - began
            used = sum(last[pod].core_nanoseconds - first[pod].core_nanoseconds for pod in first)
            cores.append(used / seconds / 1e6)
            memory.append(sum(sample.working_set for sample in last.values()) / 2**20)
            tell(f"round {number + 1} of {rounds}: {cores[-1]:.0f} millicores, {memory[-1]:.0f} MiB")
    return {MILLICORES: Figures(MILLICORES, tuple(cores)), MEBIBYTES: Figures(MEBIBYTES, tuple(memory))}


def _samples(deployment: Deployment) -> dict[str, Sample]:
    nodes = json.loads(kubectl("get", "nodes", "--output=json"))["items"]
    found: dict[str, Sample] = {}
    for node in nodes:
        path = f"/api/v1/nodes/{node['metadata']['name']}/proxy/stats/summary"
        pods: list[dict[str, Any]] = json.loads(kubectl("get", "--raw", path))["pods"]
        for pod in pods:
            if pod["podRef"]["namespace"] == deployment.name:
                found[pod["podRef"]["name"]] = Sample(
                    pod["cpu"]["time"], pod["cpu"]["usageCoreNanoSeconds"], pod["memory"]["workingSetBytes"]
                )
    return found
