"""Lets a saved plan outlive the token that the plan was made with.

A plan holds every changed input, and an update with another value is refused. A registry's token differs each time the
program runs: ECR gives a new one for each request. What holds such a token is made *unknown* in the plan: "unknown
values in the plan accept any value" (``pkg/resource/deploy/plan.go`` of Pulumi). All else remains a constraint. As a
side effect the token is not in the plan that is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Final, cast

from pipelines.events import UNKNOWN, Json

TOKENS: Final[Mapping[str, str]] = {
    "docker:index/image:Image": "registry",
    "kubernetes:core/v1:Secret": "data",
}
"""Type to the input that may hold a registry's token. Of a Secret, only one for pulls is meant."""

_PULL_SECRET: Final = "dockercoins:kubernetes:PullSecret$"  # noqa: S105 - the type of a component
_CHANGED_LATER: Final = ("updates", "adds")


def let_tokens_change(plan: Json) -> Json:
    """The plan, with the inputs that hold a token of a registry free to have any value."""
    freed = deepcopy(plan)
    resources: Json = freed.get("resourcePlans") or {}
    for urn, resource in resources.items():
        goal: Json = resource.get("goal") or {}
        key = TOKENS.get(str(goal.get("type")))
        if key is None or (key == "data" and _PULL_SECRET not in urn) or not _has(goal, key):
            continue
        _free(resource, goal, key)
    return freed


def _free(resource: Json, goal: Json, key: str) -> None:
    diff: Json = goal.setdefault("inputDiff", {})
    if key in (diff.get("adds") or {}):
        diff["adds"][key] = UNKNOWN
        return
    diff["updates"] = {**(diff.get("updates") or {}), key: UNKNOWN}
    steps = cast("list[str]", resource.get("steps") or [])
    # "A same step is allowed in place of an update": which of both it is depends on the token.
    resource["steps"] = ["update" if step == "same" else step for step in steps]


def _has(goal: Json, key: str) -> bool:
    """Whether the resource has this input; a plan tells that where it tells what each input depends on."""
    diff: Json = goal.get("inputDiff") or {}
    named = any(key in (diff.get(part) or {}) for part in _CHANGED_LATER)
    return named or key in (goal.get("propertyDependencies") or {})
