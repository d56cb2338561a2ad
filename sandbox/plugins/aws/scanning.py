"""`aws:ecr/registryScanningConfiguration:RegistryScanningConfiguration`: one for a registry, with the registry's id."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Final, cast

from ..protocol.provider import Failure
from ..protocol.values import Properties, Value, get_string, plain
from . import inputs as checks
from .registry_resource import RegistryResource

if TYPE_CHECKING:
    from types_boto3_ecr.client import ECRClient
    from types_boto3_ecr.literals import ScanFrequencyType, ScanTypeType
    from types_boto3_ecr.type_defs import RegistryScanningRuleTypeDef

_TYPES: Final = ("BASIC", "ENHANCED")
_FREQUENCIES: Final = ("SCAN_ON_PUSH", "CONTINUOUS_SCAN", "MANUAL")
_MOST_RULES: Final = 100
_FILTER: Final = re.compile(r"(?=.{1,256}\Z)[0-9a-z*](?:[0-9a-z_./*-]?[0-9a-z*]+)*")


class Scanning(RegistryResource):
    """How and when the images of a registry are scanned."""

    type: ClassVar[str] = "aws:ecr/registryScanningConfiguration:RegistryScanningConfiguration"
    accepted: ClassVar[frozenset[str]] = frozenset({"region", "rules", "scanType"})
    required: ClassVar[tuple[str, ...]] = ("scanType",)
    replaced_by: ClassVar[tuple[str, ...]] = ("region",)

    def what(self, resource_id: str) -> str:
        """The name of the configuration."""
        return f"the scanning configuration of the ECR registry {resource_id}".rstrip()

    def identify(self, inputs: Mapping[str, Value]) -> str:
        """The account."""
        del inputs
        return self._session.account

    def failures(self, inputs: Properties) -> list[Failure]:
        """Types, frequencies and filters that there are none of."""
        found = [
            *checks.choice("scanType", inputs.get("scanType") or None, _TYPES),
            *checks.at_most("rules", inputs.get("rules"), _MOST_RULES),
        ]
        for index, rule in enumerate(checks.objects(inputs.get("rules"))):
            path = f"rules[{index}]"
            found += checks.missing(rule, ("repositoryFilters", "scanFrequency"), f"{path}.")
            found += checks.choice(f"{path}.scanFrequency", rule.get("scanFrequency") or None, _FREQUENCIES)
            for place, entry in enumerate(checks.objects(rule.get("repositoryFilters"))):
                inner = f"{path}.repositoryFilters[{place}]"
                found += checks.missing(entry, ("filter", "filterType"), f"{inner}.")
                expected = "1 to 256 lower case letters, digits, . _ - / and *"
                found += checks.text(f"{inner}.filter", entry.get("filter") or None, _FILTER, expected)
                found += checks.choice(f"{inner}.filterType", entry.get("filterType") or None, ("WILDCARD",))
        return found

    def canonical(self, key: str, value: Value, wanted: Value) -> Value:
        """Rules and their filters are sets."""
        del wanted
        if key != "rules" or not isinstance(value, list):
            return value
        return _sorted([{**rule, "repositoryFilters": _sorted(_filters(rule))} for rule in checks.objects(value)])

    def make(self, client: ECRClient, inputs: Properties) -> str:
        """Put the configuration in place of what is there."""
        _put(client, inputs)
        return client.get_registry_scanning_configuration()["registryId"]

    def change(self, client: ECRClient, resource_id: str, old: Properties, new: Properties) -> None:
        """Put the new configuration in place."""
        del resource_id, old
        _put(client, new)

    def fetch(self, client: ECRClient, resource_id: str) -> Properties | None:
        """The configuration; every registry has one."""
        answer = client.get_registry_scanning_configuration()
        if answer["registryId"] != resource_id:
            return None
        configuration = answer["scanningConfiguration"]
        rules: list[Value] = [
            {
                "repositoryFilters": [
                    {"filter": entry["filter"], "filterType": entry["filterType"]}
                    for entry in rule["repositoryFilters"]
                ],
                "scanFrequency": rule["scanFrequency"],
            }
            for rule in configuration.get("rules", [])
        ]
        return {
            "registryId": answer["registryId"],
            "scanType": configuration.get("scanType", _TYPES[0]),
            **({"rules": rules} if rules else {}),
        }

    def remove(self, client: ECRClient, resource_id: str) -> object:
        """Go back to what a new registry has: basic scans, of what one asks for."""
        del resource_id
        return client.put_registry_scanning_configuration(scanType="BASIC", rules=[])


def _put(client: ECRClient, inputs: Mapping[str, Value]) -> None:
    rules: list[RegistryScanningRuleTypeDef] = [
        {
            "scanFrequency": cast("ScanFrequencyType", get_string(rule, "scanFrequency")),
            "repositoryFilters": [
                {"filter": get_string(entry, "filter") or "", "filterType": "WILDCARD"} for entry in _filters(rule)
            ],
        }
        for rule in checks.objects(inputs.get("rules"))
    ]
    scan_type = cast("ScanTypeType", get_string(inputs, "scanType"))
    client.put_registry_scanning_configuration(scanType=scan_type, rules=rules)


def _filters(rule: Properties) -> list[Properties]:
    return checks.objects(rule.get("repositoryFilters"))


def _sorted(items: list[Properties]) -> list[Value]:
    return list[Value](sorted(items, key=lambda item: json.dumps(plain(item), sort_keys=True)))
