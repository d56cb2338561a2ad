"""Hashes a second of the whole application on the sandbox's cluster."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import redis as redis_client

from benchmarks.crew import Crew, Mine, speed
from benchmarks.honesty import answered, verify
from benchmarks.stacks import deployed
from benchmarks.waiting import wait
from components.observability import METRICS_PORT
from tests.integration.deployment import Deployment

_SERVED: Final = ("rng", "hasher")
_NAME: Final = "app.kubernetes.io/name"
_FORWARDING: Final = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+) ->")
# Each look passes through the API server and the kubelet, which take from the same processor.
_LOOK_EVERY: Final = 0.05  # seconds


@contextmanager
def cluster(seconds: float) -> Generator[Mine]:
    """The application in the profile ``full`` on the cluster, measured for so many seconds; destroyed afterwards.

    Between two crews there is no worker. What redis holds grows from crew to crew and is checked as a whole after each.

    Raises:
        RuntimeError: ``pulumi up`` failed.
        DishonestError: hashes were counted that were not done.
        TimeoutError: the pods did not come or go.
    """
    with deployed(profile="full", workerReplicas="0") as deployment:
        served: dict[str, int] = dict.fromkeys(_SERVED, 0)

        def mine(crew: Crew) -> float:
            scale(deployment, worker=0, rng=crew.rngs, hasher=crew.hashers)
            before = {service: _answered(deployment, service) for service in _SERVED}
            scale(deployment, worker=crew.workers)
            with _redis(deployment) as redis:
                figure = speed(lambda: int(redis.get("hashes") or 0), seconds, _LOOK_EVERY)
                scale(deployment, worker=0)
                for service in _SERVED:
                    served[service] += _answered(deployment, service) - before[service]
                verify(int(redis.get("hashes") or 0), redis.hgetall("wallet"), served)
            return figure

        yield mine


def scale(deployment: Deployment, **counts: int) -> None:
    """Wait until exactly so many pods of each of these services are there, all of them ready.

    Raises:
        TimeoutError: they did not come or go.
    """
    for service, count in counts.items():
        deployment.kubectl("scale", f"deployment/{service}", f"--replicas={count}")

    def reached() -> bool:
        pods = list(deployment.objects("pods").values())
        return all(ready(pods, service) == [True] * count for service, count in counts.items())

    wanted = ", ".join(f"{service} {count}" for service, count in counts.items())
    wait(reached, f"the pods to be {wanted}", every=0.3)


def ready(pods: Sequence[dict[str, Any]], service: str) -> list[bool]:
    """For each pod of a service whether it is ready; one that is to go is not."""
    return [
        "deletionTimestamp" not in pod["metadata"]
        and any(
            condition["type"] == "Ready" and condition["status"] == "True"
            for condition in pod["status"].get("conditions", [])
        )
        for pod in pods
        if pod["metadata"]["labels"].get(_NAME) == service
    ]


def _answered(deployment: Deployment, service: str) -> int:
    """How many requests the pods of a service have answered, by their own count."""
    path = f"/api/v1/namespaces/{deployment.name}/pods/{{}}:{METRICS_PORT}/proxy/metrics"
    pods = deployment.objects("pods", f"--selector={_NAME}={service}")
    return sum(answered(deployment.kubectl("get", "--raw", path.format(pod))) for pod in pods)


@contextmanager
def _redis(deployment: Deployment) -> Generator[Any]:
    """A client of the stack's redis, by a port-forward."""
    command = ["kubectl", "--namespace", deployment.name, "port-forward", "--address=127.0.0.1", "deployment/redis"]
    process = subprocess.Popen([*command, ":6379"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline() if process.stdout else ""
        match = _FORWARDING.match(line)
        if match is None:
            process.kill()
            raise RuntimeError(f"no port-forward to redis: {line}{process.communicate()[1]}")
        # The client's own types answer "either a value or an awaitable of it".
        client: Any = redis_client.Redis(port=int(match[1]))
        try:
            yield client
        finally:
            client.close()
    finally:
        process.terminate()
        process.communicate()
