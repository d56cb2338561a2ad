"""Where an ECR registry copies its images: to other regions, and to other accounts.

Limits and rules: https://docs.aws.amazon.com/AmazonECR/latest/userguide/replication.html and
https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from components.ecr_partition import is_region, partition_of

DESTINATION_LIMIT: Final = 25
"""The most destinations that one registry may have."""

DESTINATION_RULE: Final = (
    "a region of the same partition such as eu-central-1, or a region and an account such as eu-central-1/123456789012"
)
"""What a destination may be, in words."""

_ACCOUNT = re.compile(r"[0-9]{12}")


class DestinationError(ValueError):
    """A text that is no destination, or too many of them; the message says what is wrong."""


@dataclass(frozen=True, order=True)
class Destination:
    """A registry that images are copied to."""

    region: str
    account: str


def destination_problem(text: str, account: str, region: str) -> str | None:
    """What is wrong with ``text`` as a destination of the registry of ``account`` in ``region``.

    ``None`` if nothing is. A destination is ``<region>`` for the same account, or ``<region>/<account>``.
    """
    name, slash, other = text.partition("/")
    if not is_region(name):
        return f"{name!r} is not a region"
    if slash and not _ACCOUNT.fullmatch(other):
        return f"the account {other!r} is not 12 digits"
    if Destination(name, other or account) == Destination(region, account):
        return "it is the registry itself"
    here, there = partition_of(region).name, partition_of(name).name
    if here != there:
        return f"{name} is in the partition {there!r} and {region} in {here!r}; images are copied within one partition"
    return None


def destinations_problem(texts: Sequence[str], account: str) -> str | None:
    """What is wrong with destinations as a whole, ``None`` if nothing is: one stands twice, or there are too many."""
    counts = Counter(_destination(text, account) for text in texts)
    twice = sorted(found for found, count in counts.items() if count > 1)
    if twice:
        return f"{twice[0].region}/{twice[0].account} is there more than once"
    if len(counts) > DESTINATION_LIMIT:
        return f"they are {len(counts)}, and a registry has at most {DESTINATION_LIMIT}"
    return None


def destinations(texts: Sequence[str], account: str, region: str) -> list[Destination]:
    """The destinations of the registry of ``account`` in ``region``, sorted: the order in the list means nothing.

    Raises:
        DestinationError: with what :func:`destination_problem` or :func:`destinations_problem` says.
    """
    for text in texts:
        problem = destination_problem(text, account, region)
        if problem:
            raise DestinationError(f"images cannot be copied to {text!r}: {problem}; accepted is {DESTINATION_RULE}")
    problem = destinations_problem(texts, account)
    if problem:
        raise DestinationError(f"the destinations to copy images to: {problem}")
    return sorted(_destination(text, account) for text in texts)


def _destination(text: str, account: str) -> Destination:
    region, _, other = text.partition("/")
    return Destination(region, other or account)
