from copy import deepcopy
from typing import Any

from pipelines.events import UNKNOWN
from pipelines.plans import let_tokens_change

IMAGE = "urn:pulumi:dev::shop::dockercoins:image:ServiceImage$docker:index/image:Image::webui"
PULL = "urn:pulumi:dev::shop::dockercoins:kubernetes:PullSecret$kubernetes:core/v1:Secret::pull"
OTHER = "urn:pulumi:dev::shop::kubernetes:core/v1:Secret::redis"


def _plan(urn: str, type_: str, diff: dict[str, Any], key: str, op: str = "same") -> dict[str, Any]:
    goal: dict[str, Any] = {"type": type_, "inputDiff": diff, "propertyDependencies": {key: []}}
    return {"resourcePlans": {urn: {"goal": goal, "steps": [op], "seed": "x"}}, "config": {}}


def test_an_image_may_be_pushed_with_another_token_than_it_was_previewed_with() -> None:
    plan = _plan(IMAGE, "docker:index/image:Image", {"updates": {"imageName": "web:2", "registry": "old"}}, "registry")
    freed = let_tokens_change(plan)["resourcePlans"][IMAGE]
    assert freed["goal"]["inputDiff"]["updates"] == {"imageName": "web:2", "registry": UNKNOWN}


def test_a_token_that_was_the_same_in_the_preview_may_be_another_one_in_the_update() -> None:
    plan = _plan(PULL, "kubernetes:core/v1:Secret", {}, "data")
    freed = let_tokens_change(plan)["resourcePlans"][PULL]
    assert freed["goal"]["inputDiff"] == {"updates": {"data": UNKNOWN}}
    assert freed["steps"] == ["update"]


def test_what_is_created_with_a_token_stays_a_creation() -> None:
    plan = _plan(PULL, "kubernetes:core/v1:Secret", {"adds": {"data": "old", "type": "t"}}, "data", "create")
    freed = let_tokens_change(plan)["resourcePlans"][PULL]
    assert freed["goal"]["inputDiff"] == {"adds": {"data": UNKNOWN, "type": "t"}}
    assert freed["steps"] == ["create"]


def test_everything_else_stays_held_to_the_plan() -> None:
    plan = _plan(OTHER, "kubernetes:core/v1:Secret", {"updates": {"data": "word"}}, "data", "update")
    before = deepcopy(plan)
    assert let_tokens_change(plan) == before
    plan = _plan(IMAGE, "docker:index/image:Image", {}, "build")
    assert let_tokens_change(plan) == plan


def test_a_deleted_resource_has_no_goal() -> None:
    plan = {"resourcePlans": {IMAGE: {"goal": None, "steps": ["delete"]}}}
    assert let_tokens_change(plan) == plan
