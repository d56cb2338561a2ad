"""Elastic Container Registry by the aws plugin: through Pulumi's engine, against an API of the tests' own."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.plugins.aws.provider import AwsProvider
from sandbox.plugins.protocol.provider import InvokeRequest, ProviderError
from sandbox.plugins.protocol.values import Properties

from .aws_support import (
    ACCOUNT,
    ENVIRONMENT,
    PLUGINS,
    PRELUDE,
    SECRET_KEY,
    ecr,
    ecr_api,
    new_name,
    push_image,
    refusing_api,
)
from .engine_support import Project

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
REPOSITORY = """
repository = aws.ecr.Repository(
    "repository", name=NAME, image_tag_mutability="IMMUTABLE", tags={"team": "coins"},
    image_scanning_configuration={"scan_on_push": True}, opts=here,
)
"""
LIFECYCLE = """
rules = [{"rulePriority": 1, "selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan",
    "countNumber": 5}, "action": {"type": "expire"}}]
aws.ecr.LifecyclePolicy("lifecycle", repository=repository.name, policy=json.dumps({"rules": rules}), opts=here)
"""
PERMISSIONS = """
statement = {"Sid": "pull", "Effect": "Allow", "Principal": {"AWS": ["123456789012"]},
    "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]}
policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
aws.ecr.RepositoryPolicy("permissions", repository=repository.name, policy=policy, opts=here)
"""

NewProject = Callable[..., Project]


@pytest.fixture(scope="module")
def api() -> Generator[str]:
    with ecr_api() as address:
        yield address


@pytest.fixture
def name() -> str:
    return new_name()


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of this machine's own AWS configuration, only the tests' credentials."""
    for variable in [variable for variable in os.environ if variable.startswith("AWS_")]:
        monkeypatch.delenv(variable)
    for variable, value in ENVIRONMENT.items():
        monkeypatch.setenv(variable, value)


@pytest.fixture
def new_project(tmp_path: Path, api: str, name: str) -> NewProject:
    """Makes a project with this program."""

    def make(program: str, **more: str) -> Project:
        variables = {**ENVIRONMENT, "TEST_API": api, "TEST_NAME": name, **more}
        return Project.create(tmp_path, PRELUDE + program, PLUGINS, variables)

    return make


def test_a_repository_with_its_policies_is_created_and_then_unchanged(
    new_project: NewProject, api: str, name: str
) -> None:
    project = new_project(REPOSITORY + LIFECYCLE + PERMISSIONS)
    preview = project.preview()
    assert preview.succeeded, preview.output
    assert preview.ops() == {"repository": "create", "lifecycle": "create", "permissions": "create"}
    previewed = preview.produced("repository")
    assert (previewed["name"], previewed["tagsAll"]) == (name, {"team": "coins"})
    assert {previewed[key] for key in ("arn", "registryId", "repositoryUrl")} == {UNKNOWN}
    assert not [item for item in ecr(api).describe_repositories()["repositories"] if item.get("repositoryName") == name]

    assert project.up().succeeded
    live = ecr(api).describe_repositories(repositoryNames=[name])["repositories"][0]
    outputs = project.resources()["repository"]["outputs"]
    assert outputs == {
        "arn": live.get("repositoryArn"),
        "encryptionConfigurations": [{"encryptionType": "AES256", "kmsKey": ""}],
        "id": name,
        "imageScanningConfiguration": {"scanOnPush": True},
        "imageTagMutability": "IMMUTABLE",
        "name": name,
        "region": "us-east-1",
        "registryId": ACCOUNT,
        "repositoryUrl": live.get("repositoryUri"),
        "tags": {"team": "coins"},
        "tagsAll": {"team": "coins"},
    }
    assert live.get("imageTagMutability") == "IMMUTABLE"
    assert "untagged" in ecr(api).get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"]
    assert "BatchGetImage" in ecr(api).get_repository_policy(repositoryName=name)["policyText"]

    assert project.preview("--expect-no-changes").succeeded
    assert project.refresh("--expect-no-changes").succeeded
    assert SECRET_KEY not in project.state_text()


def test_mutability_scanning_and_tags_are_changed_in_place(new_project: NewProject, api: str, name: str) -> None:
    project = new_project(REPOSITORY)
    assert project.up().succeeded
    arn = project.resources()["repository"]["outputs"]["arn"]
    project.write(
        PRELUDE
        + REPOSITORY.replace('"IMMUTABLE"', '"MUTABLE"')
        .replace("True", "False")
        .replace('{"team": "coins"}', '{"a": "b"}')
    )
    preview = project.preview()
    assert preview.ops() == {"repository": "update"}
    assert sorted(preview.step("repository").detail) == [
        "imageScanningConfiguration.scanOnPush",
        "imageTagMutability",
        "tags.a",
        "tags.team",
    ]
    assert preview.produced("repository")["arn"] == arn
    assert project.up().ops() == {"repository": "update"}
    live = ecr(api).describe_repositories(repositoryNames=[name])["repositories"][0]
    assert live.get("imageTagMutability") == "MUTABLE"
    assert live.get("imageScanningConfiguration") == {"scanOnPush": False}
    assert ecr(api).list_tags_for_resource(resourceArn=arn).get("tags") == [{"Key": "a", "Value": "b"}]
    assert project.preview("--expect-no-changes").succeeded


def test_another_lifecycle_policy_replaces_the_one_that_is_there(new_project: NewProject, api: str, name: str) -> None:
    project = new_project(REPOSITORY + LIFECYCLE)
    assert project.up().succeeded
    project.write(PRELUDE + REPOSITORY + LIFECYCLE.replace('"countNumber": 5', '"countNumber": 7'))
    outcome = project.up()
    assert outcome.succeeded, outcome.output
    assert outcome.ops() == {"repository": "same", "lifecycle": "replace"}
    assert outcome.step("lifecycle").replaces == ("policy",)
    # The old one is deleted first: after the new one is there, it would take that away.
    stored = json.loads(ecr(api).get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"])
    assert stored["rules"][0]["selection"]["countNumber"] == 7


def test_another_name_or_encryption_replaces_the_repository_and_says_why(new_project: NewProject) -> None:
    project = new_project(REPOSITORY + LIFECYCLE)
    assert project.up().succeeded
    project.write(PRELUDE + REPOSITORY.replace("name=NAME", 'name=NAME + "-2"') + LIFECYCLE)
    renamed = project.preview()
    assert renamed.ops() == {"repository": "replace", "lifecycle": "replace"}
    assert renamed.step("repository").replaces == ("name",)
    assert renamed.step("lifecycle").replaces == ("repository",)

    encrypted = REPOSITORY.replace("tags=", 'encryption_configurations=[{"encryption_type": "KMS"}], tags=')
    project.write(PRELUDE + encrypted + LIFECYCLE)
    outcome = project.up()
    assert outcome.succeeded, outcome.output
    assert outcome.step("repository").replaces == ("encryptionConfigurations[0].encryptionType",)
    encryption = project.resources()["repository"]["outputs"]["encryptionConfigurations"]
    assert encryption[0]["encryptionType"] == "KMS"
    # AWS chose the key. That is what the program wanted, also once a refresh has written it down.
    assert encryption[0]["kmsKey"]
    assert project.refresh().succeeded
    assert project.preview("--expect-no-changes").succeeded


def test_a_policy_written_differently_is_no_change(new_project: NewProject) -> None:
    project = new_project(REPOSITORY + PERMISSIONS)
    assert project.up().succeeded
    project.write(
        PRELUDE
        + REPOSITORY
        + PERMISSIONS.replace('["123456789012"]', '"123456789012"')
        .replace(
            '"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"', '"ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"'
        )
        .replace("[statement]})", "[statement]}, indent=2)")
    )
    assert project.preview("--expect-no-changes").succeeded
    project.write(PRELUDE + REPOSITORY + PERMISSIONS.replace(', "ecr:GetDownloadUrlForLayer"', ""))
    assert project.up().ops() == {"repository": "same", "permissions": "update"}


def test_a_region_that_is_written_out_is_no_change(new_project: NewProject) -> None:
    program = REPOSITORY + LIFECYCLE + PERMISSIONS
    project = new_project(program)
    assert project.up().succeeded
    project.write(PRELUDE + program.replace("opts=here", 'region="us-east-1", opts=here'))
    assert project.preview("--expect-no-changes").succeeded
    project.write(PRELUDE + program.replace("opts=here", 'region="us-east-2", opts=here'))
    moved = project.preview()
    assert moved.ops() == {"repository": "replace", "lifecycle": "replace", "permissions": "replace"}
    assert moved.step("repository").replaces == ("region",)


def test_tags_that_are_excepted_from_immutability_are_changed_in_place(
    new_project: NewProject, api: str, name: str
) -> None:
    project = new_project(REPOSITORY)
    assert project.up().succeeded
    excepting = REPOSITORY.replace(
        '"IMMUTABLE"',
        '"IMMUTABLE_WITH_EXCLUSION", image_tag_mutability_exclusion_filters=['
        '{"filter": "latest", "filter_type": "WILDCARD"}, {"filter": "dev-*", "filter_type": "WILDCARD"}]',
    )
    project.write(PRELUDE + excepting)
    outcome = project.up()
    assert outcome.ops() == {"repository": "update"}, outcome.output
    assert sorted(outcome.step("repository").detail) == ["imageTagMutability", "imageTagMutabilityExclusionFilters"]
    filters = [{"filter": "latest", "filterType": "WILDCARD"}, {"filter": "dev-*", "filterType": "WILDCARD"}]
    assert project.resources()["repository"]["outputs"]["imageTagMutabilityExclusionFilters"] == filters
    (live,) = ecr(api).describe_repositories(repositoryNames=[name])["repositories"]
    assert live.get("imageTagMutabilityExclusionFilters") == filters
    assert project.preview("--expect-no-changes").succeeded

    ecr(api).put_image_tag_mutability(
        repositoryName=name,
        imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=[{"filter": "*", "filterType": "WILDCARD"}],
    )
    assert project.refresh().succeeded
    repaired = project.up()
    assert sorted(repaired.step("repository").detail) == [
        "imageTagMutabilityExclusionFilters[0].filter",
        "imageTagMutabilityExclusionFilters[1]",
    ]
    project.write(PRELUDE + REPOSITORY)
    assert project.up().ops() == {"repository": "update"}
    (live,) = ecr(api).describe_repositories(repositoryNames=[name])["repositories"]
    assert (live.get("imageTagMutability"), live.get("imageTagMutabilityExclusionFilters")) == ("IMMUTABLE", None)


def test_default_tags_are_merged_and_those_of_the_resource_win(new_project: NewProject, api: str) -> None:
    project = new_project(
        REPOSITORY.replace(
            "opts=here",
            "opts=pulumi.ResourceOptions(provider=provider('tagging', "
            "default_tags={'tags': {'team': 'all', 'stack': 'test'}}))",
        )
    )
    assert project.up().succeeded
    outputs = project.resources()["repository"]["outputs"]
    assert outputs["tagsAll"] == {"team": "coins", "stack": "test"}
    listed = ecr(api).list_tags_for_resource(resourceArn=outputs["arn"]).get("tags", [])
    assert {tag["Key"]: tag["Value"] for tag in listed} == outputs["tagsAll"]
    assert project.preview("--expect-no-changes").succeeded


def test_a_name_that_is_left_out_is_made_once(new_project: NewProject) -> None:
    project = new_project('aws.ecr.Repository("auto", opts=here)')
    assert project.up().succeeded
    name = project.resources()["auto"]["id"]
    assert name.startswith("auto-")
    assert project.up().ops() == {"auto": "same"}
    assert project.resources()["auto"]["id"] == name


def test_refresh_finds_drift_and_up_undoes_it(new_project: NewProject, api: str, name: str) -> None:
    project = new_project(REPOSITORY + LIFECYCLE)
    assert project.up().succeeded
    arn = project.resources()["repository"]["outputs"]["arn"]
    ecr(api).put_image_tag_mutability(repositoryName=name, imageTagMutability="MUTABLE")
    ecr(api).tag_resource(resourceArn=arn, tags=[{"Key": "stray", "Value": "1"}])
    ecr(api).delete_lifecycle_policy(repositoryName=name)
    assert not project.refresh("--expect-no-changes").succeeded
    assert project.refresh().succeeded
    assert project.resources()["repository"]["outputs"]["imageTagMutability"] == "MUTABLE"
    assert "lifecycle" not in project.resources()

    repaired = project.up()
    assert repaired.ops() == {"repository": "update", "lifecycle": "create"}
    assert sorted(repaired.step("repository").detail) == ["imageTagMutability", "tags.stray"]
    live = ecr(api).describe_repositories(repositoryNames=[name])["repositories"][0]
    assert live.get("imageTagMutability") == "IMMUTABLE"
    assert ecr(api).list_tags_for_resource(resourceArn=arn).get("tags") == [{"Key": "team", "Value": "coins"}]


def test_a_repository_that_is_gone_is_made_again_after_a_refresh(new_project: NewProject, api: str, name: str) -> None:
    project = new_project(REPOSITORY)
    assert project.up().succeeded
    ecr(api).delete_repository(repositoryName=name)
    assert project.refresh().succeeded
    assert project.resources() == {}
    assert project.up().ops() == {"repository": "create"}


def test_a_repository_is_imported_by_its_name_and_then_unchanged(new_project: NewProject, api: str, name: str) -> None:
    ecr(api).create_repository(
        repositoryName=name,
        imageTagMutability="IMMUTABLE",
        imageScanningConfiguration={"scanOnPush": True},
        tags=[{"Key": "team", "Value": "coins"}],
    )
    imported = new_project(
        REPOSITORY.replace("opts=here", "opts=pulumi.ResourceOptions.merge(here, pulumi.ResourceOptions(import_=NAME))")
    )
    outcome = imported.up()
    assert outcome.succeeded, outcome.output
    assert outcome.ops() == {"repository": "import"}
    assert imported.preview("--expect-no-changes").succeeded


def test_an_import_on_the_command_line(new_project: NewProject, api: str, name: str) -> None:
    ecr(api).create_repository(repositoryName=name)
    project = new_project("")
    assert project.up().succeeded
    provider = next(
        item["urn"] for item in project.export()["deployment"]["resources"] if "providers:aws" in item["urn"]
    )
    outcome = project.import_("aws:ecr/repository:Repository", "found", name, "--provider", f"provider={provider}")
    assert outcome.succeeded, outcome.output
    assert project.resources()["found"]["outputs"]["repositoryUrl"].endswith(name)
    missing = project.import_(
        "aws:ecr/repository:Repository", "lost", f"{name}-2", "--provider", f"provider={provider}"
    )
    assert "does not exist" in missing.errors


def test_a_repository_that_exists_already_is_told_with_the_way_to_import_it(
    new_project: NewProject, api: str, name: str
) -> None:
    ecr(api).create_repository(repositoryName=name)
    outcome = new_project(REPOSITORY).up()
    assert (
        f"creating the ECR repository {name}: it exists already in account {ACCOUNT}, region us-east-1; "
        f"to manage it here: pulumi import aws:ecr/repository:Repository repository {name}"
    ) in outcome.errors


def test_a_repository_with_images_is_deleted_only_when_forced(new_project: NewProject, api: str, name: str) -> None:
    project = new_project(REPOSITORY)
    assert project.up().succeeded
    push_image(api, name, "1")
    refused = project.destroy()
    assert not refused.succeeded
    assert f"deleting the ECR repository {name}: it still holds images" in refused.errors
    assert "set forceDelete to true on repository" in refused.errors

    project.write(PRELUDE + REPOSITORY.replace("tags=", "force_delete=True, tags="))
    assert project.up().ops() == {"repository": "update"}
    assert project.destroy().succeeded
    assert not [item for item in ecr(api).describe_repositories()["repositories"] if item.get("repositoryName") == name]


def test_the_login_for_the_registry_is_a_secret(new_project: NewProject) -> None:
    project = new_project(
        """
token = aws.ecr.get_authorization_token_output(opts=pulumi.InvokeOptions(provider=here.provider))
pulumi.export("user", token.user_name)
pulumi.export("password", token.password)
pulumi.export("endpoint", token.proxy_endpoint)
"""
    )
    outcome = project.up()
    assert outcome.succeeded, outcome.output
    outputs = project.outputs()
    assert (outputs["user"], outputs["password"]) == ("AWS", f"{ACCOUNT}-auth-token")
    assert outputs["endpoint"].startswith(f"https://{ACCOUNT}.dkr.ecr.us-east-1.")
    assert outputs["password"] not in project.state_text()
    assert outputs["password"] not in outcome.output


def test_functions_tell_who_and_where_one_is_and_what_is_in_a_repository(
    new_project: NewProject, api: str, name: str
) -> None:
    ecr(api).create_repository(repositoryName=name, tags=[{"Key": "a", "Value": "b"}])
    digest = push_image(api, name, "1")
    project = new_project(
        """
io = pulumi.InvokeOptions(provider=here.provider)
identity, region, partition = (f(opts=io) for f in (aws.get_caller_identity, aws.get_region, aws.get_partition))
repository = aws.ecr.get_repository(name=NAME, opts=io)
image = aws.ecr.get_image(repository_name=NAME, image_tag="1", opts=io)
pulumi.export("all", {
    "account": identity.account_id, "arn": identity.arn, "region": region.region, "description": region.description,
    "endpoint": region.endpoint, "partition": partition.partition, "suffix": partition.dns_suffix,
    "url": repository.repository_url, "tags": repository.tags, "recent": repository.most_recent_image_tags,
    "digest": image.image_digest, "uri": image.image_uri,
})
"""
    )
    outcome = project.up()
    assert outcome.succeeded, outcome.output
    url = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/{name}"
    told = project.outputs()["all"]
    assert told.pop("arn").startswith(f"arn:aws:sts::{ACCOUNT}:")
    assert told == {
        "account": ACCOUNT,
        "region": "us-east-1",
        "description": "US East (N. Virginia)",
        "endpoint": "ec2.us-east-1.amazonaws.com",
        "partition": "aws",
        "suffix": "amazonaws.com",
        "url": url,
        "tags": {"a": "b"},
        "recent": ["1"],
        "digest": digest,
        "uri": f"{url}@{digest}",
    }
    missing = new_name()
    project.write(
        PRELUDE + f'aws.ecr.get_repository(name="{missing}", opts=pulumi.InvokeOptions(provider=here.provider))'
    )
    failed = project.preview()
    expected = f"reading the ECR repository {missing}: there is none in account {ACCOUNT}, region us-east-1"
    assert expected in failed.output


def test_the_wrong_account_is_told_before_anything_is_created(new_project: NewProject) -> None:
    wrong = "provider('wrong', allowed_account_ids=['111111111111'])"
    outcome = new_project(REPOSITORY.replace("opts=here", f"opts=pulumi.ResourceOptions(provider={wrong})")).up()
    assert (
        f"the credentials belong to account {ACCOUNT}, and only 111111111111 is allowed (allowedAccountIds)"
    ) in outcome.errors
    assert "Traceback" not in outcome.errors


CONFIGURATIONS: dict[str, tuple[Properties, str]] = {
    "a forbidden account": ({"forbiddenAccountIds": f'["{ACCOUNT}"]'}, "which forbiddenAccountIds names"),
    "accounts that may not be asked for": (
        {"allowedAccountIds": f'["{ACCOUNT}"]', "skipRequestingAccountId": "true"},
        "skipRequestingAccountId forbids to ask for it",
    ),
    "an endpoint that is not up": (
        {"endpoints": '[{"sts": "http://127.0.0.1:1"}]', "maxRetries": "0"},
        'Could not connect to the endpoint URL: "http://127.0.0.1:1/"; is the endpoint right, and is it up?',
    ),
    "a profile that is not there": ({"profile": "nobody"}, "The config profile (nobody) could not be found"),
    "no region": ({"region": None}, "no region is set; set one: pulumi config set aws:region"),
}


@pytest.mark.parametrize(("change", "message"), CONFIGURATIONS.values(), ids=list(CONFIGURATIONS))
def test_a_configuration_that_leads_to_no_account_is_told_in_one_line(
    api: str, clean_environment: None, change: Properties, message: str
) -> None:
    inputs: Properties = {"region": "us-east-1", "endpoints": f'[{{"sts": "{api}"}}]', **change}
    with pytest.raises(ProviderError) as caught:
        AwsProvider().configure(inputs)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_credentials_the_ways_to_give_them_are_told(
    api: str, clean_environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(ProviderError, match="no AWS credentials were found; set a profile"):
        AwsProvider().configure({"region": "us-east-1", "endpoints": f'[{{"sts": "{api}"}}]'})


REFUSED: dict[str, tuple[str, str, str]] = {
    "credentials that have ended": (
        "ExpiredToken",
        "The security token included in the request is expired",
        "AWS refuses the credentials: The security token included in the request is expired (ExpiredToken); "
        "log in again: aws sso login, or take new keys of the session",
    ),
    "an access key that is none": (
        "InvalidClientTokenId",
        "The security token included in the request is invalid.",
        "(InvalidClientTokenId); check the access key",
    ),
    "a secret key that is wrong": (
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match",
        "(SignatureDoesNotMatch); check the secret key",
    ),
    "somebody who may not ask": ("AccessDenied", "no", "not allowed: no (AccessDenied)"),
}


@pytest.mark.parametrize(("code", "said", "told"), REFUSED.values(), ids=list(REFUSED))
def test_credentials_that_are_refused_are_told_with_what_to_do(
    clean_environment: None, code: str, said: str, told: str
) -> None:
    with refusing_api(code, said) as api:
        inputs: Properties = {"region": "us-east-1", "endpoints": f'[{{"sts": "{api}"}}]'}
        with pytest.raises(ProviderError) as configuring:
            AwsProvider().configure(inputs)
        provider = AwsProvider()
        provider.configure({**inputs, "skipCredentialsValidation": "true", "skipRequestingAccountId": "true"})
        token = "aws:index/getCallerIdentity:getCallerIdentity"
        with pytest.raises(ProviderError) as asking:
            provider.invoke(InvokeRequest(token, {}, preview=False, cancelled=provider.cancelled))
    for error in (str(configuring.value), str(asking.value)):
        assert told in error
        assert "asking who the credentials belong to" in error
        assert "\n" not in error


def test_a_program_that_asks_who_it_is_learns_why_it_cannot_know(new_project: NewProject) -> None:
    program = """
io = pulumi.InvokeOptions(provider=provider("asked", max_retries=0))
pulumi.export("account", aws.get_caller_identity(opts=io).account_id)
"""
    project = new_project(program)
    assert project.up().succeeded
    assert project.outputs()["account"] == ACCOUNT
    with refusing_api("ExpiredToken", "it is expired") as expired:
        project.write(PRELUDE.replace('os.environ["TEST_API"]', repr(expired)) + program)
        assert "AWS refuses the credentials: it is expired (ExpiredToken); log in again" in project.preview().output
    project.write(PRELUDE.replace('os.environ["TEST_API"]', '"http://127.0.0.1:1"') + program)
    assert "is the endpoint right, and is it up?" in project.preview().output
    nobody = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "true"}
    project.write(PRELUDE + program)
    output = replace(project, environment={**project.environment, **nobody}).preview().output
    assert "no AWS credentials were found; set a profile" in output


def test_a_role_is_assumed(api: str, clean_environment: None) -> None:
    provider = AwsProvider()
    role = "arn:aws:iam::999999999999:role/deploy"
    provider.configure(
        {
            "region": "us-east-1",
            "endpoints": f'[{{"sts": "{api}", "ecr": "{api}"}}]',
            "assumeRoles": f'[{{"roleArn": "{role}", "sessionName": "test"}}]',
            "allowedAccountIds": '["999999999999"]',
        }
    )
    token = "aws:index/getCallerIdentity:getCallerIdentity"
    identity = provider.invoke(InvokeRequest(token, {}, preview=False, cancelled=provider.cancelled)).value
    assert identity["arn"] == "arn:aws:sts::999999999999:assumed-role/deploy/test"


def test_mistakes_in_the_inputs_are_told_by_their_key(new_project: NewProject) -> None:
    outcome = new_project(
        REPOSITORY.replace("name=NAME", "name='Team/App'").replace('"IMMUTABLE"', '"FIXED"')
    ).preview()
    assert "name: expected 2 to 256 lower case letters" in outcome.errors
    assert "imageTagMutability: expected MUTABLE, IMMUTABLE" in outcome.errors
    assert "received 'FIXED'" in outcome.errors


def test_a_function_that_is_not_served_is_refused_by_name(new_project: NewProject) -> None:
    program = "aws.get_availability_zones(opts=pulumi.InvokeOptions(provider=here.provider))"
    refused = "aws:index/getAvailabilityZones:getAvailabilityZones is not served by this stand-in for the aws plugin"
    assert refused in new_project(program).preview().output
