"""The sandbox's ECR API: what it has beside moto's own, asked by the SDK as on AWS."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from sandbox.ecr_api.cache_rules import MOST_RULES
from sandbox.ecr_api.lifecycle_preview import PushedImage, evaluate

from .aws_support import ACCOUNT, ecr, new_manifest, new_name, new_secret, push_image

if TYPE_CHECKING:
    from types_boto3_ecr.client import ECRClient
    from types_boto3_ecr.literals import ImageTagMutabilityType
    from types_boto3_ecr.type_defs import ReplicationRuleOutputTypeDef

ROLE = f"arn:aws:iam::{ACCOUNT}:role/caching"
NO_SECRET = f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:ecr-pullthroughcache/nothing-AbCdEf"

Call = Callable[["ECRClient"], object]


@pytest.fixture
def client(api: str) -> ECRClient:
    """A client of an API that is empty."""
    return ecr(api)


def refusal(call: Call, client: ECRClient) -> tuple[str, str]:
    """The code and the message with which a call is refused."""
    with pytest.raises(ClientError) as caught:
        call(client)
    error = caught.value.response.get("Error", {})
    return error.get("Code", ""), error.get("Message", "")


def test_a_cache_rule_is_made_told_changed_and_taken_away(client: ECRClient, api: str) -> None:
    first, second = new_secret(api), new_secret(api)
    made = client.create_pull_through_cache_rule(
        ecrRepositoryPrefix="hub", upstreamRegistryUrl="registry-1.docker.io", credentialArn=first
    )
    assert (made["registryId"], made["upstreamRegistry"], made["credentialArn"]) == (ACCOUNT, "docker-hub", first)
    client.create_pull_through_cache_rule(ecrRepositoryPrefix="quay", upstreamRegistryUrl="quay.io")
    (told,) = client.describe_pull_through_cache_rules(ecrRepositoryPrefixes=["hub"])["pullThroughCacheRules"]
    assert told.get("upstreamRegistryUrl") == "registry-1.docker.io"

    client.update_pull_through_cache_rule(ecrRepositoryPrefix="hub", credentialArn=second)
    client.update_pull_through_cache_rule(ecrRepositoryPrefix="quay", customRoleArn=ROLE)
    rules = {rule.get("ecrRepositoryPrefix"): rule for rule in _all_rules(client)}
    assert rules["hub"].get("credentialArn") == second
    assert rules["quay"].get("customRoleArn") == ROLE

    client.delete_pull_through_cache_rule(ecrRepositoryPrefix="quay")
    assert [rule.get("ecrRepositoryPrefix") for rule in _all_rules(client)] == ["hub"]


def test_lists_come_in_pages(client: ECRClient) -> None:
    for number in range(5):
        client.create_pull_through_cache_rule(ecrRepositoryPrefix=f"q{number}", upstreamRegistryUrl="quay.io")
    pages = list(client.get_paginator("describe_pull_through_cache_rules").paginate(PaginationConfig={"PageSize": 2}))
    assert [len(page["pullThroughCacheRules"]) for page in pages] == [2, 2, 1]
    assert len(_all_rules(client)) == 5


def test_a_registry_has_as_many_cache_rules_as_its_quota_allows(client: ECRClient) -> None:
    for number in range(MOST_RULES):
        client.create_pull_through_cache_rule(ecrRepositoryPrefix=f"q{number}", upstreamRegistryUrl="quay.io")
    code, _ = refusal(
        lambda client: client.create_pull_through_cache_rule(ecrRepositoryPrefix="more", upstreamRegistryUrl="quay.io"),
        client,
    )
    assert code == "LimitExceededException"


REFUSED_RULES: dict[str, tuple[Call, str, str]] = {
    "an upstream that is none": (
        lambda client: client.create_pull_through_cache_rule(
            ecrRepositoryPrefix="harbor", upstreamRegistryUrl="harbor.example.com"
        ),
        "UnsupportedUpstreamRegistryException",
        "URL harbor.example.com is invalid",
    ),
    "no login for Docker Hub": (
        lambda client: client.create_pull_through_cache_rule(
            ecrRepositoryPrefix="hub", upstreamRegistryUrl="registry-1.docker.io"
        ),
        "UnsupportedUpstreamRegistryException",
        "requires authentication",
    ),
    "a secret that is not there": (
        lambda client: client.create_pull_through_cache_rule(
            ecrRepositoryPrefix="hub", upstreamRegistryUrl="registry-1.docker.io", credentialArn=NO_SECRET
        ),
        "SecretNotFoundException",
        "was not found",
    ),
    "an ARN of something else": (
        lambda client: client.create_pull_through_cache_rule(
            ecrRepositoryPrefix="hub", upstreamRegistryUrl="registry-1.docker.io", credentialArn=f"{ROLE}{'x' * 30}"
        ),
        "InvalidParameterException",
        "'credentialArn' failed to satisfy constraint: 'must satisfy regular expression",
    ),
    "another account's ECR without a role": (
        lambda client: client.create_pull_through_cache_rule(
            ecrRepositoryPrefix="other", upstreamRegistryUrl="999999999999.dkr.ecr.us-east-1.amazonaws.com"
        ),
        "InvalidParameterException",
        "another account",
    ),
    "a prefix in upper case": (
        lambda client: client.create_pull_through_cache_rule(ecrRepositoryPrefix="Quay", upstreamRegistryUrl="quay.io"),
        "InvalidParameterException",
        "'ecrRepositoryPrefix' failed to satisfy constraint: 'must satisfy regular expression",
    ),
    "a prefix that is too long": (
        lambda client: client.create_pull_through_cache_rule(
            ecrRepositoryPrefix="q" * 31, upstreamRegistryUrl="quay.io"
        ),
        "InvalidParameterException",
        "length less than or equal to 30",
    ),
    "a prefix that is taken": (
        lambda client: client.create_pull_through_cache_rule(
            ecrRepositoryPrefix="taken/", upstreamRegistryUrl="quay.io"
        ),
        "PullThroughCacheRuleAlreadyExistsException",
        "already exists in the registry with id '123456789012'",
    ),
    "a change that is none": (
        lambda client: client.update_pull_through_cache_rule(ecrRepositoryPrefix="taken"),
        "InvalidParameterException",
        "Please set either credential arn or role arn",
    ),
    "changing none": (
        lambda client: client.update_pull_through_cache_rule(ecrRepositoryPrefix="none", customRoleArn=ROLE),
        "PullThroughCacheRuleNotFoundException",
        "does not exist",
    ),
    "deleting none": (
        lambda client: client.delete_pull_through_cache_rule(ecrRepositoryPrefix="none"),
        "PullThroughCacheRuleNotFoundException",
        "does not exist",
    ),
    "asking for none": (
        lambda client: client.describe_pull_through_cache_rules(ecrRepositoryPrefixes=["none"]),
        "PullThroughCacheRuleNotFoundException",
        "does not exist",
    ),
}


@pytest.mark.parametrize(("call", "code", "message"), REFUSED_RULES.values(), ids=list(REFUSED_RULES))
def test_a_cache_rule_that_aws_would_refuse_is_refused(client: ECRClient, call: Call, code: str, message: str) -> None:
    client.create_pull_through_cache_rule(ecrRepositoryPrefix="taken", upstreamRegistryUrl="quay.io")
    refused, said = refusal(call, client)
    assert (refused, message in said) == (code, True), said
    assert [rule.get("ecrRepositoryPrefix") for rule in _all_rules(client)] == ["taken"]


def _all_rules(client: ECRClient) -> list[dict[str, object]]:
    return [dict(rule) for rule in client.describe_pull_through_cache_rules()["pullThroughCacheRules"]]


RULES = json.dumps(
    {
        "rules": [
            {
                "rulePriority": 1,
                "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 3},
                "action": {"type": "expire"},
            }
        ]
    }
)


def test_a_template_has_defaults_and_is_changed_in_parts(client: ECRClient) -> None:
    client.create_repository_creation_template(prefix="hub", appliedFor=["PULL_THROUGH_CACHE"])
    (made,) = client.describe_repository_creation_templates()["repositoryCreationTemplates"]
    assert made.get("imageTagMutability") == "MUTABLE"
    assert made.get("encryptionConfiguration") == {"encryptionType": "AES256"}

    client.update_repository_creation_template(
        prefix="hub",
        description="what is cached",
        imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=[{"filter": "latest*", "filterType": "WILDCARD"}],
        lifecyclePolicy=RULES,
        resourceTags=[{"Key": "team", "Value": "coins"}],
    )
    client.update_repository_creation_template(prefix="hub", imageTagMutability="IMMUTABLE", lifecyclePolicy="")
    answer = client.describe_repository_creation_templates(prefixes=["hub", "none"])
    (changed,) = answer["repositoryCreationTemplates"]
    assert answer["registryId"] == ACCOUNT
    assert (changed.get("description"), changed.get("imageTagMutability")) == ("what is cached", "IMMUTABLE")
    assert changed.get("resourceTags") == [{"Key": "team", "Value": "coins"}]
    assert not changed.get("imageTagMutabilityExclusionFilters")
    assert not changed.get("lifecyclePolicy")

    client.delete_repository_creation_template(prefix="hub")
    assert client.describe_repository_creation_templates()["repositoryCreationTemplates"] == []


REFUSED_TEMPLATES: dict[str, tuple[Call, str, str]] = {
    "a prefix that is taken": (
        lambda client: client.create_repository_creation_template(prefix="taken", appliedFor=["REPLICATION"]),
        "TemplateAlreadyExistsException",
        "already exists",
    ),
    "no use": (
        lambda client: client.create_repository_creation_template(prefix="hub", appliedFor=[]),
        "InvalidParameterException",
        "'appliedFor'",
    ),
    "exclusions from nothing": (
        lambda client: client.update_repository_creation_template(
            prefix="taken",
            imageTagMutability="IMMUTABLE",
            imageTagMutabilityExclusionFilters=[{"filter": "a*", "filterType": "WILDCARD"}],
        ),
        "InvalidParameterException",
        "imageTagMutabilityExclusionFilters",
    ),
    "a lifecycle policy that is none": (
        lambda client: client.create_repository_creation_template(
            prefix="hub", appliedFor=["REPLICATION"], lifecyclePolicy="{}"
        ),
        "InvalidParameterException",
        "missing required properties",
    ),
    "a repository policy that is none": (
        lambda client: client.create_repository_creation_template(
            prefix="hub", appliedFor=["REPLICATION"], repositoryPolicy='{"Statement": []}'
        ),
        "InvalidParameterException",
        "Invalid repository policy provided",
    ),
    "changing none": (
        lambda client: client.update_repository_creation_template(prefix="none", description="x"),
        "TemplateNotFoundException",
        "does not exist",
    ),
    "deleting none": (
        lambda client: client.delete_repository_creation_template(prefix="none"),
        "TemplateNotFoundException",
        "does not exist",
    ),
}


@pytest.mark.parametrize(("call", "code", "message"), REFUSED_TEMPLATES.values(), ids=list(REFUSED_TEMPLATES))
def test_a_template_that_aws_would_refuse_is_refused(client: ECRClient, call: Call, code: str, message: str) -> None:
    client.create_repository_creation_template(prefix="taken", appliedFor=["REPLICATION"])
    refused, said = refusal(call, client)
    assert (refused, message in said) == (code, True), said
    (kept,) = client.describe_repository_creation_templates()["repositoryCreationTemplates"]
    assert (kept.get("prefix"), kept.get("imageTagMutability")) == ("taken", "MUTABLE")


IMMUTABLE_TAGS: list[tuple[ImageTagMutabilityType, str, bool]] = [
    ("IMMUTABLE_WITH_EXCLUSION", "v1.0", True),
    ("IMMUTABLE_WITH_EXCLUSION", "dev-1-x", False),
    ("IMMUTABLE_WITH_EXCLUSION", "a-dev-1-x", True),
    ("MUTABLE_WITH_EXCLUSION", "v1.0", False),
    ("MUTABLE_WITH_EXCLUSION", "dev-1-x", True),
]


@pytest.mark.parametrize(("mutability", "tag", "immutable"), IMMUTABLE_TAGS)
def test_exclusions_say_which_tags_can_be_pushed_again(
    client: ECRClient, api: str, mutability: ImageTagMutabilityType, tag: str, *, immutable: bool
) -> None:
    name = new_name()
    client.create_repository(repositoryName=name)
    client.put_image_tag_mutability(
        repositoryName=name,
        imageTagMutability=mutability,
        imageTagMutabilityExclusionFilters=[{"filter": "dev-*-x", "filterType": "WILDCARD"}],
    )
    (told,) = client.describe_repositories(repositoryNames=[name])["repositories"]
    assert told.get("imageTagMutability") == mutability
    push_image(api, name, tag)
    if immutable:
        code, said = refusal(lambda _: push_image(api, name, tag), client)
        assert code == "ImageTagAlreadyExistsException"
        assert f"'{tag}' already exists in the '{name}' repository" in said
    else:
        digest = push_image(api, name, tag)
        (image,) = client.describe_images(repositoryName=name, imageIds=[{"imageTag": tag}])["imageDetails"]
        assert image.get("imageDigest") == digest


def test_an_image_that_is_there_already_is_told_as_such(client: ECRClient, api: str) -> None:
    name, manifest = new_name(), new_manifest()
    client.create_repository(repositoryName=name, imageTagMutability="IMMUTABLE")
    push_image(api, name, "1", manifest)
    code, _ = refusal(lambda _: push_image(api, name, "1", manifest), client)
    assert code == "ImageAlreadyExistsException"


REFUSED_SETTINGS: dict[str, tuple[Call, str]] = {
    "replication to itself": (
        lambda client: client.put_replication_configuration(
            replicationConfiguration={"rules": [{"destinations": [{"region": "us-east-1", "registryId": ACCOUNT}]}]}
        ),
        "cannot be the same as the source registry",
    ),
    "continuous basic scans": (
        lambda client: client.put_registry_scanning_configuration(
            scanType="BASIC",
            rules=[
                {
                    "scanFrequency": "CONTINUOUS_SCAN",
                    "repositoryFilters": [{"filter": "*", "filterType": "WILDCARD"}],
                }
            ],
        ),
        "CONTINUOUS_SCAN is not supported with the scan type BASIC",
    ),
    "a registry policy for other services": (
        lambda client: client.put_registry_policy(policyText=_registry_policy("s3:GetObject")),
        "Invalid registry policy provided",
    ),
    "exclusions without any": (
        lambda client: client.create_repository(
            repositoryName=new_name(), imageTagMutability="IMMUTABLE_WITH_EXCLUSION"
        ),
        "imageTagMutabilityExclusionFilters",
    ),
    "three wildcards": (
        lambda client: client.create_repository(
            repositoryName=new_name(),
            imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
            imageTagMutabilityExclusionFilters=[{"filter": "a*b*c*", "filterType": "WILDCARD"}],
        ),
        "maximum of 2 wildcards",
    ),
}


@pytest.mark.parametrize(("call", "message"), REFUSED_SETTINGS.values(), ids=list(REFUSED_SETTINGS))
def test_settings_that_aws_would_refuse_are_refused(client: ECRClient, call: Call, message: str) -> None:
    code, said = refusal(call, client)
    assert (code, message in said) == ("InvalidParameterException", True), said


def _registry_policy(action: str) -> str:
    statement = {
        "Sid": "import",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": [action],
        "Resource": f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/hub/*",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_registry_policy_may_be_about_every_action_of_ecr(client: ECRClient) -> None:
    client.put_registry_policy(policyText=_registry_policy("ecr:BatchImportUpstreamImage"))
    assert "BatchImportUpstreamImage" in client.get_registry_policy()["policyText"]


def test_a_registry_is_replicated_by_several_rules(client: ECRClient) -> None:
    rules: list[ReplicationRuleOutputTypeDef] = [
        {"destinations": [{"region": region, "registryId": ACCOUNT}]} for region in ("eu-central-1", "eu-west-1")
    ]
    client.put_replication_configuration(replicationConfiguration={"rules": rules})
    assert client.describe_registry()["replicationConfiguration"]["rules"] == rules


def test_a_login_ends_hours_from_now(client: ECRClient) -> None:
    expires = client.get_authorization_token()["authorizationData"][0].get("expiresAt")
    assert expires is not None
    assert expires - datetime.now(UTC) > timedelta(hours=11)


def test_a_preview_tells_what_a_lifecycle_policy_would_expire_and_expires_nothing(client: ECRClient, api: str) -> None:
    name = new_name()
    client.create_repository(repositoryName=name)
    code, _ = refusal(lambda client: client.get_lifecycle_policy_preview(repositoryName=name), client)
    assert code == "LifecyclePolicyPreviewNotFoundException"
    code, _ = refusal(lambda client: client.start_lifecycle_policy_preview(repositoryName=name), client)
    assert code == "LifecyclePolicyNotFoundException"

    digests = [push_image(api, name, f"v{number}") for number in range(5)]
    started = client.start_lifecycle_policy_preview(repositoryName=name, lifecyclePolicyText=RULES)
    assert started["status"] == "IN_PROGRESS"
    client.get_waiter("lifecycle_policy_preview_complete").wait(repositoryName=name)
    preview = client.get_lifecycle_policy_preview(repositoryName=name)
    assert preview["summary"].get("expiringImageTotalCount") == 2
    assert [result.get("imageDigest") for result in preview["previewResults"]] == digests[:2]
    assert preview["previewResults"][0].get("imageTags") == ["v0"]
    assert len(client.describe_images(repositoryName=name)["imageDetails"]) == 5


NOW = datetime(2026, 1, 31, tzinfo=UTC)
IMAGES = [
    PushedImage("old", ("v1", "release"), NOW - timedelta(days=30)),
    PushedImage("lost", (), NOW - timedelta(days=20)),
    PushedImage("middle", ("v2",), NOW - timedelta(days=10)),
    PushedImage("lost too", (), NOW - timedelta(days=2)),
    PushedImage("new", ("v3",), NOW - timedelta(days=1)),
]


def rule(priority: int, count: int, **selection: object) -> dict[str, object]:
    chosen = {"countType": "imageCountMoreThan", "countNumber": count, **selection}
    return {"rulePriority": priority, "selection": chosen, "action": {"type": "expire"}}


EXPIRED: dict[str, tuple[list[dict[str, object]], dict[str, int]]] = {
    "the oldest beyond a number": ([rule(1, 2, tagStatus="any")], {"old": 1, "lost": 1, "middle": 1}),
    "those without a tag": ([rule(1, 1, tagStatus="untagged")], {"lost": 1}),
    "those older than some days": (
        [rule(1, 10, tagStatus="untagged", countType="sinceImagePushed", countUnit="days")],
        {"lost": 1},
    ),
    "those with any tag": ([rule(1, 1, tagStatus="tagged")], {"old": 1, "middle": 1}),
    "those with a prefix": ([rule(1, 2, tagStatus="tagged", tagPrefixList=["v"])], {"old": 1}),
    "those with all of several": ([rule(1, 1, tagStatus="tagged", tagPrefixList=["v", "rel"])], {}),
    "those of a pattern": ([rule(1, 1, tagStatus="tagged", tagPatternList=["v*"])], {"old": 1, "middle": 1}),
    "a rule shields its images from later ones": (
        [rule(2, 1, tagStatus="any"), rule(1, 9999, tagStatus="tagged", tagPrefixList=["v1"])],
        {"lost": 2, "middle": 2, "lost too": 2},
    ),
    "a rule counts what an earlier one expires": (
        [rule(1, 1, tagStatus="untagged"), rule(2, 3, tagStatus="any")],
        {"lost": 1, "old": 2},
    ),
}


@pytest.mark.parametrize(("rules", "expired"), EXPIRED.values(), ids=list(EXPIRED))
def test_a_lifecycle_policy_expires(rules: list[dict[str, object]], expired: dict[str, int]) -> None:
    found = evaluate(json.dumps({"rules": rules}), IMAGES, NOW)
    assert {one.image.digest: one.priority for one in found} == expired
