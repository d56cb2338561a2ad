"""Properties of a resource as plain values, of which some are not known during a preview."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import partial
from typing import Final, cast

from pulumi_policy.proxy import UnknownValueError


class Unknown(Enum):
    """The type of :data:`UNKNOWN`."""

    UNKNOWN = "unknown"


UNKNOWN: Final = Unknown.UNKNOWN
"""A value that only the update will tell. A policy passes it over: it is judged when it is known."""


def plain(value: object) -> object:
    """Properties as the policy SDK gives them, as dicts and lists, with :data:`UNKNOWN` where it would raise."""
    if isinstance(value, Mapping):
        properties = cast("Mapping[str, object]", value)
        return {key: _known(partial(properties.__getitem__, key)) for key in properties}
    if isinstance(value, Sequence) and not isinstance(value, str):
        listed = cast("Sequence[object]", value)
        return [_known(partial(listed.__getitem__, index)) for index in range(len(listed))]
    return value


def at(value: object, *path: str) -> object:
    """What is at a path of names, ``None`` if nothing is, :data:`UNKNOWN` if that cannot be told yet."""
    for name in path:
        if value is UNKNOWN:
            return UNKNOWN
        value = mapping(value).get(name)
    return value


def mapping(value: object) -> Mapping[str, object]:
    """``value`` if it is a mapping, else an empty one."""
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}


def elements(value: object) -> Sequence[object]:
    """``value`` if it is a list, else an empty one."""
    return cast("Sequence[object]", value) if isinstance(value, list) else ()


def _known(get: Callable[[], object]) -> object:
    try:
        return plain(get())
    except UnknownValueError:
        return UNKNOWN
