"""One image for several platforms: an index that names an image for each, and how a registry gets it.

The formats are the image index of https://github.com/opencontainers/image-spec/blob/main/image-index.md, and its
forerunner, the manifest list of https://distribution.github.io/distribution/spec/manifest-v2-2/.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from components.registry_api import Manifest, RegistryError, Repository

INDEX: Final = "application/vnd.oci.image.index.v1+json"
MANIFEST_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
_IMAGE: Final = "application/vnd.oci.image.manifest.v1+json"
_DOCKER_IMAGE: Final = "application/vnd.docker.distribution.manifest.v2+json"
_DESCRIBED: Final = "vnd.docker.reference.digest"
"""The annotation by which BuildKit says which image an attestation is about."""


class ImageIndexError(ValueError):
    """An image that no index can name; the message says which and why."""


def platform_suffix(platform: str) -> str:
    """What tells the image for ``<os>/<architecture>[/<variant>]`` from its like for others: ``amd64``, ``arm-v7``."""
    return "-".join(platform.split("/")[1:])


def image_index(images: Mapping[str, Manifest]) -> Manifest:
    """The index of the images for some platforms (``linux/amd64``); equal images give equal bytes.

    It is a manifest list where all of them are Docker's, which is what the oldest registries take. An image that is an
    index itself, as BuildKit makes it with attestations, is named by what it names.

    Raises:
        ImageIndexError: one of them is no image, or is an index without its platform.
    """
    entries = [entry for platform in sorted(images) for entry in _entries(platform, images[platform])]
    is_docker = all(entry["mediaType"] == _DOCKER_IMAGE for entry in entries)
    media_type = MANIFEST_LIST if is_docker else INDEX
    document = {"schemaVersion": 2, "mediaType": media_type, "manifests": entries}
    return Manifest(media_type, json.dumps(document, sort_keys=True, separators=(",", ":")).encode())


def read_index(repository: Repository, digests: Mapping[str, str]) -> Manifest:
    """The index of the images in ``repository`` that ``digests`` gives by platform.

    Raises:
        RegistryError: one of them is not there, or cannot be asked for.
        ImageIndexError: as :func:`image_index` does.
    """
    return image_index({platform: repository.manifest(digest) for platform, digest in digests.items()})


def push_index(repository: Repository, tag: str, index: Manifest) -> bool:
    """See to it that ``tag`` names ``index``, and tell whether that took a push.

    What is there already is not pushed again, since a registry may refuse that for a tag that must not change.

    Raises:
        RegistryError: the registry does not take it.
    """
    there = repository.digest_of(tag)
    if there == index.digest:
        return False
    try:
        repository.push(tag, index)
    except RegistryError as error:
        # Another update may have pushed the same just now.
        there = repository.digest_of(tag)
        if there == index.digest:
            return False
        if there is None:
            raise
        raise RegistryError(error.outcome, f"{error} (the tag names {there}, not {index.digest})") from None
    return True


def _entries(platform: str, manifest: Manifest) -> list[dict[str, Any]]:
    if manifest.media_type in (_IMAGE, _DOCKER_IMAGE):
        described = {
            "mediaType": manifest.media_type,
            "digest": manifest.digest,
            "size": len(manifest.content),
            "platform": _platform(platform),
        }
        return [described]
    if manifest.media_type not in (INDEX, MANIFEST_LIST):
        raise ImageIndexError(f"{manifest.digest}, for {platform}, is no image but {manifest.media_type!r}")
    named = cast("Sequence[dict[str, Any]]", json.loads(manifest.content).get("manifests") or [])
    images = {entry["digest"] for entry in named if _is_for(platform, entry)}
    if not images:
        raise ImageIndexError(f"{manifest.digest} is an index without an image for {platform}")
    return [entry for entry in named if entry["digest"] in images or _annotations(entry).get(_DESCRIBED) in images]


def _platform(platform: str) -> dict[str, str]:
    return dict(zip(("os", "architecture", "variant"), platform.split("/"), strict=False))


def _is_for(platform: str, entry: Mapping[str, Any]) -> bool:
    # An image for arm64 may say its one variant, v8.
    described = cast("Mapping[str, Any]", entry.get("platform") or {})
    return all(described.get(key) == value for key, value in _platform(platform).items())


def _annotations(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", entry.get("annotations") or {})
