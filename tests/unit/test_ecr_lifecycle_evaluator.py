"""The evaluator is compared with the worked examples of Amazon's documentation, and with the sandbox's ECR API.

The examples: https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_examples.html
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.ecr_lifecycle_evaluator import Image, PolicyFormatError, evaluate, expired, read_rules
from sandbox.ecr_api import lifecycle_preview

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def image(name: str, tags: list[str], days: float) -> Image:
    return Image(name, tuple(tags), NOW - timedelta(days=days))


def rule(priority: int, count_type: str, count: int, **selection: Any) -> dict[str, Any]:
    unit = {"countUnit": "days"} if count_type == "sinceImagePushed" else {}
    chosen = {"tagStatus": "tagged", "countType": count_type, "countNumber": count, **unit, **selection}
    return {
        "rulePriority": priority,
        "description": f"Rule {priority}",
        "selection": chosen,
        "action": {"type": "expire"},
    }


def policy(*rules: dict[str, Any]) -> str:
    return json.dumps({"rules": rules})


def gone(text: str, images: list[Image]) -> list[str]:
    return sorted(found.digest for found in expired(text, images, NOW))


BETA_AND_PROD = [
    image("A", ["beta-1", "prod-1"], 10),
    image("B", ["beta-2", "prod-2"], 9),
    image("C", ["beta-3"], 8),
]
ALPHA_OR_BETA = [
    image("A", ["alpha-1"], 12),
    image("B", ["beta-1"], 11),
    image("C", ["alpha-2", "beta-2"], 10),
    image("D", ["alpha-3"], 4),
    image("E", ["beta-3"], 3),
    image("F", ["alpha-4", "beta-4"], 2),
]
ALPHA_AND_BETA = [
    image("A", ["alpha-1", "beta-1", "gamma-1"], 10),
    image("B", ["alpha-2", "beta-2"], 9),
    image("C", ["alpha-3", "beta-3", "gamma-2"], 8),
]


@pytest.mark.parametrize(("key", "star"), [("tagPrefixList", ""), ("tagPatternList", "*")])
@pytest.mark.parametrize(("first", "second", "result"), [("prod", "beta", ["A"]), ("beta", "prod", ["A", "B"])])
def test_a_rule_expires_nothing_that_an_earlier_rule_is_about(
    key: str, star: str, first: str, second: str, result: list[str]
) -> None:
    text = policy(
        rule(1, "imageCountMoreThan", 1, **{key: [first + star]}),
        rule(2, "imageCountMoreThan", 1, **{key: [second + star]}),
    )
    assert gone(text, BETA_AND_PROD) == result


def test_of_several_tags_in_a_rule_an_image_has_all() -> None:
    by_age = policy(rule(1, "sinceImagePushed", 5, tagPrefixList=["alpha", "beta"]))
    assert gone(by_age, ALPHA_OR_BETA) == ["C"]
    by_count = policy(rule(1, "imageCountMoreThan", 1, tagPrefixList=["alpha", "beta"]))
    assert gone(by_count, ALPHA_AND_BETA) == ["A", "B"]


def test_a_rule_counts_what_an_earlier_rule_is_about() -> None:
    text = policy(
        rule(1, "imageCountMoreThan", 9, tagPrefixList=["new"]), rule(2, "imageCountMoreThan", 1, tagPatternList=["*"])
    )
    images = [image("new", ["new"], 1), image("old", ["old"], 2)]
    assert gone(text, images) == ["old"]


def test_the_order_is_that_of_the_priorities_not_that_of_the_list() -> None:
    text = policy(
        rule(2, "imageCountMoreThan", 1, tagPrefixList=["beta"]),
        rule(1, "imageCountMoreThan", 1, tagPrefixList=["prod"]),
    )
    assert gone(text, BETA_AND_PROD) == ["A"]


def test_an_age_is_counted_in_days_from_the_push_and_must_be_exceeded() -> None:
    text = policy(rule(1, "sinceImagePushed", 14, tagStatus="untagged"))
    images = [image("older", [], 14.001), image("equal", [], 14), image("younger", [], 13.999)]
    assert gone(text, images) == ["older"]


def test_a_rule_for_images_without_a_tag_is_not_about_tagged_ones_and_the_other_way_round() -> None:
    images = [image("tagged", ["v1"], 100), image("untagged", [], 100)]
    assert gone(policy(rule(1, "sinceImagePushed", 1, tagStatus="untagged")), images) == ["untagged"]
    assert gone(policy(rule(1, "sinceImagePushed", 1, tagPatternList=["*"])), images) == ["tagged"]
    assert gone(policy(rule(1, "sinceImagePushed", 1, tagStatus="any")), images) == ["tagged", "untagged"]


def test_a_pattern_without_a_wildcard_is_one_tag_and_a_prefix_many() -> None:
    images = [image("one", ["prod"], 9), image("two", ["prod-2"], 9)]
    assert gone(policy(rule(1, "sinceImagePushed", 1, tagPatternList=["prod"])), images) == ["one"]
    assert gone(policy(rule(1, "sinceImagePushed", 1, tagPrefixList=["prod"])), images) == ["one", "two"]


def test_a_verdict_names_the_rule_that_decides() -> None:
    text = policy(
        rule(1, "imageCountMoreThan", 1, tagPrefixList=["prod"]), rule(7, "sinceImagePushed", 1, tagStatus="untagged")
    )
    images = [image("A", ["prod"], 3), image("B", ["prod"], 2), image("C", [], 2), image("D", ["other"], 9)]
    verdicts = evaluate(text, images, NOW)
    assert [(found.image.digest, found.expires, found.rule.priority if found.rule else None) for found in verdicts] == [
        ("A", True, 1),
        ("B", False, 1),
        ("C", True, 7),
        ("D", False, None),
    ]


@given(
    ages=st.lists(st.floats(0, 400), max_size=12),
    keep=st.integers(1, 6),
    days=st.integers(1, 300),
)
def test_each_image_has_one_verdict_and_older_ones_go_before_newer_ones(
    ages: list[float], keep: int, days: int
) -> None:
    images = [image(f"{number:02}", ["v"] if number % 2 else [], age) for number, age in enumerate(ages)]
    text = policy(
        rule(1, "imageCountMoreThan", keep, tagPatternList=["*"]),
        rule(2, "sinceImagePushed", days, tagStatus="any"),
    )
    verdicts = evaluate(text, images, NOW)
    assert [verdict.image for verdict in verdicts] == images
    tagged = sorted((verdict for verdict in verdicts if verdict.image.tags), key=lambda found: found.image.pushed)
    assert [verdict.expires for verdict in tagged] == sorted((verdict.expires for verdict in tagged), reverse=True)
    assert sum(not verdict.expires for verdict in tagged) == min(keep, len(tagged))


tag_lists = st.lists(st.sampled_from(["a", "ab", "b", "b-1", "c"]), max_size=3, unique=True)
selections = st.one_of(
    st.just({"tagStatus": "untagged"}),
    st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=2).map(lambda tags: {"tagPrefixList": tags}),
    st.lists(st.sampled_from(["*", "a*", "b", "*-1"]), min_size=1, max_size=2).map(
        lambda tags: {"tagPatternList": tags}
    ),
)
counts = st.tuples(st.sampled_from(["imageCountMoreThan", "sinceImagePushed"]), st.integers(1, 8))


@given(
    chosen=st.lists(st.tuples(selections, counts), min_size=1, max_size=4),
    repository=st.lists(st.tuples(st.integers(0, 20), tag_lists), max_size=10, unique_by=lambda pushed: pushed[0]),
)
def test_the_api_of_the_sandbox_which_does_not_share_the_code_expires_the_same(
    chosen: list[tuple[dict[str, Any], tuple[str, int]]], repository: list[tuple[int, list[str]]]
) -> None:
    text = policy(*(rule(number, *count, **selection) for number, (selection, count) in enumerate(chosen, start=1)))
    images = [image(f"{days}", tags, days) for days, tags in sorted(repository, reverse=True)]
    pushed = [lifecycle_preview.PushedImage(found.digest, found.tags, found.pushed) for found in images]
    theirs = {(found.image.digest, found.priority) for found in lifecycle_preview.evaluate(text, pushed, NOW)}
    ours = {
        (verdict.image.digest, verdict.rule.priority)
        for verdict in evaluate(text, images, NOW)
        if verdict.expires and verdict.rule
    }
    assert ours == theirs


BROKEN: list[tuple[str, str]] = [
    ("{", "is not JSON"),
    ("[]", "has no list of rules"),
    ('{"rules": 7}', "has no list of rules"),
    (policy({}), "rulePriority None: a priority is a whole number"),
    (policy({**rule(1, "imageCountMoreThan", 1, tagStatus="any"), "action": {"type": "transition"}}), "'transition'"),
    (policy(rule(1, "sinceImagePulled", 1, tagStatus="any")), "countType is 'sinceImagePulled'"),
    (policy(rule(1, "imageCountMoreThan", 0, tagStatus="any")), "countNumber is 0"),
    (policy(rule(1, "imageCountMoreThan", 1, tagStatus="some")), "tagStatus is 'some'"),
    (policy(rule(1, "imageCountMoreThan", 1, tagStatus="any", storageClass="archive")), "archived images"),
    (policy(rule(1, "imageCountMoreThan", 1)), "one of tagPrefixList and tagPatternList"),
    (policy(rule(1, "imageCountMoreThan", 1, tagPrefixList=["a"], tagPatternList=["a"])), "one of tagPrefixList"),
    (policy(rule(1, "imageCountMoreThan", 1, tagStatus="untagged", tagPrefixList=["a"])), "beside no other"),
    (policy(*[rule(1, "imageCountMoreThan", 1, tagStatus="any")] * 2), "have the same rulePriority"),
]


@pytest.mark.parametrize(("text", "said"), BROKEN)
def test_what_cannot_be_evaluated_is_refused_with_the_reason(text: str, said: str) -> None:
    with pytest.raises(PolicyFormatError) as raised:
        read_rules(text)
    assert said in str(raised.value)
