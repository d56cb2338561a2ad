"""The program's ECR registry by the real engine and the aws plugin, against an API of the tests' own."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .aws_support import ACCOUNT, ENVIRONMENT, PLUGINS, ecr, iam, new_name, new_secret, push_image
from .engine_support import Outcome, Project

if TYPE_CHECKING:
    from types_boto3_ecr.type_defs import RepositoryCreationTemplateTypeDef

ROOT = Path(__file__).resolve().parents[2]
OTHER = "444455556666"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/0b1e2c3d-1111-2222-3333-444455556666"

PROGRAM = """
import os

import pulumi_aws as aws

from components.ecr import EcrRegistry, EcrRegistryArgs

API = os.environ["TEST_API"]
registry = EcrRegistry(
    "registry",
    EcrRegistryArgs(
        host="registry.example",
        prefix=os.environ["TEST_NAME"],
        images=["hasher", "rng"],
        account="123456789012",
        region="us-east-1",
        force_delete=True,
        **SETTINGS,
    ),
    provider=aws.Provider(
        "aws",
        region="us-east-1",
        endpoints=[aws.ProviderEndpointArgs(ecr=API, iam=API, sts=API)],
        default_tags=aws.ProviderDefaultTagsArgs(tags={"project": "dockercoins"}),
    ),
)
registry.clean_up({"hasher": "v1", "rng": "v1"}, after=[])
"""

NewProject = Callable[..., Project]


def program(**settings: object) -> str:
    """The program, with these settings of the registry."""
    return PROGRAM.replace("SETTINGS", repr(settings))


@pytest.fixture
def name() -> str:
    return new_name()


@pytest.fixture
def new_project(tmp_path: Path, api: str, name: str, monkeypatch: pytest.MonkeyPatch) -> NewProject:
    """Makes a project with the registry, by these settings."""
    for variable in [variable for variable in os.environ if variable.startswith("AWS_")]:
        monkeypatch.delenv(variable)
    variables = {**ENVIRONMENT, "TEST_API": api, "TEST_NAME": name, "PYTHONPATH": str(ROOT)}

    def make(**settings: object) -> Project:
        return Project.create(tmp_path, program(**settings), PLUGINS, variables)

    return make


SHARED: dict[str, object] = {
    "may_pull": ["o-a1b2c3d4e5"],
    "may_push": [OTHER],
    "mutable_tags": ["cache"],
}


def test_the_registry_comes_with_its_policies_and_is_then_unchanged(
    new_project: NewProject, api: str, name: str
) -> None:
    project = new_project(**SHARED)
    outcome = project.up()
    assert outcome.succeeded, outcome.output
    for image in ("hasher", "rng"):
        repository = f"{name}/{image}"
        live = ecr(api).describe_repositories(repositoryNames=[repository])["repositories"][0]
        assert live.get("imageTagMutability") == "IMMUTABLE_WITH_EXCLUSION"
        assert live.get("imageTagMutabilityExclusionFilters") == [{"filter": "cache", "filterType": "WILDCARD"}]
        access = json.loads(ecr(api).get_repository_policy(repositoryName=repository)["policyText"])
        assert [statement["Sid"] for statement in access["Statement"]] == ["PullInOrganization", "Push"]
        clean_up = json.loads(ecr(api).get_lifecycle_policy(repositoryName=repository)["lifecyclePolicyText"])
        assert len(clean_up["rules"]) == 4
    assert project.preview("--expect-no-changes").succeeded
    assert project.refresh("--expect-no-changes").succeeded
    assert project.destroy().succeeded


def test_repositories_that_are_there_are_taken_over_with_their_images_and_their_encryption(
    new_project: NewProject, api: str, name: str
) -> None:
    for image in ("hasher", "rng"):
        ecr(api).create_repository(repositoryName=f"{name}/{image}", encryptionConfiguration={"encryptionType": "KMS"})
        push_image(api, f"{name}/{image}", "v0")
    project = new_project(**SHARED, import_existing=True)
    preview = project.preview()
    assert preview.succeeded, preview.output
    assert {op for op in preview.ops().values() if op in ("replace", "delete")} == set()
    outcome = project.up()
    assert outcome.succeeded, outcome.output
    for image in ("hasher", "rng"):
        repository = f"{name}/{image}"
        live = ecr(api).describe_repositories(repositoryNames=[repository])["repositories"][0]
        assert live.get("encryptionConfiguration", {}).get("encryptionType") == "KMS"
        assert live.get("imageTagMutability") == "IMMUTABLE_WITH_EXCLUSION"
        tags = ecr(api).list_tags_for_resource(resourceArn=live.get("repositoryArn", "")).get("tags")
        assert tags == [{"Key": "project", "Value": "dockercoins"}]
        images = ecr(api).list_images(repositoryName=repository)["imageIds"]
        assert [found.get("imageTag") for found in images] == ["v0"]
    assert project.preview("--expect-no-changes").succeeded


def test_a_repository_to_take_over_that_is_not_there_is_told_before_anything_changes(
    new_project: NewProject, api: str, name: str
) -> None:
    ecr(api).create_repository(repositoryName=f"{name}/hasher")
    preview = new_project(**SHARED, import_existing=True).preview()
    assert not preview.succeeded
    assert f"'{name}/rng' does not exist" in preview.output
    assert ACCOUNT in ecr(api).describe_repositories(repositoryNames=[f"{name}/hasher"])["repositories"][0].get(
        "repositoryArn", ""
    )


def everything(api: str) -> dict[str, object]:
    """The settings with which the registry has all that it can have."""
    return {
        **SHARED,
        "kms_key": KEY,
        "replicate_to": ["eu-central-1", f"us-east-1/{OTHER}"],
        "cache": {"docker-hub": new_secret(api), "ecr-public": None},
        "scanning": "enhanced",
        "tags": {"team": "coins"},
        "untagged_days": 3,
        "keep": 20,
    }


def templates(api: str) -> dict[str, RepositoryCreationTemplateTypeDef]:
    """The creation templates by their prefixes."""
    found = ecr(api).describe_repository_creation_templates()["repositoryCreationTemplates"]
    return {template.get("prefix", ""): template for template in found}


def test_a_registry_with_everything_comes_as_it_was_asked_for_and_leaves_nothing(
    new_project: NewProject, api: str, name: str
) -> None:
    settings = everything(api)
    project = new_project(**settings)
    preview = project.preview()
    assert preview.succeeded, preview.output
    outcome = project.up()
    assert outcome.succeeded, outcome.output
    assert {step.op for step in outcome.steps} == {"create"}

    (role,) = iam(api).list_roles()["Roles"]
    assert "ecr.amazonaws.com" in str(role.get("AssumeRolePolicyDocument"))
    tags = iam(api).list_role_tags(RoleName=role["RoleName"])["Tags"]
    assert tags == [{"Key": "project", "Value": "dockercoins"}]
    (policy,) = iam(api).list_role_policies(RoleName=role["RoleName"])["PolicyNames"]
    document = str(iam(api).get_role_policy(RoleName=role["RoleName"], PolicyName=policy)["PolicyDocument"])
    for part in (KEY, "repository/docker-hub/*", "repository/ecr-public/*"):
        assert part in document
    assert set(templates(api)) == {"docker-hub", "ecr-public"}
    for template in templates(api).values():
        assert template.get("customRoleArn") == role["Arn"]
        assert template.get("encryptionConfiguration") == {"encryptionType": "KMS", "kmsKey": KEY}
        assert template.get("resourceTags") == [{"Key": "team", "Value": "coins"}]
        assert json.loads(template.get("lifecyclePolicy", ""))["rules"][0]["selection"]["countNumber"] == 3
        assert OTHER in template.get("repositoryPolicy", "")
    rules = ecr(api).describe_pull_through_cache_rules()["pullThroughCacheRules"]
    assert {rule.get("ecrRepositoryPrefix"): rule.get("upstreamRegistryUrl") for rule in rules} == {
        "docker-hub": "registry-1.docker.io",
        "ecr-public": "public.ecr.aws",
    }
    (replication,) = ecr(api).describe_registry()["replicationConfiguration"]["rules"]
    assert {(to["region"], to["registryId"]) for to in replication["destinations"]} == {
        ("eu-central-1", ACCOUNT),
        ("us-east-1", OTHER),
    }
    scanning = ecr(api).get_registry_scanning_configuration()["scanningConfiguration"]
    assert scanning.get("scanType") == "ENHANCED"
    for image in ("hasher", "rng"):
        live = ecr(api).describe_repositories(repositoryNames=[f"{name}/{image}"])["repositories"][0]
        assert live.get("encryptionConfiguration") == {"encryptionType": "KMS", "kmsKey": KEY}

    assert project.preview("--expect-no-changes").succeeded
    refreshed = project.refresh("--expect-no-changes")
    assert refreshed.succeeded, refreshed.output
    assert project.preview("--expect-no-changes").succeeded

    destroyed = project.destroy()
    assert destroyed.succeeded, destroyed.output
    assert_there_is_nothing_of_the_registry(api)
    assert ecr(api).describe_repositories()["repositories"] == []


def test_everything_of_a_registry_is_changed_in_place_and_taken_away_again(
    new_project: NewProject, api: str, name: str
) -> None:
    settings = everything(api)
    project = new_project(**settings)
    created = project.up()
    assert created.succeeded, created.output
    repository = ecr(api).describe_repositories(repositoryNames=[f"{name}/rng"])["repositories"][0]
    (role,) = iam(api).list_roles()["Roles"]

    secret = new_secret(api)
    project.write(
        program(
            **{
                **settings,
                "may_pull": ["o-a1b2c3d4e5", "777788889999"],
                "mutable_tags": ["cache-*"],
                "replicate_to": ["eu-west-1"],
                "cache": {"docker-hub": secret, "ecr-public": None, "quay": None},
                "tags": {"team": "others"},
                "untagged_days": 9,
                "keep": 5,
            }
        )
    )
    changed = project.up()
    assert changed.succeeded, changed.output
    assert kinds(changed, "create") == {"pullThroughCacheRule", "repositoryCreationTemplate"}
    assert kinds(changed, "replace") == {"lifecyclePolicy"}
    assert kinds(changed, "update") == {
        "pullThroughCacheRule",
        "registryScanningConfiguration",
        "replicationConfiguration",
        "repository",
        "repositoryCreationTemplate",
        "repositoryPolicy",
        "rolePolicy",
    }
    assert kinds(changed, "delete") == set()
    assert set(templates(api)) == {"docker-hub", "ecr-public", "quay"}
    for template in templates(api).values():
        assert template.get("customRoleArn") == role["Arn"]
        assert template.get("resourceTags") == [{"Key": "team", "Value": "others"}]
        assert "777788889999" in template.get("repositoryPolicy", "")
    hub = ecr(api).describe_pull_through_cache_rules(ecrRepositoryPrefixes=["docker-hub"])["pullThroughCacheRules"]
    assert [rule.get("credentialArn") for rule in hub] == [secret]
    assert project.preview("--expect-no-changes").succeeded
    assert project.refresh("--expect-no-changes").succeeded

    # The key stays: without it, the repositories would be made anew.
    project.write(program(kms_key=KEY))
    bare = project.up()
    assert bare.succeeded, bare.output
    assert kinds(bare, "replace") == {"lifecyclePolicy"}
    assert kinds(bare, "update") == {"repository"}
    assert kinds(bare, "delete") == {
        "pullThroughCacheRule",
        "registryScanningConfiguration",
        "replicationConfiguration",
        "repositoryCreationTemplate",
        "repositoryPolicy",
        "role",
        "rolePolicy",
    }
    assert kinds(bare, "create") == set()
    assert_there_is_nothing_of_the_registry(api)
    live = ecr(api).describe_repositories(repositoryNames=[f"{name}/rng"])["repositories"][0]
    assert live.get("createdAt") == repository.get("createdAt")
    assert live.get("imageTagMutability") == "IMMUTABLE"
    client = ecr(api)
    with pytest.raises(client.exceptions.RepositoryPolicyNotFoundException):
        client.get_repository_policy(repositoryName=f"{name}/rng")
    assert project.preview("--expect-no-changes").succeeded
    assert project.refresh("--expect-no-changes").succeeded
    assert project.destroy().succeeded


def kinds(outcome: Outcome, op: str) -> set[str]:
    """The types of AWS, without their modules, of which something had this done to it; components left out."""
    found = (step.type.split(":") for step in outcome.steps if step.op == op)
    return {module.split("/")[1] for package, module, _ in found if package == "aws"}


def assert_there_is_nothing_of_the_registry(api: str) -> None:
    """Neither what belongs to the whole registry, nor a role, is left."""
    assert iam(api).list_roles()["Roles"] == []
    assert templates(api) == {}
    assert ecr(api).describe_pull_through_cache_rules()["pullThroughCacheRules"] == []
    assert ecr(api).describe_registry()["replicationConfiguration"]["rules"] == []
    scanning = ecr(api).get_registry_scanning_configuration()["scanningConfiguration"]
    assert (scanning.get("scanType"), scanning.get("rules")) == ("BASIC", [])
