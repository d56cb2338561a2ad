"""The program's ECR registry by the real engine and the aws plugin, against an API of the tests' own."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from .aws_support import ACCOUNT, ENVIRONMENT, PLUGINS, ecr, ecr_api, new_name, push_image
from .engine_support import Project

ROOT = Path(__file__).resolve().parents[2]
OTHER = "444455556666"

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
        may_pull=["o-a1b2c3d4e5"],
        may_push=["444455556666"],
        mutable_tags=["cache"],
        force_delete=True,
        import_existing=IMPORT,
    ),
    provider=aws.Provider(
        "aws",
        region="us-east-1",
        endpoints=[aws.ProviderEndpointArgs(ecr=API, sts=API)],
        default_tags=aws.ProviderDefaultTagsArgs(tags={"project": "dockercoins"}),
    ),
)
registry.clean_up({"hasher": "v1", "rng": "v1"}, after=[])
"""

NewProject = Callable[[bool], Project]


@pytest.fixture(scope="module")
def api() -> Generator[str]:
    with ecr_api() as address:
        yield address


@pytest.fixture
def name() -> str:
    return new_name()


@pytest.fixture
def new_project(tmp_path: Path, api: str, name: str, monkeypatch: pytest.MonkeyPatch) -> NewProject:
    """Makes a project with the registry, which takes over what is there or does not."""
    for variable in [variable for variable in os.environ if variable.startswith("AWS_")]:
        monkeypatch.delenv(variable)
    variables = {**ENVIRONMENT, "TEST_API": api, "TEST_NAME": name, "PYTHONPATH": str(ROOT)}
    return lambda takes_over: Project.create(tmp_path, PROGRAM.replace("IMPORT", str(takes_over)), PLUGINS, variables)


def test_the_registry_comes_with_its_policies_and_is_then_unchanged(
    new_project: NewProject, api: str, name: str
) -> None:
    project = new_project(False)
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
    project = new_project(True)
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
    preview = new_project(True).preview()
    assert not preview.succeeded
    assert f"'{name}/rng' does not exist" in preview.output
    assert ACCOUNT in ecr(api).describe_repositories(repositoryNames=[f"{name}/hasher"])["repositories"][0].get(
        "repositoryArn", ""
    )
