from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.policy.judging import UNKNOWN, found

REPOSITORY = "aws:ecr/repository:Repository"
TEMPLATE = "aws:ecr/repositoryCreationTemplate:RepositoryCreationTemplate"
POLICY = "aws:ecr/repositoryPolicy:RepositoryPolicy"


@pytest.mark.parametrize("value", ["IMMUTABLE", "IMMUTABLE_WITH_EXCLUSION", UNKNOWN])
def test_immutable_tags_are_accepted(value: str) -> None:
    assert found("repository-immutable", REPOSITORY, {"name": "shop/page", "imageTagMutability": value}) == []
    assert found("repository-immutable", TEMPLATE, {"imageTagMutability": "MUTABLE"}) == []


@pytest.mark.parametrize(
    ("value", "told"), [({"imageTagMutability": "MUTABLE"}, "is MUTABLE"), ({}, "is missing, which means MUTABLE")]
)
def test_tags_that_may_move_are_told(value: dict[str, str], told: str) -> None:
    (message,) = found("repository-immutable", REPOSITORY, {"name": "shop/page", **value})
    assert message.startswith(f"Repository shop/page: imageTagMutability {told}. Accepted is IMMUTABLE or IMMUTABLE_")


def test_a_scan_on_push_is_accepted_and_none_is_told() -> None:
    scanned = {"imageScanningConfiguration": {"scanOnPush": True}}
    assert found("repository-scanned", REPOSITORY, scanned) == []
    assert found("repository-scanned", REPOSITORY, {"imageScanningConfiguration": UNKNOWN}) == []
    (message,) = found("repository-scanned", REPOSITORY, {"imageScanningConfiguration": {"scanOnPush": False}})
    assert message == "Repository it: imageScanningConfiguration.scanOnPush is false. Accepted is true."
    (message,) = found("repository-scanned", REPOSITORY, {})
    assert "scanOnPush is missing" in message


@pytest.mark.parametrize("type_", [REPOSITORY, TEMPLATE])
@pytest.mark.parametrize(
    "entries", [[{"encryptionType": "AES256"}], [{"encryptionType": "KMS"}], [{"kmsKey": ""}], UNKNOWN, [UNKNOWN]]
)
def test_an_encryption_that_is_declared_is_accepted(type_: str, entries: object) -> None:
    assert found("repository-encrypted", type_, {"encryptionConfigurations": entries}) == []


def test_an_encryption_that_nothing_declares_or_that_is_not_enough_is_told() -> None:
    (message,) = found("repository-encrypted", REPOSITORY, {})
    assert "it says nothing of its encryption, which cannot be changed later" in message
    for entry in ({"encryptionType": "AES256"}, {}):
        (message,) = found("repository-encrypted", REPOSITORY, {"encryptionConfigurations": [entry]}, types=["KMS"])
        assert message == "Repository it: the encryptionType is AES256. Accepted is KMS."


def _statement(**parts: Any) -> dict[str, Any]:
    statement = {"Sid": "Pull", "Effect": "Allow", "Action": "ecr:BatchGetImage", **parts}
    return {"repository": "shop/page", "policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]})}


ORGANIZATION = {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}


@pytest.mark.parametrize(
    "properties",
    [
        _statement(Principal={"AWS": "arn:aws:iam::111122223333:root"}),
        _statement(Principal={"Service": "lambda.amazonaws.com"}),
        _statement(Principal="*", Condition=ORGANIZATION),
        _statement(Principal={"AWS": ["*"]}, Condition={"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-a/*"}}),
        _statement(Principal="*", Condition={"StringEquals": {"AWS:sourceaccount": ["111122223333"]}}),
        _statement(Principal="*", Effect="Deny"),
        {"policy": UNKNOWN},
        {"policy": json.dumps({"Statement": {"Effect": "Allow", "Principal": {"AWS": "111122223333"}}})},
    ],
)
def test_a_policy_for_known_accounts_is_accepted(properties: dict[str, Any]) -> None:
    assert found("repository-never-public", POLICY, properties) == []


@pytest.mark.parametrize(
    "properties",
    [
        _statement(Principal="*"),
        _statement(Principal={"AWS": "*"}),
        _statement(Principal={"AWS": ["arn:aws:iam::111122223333:root", "*"]}),
        _statement(NotPrincipal={"AWS": "111122223333"}),
        _statement(Principal="*", Condition={"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}),
        _statement(Principal="*", Condition={"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}),
        _statement(Principal="*", Condition={"StringNotEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}),
        _statement(Principal="*", Condition={"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}),
        _statement(Principal="*", Condition={"ForAllValues:StringEquals": {"aws:PrincipalOrgPaths": "o-a/"}}),
        _statement(Principal="*", Condition={"StringLike": {"aws:PrincipalOrgID": ["o-a1b2c3d4e5", "*"]}}),
    ],
)
def test_a_policy_that_lets_in_everybody_is_told_with_the_statement(properties: dict[str, Any]) -> None:
    (message,) = found("repository-never-public", POLICY, properties)
    assert message.startswith("RepositoryPolicy shop/page: its statement Pull lets in everybody. Accepted are accounts")


def test_policies_of_templates_and_registries_and_public_repositories_are_looked_at() -> None:
    text = json.dumps({"Statement": {"Effect": "Allow", "Principal": "*"}})
    assert "its statement number 1 lets in" in found("repository-never-public", TEMPLATE, {"repositoryPolicy": text})[0]
    assert len(found("repository-never-public", "aws:ecr/registryPolicy:RegistryPolicy", {"policy": text})) == 1
    assert len(found("repository-never-public", "aws:ecrpublic/repository:Repository", {})) == 1
    assert found("repository-never-public", POLICY, {"policy": "{"}) == ["RepositoryPolicy it: its policy is not JSON."]
