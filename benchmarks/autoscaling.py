"""Autoscalers of a deployed stack at work: pods and hashes a second, from one pod of each service until they settle."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import urllib3

from benchmarks import drawing
from benchmarks.stacks import bring_up, deployed
from benchmarks.waiting import wait
from tests.integration.deployment import Deployment, get
from tests.integration.kubectl import kubectl

SERVICES: Final = ("worker", "rng", "hasher")
# 100 m of a processor are asked for by each pod that is scaled. Ten of them are what a node of two processors holds
# beside what the cluster itself asks for.
SETTINGS: Final[Mapping[str, Mapping[str, int]]] = {
    "worker": {"min": 1, "max": 4, "cpu": 80},
    "rng": {"min": 1, "max": 3, "cpu": 80},
    "hasher": {"min": 1, "max": 3, "cpu": 80},
}
_EVERY: Final = 2.0  # seconds
_SETTLED: Final = 40.0  # seconds; an autoscaler looks every 15
_LIMIT: Final = 180.0  # seconds
# Each worker writes about once a second: over less time, one write more or less would show as a leap.
_WINDOW: Final = 6.0  # seconds


@dataclass(frozen=True)
class Sample:
    """How it was at a moment.

    Attributes:
        seconds: since the first worker was asked for.
        wanted: service to the number of pods that its autoscaler wants.
        ready: service to the number of pods that are ready.
        hashes_per_second: over the last six seconds, or what there is of them.
    """

    seconds: float
    wanted: Mapping[str, int]
    ready: Mapping[str, int]
    hashes_per_second: float


def record(
    tell: Callable[[str], None],
    autoscale: Mapping[str, Mapping[str, int]] = SETTINGS,
    *,
    settled: float = _SETTLED,
    limit: float = _LIMIT,
) -> list[Sample]:
    """Deploy the application with autoscalers, let one worker begin, and look every two seconds what comes of it.

    Args:
        tell: is given one line for each change of the number of pods.
        autoscale: the setting of that name, for all of ``SERVICES``.
        settled: seconds without a change, after the first, at which it is over.
        limit: seconds after which it is over anyway.

    Raises:
        RuntimeError: ``pulumi up`` failed.
        TimeoutError: the cluster measures no pods, so that nothing would be scaled.
    """
    # Without a worker nothing is busy, and the autoscaler of a Deployment of no pods rests: all begin at one.
    with deployed(profile="full", workerReplicas="0") as deployment:
        deployment.configure(workerReplicas=None, autoscale={name: dict(one) for name, one in autoscale.items()})
        bring_up(deployment)
        # A kubelet is asked for the first time some 15 s after a pod has come.
        wait(lambda: _measured(deployment), "metrics-server to measure the pods", every=1)
        url = deployment.url("/json")
        deployment.kubectl("scale", "deployment/worker", "--replicas=1")
        began = time.monotonic()
        samples: list[Sample] = []
        counts: list[tuple[float, int]] = []
        while not is_over(samples, settled, limit):
            time.sleep(max(0.0, began + len(samples) * _EVERY - time.monotonic()))
            counts += _hashes(url)
            samples.append(_sample(deployment, time.monotonic() - began, rate(counts)))
            if len(samples) == 1 or _pods(samples[-1]) != _pods(samples[-2]):
                tell(_line(samples[-1]))
        return samples


def rate(counts: Sequence[tuple[float, int]], window: float = _WINDOW) -> float:
    """Hashes a second over the last seconds; 0 where fewer than two counts tell nothing.

    Args:
        counts: pairs of when it was (seconds) and how many hashes there were, by time.
        window: how many seconds, at least where there are so many.
    """
    if not counts:
        return 0.0
    now, last = counts[-1]
    then, first = max((count for count in counts if now - count[0] >= window), default=counts[0])
    return (last - first) / (now - then) if now > then else 0.0


def is_over(samples: Sequence[Sample], settled: float, limit: float) -> bool:
    """Whether pods were added, and their number has not changed for so long since; or the limit has passed."""
    if not samples:
        return False
    now = samples[-1].seconds
    changed = max((after.seconds for before, after in pairwise(samples) if _pods(before) != _pods(after)), default=now)
    scaled = any(count > 1 for sample in samples for count in sample.wanted.values())
    return now >= limit or (scaled and now - changed >= settled)


def plot(samples: Sequence[Sample], file: Path, title: str = "Pods that autoscalers add") -> None:
    """Draw the ready pods as steps, and the hashes a second as a line, over time.

    Args:
        samples: by time.
        file: an SVG; equal samples give equal bytes.
        title: what it shows.
    """
    times = [sample.seconds for sample in samples]
    services = list(samples[0].ready)
    with drawing.picture(file, 8, 4.5) as axes:
        other = axes.twinx()
        other.spines[["top"]].set_visible(False)
        speeds = [sample.hashes_per_second for sample in samples]
        shown = [other.plot(times, speeds, color="#9aa0a6", linewidth=1.2, label="hashes a second")[0]]
        for number, service in enumerate(services):
            # Steps of equal height would hide one another.
            shift = (number - (len(services) - 1) / 2) * 0.06
            pods = [sample.ready[service] + shift for sample in samples]
            colour = drawing.COLOURS[number % len(drawing.COLOURS)]
            shown += axes.step(times, pods, where="post", color=colour, linewidth=2, label=f"{service} pods")
        axes.set_yticks(range(1 + max(count for sample in samples for count in sample.ready.values())))
        axes.set_ylim(bottom=0)
        other.set_ylim(bottom=0)
        axes.set_xlim(left=0)
        axes.set_xlabel("seconds since the first worker was asked for")
        axes.set_ylabel("ready pods")
        other.set_ylabel("hashes a second")
        axes.set_zorder(other.get_zorder() + 1)
        axes.patch.set_visible(False)
        axes.legend(handles=shown, loc="lower right")
        axes.set_title(title)


def _pods(sample: Sample) -> tuple[Mapping[str, int], Mapping[str, int]]:
    return sample.wanted, sample.ready


def _line(sample: Sample) -> str:
    pods = ", ".join(f"{service} {count} of {sample.wanted[service]}" for service, count in sample.ready.items())
    return f"after {sample.seconds:3.0f} s: {pods} ready; {sample.hashes_per_second:,.0f} hashes/s"


def _sample(deployment: Deployment, seconds: float, hashes_per_second: float) -> Sample:
    deployments = deployment.objects("deployments")
    return Sample(
        round(seconds, 2),
        {service: int(deployments[service]["spec"]["replicas"]) for service in SERVICES},
        {service: int(deployments[service]["status"].get("readyReplicas", 0)) for service in SERVICES},
        round(hashes_per_second, 1),
    )


def _hashes(url: str) -> list[tuple[float, int]]:
    """When redis was read, and how many hashes it had; nothing where webui did not answer."""
    try:
        answer = get(url)
    except urllib3.exceptions.HTTPError:
        return []
    if answer.status != 200:  # noqa: PLR2004 - OK
        return []
    page = answer.json()
    return [(float(page["now"]), int(page["hashes"]))]


def _measured(deployment: Deployment) -> bool:
    """Whether the metrics API knows the pods of the services that have some."""
    path = f"/apis/metrics.k8s.io/v1beta1/namespaces/{deployment.name}/pods"
    text = kubectl("get", "--raw", path, check=False)
    items: list[dict[str, Any]] = json.loads(text)["items"] if text else []
    names = [item["metadata"]["name"] for item in items]
    return all(any(name.startswith(f"{service}-") for name in names) for service in ("rng", "hasher"))
