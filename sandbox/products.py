"""The images that updates of the stack leave in the Docker daemon."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any, cast

from .docker import Docker


def remove(docker: Docker, registry_host: str, keep: Collection[str] = ()) -> int:
    """Remove the images that were pushed to a registry, except those with a digest to keep.

    An image that a container uses stays. Layers stay in the build cache.

    Returns:
        How many images were removed.
    """
    listed = docker.output(
        *("images", "--digests", "--format", "{{.Repository}}:{{.Tag}} {{.Digest}}"),
        *("--filter", f"reference={registry_host}/*/*"),
    )
    digests: dict[str, set[str]] = defaultdict(set)
    for line in listed.splitlines():
        name, digest = line.split()
        digests[name].add(digest)
    names = [name for name, of_image in digests.items() if not name.endswith(":<none>") and of_image.isdisjoint(keep)]
    if names:
        docker.succeeds("rmi", *names)
    return len(names)


def deployed(outputs: Mapping[str, Any]) -> set[str]:
    """The digests of the images that a stack's outputs name as deployed."""
    images = cast("Mapping[str, str]", outputs.get("images") or {})
    return {reference.rpartition("@")[2] for reference in images.values()}
