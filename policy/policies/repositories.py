"""Policies about repositories of Amazon ECR."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final, cast

from .rules import Resource, Rule, Setting, Settings, shown
from .values import UNKNOWN, at, elements, mapping

_REPOSITORY: Final = "aws:ecr/repository:Repository"
_TEMPLATE: Final = "aws:ecr/repositoryCreationTemplate:RepositoryCreationTemplate"
_PUBLIC_REPOSITORY: Final = "aws:ecrpublic/repository:Repository"
_POLICIES: Final = {
    "aws:ecr/repositoryPolicy:RepositoryPolicy": "policy",
    "aws:ecr/registryPolicy:RegistryPolicy": "policy",
    _TEMPLATE: "repositoryPolicy",
}
_IMMUTABLE: Final = ("IMMUTABLE", "IMMUTABLE_WITH_EXCLUSION")
_ENCRYPTIONS: Final = ("AES256", "KMS", "KMS_DSSE")
# Keys that hold a request to known accounts, with operators that do not let through a request without the key:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
_LIMITING: Final = (
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:sourceaccount",
    "aws:sourceorgid",
)
_OPERATORS: Final = ("stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike")


def _immutable(resource: Resource, _settings: Settings) -> Iterator[str]:
    value = at(resource.properties, "imageTagMutability")
    if resource.type == _REPOSITORY and value is not UNKNOWN and value not in _IMMUTABLE:
        yield (
            f"{_title(resource)}: imageTagMutability is {value or 'missing, which means MUTABLE'}. Accepted is "
            f"{' or '.join(_IMMUTABLE)}, the latter with filters for the tags that may move."
        )


def _scanned(resource: Resource, _settings: Settings) -> Iterator[str]:
    value = at(resource.properties, "imageScanningConfiguration", "scanOnPush")
    if resource.type == _REPOSITORY and value is not UNKNOWN and value is not True:
        yield (
            f"{_title(resource)}: imageScanningConfiguration.scanOnPush is {'missing' if value is None else 'false'}. "
            "Accepted is true."
        )


def _encrypted(resource: Resource, settings: Settings) -> Iterator[str]:
    declared = at(resource.properties, "encryptionConfigurations")
    if resource.type not in {_REPOSITORY, _TEMPLATE} or declared is UNKNOWN:
        return
    accepted = settings.texts("types")
    types = [at(entry, "encryptionType") for entry in elements(declared)]
    if not types:
        yield (
            f"{_title(resource)}: it says nothing of its encryption, which cannot be changed later. Accepted is "
            f"encryptionConfigurations with the encryptionType {' or '.join(accepted)}."
        )
    # Left out, it is AES256.
    for value in ("AES256" if value is None else value for value in types):
        if value is not UNKNOWN and value not in accepted:
            yield f"{_title(resource)}: the encryptionType is {value}. Accepted is {' or '.join(accepted)}."


def _never_public(resource: Resource, _settings: Settings) -> Iterator[str]:
    if resource.type == _PUBLIC_REPOSITORY:
        yield f"{_title(resource)}: a repository of ECR Public is there for everybody. Accepted is one of aws.ecr."
    text = at(resource.properties, _POLICIES[resource.type]) if resource.type in _POLICIES else None
    policy: object = text
    if isinstance(text, str):
        try:
            policy = cast("object", json.loads(text))
        except ValueError:
            yield f"{_title(resource)}: its policy is not JSON."
    for number, statement in enumerate(_listed(at(policy, "Statement")), 1):
        if at(statement, "Effect") == "Allow" and _lets_in_everybody(statement):
            named = at(statement, "Sid") or f"number {number}"
            yield (
                f"{_title(resource)}: its statement {named} lets in everybody. Accepted are accounts, roles or "
                "services as Principal, or a Condition on aws:PrincipalOrgID."
            )


def _lets_in_everybody(statement: object) -> bool:
    principal = at(statement, "Principal")
    named = [name for value in mapping(principal).values() for name in _listed(value)] or _listed(principal)
    if "*" not in named and at(statement, "NotPrincipal") is None:
        return False
    return not any(
        _limits(operator, key, values)
        for operator, keys in mapping(at(statement, "Condition")).items()
        for key, values in mapping(keys).items()
    )


def _limits(operator: str, key: str, values: object) -> bool:
    # ForAllValues: holds for a request that has no such key at all.
    name = operator.lower().removeprefix("foranyvalue:")
    known = all(not isinstance(value, str) or value.strip("*?") for value in _listed(values))
    return name in _OPERATORS and key.lower() in _LIMITING and known


def _listed(value: object) -> list[object]:
    """What IAM takes as one or as several."""
    if isinstance(value, list):
        return list(elements(value))  # pyright: ignore[reportUnknownArgumentType] - any list
    return [] if value is None else [value]


def _title(resource: Resource) -> str:
    name = at(resource.properties, "name") or at(resource.properties, "repository") or resource.name
    called = name if isinstance(name, str) else resource.name
    return f"{resource.kind} {called}" if resource.type != _TEMPLATE else f"{resource.title} ({shown(called)})"


RULES: Final = (
    Rule("repository-immutable", "A tag in ECR keeps its image.", _immutable),
    Rule("repository-scanned", "Images are scanned when they are pushed.", _scanned),
    Rule(
        "repository-encrypted",
        "Repositories say how they are encrypted.",
        _encrypted,
        (Setting("types", _ENCRYPTIONS, "The accepted types of encryption."),),
    ),
    Rule("repository-never-public", "Nobody outside of known accounts pulls or pushes.", _never_public),
)
"""Policies about one resource."""
