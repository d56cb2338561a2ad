"""Lifecycle policies for ECR repositories that clean up by age and count, and never expire what is deployed.

The rules of evaluation are those of
https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html: a lower ``rulePriority`` comes first, and
an image that matches one rule's tags is never expired by a later rule. :mod:`components.ecr_lifecycle_evaluator`
applies them to a list of images.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

KEEP_LIMIT: Final = 9999
"""The most images that a rule may count here: more than any repository of one service holds."""


def lifecycle_policy(
    keep: int,
    deployed_tags: Sequence[str],
    *,
    untagged_days: int = 7,
    mutable_tags: Sequence[str] = (),
    platforms: int = 1,
) -> str:
    """A policy, as JSON, that keeps the newest ``keep`` tagged images, and all that is deployed or has a mutable tag.

    ``mutable_tags`` are filters with wildcards. Images without a tag go ``untagged_days`` after their push.

    Where ``platforms``, the number of platforms that each image is for, is more than one, ECR counts a tagged image for
    each and the index that names them: so many times ``keep`` are kept, which are ``keep`` to those who pull them. The
    shield of a deployed tag is about every tag that starts with it, as those for the platforms do. What an index names,
    tagged or not, ECR keeps as long as it keeps the index.

    Each deployed tag and each filter gets a rule of its own that comes first and is never fulfilled (the rule allows
    thousands of images): it expires nothing, and so shields its images from the rules that follow. Counting by age
    instead would expire a digest that has been running unchanged for long.
    """
    deployed = sorted(set(deployed_tags))
    shields = [
        *(_shield(f"Never expire the deployed image {tag}", {"tagPrefixList": [tag]}) for tag in deployed),
        *(
            _shield(f"Never expire what the mutable tag {pattern} names", {"tagPatternList": [pattern]})
            for pattern in sorted(set(mutable_tags) - set(deployed))
        ),
    ]
    by_age = {"countType": "sinceImagePushed", "countUnit": "days", "countNumber": untagged_days}
    untagged = (
        f"Expire images without a tag after {_counted(untagged_days, 'day')}",
        {"tagStatus": "untagged", **by_age},
    )
    # By a pattern and not by "any": what an index names may have no tag, and is not to be counted then.
    parts = platforms + 1 if platforms > 1 else 1
    kept = f"Keep the newest {_counted(keep, 'tagged image')}"
    if parts > 1:
        kept += f" of {parts} parts: {platforms} platforms and an index"
    tagged = (kept, _tagged({"tagPatternList": ["*"]}, keep * parts))
    rules = [_rule(priority, *rule) for priority, rule in enumerate([*shields, untagged, tagged], start=1)]
    return json.dumps({"rules": rules}, sort_keys=True)


def _shield(description: str, tags: dict[str, list[str]]) -> tuple[str, dict[str, object]]:
    return description, _tagged(tags, KEEP_LIMIT)


def _tagged(tags: dict[str, list[str]], count: int) -> dict[str, object]:
    return {"tagStatus": "tagged", **tags, "countType": "imageCountMoreThan", "countNumber": count}


def _rule(priority: int, description: str, selection: Mapping[str, object]) -> dict[str, object]:
    return {
        "rulePriority": priority,
        "description": description,
        "selection": selection,
        "action": {"type": "expire"},
    }


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
