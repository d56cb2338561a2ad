"""The policy is judged by an evaluator of ECR's rules, written from their documentation."""

import json
from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from components.ecr_lifecycle import lifecycle_policy


@dataclass(frozen=True)
class Image:
    pushed: int
    tags: tuple[str, ...]


def expired(policy: str, images: list[Image]) -> set[Image]:
    """What a policy expires: rules in the order of their priority, each sparing what an earlier one has matched."""
    gone: set[Image] = set()
    claimed: set[Image] = set()
    for rule in sorted(json.loads(policy)["rules"], key=lambda rule: rule["rulePriority"]):
        selection = rule["selection"]
        assert selection["countType"] == "imageCountMoreThan"
        matching = [image for image in images if matches(selection, image)]
        newest_first = sorted(matching, key=lambda image: -image.pushed)
        gone |= {image for image in newest_first[selection["countNumber"] :] if image not in claimed}
        claimed |= set(matching)
    return gone


def matches(selection: dict[str, Any], image: Image) -> bool:
    match selection["tagStatus"]:
        case "untagged":
            return not image.tags
        case "tagged":
            return all(any(tag.startswith(prefix) for tag in image.tags) for prefix in selection["tagPrefixList"])
        case _:
            return True


tags = st.integers(0, 60).map(lambda number: f"{number:020x}")


@given(keep=st.integers(1, 5), order=st.lists(tags, unique=True, min_size=1, max_size=30))
def test_a_deployed_image_is_never_expired_however_old_it_is(keep: int, order: list[str]) -> None:
    images = [Image(position, (tag,)) for position, tag in enumerate(order)]
    deployed = [order[0], order[len(order) // 2]]
    gone = expired(lifecycle_policy(keep, deployed), images)
    assert not [image for image in gone if set(image.tags) & set(deployed)]


def test_the_newest_are_kept_and_the_rest_goes() -> None:
    images = [Image(position, (f"{position:020x}",)) for position in range(10)]
    gone = expired(lifecycle_policy(3, [images[0].tags[0]]), images)
    assert {image.pushed for image in gone} == set(range(1, 7))


def test_without_the_shield_the_oldest_would_go() -> None:
    images = [Image(position, (f"{position:020x}",)) for position in range(10)]
    assert images[0] in expired(lifecycle_policy(3, []), images)


def test_images_that_lost_their_tag_go() -> None:
    images = [Image(position, ()) for position in range(4)]
    assert {image.pushed for image in expired(lifecycle_policy(30, []), images)} == {0, 1, 2}


def test_priorities_are_distinct_and_the_rule_for_any_image_comes_last() -> None:
    rules = json.loads(lifecycle_policy(30, ["b", "a", "b"]))["rules"]
    assert [rule["rulePriority"] for rule in rules] == [1, 2, 3, 4]
    assert [rule["selection"].get("tagPrefixList") for rule in rules] == [["a"], ["b"], None, None]
    assert [rule["selection"]["tagStatus"] for rule in rules] == ["tagged", "tagged", "untagged", "any"]


def test_equal_input_gives_equal_text_so_that_nothing_differs() -> None:
    assert lifecycle_policy(30, ["a", "b"]) == lifecycle_policy(30, ["b", "a"])
