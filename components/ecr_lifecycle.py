"""Lifecycle policies for ECR repositories that clean up by count and never expire what is deployed.

The rules of evaluation are those of
https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html: a lower ``rulePriority`` comes
first, and an image that matches one rule's tags is never expired by a later rule.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

KEEP_LIMIT: Final = 9999
"""The most images that a rule may count here: more than any repository of one service holds."""

_UNTAGGED_KEPT: Final = 1


def lifecycle_policy(keep: int, deployed_tags: Sequence[str]) -> str:
    """A policy, as JSON, that keeps the newest ``keep`` images and every image that has one of ``deployed_tags``.

    Each deployed tag gets a rule of its own that comes first and is never fulfilled (a tag names one image, the rule
    allows thousands): it expires nothing, and so shields its image from the rules that follow. Counting by age instead
    would expire a digest that has been running unchanged for long.
    """
    shields = [
        _rule(
            priority,
            f"Never expire the deployed image {tag}",
            {"tagStatus": "tagged", "tagPrefixList": [tag]},
            KEEP_LIMIT,
        )
        for priority, tag in enumerate(sorted(set(deployed_tags)), start=1)
    ]
    last = len(shields)
    return json.dumps(
        {
            "rules": [
                *shields,
                _rule(last + 1, "Expire images that lost their tag", {"tagStatus": "untagged"}, _UNTAGGED_KEPT),
                _rule(last + 2, f"Keep the newest {keep} images", {"tagStatus": "any"}, keep),
            ]
        },
        sort_keys=True,
    )


def _rule(priority: int, description: str, selection: dict[str, object], count: int) -> dict[str, object]:
    return {
        "rulePriority": priority,
        "description": description,
        "selection": {**selection, "countType": "imageCountMoreThan", "countNumber": count},
        "action": {"type": "expire"},
    }
