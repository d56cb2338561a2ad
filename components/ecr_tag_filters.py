"""Wildcard filters for image tags: which tags may change in a repository whose tags otherwise may not.

The limits are those of the ECR API (``ImageTagMutabilityExclusionFilters`` of ``CreateRepository``), and of Pulumi's
provider for the number of wildcards.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

FILTER_LIMIT: Final = 5
"""The most filters of one repository."""

WILDCARD_LIMIT: Final = 2
"""The most ``*`` of one filter."""

TAG_FILTER_RULE: Final = (
    f"a tag, or a pattern with at most {WILDCARD_LIMIT} '*' that stand for any characters, such as cache or cache-*"
)
"""What a filter may be, in words."""

_FILTER = re.compile(r"[0-9a-zA-Z._*-]{1,128}")


class TagFilterError(ValueError):
    """A text that is no filter for tags, or too many of them; the message says what is wrong."""


def tag_filter_problem(text: str) -> str | None:
    """What is wrong with ``text`` as a filter, ``None`` if nothing is."""
    if not _FILTER.fullmatch(text):
        return "a filter is 1 to 128 letters, digits, '.', '_', '-' and '*'"
    if text.count("*") > WILDCARD_LIMIT:
        return f"it has {text.count('*')} '*', and at most {WILDCARD_LIMIT} are allowed"
    if not text.strip("*"):
        return "it matches every tag, so that none would be immutable"
    return None


def tag_filters_problem(texts: Sequence[str]) -> str | None:
    """What is wrong with filters as a whole, ``None`` if nothing is."""
    count = len(set(texts))
    return f"they are {count}, and a repository has at most {FILTER_LIMIT}" if count > FILTER_LIMIT else None


def check_tag_filters(texts: Sequence[str]) -> None:
    """Refuse filters that a repository would not take.

    Raises:
        TagFilterError: with what :func:`tag_filter_problem` or :func:`tag_filters_problem` says.
    """
    for text in texts:
        problem = tag_filter_problem(text)
        if problem:
            raise TagFilterError(f"{text!r} is no filter for mutable tags: {problem}")
    problem = tag_filters_problem(texts)
    if problem:
        raise TagFilterError(f"the filters for mutable tags: {problem}")


def matches(pattern: str, tag: str) -> bool:
    """Whether a tag matches a pattern, as a whole; each ``*`` stands for any characters, also none."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), tag) is not None
