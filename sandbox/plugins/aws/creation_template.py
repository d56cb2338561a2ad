"""`aws:ecr/repositoryCreationTemplate:RepositoryCreationTemplate`; the id is the prefix of the repositories' names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Final, cast

from ..protocol.provider import Failure
from ..protocol.values import Properties, Value, get_string, unwrap
from . import encryption, mutability, policies
from . import inputs as checks
from . import tags as tagging
from .registry_resource import RegistryResource

if TYPE_CHECKING:
    from types_boto3_ecr.client import ECRClient
    from types_boto3_ecr.literals import RCTAppliedForType
    from types_boto3_ecr.type_defs import (
        CreateRepositoryCreationTemplateRequestTypeDef,
        RepositoryCreationTemplateTypeDef,
        TagTypeDef,
        UpdateRepositoryCreationTemplateRequestTypeDef,
    )

_PREFIX: Final = re.compile(r"(?=.{2,256}\Z)(?:(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*/?|ROOT)")
_FEATURES: Final = ("CREATE_ON_PUSH", "PULL_THROUGH_CACHE", "REPLICATION")
_DESCRIPTION: Final = re.compile(r".{0,255}", re.DOTALL)
_TEXTS: Final = ("customRoleArn", "description", "lifecyclePolicy", "repositoryPolicy")
"""The inputs that a request has under the same name; an empty text takes the setting away."""

_NORMALIZE: Final[Mapping[str, policies.Normalize]] = {
    "lifecyclePolicy": policies.normalize_lifecycle,
    "repositoryPolicy": policies.normalize_permissions,
}


class CreationTemplate(RegistryResource):
    """Templates for repositories that ECR makes by itself: for what it caches, or replicates, or is pushed."""

    type: ClassVar[str] = "aws:ecr/repositoryCreationTemplate:RepositoryCreationTemplate"
    accepted: ClassVar[frozenset[str]] = frozenset(
        {
            "appliedFors",
            "customRoleArn",
            "description",
            "encryptionConfigurations",
            "imageTagMutability",
            "imageTagMutabilityExclusionFilters",
            "lifecyclePolicy",
            "prefix",
            "region",
            "repositoryPolicy",
            "resourceTags",
        }
    )
    required: ClassVar[tuple[str, ...]] = ("appliedFors", "prefix")
    replaced_by: ClassVar[tuple[str, ...]] = ("prefix", "region")
    kept: ClassVar[frozenset[str]] = frozenset({encryption.KEY})
    defaults: ClassVar[Mapping[str, Value]] = {mutability.KEY: mutability.DEFAULT}
    gone: ClassVar[frozenset[str]] = frozenset({"TemplateNotFoundException"})
    exists: ClassVar[str] = "TemplateAlreadyExistsException"

    def what(self, resource_id: str) -> str:
        """The name of the template."""
        return f"the ECR repository creation template {resource_id}"

    def identify(self, inputs: Mapping[str, Value]) -> str:
        """The prefix."""
        return get_string(inputs, "prefix") or ""

    def failures(self, inputs: Properties) -> list[Failure]:
        """Everything that would make no template."""
        expected = "ROOT, or 2 to 256 lower case letters, digits, . _ - and /, as docker-hub"
        features = unwrap(inputs.get("appliedFors"))
        return [
            *checks.text("prefix", inputs.get("prefix"), _PREFIX, expected),
            *checks.text("description", inputs.get("description"), _DESCRIPTION, "at most 255 characters"),
            *(
                failure
                for index, feature in enumerate(features if isinstance(features, list) else [])
                for failure in checks.choice(f"appliedFors[{index}]", feature, _FEATURES)
            ),
            *checks.arn("customRoleArn", inputs.get("customRoleArn")),
            *encryption.failures(inputs),
            *mutability.failures(inputs),
            *(failure for key in _NORMALIZE for failure in checks.document(key, inputs.get(key))),
            *tagging.failures("resourceTags", inputs.get("resourceTags")),
        ]

    def canonical(self, key: str, value: Value, wanted: Value) -> Value:
        """Sets sorted, policies by what they mean, defaults written out."""
        if key == "appliedFors" and isinstance(value, list):
            return list[Value](sorted(set(checks.listed(value))))
        if key in _NORMALIZE and isinstance(value, str):
            return policies.canonical(value, _NORMALIZE[key])
        if key == encryption.KEY:
            return encryption.comparable(value, wanted)
        return value

    def make(self, client: ECRClient, inputs: Properties) -> str:
        """Create the template."""
        prefix = self.identify(inputs)
        wanted: CreateRepositoryCreationTemplateRequestTypeDef = {
            "prefix": prefix,
            "appliedFor": _features(inputs),
            "imageTagMutability": mutability.chosen(inputs),
        }
        if inputs.get(encryption.KEY):
            wanted["encryptionConfiguration"] = encryption.request(inputs)
        if filters := mutability.exclusions(inputs):
            wanted["imageTagMutabilityExclusionFilters"] = filters
        texts = {key: text for key in _TEXTS if (text := get_string(inputs, key))}
        wanted.update(cast("CreateRepositoryCreationTemplateRequestTypeDef", texts))
        if tags := _tags(inputs):
            wanted["resourceTags"] = tags
        client.create_repository_creation_template(**wanted)
        return prefix

    def change(self, client: ECRClient, resource_id: str, old: Properties, new: Properties) -> None:
        """Change what differs; an empty value takes a setting away."""

        def differs(*keys: str) -> bool:
            return any(unwrap(old.get(key)) != unwrap(new.get(key)) for key in keys)

        wanted: UpdateRepositoryCreationTemplateRequestTypeDef = {"prefix": resource_id}
        if differs("appliedFors"):
            wanted["appliedFor"] = _features(new)
        if differs(mutability.KEY, mutability.FILTERS):
            wanted["imageTagMutability"] = mutability.chosen(new)
            if filters := mutability.exclusions(new):
                wanted["imageTagMutabilityExclusionFilters"] = filters
        if differs(encryption.KEY) and new.get(encryption.KEY):
            wanted["encryptionConfiguration"] = encryption.request(new)
        texts = {key: get_string(new, key) or "" for key in _TEXTS if differs(key)}
        wanted.update(cast("UpdateRepositoryCreationTemplateRequestTypeDef", texts))
        if differs("resourceTags"):
            wanted["resourceTags"] = _tags(new)
        client.update_repository_creation_template(**wanted)

    def fetch(self, client: ECRClient, resource_id: str) -> Properties | None:
        """The template."""
        answer = client.describe_repository_creation_templates(prefixes=[resource_id])
        templates = answer["repositoryCreationTemplates"]
        return {**_live(templates[0]), "registryId": answer["registryId"]} if templates else None

    def remove(self, client: ECRClient, resource_id: str) -> object:
        """Delete the template; the repositories that it shaped stay as they are."""
        return client.delete_repository_creation_template(prefix=resource_id)


def _live(template: RepositoryCreationTemplateTypeDef) -> Properties:
    tags: Properties = dict(tagging.from_pairs((tag["Key"], tag["Value"]) for tag in template.get("resourceTags", [])))
    live: Properties = {
        "appliedFors": list[Value](template.get("appliedFor", [])),
        "customRoleArn": template.get("customRoleArn"),
        "description": template.get("description"),
        encryption.KEY: [encryption.output(template.get("encryptionConfiguration"))],
        mutability.KEY: template.get("imageTagMutability", mutability.DEFAULT),
        mutability.FILTERS: mutability.output(template.get("imageTagMutabilityExclusionFilters", [])),
        "lifecyclePolicy": template.get("lifecyclePolicy"),
        "prefix": template.get("prefix"),
        "repositoryPolicy": template.get("repositoryPolicy"),
        "resourceTags": tags,
    }
    return {key: value for key, value in live.items() if value not in (None, "", [], {})}


def _features(inputs: Mapping[str, Value]) -> list[RCTAppliedForType]:
    return cast("list[RCTAppliedForType]", checks.listed(inputs.get("appliedFors")))


def _tags(inputs: Mapping[str, Value]) -> list[TagTypeDef]:
    return [{"Key": key, "Value": value} for key, value in tagging.texts(inputs.get("resourceTags")).items()]
