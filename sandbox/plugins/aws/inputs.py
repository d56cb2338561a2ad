"""What is accepted in a resource's inputs, and what is said of the rest. What is unknown yet is always accepted."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from ..protocol.provider import Failure
from ..protocol.values import UNKNOWN, Properties, Secret, Unknown, Value, contains_unknown, plain, unwrap
from . import policies

_ARN: Final = re.compile(r"arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:(?:\d{12}|aws)?:.+", re.DOTALL)


def unaccepted(inputs: Mapping[str, Value], accepted: Collection[str], type_token: str) -> list[Failure]:
    """The inputs that a type does not have."""
    return [
        Failure(key, f"not an input of {type_token}; accepted are {', '.join(sorted(accepted))}")
        for key in inputs
        if key not in accepted and not key.startswith("__")
    ]


def missing(inputs: Mapping[str, Value], required: Iterable[str], path: str = "") -> list[Failure]:
    """The required inputs that are not there, or are empty."""
    return [Failure(path + key, "missing") for key in required if unwrap(inputs.get(key)) in (None, "", [])]


def choice(path: str, value: Value, accepted: Collection[str]) -> list[Failure]:
    """A value that is none of a few."""
    chosen = unwrap(value)
    if chosen is None or isinstance(chosen, Unknown) or chosen in accepted:
        return []
    return [Failure(path, f"expected {', '.join(accepted)}, received {chosen!r}")]


def text(path: str, value: Value, pattern: re.Pattern[str], expected: str) -> list[Failure]:
    """A value that is no text of the pattern."""
    given = unwrap(value)
    if given is None or isinstance(given, Unknown) or (isinstance(given, str) and pattern.fullmatch(given)):
        return []
    return [Failure(path, f"expected {expected}, received {given!r}")]


def arn(path: str, value: Value) -> list[Failure]:
    """A value that is no name of a resource of AWS."""
    return text(path, value, _ARN, "an ARN such as arn:aws:iam::123456789012:role/pull")


def at_most(path: str, value: Value, most: int) -> list[Failure]:
    """A list that is too long."""
    items = unwrap(value)
    if not isinstance(items, list) or len(items) <= most:
        return []
    return [Failure(path, f"expected at most {most}, received {len(items)}")]


def document(path: str, value: Value) -> list[Failure]:
    """A text that is no JSON."""
    given = unwrap(value)
    if isinstance(given, str) and given:
        try:
            policies.parse(given)
        except ValueError as error:
            return [Failure(path, str(error))]
    return []


def document_text(value: Value) -> Value:
    """A document that is given as an object, as JSON text; all else as it is."""
    given = unwrap(value)
    if not isinstance(given, dict | list):
        return value
    if contains_unknown(given):
        return UNKNOWN
    text = json.dumps(plain(given), sort_keys=True)
    return Secret(text) if isinstance(value, Secret) else text


def objects(value: Value) -> list[Properties]:
    """The objects in a list that is known; none if it is absent or unknown."""
    items = unwrap(value)
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def listed(value: Value) -> list[str]:
    """The texts in a list that is known; none if it is absent or unknown."""
    items = unwrap(value)
    return [item for item in items if isinstance(item, str)] if isinstance(items, list) else []
