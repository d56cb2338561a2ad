import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.ecr_partition import is_region, partition_of
from components.ecr_replication import (
    DESTINATION_LIMIT,
    Destination,
    DestinationError,
    destination_problem,
    destinations,
    destinations_problem,
)

ACCOUNT, OTHER = "111122223333", "444455556666"
HERE = "eu-west-1"
REGIONS = ("eu-central-1", "us-east-1", "ap-south-1", "cn-north-1", "us-gov-west-1", HERE)
MORE = ("", f"/{ACCOUNT}", f"/{OTHER}")


def test_a_region_alone_is_one_of_the_same_account() -> None:
    assert destinations(["eu-central-1"], ACCOUNT, HERE) == [Destination("eu-central-1", ACCOUNT)]


def test_another_account_may_be_in_any_region_also_in_this_one() -> None:
    assert destinations([f"us-east-1/{OTHER}", f"{HERE}/{OTHER}"], ACCOUNT, HERE) == [
        Destination(HERE, OTHER),
        Destination("us-east-1", OTHER),
    ]


def test_nothing_to_copy_to_is_no_mistake() -> None:
    assert destinations([], ACCOUNT, HERE) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "'' is not a region"),
        ("Frankfurt", "'Frankfurt' is not a region"),
        ("eu-central-1/", "the account '' is not 12 digits"),
        ("eu-central-1/1234", "the account '1234' is not 12 digits"),
        (f"eu-central-1/{OTHER}/x", "is not 12 digits"),
        (f"{OTHER}/eu-central-1", f"'{OTHER}' is not a region"),
        (HERE, "it is the registry itself"),
        (f"{HERE}/{ACCOUNT}", "it is the registry itself"),
        ("cn-north-1", "cn-north-1 is in the partition 'aws-cn' and eu-west-1 in 'aws'"),
        (f"us-gov-east-1/{OTHER}", "within one partition"),
    ],
)
def test_what_is_no_destination_is_refused_with_the_reason(text: str, said: str) -> None:
    assert said in (destination_problem(text, ACCOUNT, HERE) or "")
    with pytest.raises(DestinationError) as raised:
        destinations([text], ACCOUNT, HERE)
    assert repr(text) in str(raised.value)
    assert said in str(raised.value)
    assert "such as eu-central-1/123456789012" in str(raised.value)


@pytest.mark.parametrize("texts", [["eu-central-1", "eu-central-1"], ["eu-central-1", f"eu-central-1/{ACCOUNT}"]])
def test_a_destination_that_stands_twice_is_refused(texts: list[str]) -> None:
    assert destinations_problem(texts, ACCOUNT) == f"eu-central-1/{ACCOUNT} is there more than once"
    with pytest.raises(DestinationError, match="more than once"):
        destinations(texts, ACCOUNT, HERE)


def test_as_many_as_a_registry_may_have_are_taken_and_not_one_more() -> None:
    texts = [f"us-east-1/{number:012}" for number in range(DESTINATION_LIMIT + 1)]
    assert len(destinations(texts[1:], ACCOUNT, HERE)) == 25
    with pytest.raises(DestinationError, match="they are 26, and a registry has at most 25"):
        destinations(texts, ACCOUNT, HERE)


@given(texts=st.lists(st.sampled_from([f"{region}{more}" for region in REGIONS for more in MORE]), unique=True))
def test_destinations_are_either_refused_or_other_registries_of_this_partition(texts: list[str]) -> None:
    try:
        found = destinations(texts, ACCOUNT, HERE)
    except DestinationError:
        assert destinations_problem(texts, ACCOUNT) or any(destination_problem(text, ACCOUNT, HERE) for text in texts)
        return
    assert len(set(found)) == len(texts)
    assert found == destinations(texts[::-1], ACCOUNT, HERE)
    for destination in found:
        assert is_region(destination.region)
        assert partition_of(destination.region).name == "aws"
        assert destination != Destination(HERE, ACCOUNT)
