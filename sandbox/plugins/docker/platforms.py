"""Which platforms a base image is there for.

BuildKit looks for the wanted platform in an image that lists several. One that is there for a single platform it takes
as it is, and labels what it builds from it with the wanted platform all the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Final, cast

from . import build_output

_FLAG: Final = re.compile(r"\s--platform=(\S+)\s")
_TARGET: Final = frozenset({"$TARGETPLATFORM", "${TARGETPLATFORM}"})


def same(one: str, other: str) -> bool:
    """Whether programs for one platform run on the other: same system and architecture, whatever the variant."""
    return one.split("/")[:2] == other.split("/")[:2]


def base_images(lines: Sequence[str], dockerfile: str) -> list[str]:
    """The base images of a build that have to be for its target platform, by their full names.

    An image that the Dockerfile takes for another platform on purpose (`FROM --platform=…`) is none of them, nor is one
    that only files are copied from.
    """
    target: list[str] = []
    chosen: list[str] = []
    for _, text in build_output.instructions(dockerfile):
        if image := build_output.base_image(text):
            flag = _FLAG.search(text)
            (target if flag is None or flag[1] in _TARGET else chosen).append(image)
    return [
        image
        for image in build_output.fetched_images(lines)
        if any(build_output.may_be(name, image) for name in target)
        and not any(build_output.may_be(name, image) for name in chosen)
    ]


def listed(document: str) -> list[str] | None:
    """The platforms that an image lists, from `docker manifest inspect`; None where it is for a single one."""
    manifests = _object(document).get("manifests")
    if not isinstance(manifests, list):
        return None
    return _platforms(cast("list[object]", manifests))


def of_single(document: str) -> list[str]:
    """The platform of an image that lists none, from `docker manifest inspect --verbose`; empty if it tells none."""
    return _platforms([_object(document).get("Descriptor")])


def _platforms(descriptors: Sequence[object]) -> list[str]:
    found: list[str] = []
    for descriptor in descriptors:
        platform = cast("dict[str, object]", descriptor).get("platform") if isinstance(descriptor, dict) else None
        if isinstance(platform, dict):
            parts = [cast("dict[str, object]", platform).get(key) for key in ("os", "architecture", "variant")]
            found.append("/".join(part for part in parts if isinstance(part, str) and part))
    # Attestations are listed beside the images, for a platform of this name.
    return [platform for platform in dict.fromkeys(found) if platform and "unknown" not in platform]


def _object(document: str) -> dict[str, object]:
    try:
        parsed: object = json.loads(document)
    except ValueError:
        return {}
    return cast("dict[str, object]", parsed) if isinstance(parsed, dict) else {}
