"""`aws:ecr/replicationConfiguration:ReplicationConfiguration`; a registry has one, and its id is the registry's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Final

from ..protocol.provider import Failure
from ..protocol.values import Properties, Value, get_string, unwrap
from . import inputs as checks
from .registry_resource import RegistryResource

if TYPE_CHECKING:
    from types_boto3_ecr.client import ECRClient
    from types_boto3_ecr.type_defs import ReplicationRuleOutputTypeDef, ReplicationRuleTypeDef

_KEY: Final = "replicationConfiguration"
_MOST_RULES: Final = 10
_MOST_DESTINATIONS: Final = 25
_MOST_FILTERS: Final = 100
_ACCOUNT: Final = re.compile(r"\d{12}")
_REGION: Final = re.compile(r"[a-z]{2,}(?:-[a-z]+)+-\d+")


class Replication(RegistryResource):
    """Where the images of a registry are copied to."""

    type: ClassVar[str] = "aws:ecr/replicationConfiguration:ReplicationConfiguration"
    accepted: ClassVar[frozenset[str]] = frozenset({"region", _KEY})
    required: ClassVar[tuple[str, ...]] = (_KEY,)
    replaced_by: ClassVar[tuple[str, ...]] = ("region",)

    def what(self, resource_id: str) -> str:
        """The name of the configuration."""
        return f"the replication configuration of the ECR registry {resource_id}".rstrip()

    def identify(self, inputs: Mapping[str, Value]) -> str:
        """The account."""
        del inputs
        return self._session.account

    def failures(self, inputs: Properties) -> list[Failure]:
        """Rules without destinations, and destinations that are none."""
        configuration = unwrap(inputs.get(_KEY))
        if not isinstance(configuration, dict):
            return []
        path = f"{_KEY}.rules"
        rules = configuration.get("rules")
        found = [*checks.missing(configuration, ("rules",), f"{_KEY}."), *checks.at_most(path, rules, _MOST_RULES)]
        for index, rule in enumerate(checks.objects(rules)):
            found += _rule_failures(rule, f"{path}[{index}]")
        return found

    def make(self, client: ECRClient, inputs: Properties) -> str:
        """Put the configuration in place of what is there."""
        client.put_replication_configuration(replicationConfiguration={"rules": _rules(inputs)})
        return client.describe_registry()["registryId"]

    def change(self, client: ECRClient, resource_id: str, old: Properties, new: Properties) -> None:
        """Put the new configuration in place."""
        del resource_id, old
        client.put_replication_configuration(replicationConfiguration={"rules": _rules(new)})

    def fetch(self, client: ECRClient, resource_id: str) -> Properties | None:
        """The configuration; one without rules is none."""
        answer = client.describe_registry()
        rules = answer["replicationConfiguration"]["rules"]
        if not rules or answer["registryId"] != resource_id:
            return None
        return {_KEY: {"rules": [_rule_output(rule) for rule in rules]}, "registryId": answer["registryId"]}

    def remove(self, client: ECRClient, resource_id: str) -> object:
        """Take all rules away."""
        del resource_id
        return client.put_replication_configuration(replicationConfiguration={"rules": []})


def _rule_failures(rule: Properties, path: str) -> list[Failure]:
    destinations, filters = rule.get("destinations"), rule.get("repositoryFilters")
    found = [
        *checks.missing(rule, ("destinations",), f"{path}."),
        *checks.at_most(f"{path}.destinations", destinations, _MOST_DESTINATIONS),
        *checks.at_most(f"{path}.repositoryFilters", filters, _MOST_FILTERS),
    ]
    for index, destination in enumerate(checks.objects(destinations)):
        place = f"{path}.destinations[{index}]"
        region, account = destination.get("region"), destination.get("registryId")
        found += checks.missing(destination, ("region", "registryId"), f"{place}.")
        found += checks.text(f"{place}.region", region or None, _REGION, "a region such as eu-central-1")
        found += checks.text(f"{place}.registryId", account or None, _ACCOUNT, "an account id of 12 digits")
    for index, entry in enumerate(checks.objects(filters)):
        place = f"{path}.repositoryFilters[{index}]"
        found += checks.missing(entry, ("filter", "filterType"), f"{place}.")
        found += checks.choice(f"{place}.filterType", entry.get("filterType") or None, ("PREFIX_MATCH",))
    return found


def _rules(inputs: Mapping[str, Value]) -> list[ReplicationRuleTypeDef]:
    configuration = unwrap(inputs.get(_KEY))
    rules = configuration.get("rules") if isinstance(configuration, dict) else None
    return [_rule(rule) for rule in checks.objects(rules)]


def _rule(rule: Properties) -> ReplicationRuleTypeDef:
    wanted: ReplicationRuleTypeDef = {
        "destinations": [
            {"region": get_string(entry, "region") or "", "registryId": get_string(entry, "registryId") or ""}
            for entry in checks.objects(rule.get("destinations"))
        ]
    }
    if filters := checks.objects(rule.get("repositoryFilters")):
        wanted["repositoryFilters"] = [
            {"filter": get_string(entry, "filter") or "", "filterType": "PREFIX_MATCH"} for entry in filters
        ]
    return wanted


def _rule_output(rule: ReplicationRuleOutputTypeDef) -> Properties:
    destinations: list[Value] = [
        {"region": entry["region"], "registryId": entry["registryId"]} for entry in rule["destinations"]
    ]
    filters: list[Value] = [
        {"filter": entry["filter"], "filterType": entry["filterType"]} for entry in rule.get("repositoryFilters", [])
    ]
    return {"destinations": destinations, **({"repositoryFilters": filters} if filters else {})}
