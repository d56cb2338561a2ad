"""`aws:ecr/pullThroughCacheRule:PullThroughCacheRule`; the id is the prefix of the cached repositories."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Final

from ..protocol.provider import Failure, ProviderError
from ..protocol.values import Properties, Value, get_string
from . import inputs as checks
from .registry_resource import RegistryResource

if TYPE_CHECKING:
    from types_boto3_ecr.client import ECRClient
    from types_boto3_ecr.type_defs import (
        CreatePullThroughCacheRuleRequestTypeDef,
        UpdatePullThroughCacheRuleRequestTypeDef,
    )

_PREFIX: Final = re.compile(r"(?=.{2,30}\Z)(?:(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*/?|ROOT)")
_PREFIX_RULE: Final = "ROOT, or 2 to 30 lower case letters, digits, . _ - and /, as docker-hub"


class CacheRule(RegistryResource):
    """Rules by which repositories with a prefix are filled from another registry."""

    type: ClassVar[str] = "aws:ecr/pullThroughCacheRule:PullThroughCacheRule"
    accepted: ClassVar[frozenset[str]] = frozenset(
        {
            "credentialArn",
            "customRoleArn",
            "ecrRepositoryPrefix",
            "region",
            "upstreamRegistryUrl",
            "upstreamRepositoryPrefix",
        }
    )
    required: ClassVar[tuple[str, ...]] = ("ecrRepositoryPrefix", "upstreamRegistryUrl")
    replaced_by: ClassVar[tuple[str, ...]] = (
        "ecrRepositoryPrefix",
        "region",
        "upstreamRegistryUrl",
        "upstreamRepositoryPrefix",
    )
    kept: ClassVar[frozenset[str]] = frozenset({"upstreamRepositoryPrefix"})
    gone: ClassVar[frozenset[str]] = frozenset({"PullThroughCacheRuleNotFoundException"})
    exists: ClassVar[str] = "PullThroughCacheRuleAlreadyExistsException"

    def what(self, resource_id: str) -> str:
        """The name of the rule."""
        return f"the ECR pull-through cache rule {resource_id}"

    def identify(self, inputs: Mapping[str, Value]) -> str:
        """The prefix."""
        return get_string(inputs, "ecrRepositoryPrefix") or ""

    def failures(self, inputs: Properties) -> list[Failure]:
        """Prefixes that no repository can have, and what is no ARN."""
        return [
            *checks.text("ecrRepositoryPrefix", inputs.get("ecrRepositoryPrefix"), _PREFIX, _PREFIX_RULE),
            *checks.text("upstreamRepositoryPrefix", inputs.get("upstreamRepositoryPrefix"), _PREFIX, _PREFIX_RULE),
            *checks.arn("credentialArn", inputs.get("credentialArn")),
            *checks.arn("customRoleArn", inputs.get("customRoleArn")),
        ]

    def make(self, client: ECRClient, inputs: Properties) -> str:
        """Create the rule."""
        prefix = self.identify(inputs)
        wanted: CreatePullThroughCacheRuleRequestTypeDef = {
            "ecrRepositoryPrefix": prefix,
            "upstreamRegistryUrl": get_string(inputs, "upstreamRegistryUrl") or "",
        }
        if credential := get_string(inputs, "credentialArn"):
            wanted["credentialArn"] = credential
        if role := get_string(inputs, "customRoleArn"):
            wanted["customRoleArn"] = role
        if upstream := get_string(inputs, "upstreamRepositoryPrefix"):
            wanted["upstreamRepositoryPrefix"] = upstream
        client.create_pull_through_cache_rule(**wanted)
        return prefix

    def change(self, client: ECRClient, resource_id: str, old: Properties, new: Properties) -> None:
        """Give the rule other credentials; AWS cannot take them away."""
        del old
        wanted: UpdatePullThroughCacheRuleRequestTypeDef = {"ecrRepositoryPrefix": resource_id}
        if credential := get_string(new, "credentialArn"):
            wanted["credentialArn"] = credential
        if role := get_string(new, "customRoleArn"):
            wanted["customRoleArn"] = role
        if len(wanted) == 1:
            raise ProviderError(
                f"updating {self.what(resource_id)}: AWS gives a rule other credentials, and takes none away; "
                "set credentialArn or customRoleArn, or delete the rule and make it anew"
            )
        client.update_pull_through_cache_rule(**wanted)

    def fetch(self, client: ECRClient, resource_id: str) -> Properties | None:
        """The rule."""
        rules = client.describe_pull_through_cache_rules(ecrRepositoryPrefixes=[resource_id])["pullThroughCacheRules"]
        if not rules:
            return None
        rule = rules[0]
        live: Properties = {
            "credentialArn": rule.get("credentialArn"),
            "customRoleArn": rule.get("customRoleArn"),
            "ecrRepositoryPrefix": rule.get("ecrRepositoryPrefix"),
            "registryId": rule.get("registryId"),
            "upstreamRegistryUrl": rule.get("upstreamRegistryUrl"),
            "upstreamRepositoryPrefix": rule.get("upstreamRepositoryPrefix"),
        }
        return {key: value for key, value in live.items() if value is not None}

    def remove(self, client: ECRClient, resource_id: str) -> object:
        """Delete the rule; the repositories that it filled stay."""
        return client.delete_pull_through_cache_rule(ecrRepositoryPrefix=resource_id)
