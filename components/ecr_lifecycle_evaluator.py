"""What a lifecycle policy of ECR would expire, by the rules that Amazon documents.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html says how rules are evaluated, and
https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html what they may say. Rules that
move images to the archive, or count from a pull, are refused: what they do depends on more than a list of images shows.

One thing that ECR knows is not seen here: images that another one for several platforms consists of. ECR keeps them as
long as it keeps that image.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, cast

from components.ecr_tag_filters import matches

_COUNT_TYPES: Final = ("imageCountMoreThan", "sinceImagePushed")
_TAG_STATUSES: Final = ("tagged", "untagged", "any")


class PolicyFormatError(ValueError):
    """A text that is no lifecycle policy, or one that cannot be evaluated; the message says where and why."""


@dataclass(frozen=True)
class Image:
    """One image in a repository: its digest, its tags (none, one or more), and when it was pushed (with a time zone).

    ``size`` is in bytes, compressed. ``media_type`` is that of its manifest.
    """

    digest: str
    tags: tuple[str, ...]
    pushed: datetime
    size: int = 0
    media_type: str = ""


@dataclass(frozen=True)
class Rule:
    """One rule of a policy. ``count`` is a number of images, or of days, as ``count_type`` says."""

    priority: int
    description: str
    tag_status: Literal["tagged", "untagged", "any"]
    patterns: tuple[str, ...]
    count_type: Literal["imageCountMoreThan", "sinceImagePushed"]
    count: int

    def selects(self, image: Image) -> bool:
        """Whether the rule is about ``image``: of several patterns, each must match one of its tags."""
        if self.tag_status == "tagged":
            return all(any(matches(pattern, tag) for tag in image.tags) for pattern in self.patterns)
        return self.tag_status == "any" or not image.tags

    def marks(self, selected: Sequence[Image], now: datetime) -> set[Image]:
        """Which of the ``selected`` images are too many, or too old."""
        if self.count_type == "sinceImagePushed":
            return {image for image in selected if now - image.pushed > timedelta(days=self.count)}
        newest_first = sorted(selected, key=lambda image: (image.pushed, image.digest), reverse=True)
        return set(newest_first[self.count :])


@dataclass(frozen=True)
class Verdict:
    """What becomes of an image, and the rule that decides it: the first one that is about it, if any is."""

    image: Image
    expires: bool
    rule: Rule | None


def evaluate(policy: str, images: Iterable[Image], now: datetime) -> list[Verdict]:
    """What a policy, as JSON, makes of each of ``images`` at the time ``now``; in the order of ``images``.

    Raises:
        PolicyFormatError: the text is no policy, or has a rule that cannot be evaluated.
    """
    listed = list(images)
    verdicts: dict[Image, Verdict] = {}
    for rule in sorted(read_rules(policy), key=lambda rule: rule.priority):
        # A rule counts what an earlier one has decided about, but changes nothing about it.
        selected = [image for image in listed if rule.selects(image)]
        marked = rule.marks(selected, now)
        for image in selected:
            verdicts.setdefault(image, Verdict(image, image in marked, rule))
    return [verdicts.get(image, Verdict(image, expires=False, rule=None)) for image in listed]


def expired(policy: str, images: Iterable[Image], now: datetime) -> list[Image]:
    """The images that a policy, as JSON, expires at the time ``now``.

    Raises:
        PolicyFormatError: as :func:`evaluate` does.
    """
    return [verdict.image for verdict in evaluate(policy, images, now) if verdict.expires]


def read_rules(policy: str) -> list[Rule]:
    """The rules of a policy, as JSON.

    Raises:
        PolicyFormatError: the text is no policy, or has a rule that cannot be evaluated.
    """
    try:
        document = json.loads(policy)
    except ValueError as error:
        raise PolicyFormatError(f"the lifecycle policy is not JSON: {error}") from None
    rules = _object(document).get("rules")
    if not isinstance(rules, list):
        raise PolicyFormatError("the lifecycle policy has no list of rules")
    read = [_rule(_object(rule)) for rule in cast("list[object]", rules)]
    priorities = [rule.priority for rule in read]
    if len(set(priorities)) != len(priorities):
        raise PolicyFormatError("two rules of the lifecycle policy have the same rulePriority")
    return read


def _rule(rule: dict[str, Any]) -> Rule:
    priority, selection, action = rule.get("rulePriority"), _object(rule.get("selection")), _object(rule.get("action"))
    where = f"the rule with rulePriority {priority!r}"
    if not isinstance(priority, int):
        raise PolicyFormatError(f"{where}: a priority is a whole number")
    if action.get("type") != "expire":
        raise PolicyFormatError(f"{where}: its action is {action.get('type')!r}; only 'expire' can be evaluated")
    count_type, count = selection.get("countType"), selection.get("countNumber")
    if count_type not in _COUNT_TYPES:
        raise PolicyFormatError(f"{where}: countType is {count_type!r}; only {_or(_COUNT_TYPES)} can be evaluated")
    if not isinstance(count, int) or count < 1:
        raise PolicyFormatError(f"{where}: countNumber is {count!r}; it is a whole number from 1")
    if selection.get("storageClass") not in (None, "standard"):
        raise PolicyFormatError(f"{where}: it is about archived images, which cannot be evaluated")
    tag_status = selection.get("tagStatus")
    if tag_status not in _TAG_STATUSES:
        raise PolicyFormatError(f"{where}: tagStatus is {tag_status!r}; it is {_or(_TAG_STATUSES)}")
    prefixes, patterns = _texts(selection.get("tagPrefixList")), _texts(selection.get("tagPatternList"))
    if (tag_status == "tagged") != (bool(prefixes) != bool(patterns)):
        raise PolicyFormatError(
            f"{where}: one of tagPrefixList and tagPatternList stands beside tagStatus 'tagged', and beside no other"
        )
    return Rule(
        priority=priority,
        description=str(rule.get("description", "")),
        tag_status=tag_status,
        patterns=(*(f"{prefix}*" for prefix in prefixes), *patterns),
        count_type=count_type,
        count=count,
    )


def _object(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _texts(value: object) -> list[str]:
    return [str(entry) for entry in cast("list[object]", value)] if isinstance(value, list) else []


def _or(choices: Sequence[str]) -> str:
    return " or ".join(map(repr, choices))
