import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.ecr_tag_filters import (
    FILTER_LIMIT,
    TagFilterError,
    check_tag_filters,
    matches,
    tag_filter_problem,
    tag_filters_problem,
)
from tests.unit.ecr_api import request_problems

characters = "abAB01._-"


@pytest.mark.parametrize("text", ["cache", "cache-*", "*-latest", "pr-*-head", "*a*", "v1.2_x", "x" * 128])
def test_tags_and_patterns_are_filters(text: str) -> None:
    assert tag_filter_problem(text) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1 to 128 letters"),
        ("x" * 129, "1 to 128 letters"),
        ("a b", "1 to 128 letters"),
        ("a/b", "1 to 128 letters"),
        ("cache\n", "1 to 128 letters"),
        ("a*b*c*", "it has 3 '*', and at most 2 are allowed"),
        ("*", "it matches every tag"),
        ("**", "it matches every tag"),
    ],
)
def test_what_is_no_filter_is_refused_with_the_reason(text: str, said: str) -> None:
    assert said in (tag_filter_problem(text) or "")
    with pytest.raises(TagFilterError) as raised:
        check_tag_filters([text])
    assert repr(text) in str(raised.value)
    assert said in str(raised.value)


def test_a_repository_has_five_filters_at_most() -> None:
    texts = [f"tag-{number}" for number in range(FILTER_LIMIT + 1)]
    assert tag_filters_problem(texts[1:]) is None
    assert tag_filters_problem([*texts[1:], texts[1]]) is None
    with pytest.raises(TagFilterError, match="they are 6, and a repository has at most 5"):
        check_tag_filters(texts)


@given(texts=st.lists(st.text(characters + "*", max_size=8), min_size=1, max_size=6, unique=True))
def test_filters_that_are_taken_are_taken_by_ecr_too(texts: list[str]) -> None:
    filters = [{"filterType": "WILDCARD", "filter": text} for text in texts]
    request = {
        "repositoryName": "coins/rng",
        "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": filters,
    }
    try:
        check_tag_filters(texts)
    except TagFilterError:
        return
    assert request_problems("CreateRepository", request) == []


@given(pattern=st.text("ab.*", max_size=6), tag=st.text("ab.", max_size=6))
def test_patterns_match_as_those_of_a_shell_do(pattern: str, tag: str) -> None:
    assert matches(pattern, tag) == fnmatch.fnmatchcase(tag, pattern)


def test_a_pattern_without_a_wildcard_matches_its_own_tag_alone() -> None:
    assert matches("cache", "cache")
    assert not matches("cache", "cache-2")
    assert not matches("v1.2", "v1x2")
