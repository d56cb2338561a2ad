"""Policy documents: JSON texts that mean the same although they are written differently."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeAlias, cast

from ..protocol.values import Plain

Normalize: TypeAlias = Callable[[Plain], Plain]
"""Brings documents that mean the same into one form."""


def parse(text: str) -> Plain:
    """The document in a JSON text.

    Raises:
        ValueError: it is no JSON; the message tells the place.
    """
    try:
        return cast("Plain", json.loads(text))
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None


def equivalent(first: str, second: str, normalize: Normalize) -> bool:
    """Whether two texts are documents that mean the same; a text that is no JSON is equal to itself only."""
    return canonical(first, normalize) == canonical(second, normalize)


def canonical(text: str, normalize: Normalize) -> str:
    """A text that is the same for all documents that mean the same; one that is no JSON stays as it is."""
    try:
        return json.dumps(normalize(parse(text)), sort_keys=True)
    except ValueError:
        return text


def normalize_lifecycle(document: Plain) -> Plain:
    """A lifecycle policy in one form: rules by priority, tag lists sorted.

    Priorities are unique, and a rule's tag lists are sets:
    https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html
    """
    if not isinstance(document, dict):
        return document
    rules = document.get("rules")
    if not isinstance(rules, list):
        return document
    return {**document, "rules": sorted((_rule(rule) for rule in rules), key=_priority)}


def normalize_permissions(document: Plain) -> Plain:
    """A permissions policy in one form: statements sorted; a list of one is its only item, other lists are sets.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
    """
    return _as_sets(document)


def _rule(rule: Plain) -> Plain:
    if not isinstance(rule, dict):
        return rule
    selection = rule.get("selection")
    if not isinstance(selection, dict):
        return rule
    return {**rule, "selection": {key: _sorted(value) for key, value in selection.items()}}


def _priority(rule: Plain) -> int:
    priority = rule.get("rulePriority") if isinstance(rule, dict) else None
    return priority if isinstance(priority, int) else 0


def _sorted(value: Plain) -> Plain:
    return sorted(value, key=_sort_key) if isinstance(value, list) else value


def _as_sets(value: Plain) -> Plain:
    match value:
        case dict():
            return {key: _as_sets(item) for key, item in value.items()}
        case [only]:
            return _as_sets(only)
        case list():
            return sorted((_as_sets(item) for item in value), key=_sort_key)
        case _:
            return value


def _sort_key(value: Plain) -> str:
    return json.dumps(value, sort_keys=True)
