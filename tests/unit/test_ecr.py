"""What the registry declares, as its inputs, and as the requests that they become at ECR's API."""

import json
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes
import pytest
from pulumi.runtime import mocks

from components.ecr import EcrRegistry, EcrRegistryArgs
from components.ecr_cache import UpstreamError
from components.ecr_lifecycle_evaluator import read_rules
from components.ecr_policies import PrincipalError
from components.ecr_pull_through import PullThroughCacheArgs
from components.ecr_replication import DestinationError
from components.ecr_tag_filters import TagFilterError
from components.microservice import HttpChecks, Microservice, MicroserviceArgs
from tests.unit.ecr_api import policy_problems, repository_policy_problems, request_problems
from tests.unit.recording import Recorder, run
from tests.unit.stacks import project

REPOSITORY = "aws:ecr/repository:Repository"
CLEAN_UP = "aws:ecr/lifecyclePolicy:LifecyclePolicy"
ACCESS = "aws:ecr/repositoryPolicy:RepositoryPolicy"
REPLICATION = "aws:ecr/replicationConfiguration:ReplicationConfiguration"
SCANNING = "aws:ecr/registryScanningConfiguration:RegistryScanningConfiguration"
RULE = "aws:ecr/pullThroughCacheRule:PullThroughCacheRule"
TEMPLATE = "aws:ecr/repositoryCreationTemplate:RepositoryCreationTemplate"
ROLE = "aws:iam/role:Role"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"

ACCOUNT, OTHER, REGION = "111122223333", "444455556666", "eu-west-1"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:ecr-pullthroughcache/docker-hub-AbCdEf"
TAGS = {"project": "dockercoins", "stack": "prod"}
FULL: dict[str, Any] = {
    "may_pull": ["o-a1b2c3d4e5"],
    "may_push": [OTHER],
    "replicate_to": ["us-east-1", f"{REGION}/{OTHER}"],
    "cache": {"docker-hub": SECRET, "quay": None},
    "scanning": "enhanced",
    "mutable_tags": ["cache", "cache-*"],
    "kms_key": KEY,
    "tags": TAGS,
}


class AwsRecorder(Recorder):
    """Gives roles their ARNs, as the provider does once they are there."""

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        identity, state = super().new_resource(args)
        if args.typ == ROLE and not pulumi.runtime.is_dry_run():
            state["arn"] = f"arn:aws:iam::{ACCOUNT}:role/{args.name}"
        return identity, state


@pytest.fixture(autouse=True)
def _in_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project(tmp_path))


def registry(**changes: Any) -> EcrRegistry:
    arguments: dict[str, Any] = {
        "host": "r.example",
        "prefix": "coins",
        "images": ["rng", "hasher"],
        "account": ACCOUNT,
        "region": REGION,
        **changes,
    }
    return EcrRegistry("registry", EcrRegistryArgs(**arguments), provider=aws.Provider("aws", region=REGION))


def recorded(*, preview: bool = False, **changes: Any) -> Recorder:
    return run(lambda: registry(**changes), preview=preview, recorder=AwsRecorder())


def inputs(typ: str, name: str = "registry", **changes: Any) -> dict[str, Any]:
    return recorded(**changes).of_type(typ)[name]


def depends_on(recorder: Recorder, typ: str, name: str) -> set[str]:
    return {urn.rpartition("::")[2] for urn in recorder.request(typ, name).dependencies}


# --- The repositories ---


@pytest.mark.parametrize("preview", [False, True])
def test_each_image_has_a_repository_that_is_immutable_scanned_and_encrypted(preview: bool) -> None:
    repositories = recorded(preview=preview).of_type(REPOSITORY)
    assert {found["name"] for found in repositories.values()} == {"coins/rng", "coins/hasher"}
    for found in repositories.values():
        assert found["imageTagMutability"] == "IMMUTABLE"
        assert "imageTagMutabilityExclusionFilters" not in found
        assert found["imageScanningConfiguration"] == {"scanOnPush": True}
        assert found["encryptionConfigurations"] == [{"encryptionType": "AES256"}]


def test_repositories_and_a_login_are_all_that_is_declared_unless_more_is_asked_for() -> None:
    custom = {record.typ for record in recorded().resources if record.custom}
    assert custom == {"pulumi:providers:aws", REPOSITORY}


def test_repositories_keep_their_images_unless_told_otherwise() -> None:
    assert {found["forceDelete"] for found in recorded().of_type(REPOSITORY).values()} == {False}
    assert {found["forceDelete"] for found in recorded(force_delete=True).of_type(REPOSITORY).values()} == {True}


def test_a_key_of_ones_own_encrypts() -> None:
    found = inputs(REPOSITORY, "registry-rng", kms_key=KEY)
    assert found["encryptionConfigurations"] == [{"encryptionType": "KMS", "kmsKey": KEY}]


@pytest.mark.parametrize("preview", [False, True])
def test_mutable_tags_are_excluded_and_all_others_stay_immutable(preview: bool) -> None:
    found = inputs(REPOSITORY, "registry-rng", mutable_tags=["cache-*", "cache", "cache"], preview=preview)
    assert found["imageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
    assert found["imageTagMutabilityExclusionFilters"] == [
        {"filter": "cache", "filterType": "WILDCARD"},
        {"filter": "cache-*", "filterType": "WILDCARD"},
    ]


@pytest.mark.parametrize("preview", [False, True])
def test_repositories_that_are_there_already_are_taken_over_by_their_names(preview: bool) -> None:
    recorder = recorded(import_existing=True, preview=preview)
    request = recorder.request(REPOSITORY, "registry-rng")
    assert request.importId == "coins/rng"
    # Another encryption would replace the repository, and all of its images with it.
    assert list(request.ignoreChanges) == ["encryptionConfigurations"]


def test_nothing_is_taken_over_unless_asked_for() -> None:
    request = recorded().request(REPOSITORY, "registry-rng")
    assert request.importId == ""
    assert list(request.ignoreChanges) == []


def test_the_login_comes_from_the_account_of_the_provider_and_its_password_is_secret() -> None:
    seen: list[bool] = []

    def program() -> None:
        login = registry()
        pulumi.export("password", login.password)
        pulumi.export("username", login.username)

        async def look() -> None:
            seen.append(await login.password.is_secret())

        login.password.apply(lambda _: look())

    recorder = run(program)
    (call,) = recorder.calls
    assert "aws" in call.provider
    assert recorder.outputs["username"] == "AWS"
    assert seen == [True]


# --- Who is let in ---


@pytest.mark.parametrize("preview", [False, True])
def test_every_repository_lets_in_who_is_named(preview: bool) -> None:
    policies = recorded(may_pull=["o-a1b2c3d4e5"], may_push=[OTHER], preview=preview).of_type(ACCESS)
    assert set(policies) == {"registry-rng", "registry-hasher"}
    for name, found in policies.items():
        assert found["repository"] == f"coins/{name.removeprefix('registry-')}"
        assert repository_policy_problems(found["policy"]) == []
        allowed = {statement["Sid"]: statement for statement in json.loads(found["policy"])["Statement"]}
        assert allowed["Push"]["Principal"] == {"AWS": [f"arn:aws:iam::{OTHER}:root"]}
        assert "ecr:PutImage" in allowed["Push"]["Action"]
        assert "ecr:PutImage" not in allowed["PullInOrganization"]["Action"]


def test_a_policy_is_in_the_partition_of_the_registry() -> None:
    found = inputs(ACCESS, "registry-rng", may_pull=[OTHER], region="cn-north-1")
    assert f"arn:aws-cn:iam::{OTHER}:root" in found["policy"]


# --- Replication ---


@pytest.mark.parametrize("preview", [False, True])
def test_images_under_the_prefix_are_copied_to_each_destination(preview: bool) -> None:
    found = inputs(REPLICATION, replicate_to=["us-east-1", f"{REGION}/{OTHER}"], preview=preview)
    assert found["replicationConfiguration"]["rules"] == [
        {
            "destinations": [
                {"region": REGION, "registryId": OTHER},
                {"region": "us-east-1", "registryId": ACCOUNT},
            ],
            "repositoryFilters": [{"filter": "coins/", "filterType": "PREFIX_MATCH"}],
        }
    ]


# --- Scanning ---


@pytest.mark.parametrize("preview", [False, True])
@pytest.mark.parametrize(("scanning", "on_push"), [("off", False), ("basic", True), ("enhanced", True)])
def test_scanning_is_of_each_repository_unless_it_is_enhanced(scanning: str, on_push: bool, preview: bool) -> None:
    recorder = recorded(scanning=scanning, preview=preview)
    for found in recorder.of_type(REPOSITORY).values():
        assert found["imageScanningConfiguration"] == {"scanOnPush": on_push}
    assert set(recorder.of_type(SCANNING)) == ({"registry"} if scanning == "enhanced" else set())


def test_enhanced_scanning_goes_on_and_takes_in_what_is_cached() -> None:
    found = inputs(SCANNING, scanning="enhanced", cache={"quay": None})
    assert found["scanType"] == "ENHANCED"
    assert found["rules"] == [
        {
            "scanFrequency": "CONTINUOUS_SCAN",
            "repositoryFilters": [
                {"filter": "coins/*", "filterType": "WILDCARD"},
                {"filter": "quay/*", "filterType": "WILDCARD"},
            ],
        }
    ]


# --- The pull-through cache ---


@pytest.mark.parametrize("preview", [False, True])
def test_each_upstream_has_a_rule_with_its_credential(preview: bool) -> None:
    recorder = recorded(cache={"docker-hub": SECRET, "quay": None}, preview=preview)
    assert recorder.of_type(RULE) == {
        "registry-cache-docker-hub": {
            "ecrRepositoryPrefix": "docker-hub",
            "upstreamRegistryUrl": "registry-1.docker.io",
            "credentialArn": SECRET,
        },
        "registry-cache-quay": {"ecrRepositoryPrefix": "quay", "upstreamRegistryUrl": "quay.io"},
    }


@pytest.mark.parametrize("preview", [False, True])
def test_what_is_cached_is_encrypted_cleaned_up_tagged_and_open_to_who_may_pull(preview: bool) -> None:
    recorder = recorded(
        cache={"quay": None}, kms_key=KEY, tags=TAGS, keep=5, untagged_days=3, may_pull=[OTHER], preview=preview
    )
    found = recorder.of_type(TEMPLATE)["registry-cache-quay"]
    assert found["prefix"] == "quay"
    assert found["appliedFors"] == ["PULL_THROUGH_CACHE"]
    # A tag changes when that of the upstream does.
    assert found["imageTagMutability"] == "MUTABLE"
    assert found["encryptionConfigurations"] == [{"encryptionType": "KMS", "kmsKey": KEY}]
    assert found["resourceTags"] == TAGS
    assert [rule.count for rule in read_rules(found["lifecyclePolicy"])] == [3, 5]
    assert repository_policy_problems(found["repositoryPolicy"]) == []
    assert "ecr:BatchImportUpstreamImage" in found["repositoryPolicy"]
    if not preview:
        assert found["customRoleArn"] == f"arn:aws:iam::{ACCOUNT}:role/registry-cache"


def test_who_may_push_may_pull_what_is_cached() -> None:
    found = inputs(TEMPLATE, "registry-cache-quay", cache={"quay": None}, may_push=[OTHER])
    (statement,) = json.loads(found["repositoryPolicy"])["Statement"]
    assert statement["Principal"] == {"AWS": [f"arn:aws:iam::{OTHER}:root"]}
    assert "ecr:PutImage" not in statement["Action"]


def test_without_tags_and_key_there_is_no_role_and_ecr_encrypts() -> None:
    recorder = recorded(cache={"quay": None})
    found = recorder.of_type(TEMPLATE)["registry-cache-quay"]
    assert found["encryptionConfigurations"] == [{"encryptionType": "AES256"}]
    assert {"customRoleArn", "resourceTags", "repositoryPolicy"} & set(found) == set()
    assert recorder.of_type(ROLE) == recorder.of_type(ROLE_POLICY) == {}


@pytest.mark.parametrize("more", [{"tags": TAGS}, {"kms_key": KEY}])
def test_tags_or_a_key_need_a_role_that_ecr_alone_takes_on(more: dict[str, Any]) -> None:
    recorder = recorded(cache={"quay": None}, **more)
    trust, policy = recorder.of_type(ROLE)["registry-cache"], recorder.of_type(ROLE_POLICY)["registry-cache"]
    properties = {
        "AssumeRolePolicyDocument": json.loads(trust["assumeRolePolicy"]),
        "Policies": [{"PolicyName": "cache", "PolicyDocument": json.loads(policy["policy"])}],
    }
    assert policy_problems("AWS::IAM::Role", properties) == []
    assert policy["role"] == "registry-cache-id"
    assert f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/quay/*" in policy["policy"]
    assert ("kms:CreateGrant" in policy["policy"]) == ("kms_key" in more)


def test_a_rule_comes_after_its_template_and_that_after_what_its_role_may_do() -> None:
    recorder = recorded(cache={"quay": None}, tags=TAGS)
    assert "registry-cache-quay" in depends_on(recorder, RULE, "registry-cache-quay")
    template_after = list(recorder.request(TEMPLATE, "registry-cache-quay").dependencies)
    assert [urn for urn in template_after if f"{ROLE_POLICY}::registry-cache" in urn]
    for typ in (RULE, TEMPLATE):
        assert recorder.request(typ, "registry-cache-quay").deleteBeforeReplace


def test_others_can_wait_for_a_rule_and_know_the_names_in_the_cache() -> None:
    seen: list[tuple[set[str], str, str]] = []

    def program() -> None:
        found = registry(cache={"quay": None})
        seen.append((set(found.cache_rules), found.cached("quay.io/a/b:1"), found.cached("redis:8")))

    run(program)
    assert seen == [({"quay"}, "r.example/quay/a/b:1", "redis:8")]


# --- The clean-up ---


def test_the_clean_up_shields_what_is_deployed_and_waits_for_it() -> None:
    def program() -> None:
        arguments = MicroserviceArgs(namespace="ns", image="i", checks=HttpChecks(1))
        service = Microservice("two", arguments, provider=kubernetes.Provider("other", kubeconfig="{}"))
        deployed = {"rng": "tag-of-rng", "hasher": "tag-of-hasher"}
        registry(keep=7, untagged_days=2, mutable_tags=["cache"]).clean_up(deployed, after=[service.deployment])

    recorder = run(program)
    policies = recorder.of_type(CLEAN_UP)
    assert set(policies) == {"registry-rng", "registry-hasher"}
    rules = json.loads(policies["registry-rng"]["policy"])["rules"]
    assert rules[0]["selection"]["tagPrefixList"] == ["tag-of-rng"]
    assert rules[1]["selection"]["tagPatternList"] == ["cache"]
    assert [rule["selection"]["countNumber"] for rule in rules[2:]] == [2, 7]
    assert {"two", "registry-rng"} <= depends_on(recorder, CLEAN_UP, "registry-rng")


# --- All of it ---


def requests(recorder: Recorder) -> list[tuple[str, dict[str, Any]]]:
    """What the provider asks of ECR's API for each resource."""
    made: list[tuple[str, dict[str, Any]]] = []
    for found in recorder.of_type(REPOSITORY).values():
        request = {
            "repositoryName": found["name"],
            "imageTagMutability": found["imageTagMutability"],
            "imageTagMutabilityExclusionFilters": found["imageTagMutabilityExclusionFilters"],
            "imageScanningConfiguration": found["imageScanningConfiguration"],
            "encryptionConfiguration": found["encryptionConfigurations"][0],
        }
        made.append(("CreateRepository", request))
    for typ, operation, key in (
        (ACCESS, "SetRepositoryPolicy", "policyText"),
        (CLEAN_UP, "PutLifecyclePolicy", "lifecyclePolicyText"),
    ):
        found_policies = recorder.of_type(typ).values()
        made += [(operation, {"repositoryName": found["repository"], key: found["policy"]}) for found in found_policies]
    made += [("PutReplicationConfiguration", found) for found in recorder.of_type(REPLICATION).values()]
    made += [("PutRegistryScanningConfiguration", found) for found in recorder.of_type(SCANNING).values()]
    made += [("CreatePullThroughCacheRule", found) for found in recorder.of_type(RULE).values()]
    for found in recorder.of_type(TEMPLATE).values():
        request = {key: value for key, value in found.items() if key in ("prefix", "description", "customRoleArn")}
        request |= {
            "appliedFor": found["appliedFors"],
            "encryptionConfiguration": found["encryptionConfigurations"][0],
            "imageTagMutability": found["imageTagMutability"],
            "lifecyclePolicy": found["lifecyclePolicy"],
            "repositoryPolicy": found["repositoryPolicy"],
            "resourceTags": [{"Key": key, "Value": value} for key, value in found["resourceTags"].items()],
        }
        made.append(("CreateRepositoryCreationTemplate", request))
    return made


def test_ecr_takes_all_that_is_declared() -> None:
    def program() -> None:
        registry(**FULL).clean_up({"rng": "a", "hasher": "b"}, after=[])

    made = requests(run(program, recorder=AwsRecorder()))
    assert {operation for operation, _ in made} == {
        "CreateRepository",
        "SetRepositoryPolicy",
        "PutLifecyclePolicy",
        "PutReplicationConfiguration",
        "PutRegistryScanningConfiguration",
        "CreatePullThroughCacheRule",
        "CreateRepositoryCreationTemplate",
    }
    assert [problem for operation, request in made for problem in request_problems(operation, request)] == []


@pytest.mark.parametrize("preview", [False, True])
def test_all_of_it_belongs_to_the_registry_and_to_its_provider(preview: bool) -> None:
    recorder = recorded(preview=preview, **FULL)
    for record in recorder.resources:
        if record.custom and not record.typ.startswith("pulumi:providers:"):
            assert "pulumi:providers:aws::aws::" in (record.provider or ""), record.typ
            parent = recorder.request(record.typ, record.name).parent
            assert parent.endswith(("EcrRegistry::registry", "PullThroughCache::registry-cache")), record.typ


def test_a_repository_of_one_name_goes_before_another_comes() -> None:
    assert recorded().request(REPOSITORY, "registry-rng").deleteBeforeReplace


# --- Mistakes ---


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"may_pull": ["everyone"]}, PrincipalError, "'everyone' cannot be let in"),
        ({"may_push": ["*"]}, PrincipalError, "'*' lets in everyone"),
        ({"replicate_to": [REGION]}, DestinationError, "it is the registry itself"),
        (
            {"cache": {"docker-hub": None}},
            UpstreamError,
            "'docker-hub': ECR pulls through docker-hub with a credential",
        ),
        ({"cache": {"nexus": None}}, UpstreamError, "'nexus': accepted are docker-hub"),
        ({"cache": {"coins": None}}, UpstreamError, "'coins'"),
        ({"prefix": "quay", "cache": {"quay": None}}, UpstreamError, "among this registry's own"),
        (
            {"cache": {"quay": None}, "kms_key": f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/mine"},
            UpstreamError,
            "not an alias",
        ),
        ({"mutable_tags": ["*"]}, TagFilterError, "it matches every tag"),
    ],
)
def test_a_mistake_ends_the_program_before_anything_is_declared(
    changes: dict[str, Any], error: type[ValueError], said: str
) -> None:
    recorder = AwsRecorder()
    with pytest.raises(error) as raised:
        run(lambda: registry(**changes), recorder=recorder)
    assert said in str(raised.value)
    assert {record.typ for record in recorder.resources} <= {"pulumi:providers:aws"}


def test_every_mistake_in_a_cache_is_told_at_once() -> None:
    with pytest.raises(UpstreamError) as raised:
        PullThroughCacheArgs(ACCOUNT, REGION, "coins", {"nexus": None, "github": None, "quay": None})
    assert "'nexus'" in str(raised.value)
    assert "'github'" in str(raised.value)
    assert "'quay'" not in str(raised.value)
