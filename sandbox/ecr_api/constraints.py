"""Holds requests against the service's own model: required members, lengths, patterns and enumerations.

The model is botocore's (`botocore/data/ecr`), which AWS publishes; a client checks required members and lower bounds by
it, and the service checks it all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final, cast

import botocore.session
from botocore.model import ListShape, OperationModel, Shape, StructureShape

from .errors import invalid

_UNBOUNDED: Final = float("inf")


def check(operation: str, parameters: Mapping[str, object]) -> None:
    """Hold the parameters of an operation, as `CreateRepository`, against the model.

    Raises:
        EcrError: `InvalidParameterException` for the first one that breaks a rule.
    """
    shape = _operation(operation).input_shape
    if shape is not None:
        _check(shape, parameters, "")


@cache
def _operation(name: str) -> OperationModel:
    return botocore.session.Session().get_service_model("ecr").operation_model(name)


def _check(shape: Shape, value: object, name: str) -> None:
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        members = cast("Mapping[str, object]", value)
        for required in shape.required_members:
            if members.get(required) is None:
                raise invalid(f"{name}.{required}".lstrip("."), "Member must not be null")
        for key, member in shape.members.items():
            if members.get(key) is not None:
                _check(member, members[key], f"{name}.{key}".lstrip("."))
    elif isinstance(shape, ListShape) and isinstance(value, Sequence):
        items = cast("Sequence[object]", value)
        _check_length(shape, len(items), name)
        for index, item in enumerate(items, start=1):
            _check(shape.member, item, f"{name}.{index}.member")
    elif isinstance(value, str):
        _check_text(shape, value, name)


def _check_text(shape: Shape, value: str, name: str) -> None:
    _check_length(shape, len(value), name)
    metadata = cast("Mapping[str, object]", shape.metadata)
    pattern, accepted = metadata.get("pattern"), metadata.get("enum")
    if isinstance(pattern, str) and not re.fullmatch(pattern, value):
        raise invalid(name, f"must satisfy regular expression '{pattern}'")
    if isinstance(accepted, list) and value not in accepted:
        listed = ", ".join(sorted(str(item) for item in cast("list[object]", accepted)))
        raise invalid(name, f"Member must satisfy enum value set: [{listed}]")


def _check_length(shape: Shape, length: int, name: str) -> None:
    metadata = cast("Mapping[str, float]", shape.metadata)
    least, most = metadata.get("min", 0), metadata.get("max", _UNBOUNDED)
    if length < least:
        raise invalid(name, f"Member must have length greater than or equal to {least}")
    if length > most:
        raise invalid(name, f"Member must have length less than or equal to {most}")
