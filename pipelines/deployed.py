"""Whether a stack's Deployments run what its outputs name: those digests, rolled out, and no other pods beside them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

from components.kubeconfig import KubeconfigError, cluster_access, kubeconfig_files
from components.rollout.cluster import Cluster, ClusterError
from components.rollout.objects import Object, child, children, name_of, text
from components.rollout.waiting import RolloutError, wait
from pipelines.errors import StepError
from pipelines.events import Json


def check(outputs: Json, environment: Mapping[str, str], *, limit: float, tell: Callable[[str], None]) -> None:
    """Return once every Deployment of the stack's namespace is rolled out, with the images that the outputs name.

    Args:
        outputs: the stack's, with ``images``, ``namespace`` and ``cluster``.
        environment: with ``KUBECONFIG``, unless the kubeconfig is at its usual place.
        limit: seconds that all of it may take.
        tell: takes a line about what is waited for.

    Raises:
        StepError: a Deployment runs something else, or is not rolled out within the limit.
    """
    cluster = _cluster(outputs, environment)
    namespace = str(outputs.get("namespace") or "")
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    named = outputs.get("images")
    images = cast("Json", named) if isinstance(named, dict) else {}
    end = time.monotonic() + limit
    try:
        for name in sorted({*images, *map(name_of, cluster.list(path))}):
            wait(cluster, namespace, name, seconds=max(0.0, end - time.monotonic()), progress=tell)
        running = {name_of(deployment): _images(deployment) for deployment in cluster.list(path)}
    except (ClusterError, RolloutError) as error:
        raise StepError(str(error)) from None
    for name, image in images.items():
        if running.get(name) != [image]:
            raise StepError(
                f"Deployment {namespace}/{name} runs {', '.join(running.get(name, ['nothing']))} and not {image}, "
                "which the stack's outputs name: an update failed, or somebody changed it. Preview and apply again"
            )


def _cluster(outputs: Json, environment: Mapping[str, str]) -> Cluster:
    named = outputs.get("cluster")
    context = text(cast("Object", named), "context") if isinstance(named, dict) else ""
    if not context:
        raise StepError("the stack has no output `cluster`: run `apply` first")
    try:
        return Cluster(cluster_access(kubeconfig_files(environment, Path.home()), context))
    except (KubeconfigError, ClusterError) as error:
        raise StepError(f"the cluster of the stack cannot be reached: {error}") from None


def _images(deployment: Object) -> list[str]:
    containers = children(child(deployment, "spec", "template"), "spec", "containers")
    return [text(container, "image") for container in containers]
