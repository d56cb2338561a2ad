"""Partitions are compared with those that Amazon's SDK ships."""

import json
import re
from pathlib import Path
from typing import Any

import botocore
import pytest

from components.ecr_partition import PARTITION_NAMES, Partition, ecr_host, is_region, partition_of


def published() -> list[dict[str, Any]]:
    return json.loads((Path(botocore.__file__).parent / "data" / "partitions.json").read_text())["partitions"]


def regions() -> list[tuple[str, Partition]]:
    return [
        (region, Partition(entry["id"], entry["outputs"]["dnsSuffix"]))
        for entry in published()
        for region in entry["regions"]
        if not region.endswith("-global")
    ]


def test_every_region_that_amazon_has_is_in_its_partition() -> None:
    assert len(regions()) > 30
    assert {region: partition_of(region) for region, _ in regions()} == dict(regions())


def test_every_region_that_amazon_has_is_taken_for_one() -> None:
    assert [region for region, _ in regions() if not is_region(region)] == []


def test_every_partition_that_amazon_has_is_known_and_no_other() -> None:
    assert {entry["id"] for entry in published()} == PARTITION_NAMES


@pytest.mark.parametrize(
    "text", ["", "eu", "eu-west", "EU-west-1", "eu-west-1a", "eu_west_1", " eu-west-1", "eu-west-1\n"]
)
def test_what_is_no_region_is_not_taken_for_one(text: str) -> None:
    assert not is_region(text)


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-west-1", "123456789012.dkr.ecr.eu-west-1.amazonaws.com"),
        ("us-gov-west-1", "123456789012.dkr.ecr.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn"),
        ("eusc-de-east-1", "123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu"),
    ],
)
def test_the_host_of_a_registry_is_under_the_domain_of_its_partition(region: str, host: str) -> None:
    assert ecr_host("123456789012", region) == host


def test_the_partition_of_a_region_is_the_one_whose_pattern_it_matches() -> None:
    for entry in published():
        for region, partition in regions():
            assert bool(re.match(entry["regionRegex"], region)) == (partition.name == entry["id"])
