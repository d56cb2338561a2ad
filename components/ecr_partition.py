"""Amazon's partitions: groups of regions that share nothing, each with a name in its ARNs and a domain of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_REGION = re.compile(r"[a-z]{2,5}(-[a-z]+)+-[0-9]{1,2}")


@dataclass(frozen=True)
class Partition:
    """A partition: its name in ARNs, and the domain that its services are under."""

    name: str
    domain: str


_COMMERCIAL: Final = Partition("aws", "amazonaws.com")

# By the first part of a region's name, as in the partitions.json of Amazon's SDKs.
_BY_PREFIX: Final = {
    "cn-": Partition("aws-cn", "amazonaws.com.cn"),
    "us-gov-": Partition("aws-us-gov", "amazonaws.com"),
    "eusc-": Partition("aws-eusc", "amazonaws.eu"),
    "us-iso-": Partition("aws-iso", "c2s.ic.gov"),
    "us-isob-": Partition("aws-iso-b", "sc2s.sgov.gov"),
    "eu-isoe-": Partition("aws-iso-e", "cloud.adc-e.uk"),
    "us-isof-": Partition("aws-iso-f", "csp.hci.ic.gov"),
}

PARTITION_NAMES: Final = frozenset({_COMMERCIAL.name, *(partition.name for partition in _BY_PREFIX.values())})
"""Every name that an ARN may have after ``arn:``."""


def partition_of(region: str) -> Partition:
    """The partition that a region is in."""
    return next((found for prefix, found in _BY_PREFIX.items() if region.startswith(prefix)), _COMMERCIAL)


def is_region(text: str) -> bool:
    """Whether ``text`` has the form of a region's name, such as ``eu-west-1``."""
    return _REGION.fullmatch(text) is not None


def ecr_host(account: str, region: str) -> str:
    """The host of an account's ECR in a region."""
    return f"{account}.dkr.ecr.{region}.{partition_of(region).domain}"
