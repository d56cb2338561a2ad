from __future__ import annotations

from typing import Any

import pytest

from tests.unit.policy.judging import UNKNOWN, found

REPOSITORY = "aws:ecr/repository:Repository"
ALL = {"project": "shop", "stack": "prod", "managed-by": "pulumi"}


@pytest.mark.parametrize(
    ("type_", "properties"),
    [
        (REPOSITORY, {"tags": {**ALL, "more": "x"}}),
        (REPOSITORY, {"tags": {}, "tagsAll": ALL}),
        (REPOSITORY, {"tags": UNKNOWN}),
        (REPOSITORY, {"tags": {**ALL, "stack": UNKNOWN}}),
        ("aws:ecr/lifecyclePolicy:LifecyclePolicy", {}),
        ("kubernetes:core/v1:Service", {"tags": {}}),
    ],
)
def test_tagged_resources_and_those_that_take_no_tags_are_accepted(type_: str, properties: dict[str, Any]) -> None:
    assert found("required-tags", type_, properties) == []


@pytest.mark.parametrize(
    ("type_", "properties", "told"),
    [
        (REPOSITORY, {}, "Repository it: it has the tags none, and not project, stack, managed-by."),
        (REPOSITORY, {"tags": {**ALL, "stack": ""}}, "has the tags managed-by, project, stack, and not stack."),
        ("aws:sqs/queue:Queue", {"tags": {"project": "shop"}}, "has the tags project, and not stack, managed-by."),
    ],
)
def test_missing_tags_are_told(type_: str, properties: dict[str, Any], told: str) -> None:
    (message,) = found("required-tags", type_, properties)
    assert told in message
    assert message.endswith("put them into the default tags of the provider.")


def test_the_tags_and_types_can_be_set() -> None:
    assert found("required-tags", REPOSITORY, {"tags": {"owner": "till"}}, required=["owner"]) == []
    assert len(found("required-tags", "aws:sqs/queue:Queue", {}, types=["aws:sqs/queue:Queue"])) == 1
    assert found("required-tags", REPOSITORY, {}, types=[]) == []
