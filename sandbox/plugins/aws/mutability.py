"""Which tags can be overwritten: for repositories, and for the templates that repositories are made by."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, cast

from ..protocol.provider import Failure
from ..protocol.values import Value, get_string, unwrap
from . import inputs as checks

if TYPE_CHECKING:
    from types_boto3_ecr.type_defs import ImageTagMutabilityExclusionFilterTypeDef

Mutability: TypeAlias = Literal["IMMUTABLE", "IMMUTABLE_WITH_EXCLUSION", "MUTABLE", "MUTABLE_WITH_EXCLUSION"]

KEY: Final = "imageTagMutability"
FILTERS: Final = "imageTagMutabilityExclusionFilters"
DEFAULT: Final = "MUTABLE"

_KINDS: Final = ("MUTABLE", "IMMUTABLE", "IMMUTABLE_WITH_EXCLUSION", "MUTABLE_WITH_EXCLUSION")
_WITH_FILTERS: Final = "_WITH_EXCLUSION"
_FILTER: Final = re.compile(r"(?!(?:[^*]*\*){3})[0-9a-zA-Z._*-]{1,128}")
_MOST_FILTERS: Final = 5


def failures(inputs: Mapping[str, Value]) -> list[Failure]:
    """What of the two inputs is not accepted.

    The limits are those of https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-tag-mutability.html.
    """
    kind = unwrap(inputs.get(KEY))
    filters = unwrap(inputs.get(FILTERS))
    found = [*checks.choice(KEY, kind, _KINDS), *checks.at_most(FILTERS, filters, _MOST_FILTERS)]
    if filters and isinstance(kind, str | None) and not str(kind).endswith(_WITH_FILTERS):
        found.append(Failure(FILTERS, f"needs {KEY} to be one of *{_WITH_FILTERS}, received {kind!r}"))
    if isinstance(kind, str) and kind.endswith(_WITH_FILTERS) and filters in (None, []):
        found.append(Failure(FILTERS, f"missing; {kind} needs 1 to {_MOST_FILTERS} of them"))
    for index, entry in enumerate(checks.objects(filters)):
        path = f"{FILTERS}[{index}]"
        found += checks.missing(entry, ("filter", "filterType"), f"{path}.")
        expected = "1 to 128 letters, digits, . _ - and at most two *"
        found += checks.text(f"{path}.filter", entry.get("filter"), _FILTER, expected)
        found += checks.choice(f"{path}.filterType", entry.get("filterType"), ("WILDCARD",))
    return found


def chosen(inputs: Mapping[str, Value]) -> Mutability:
    """What the inputs ask for."""
    return cast("Mutability", get_string(inputs, KEY) or DEFAULT)


def exclusions(inputs: Mapping[str, Value]) -> list[ImageTagMutabilityExclusionFilterTypeDef]:
    """The tags that are excepted, as a request names them."""
    return [
        {"filter": get_string(entry, "filter") or "", "filterType": "WILDCARD"}
        for entry in checks.objects(inputs.get(FILTERS))
    ]


def output(filters: Iterable[ImageTagMutabilityExclusionFilterTypeDef]) -> list[Value]:
    """The tags that are excepted, as the outputs show them."""
    return [{"filter": entry["filter"], "filterType": entry["filterType"]} for entry in filters]
