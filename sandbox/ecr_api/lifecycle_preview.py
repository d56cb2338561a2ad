"""What a lifecycle policy would expire.

The rules of evaluation are those of https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html:
every rule looks at all images that it selects, whatever becomes of them; a rule expires none of those that a rule of
lower priority number selects.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias, cast

_Rule: TypeAlias = dict[str, Any]  # pyright: ignore[reportExplicitAny] - JSON that the service has validated


@dataclass(frozen=True)
class PushedImage:
    """An image in a repository."""

    digest: str
    tags: tuple[str, ...]
    pushed_at: datetime


@dataclass(frozen=True)
class Expired:
    """An image that a policy would expire, and the priority of the rule that does it."""

    image: PushedImage
    priority: int


def evaluate(policy: str, images: Sequence[PushedImage], now: datetime) -> list[Expired]:
    """The images that a policy would expire at a time, oldest first.

    Args:
        policy: the policy, as valid JSON text.
        images: those in the repository, in the order in which they were pushed.
        now: the time.
    """
    rules = cast("list[_Rule]", json.loads(policy)["rules"])
    selected_before: set[str] = set()
    expired: dict[str, Expired] = {}
    for rule in sorted(rules, key=lambda rule: cast("int", rule["rulePriority"])):
        selection = cast("_Rule", rule["selection"])
        selected = [image for image in images if _selects(selection, image)]
        for image in _overdue(selection, selected, now):
            if image.digest not in selected_before:
                expired[image.digest] = Expired(image, cast("int", rule["rulePriority"]))
        selected_before.update(image.digest for image in selected)
    return [expired[image.digest] for image in images if image.digest in expired]


def _selects(selection: _Rule, image: PushedImage) -> bool:
    match selection["tagStatus"]:
        case "untagged":
            return not image.tags
        case "tagged":
            prefixes = cast("list[str]", selection.get("tagPrefixList") or [])
            patterns = cast("list[str]", selection.get("tagPatternList") or [])
            wanted = [*(f"{prefix}*" for prefix in prefixes), *patterns]
            return bool(image.tags) and all(any(matches(one, tag) for tag in image.tags) for one in wanted)
        case _:
            return True


def _overdue(selection: _Rule, selected: Sequence[PushedImage], now: datetime) -> Sequence[PushedImage]:
    number = cast("int", selection["countNumber"])
    if selection["countType"] == "imageCountMoreThan":
        return selected[: max(0, len(selected) - number)]
    return [image for image in selected if now - image.pushed_at > timedelta(days=number)]


def matches(pattern: str, tag: str) -> bool:
    """Whether a tag fits a pattern, in which `*` stands for any characters, or none."""
    return re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), tag) is not None
