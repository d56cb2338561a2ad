"""The policy is judged by the evaluator of ECR's rules, which has tests of its own, and by the API of ECR."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.ecr.policy_validation import EcrLifecyclePolicyValidator

from components.ecr_lifecycle import lifecycle_policy
from components.ecr_lifecycle_evaluator import Image, expired
from tests.unit.ecr_api import request_problems

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def image(number: int, *tags: str, days: float | None = None) -> Image:
    """An image that is the newer the higher its number is, unless its age is said."""
    age = timedelta(days=1000 - number if days is None else days)
    return Image(f"sha256:{number:064x}", tags, NOW - age)


def tagged(count: int) -> list[Image]:
    return [image(number, f"{number:020x}") for number in range(count)]


def gone(policy: str, images: list[Image]) -> set[int]:
    return {int(expired_image.digest.removeprefix("sha256:"), 16) for expired_image in expired(policy, images, NOW)}


def rules(policy: str) -> list[dict[str, Any]]:
    return json.loads(policy)["rules"]


content_tags = st.integers(0, 60).map(lambda number: f"{number:020x}")
filters = st.lists(st.sampled_from(["cache", "cache-*", "*-latest", "pr-*-head"]), max_size=4, unique=True)


@given(keep=st.integers(1, 5), order=st.lists(content_tags, unique=True, min_size=1, max_size=30))
def test_a_deployed_image_is_never_expired_however_old_it_is(keep: int, order: list[str]) -> None:
    images = [image(number, tag) for number, tag in enumerate(order)]
    deployed = [order[0], order[len(order) // 2]]
    assert not [
        found for found in expired(lifecycle_policy(keep, deployed), images, NOW) if {*found.tags} & {*deployed}
    ]


def test_the_newest_are_kept_and_the_rest_goes() -> None:
    images = tagged(10)
    assert gone(lifecycle_policy(3, [images[0].tags[0]]), images) == set(range(1, 7))


def for_two_platforms(count: int) -> list[Image]:
    """As many images, each with its parts, which are pushed before it."""
    suffixes = ("-amd64", "-arm64", "")
    return [
        image(3 * number + part, f"{number:020x}{suffix}")
        for number in range(count)
        for part, suffix in enumerate(suffixes)
    ]


@given(keep=st.integers(1, 6), count=st.integers(1, 12), deployed=st.integers(0, 11))
def test_an_image_for_two_platforms_is_kept_whole_and_counts_once(keep: int, count: int, deployed: int) -> None:
    policy = lifecycle_policy(keep, [f"{deployed:020x}"], platforms=2)
    expired_images = expired(policy, for_two_platforms(count), NOW)
    wanted = {number for number in range(count) if number >= count - keep or number == deployed}
    assert {found.tags[0] for found in expired_images} == {
        f"{number:020x}{suffix}" for number in set(range(count)) - wanted for suffix in ("", "-amd64", "-arm64")
    }


def test_counted_like_images_for_one_platform_most_of_them_would_go() -> None:
    policy = lifecycle_policy(3, [])
    assert {found.tags[0][:20] for found in expired(policy, for_two_platforms(3), NOW)} == {f"{0:020x}", f"{1:020x}"}


def test_a_rule_says_that_what_it_counts_are_parts() -> None:
    (*_, last) = rules(lifecycle_policy(30, [], platforms=2))
    assert last["selection"]["countNumber"] == 90
    assert last["description"] == "Keep the newest 30 tagged images of 3 parts: 2 platforms and an index"


def test_without_the_shield_the_oldest_would_go() -> None:
    assert 0 in gone(lifecycle_policy(3, []), tagged(10))


def test_images_without_a_tag_go_once_they_are_old_enough() -> None:
    images = [image(1, days=8), image(2, days=6), image(3, days=2)]
    assert gone(lifecycle_policy(30, []), images) == {1}
    assert gone(lifecycle_policy(30, [], untagged_days=3), images) == {1, 2}


def test_images_without_a_tag_take_no_place_of_a_tagged_one() -> None:
    parts = [image(100 + number, days=1) for number in range(20)]
    assert gone(lifecycle_policy(3, []), [*tagged(3), *parts]) == set()


def test_what_a_mutable_tag_names_is_never_expired() -> None:
    images = [image(1, "cache"), image(2, "cache-arm64"), image(3, "x-latest"), image(4, "v1"), image(5, "v2")]
    assert gone(lifecycle_policy(1, [], mutable_tags=["cache*", "*-latest"]), images) == {4}
    assert gone(lifecycle_policy(1, []), images) == {1, 2, 3, 4}


def test_an_image_that_a_mutable_tag_has_left_goes_as_one_without_a_tag() -> None:
    images = [image(1, days=30), image(2, "cache", days=1)]
    assert gone(lifecycle_policy(30, [], mutable_tags=["cache"]), images) == {1}


def test_each_tag_has_a_rule_of_its_own_and_the_clean_up_comes_after_all_of_them() -> None:
    made = rules(lifecycle_policy(30, ["b", "a", "b"], untagged_days=9, mutable_tags=["m", "a", "m"]))
    assert [rule["rulePriority"] for rule in made] == [1, 2, 3, 4, 5]
    assert [rule["selection"].get("tagPrefixList") for rule in made] == [["a"], ["b"], None, None, None]
    assert [rule["selection"].get("tagPatternList") for rule in made] == [None, None, ["m"], None, ["*"]]
    assert [rule["selection"]["tagStatus"] for rule in made] == ["tagged", "tagged", "tagged", "untagged", "tagged"]
    assert made[3]["selection"]["countNumber"] == 9
    assert made[4]["selection"]["countNumber"] == 30


def test_equal_input_gives_equal_text_so_that_nothing_differs() -> None:
    one = lifecycle_policy(30, ["a", "b"], mutable_tags=["x", "y"])
    assert one == lifecycle_policy(30, ["b", "a"], mutable_tags=["y", "x"])


@given(
    keep=st.integers(1, 9999),
    days=st.integers(1, 3650),
    deployed=st.lists(content_tags, max_size=3),
    mutable=filters,
    platforms=st.integers(1, 9),
)
def test_ecr_takes_every_policy(keep: int, days: int, deployed: list[str], mutable: list[str], platforms: int) -> None:
    policy = lifecycle_policy(keep, deployed, untagged_days=days, mutable_tags=mutable, platforms=platforms)
    assert request_problems("PutLifecyclePolicy", {"repositoryName": "coins/rng", "lifecyclePolicyText": policy}) == []
    EcrLifecyclePolicyValidator(policy).validate()
    made = rules(policy)
    assert len(made) <= 50
    selected = [
        json.dumps(rule["selection"].get("tagPrefixList") or rule["selection"].get("tagPatternList")) for rule in made
    ]
    assert len(set(selected)) == len(selected)
    assert [rule["rulePriority"] for rule in made] == sorted({rule["rulePriority"] for rule in made})


@pytest.mark.parametrize(("days", "text"), [(1, "after 1 day"), (7, "after 7 days")])
def test_a_rule_says_what_it_does(days: int, text: str) -> None:
    descriptions = [rule["description"] for rule in rules(lifecycle_policy(1, ["t"], untagged_days=days))]
    assert descriptions == [
        "Never expire the deployed image t",
        f"Expire images without a tag {text}",
        "Keep the newest 1 tagged image",
    ]
