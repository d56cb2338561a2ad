"""What a whole ECR registry has, by the aws plugin: cache rules, creation templates, replication, scanning, its policy.

Through Pulumi's engine, against the sandbox's ECR API; refusals, by the provider alone.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import pytest

from sandbox.ecr_api.cache_rules import MOST_RULES
from sandbox.plugins.aws.provider import AwsProvider
from sandbox.plugins.protocol.engine_log import EngineLog, ResourceLog
from sandbox.plugins.protocol.provider import CheckRequest, CreateRequest, ProviderError
from sandbox.plugins.protocol.values import UNKNOWN, Properties

from .aws_support import ACCESS_KEY, ACCOUNT, ENVIRONMENT, PLUGINS, PRELUDE, SECRET_KEY, ecr, new_secret
from .engine_support import Project

if TYPE_CHECKING:
    from types_boto3_ecr.client import ECRClient

UNKNOWN_TEXT = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/caching"

RULE = """
rule = aws.ecr.PullThroughCacheRule(
    "rule", ecr_repository_prefix="hub", upstream_registry_url="registry-1.docker.io",
    credential_arn=os.environ["TEST_SECRET"], opts=here,
)
"""
TEMPLATE = """
rules = [{"rulePriority": 1, "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 5},
    "action": {"type": "expire"}}]
pull = {"Sid": "pull", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
    "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]}
template = aws.ecr.RepositoryCreationTemplate(
    "template", prefix="hub", applied_fors=["PULL_THROUGH_CACHE", "REPLICATION"], description="what is cached",
    custom_role_arn="arn:aws:iam::123456789012:role/caching", image_tag_mutability="IMMUTABLE_WITH_EXCLUSION",
    image_tag_mutability_exclusion_filters=[{"filter": "latest*", "filter_type": "WILDCARD"}],
    lifecycle_policy=json.dumps({"rules": rules}), resource_tags={"team": "coins"},
    repository_policy=json.dumps({"Version": "2012-10-17", "Statement": [pull]}), opts=here,
)
"""
REPLICATION = """
replication = aws.ecr.ReplicationConfiguration("replication", replication_configuration={"rules": [
    {"destinations": [{"region": "eu-central-1", "registry_id": "123456789012"}],
     "repository_filters": [{"filter": "dockercoins", "filter_type": "PREFIX_MATCH"}]},
    {"destinations": [{"region": "eu-west-1", "registry_id": "999999999999"}]},
]}, opts=here)
"""
POLICY = """
allowed = {"Sid": "import", "Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam::123456789012:root"]},
    "Action": ["ecr:BatchImportUpstreamImage", "ecr:CreateRepository"],
    "Resource": "arn:aws:ecr:us-east-1:123456789012:repository/hub/*"}
policy = aws.ecr.RegistryPolicy(
    "policy", policy=json.dumps({"Version": "2012-10-17", "Statement": [allowed]}), opts=here,
)
"""
SCANNING = """
scanning = aws.ecr.RegistryScanningConfiguration("scanning", scan_type="ENHANCED", rules=[
    {"scan_frequency": "SCAN_ON_PUSH", "repository_filters": [
        {"filter": "a*", "filter_type": "WILDCARD"}, {"filter": "b", "filter_type": "WILDCARD"}]},
    {"scan_frequency": "CONTINUOUS_SCAN", "repository_filters": [{"filter": "*", "filter_type": "WILDCARD"}]},
], opts=here)
"""
REGISTRY_POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "ecr:ReplicateImage", "Resource": "*"},
        ],
    }
)
ALL = RULE + TEMPLATE + REPLICATION + POLICY + SCANNING
NAMES = ("policy", "replication", "rule", "scanning", "template")

NewProject = Callable[..., Project]


class _Resource(TypedDict):
    urn: str
    type: str
    name: str
    log: ResourceLog
    cancelled: threading.Event


@pytest.fixture
def client(api: str) -> ECRClient:
    return ecr(api)


@pytest.fixture
def secret(api: str) -> str:
    return new_secret(api)


@pytest.fixture
def new_project(tmp_path: Path, api: str, secret: str) -> NewProject:
    """Makes a project with this program, in a folder of this name."""

    def make(program: str, folder: str = "first") -> Project:
        variables = {**ENVIRONMENT, "TEST_API": api, "TEST_NAME": "dockercoins/web", "TEST_SECRET": secret}
        return Project.create(tmp_path / folder, PRELUDE + program, PLUGINS, variables)

    return make


def all_to(op: str) -> dict[str, str]:
    return dict.fromkeys(NAMES, op)


def test_a_registry_is_set_up_then_unchanged_and_left_as_it_was(
    new_project: NewProject, client: ECRClient, secret: str
) -> None:
    project = new_project(ALL)
    preview = project.preview()
    assert preview.succeeded, preview.output
    assert preview.ops() == all_to("create")
    assert {preview.produced(name)["registryId"] for name in NAMES} == {UNKNOWN_TEXT}
    assert client.describe_pull_through_cache_rules()["pullThroughCacheRules"] == []

    outcome = project.up()
    assert outcome.succeeded, outcome.output
    resources = project.resources()
    assert {name: resources[name]["id"] for name in NAMES} == {
        "policy": ACCOUNT,
        "replication": ACCOUNT,
        "rule": "hub",
        "scanning": ACCOUNT,
        "template": "hub",
    }
    outputs = {name: resources[name]["outputs"] for name in NAMES}
    assert outputs["rule"] == {
        "credentialArn": secret,
        "ecrRepositoryPrefix": "hub",
        "id": "hub",
        "region": "us-east-1",
        "registryId": ACCOUNT,
        "upstreamRegistryUrl": "registry-1.docker.io",
    }
    template = outputs["template"]
    assert json.loads(template.pop("lifecyclePolicy"))["rules"][0]["selection"]["countNumber"] == 5
    assert json.loads(template.pop("repositoryPolicy"))["Statement"][0]["Sid"] == "pull"
    assert template == {
        "appliedFors": ["PULL_THROUGH_CACHE", "REPLICATION"],
        "customRoleArn": ROLE,
        "description": "what is cached",
        "encryptionConfigurations": [{"encryptionType": "AES256", "kmsKey": ""}],
        "id": "hub",
        "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": [{"filter": "latest*", "filterType": "WILDCARD"}],
        "prefix": "hub",
        "region": "us-east-1",
        "registryId": ACCOUNT,
        "resourceTags": {"team": "coins"},
    }
    assert outputs["replication"]["replicationConfiguration"]["rules"] == [
        {
            "destinations": [{"region": "eu-central-1", "registryId": ACCOUNT}],
            "repositoryFilters": [{"filter": "dockercoins", "filterType": "PREFIX_MATCH"}],
        },
        {"destinations": [{"region": "eu-west-1", "registryId": "999999999999"}]},
    ]
    assert json.loads(outputs["policy"]["policy"])["Statement"][0]["Sid"] == "import"
    assert (outputs["scanning"]["scanType"], len(outputs["scanning"]["rules"])) == ("ENHANCED", 2)

    assert project.preview("--expect-no-changes").succeeded
    assert project.refresh("--expect-no-changes").succeeded
    assert SECRET_KEY not in project.state_text()

    assert project.destroy().succeeded
    assert client.describe_pull_through_cache_rules()["pullThroughCacheRules"] == []
    assert client.describe_repository_creation_templates()["repositoryCreationTemplates"] == []
    assert client.describe_registry()["replicationConfiguration"]["rules"] == []
    with pytest.raises(client.exceptions.RegistryPolicyNotFoundException):
        client.get_registry_policy()
    scanning = client.get_registry_scanning_configuration()["scanningConfiguration"]
    assert (scanning.get("scanType"), scanning.get("rules")) == ("BASIC", [])


def test_everything_but_names_and_upstreams_is_changed_in_place(
    new_project: NewProject, client: ECRClient, api: str, secret: str
) -> None:
    project = new_project(ALL)
    assert project.up().succeeded
    other = new_secret(api)
    changes = {
        'os.environ["TEST_SECRET"]': f'"{other}"',
        '["PULL_THROUGH_CACHE", "REPLICATION"], description="what is cached"': '["PULL_THROUGH_CACHE"]',
        '"IMMUTABLE_WITH_EXCLUSION",\n': '"IMMUTABLE",\n',
        'image_tag_mutability_exclusion_filters=[{"filter": "latest*", "filter_type": "WILDCARD"}],': (
            'encryption_configurations=[{"encryption_type": "KMS"}],'
        ),
        'lifecycle_policy=json.dumps({"rules": rules}), ': "",
        '{"team": "coins"}': '{"team": "other"}',
        '"eu-west-1"': '"eu-west-2"',
        ', "ecr:CreateRepository"': "",
        '{"filter": "b", "filter_type": "WILDCARD"}': "",
    }
    program = ALL
    for old, new in changes.items():
        assert old in program, old
        program = program.replace(old, new)
    project.write(PRELUDE + program)
    preview = project.preview()
    assert preview.ops() == all_to("update"), preview.output
    assert sorted(preview.step("template").detail) == [
        "appliedFors[1]",
        "description",
        "encryptionConfigurations[0].encryptionType",
        "imageTagMutability",
        "imageTagMutabilityExclusionFilters",
        "lifecyclePolicy",
        "resourceTags.team",
    ]
    assert list(preview.step("rule").detail) == ["credentialArn"]
    assert preview.produced("rule")["registryId"] == ACCOUNT

    outcome = project.up()
    assert outcome.ops() == all_to("update"), outcome.output
    (rule,) = client.describe_pull_through_cache_rules()["pullThroughCacheRules"]
    assert rule.get("credentialArn") == other
    (template,) = client.describe_repository_creation_templates()["repositoryCreationTemplates"]
    assert template.get("appliedFor") == ["PULL_THROUGH_CACHE"]
    assert template.get("imageTagMutability") == "IMMUTABLE"
    assert template.get("encryptionConfiguration") == {"encryptionType": "KMS"}
    assert template.get("resourceTags") == [{"Key": "team", "Value": "other"}]
    for gone in ("description", "imageTagMutabilityExclusionFilters", "lifecyclePolicy"):
        assert not template.get(gone), gone
    (_, second) = client.describe_registry()["replicationConfiguration"]["rules"]
    assert second["destinations"][0]["region"] == "eu-west-2"
    assert "CreateRepository" not in client.get_registry_policy()["policyText"]
    assert project.preview("--expect-no-changes").succeeded
    assert project.refresh("--expect-no-changes").succeeded


def test_the_same_written_differently_is_no_change(new_project: NewProject) -> None:
    project = new_project(ALL)
    assert project.up().succeeded
    changes = {
        'description="what is cached"': 'description="what is cached", region="us-east-1"',
        '["PULL_THROUGH_CACHE", "REPLICATION"]': '["REPLICATION", "PULL_THROUGH_CACHE"]',
        'json.dumps({"rules": rules})': 'json.dumps({"rules": rules}, indent=2)',
        '"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"': '"ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"',
        '{"AWS": ["arn:aws:iam::123456789012:root"]}': '{"AWS": "arn:aws:iam::123456789012:root"}',
        '{"filter": "a*", "filter_type": "WILDCARD"}, {"filter": "b", "filter_type": "WILDCARD"}': (
            '{"filter": "b", "filter_type": "WILDCARD"}, {"filter": "a*", "filter_type": "WILDCARD"}'
        ),
        'credential_arn=os.environ["TEST_SECRET"]': 'credential_arn=os.environ["TEST_SECRET"], region="us-east-1"',
        'resource_tags={"team": "coins"}': (
            'resource_tags={"team": "coins"}, encryption_configurations=[{"encryption_type": "AES256"}]'
        ),
    }
    program = ALL
    for old, new in changes.items():
        assert old in program, old
        program = program.replace(old, new)
    project.write(PRELUDE + program)
    preview = project.preview("--expect-no-changes")
    assert preview.succeeded, preview.output


def test_another_name_or_upstream_replaces_a_rule_and_a_template(new_project: NewProject, client: ECRClient) -> None:
    project = new_project(RULE + TEMPLATE)
    assert project.up().succeeded
    moved = (RULE + TEMPLATE).replace('"hub"', '"docker"')
    project.write(PRELUDE + moved)
    outcome = project.up()
    assert outcome.ops() == {"rule": "replace", "template": "replace"}, outcome.output
    assert outcome.step("rule").replaces == ("ecrRepositoryPrefix",)
    assert outcome.step("template").replaces == ("prefix",)
    (rule,) = client.describe_pull_through_cache_rules()["pullThroughCacheRules"]
    (template,) = client.describe_repository_creation_templates()["repositoryCreationTemplates"]
    assert (rule.get("ecrRepositoryPrefix"), template.get("prefix")) == ("docker", "docker")

    # The prefix is taken until the old rule is gone, which the program has to ask for.
    elsewhere = moved.replace('"registry-1.docker.io"', '"ghcr.io"')
    project.write(PRELUDE + elsewhere)
    refused = project.up()
    assert refused.step("rule").replaces == ("upstreamRegistryUrl",)
    assert "to replace it, set the resource option deleteBeforeReplace" in refused.errors
    project.write(
        PRELUDE
        + elsewhere.replace(
            'os.environ["TEST_SECRET"], opts=here',
            'os.environ["TEST_SECRET"], '
            "opts=pulumi.ResourceOptions.merge(here, pulumi.ResourceOptions(delete_before_replace=True))",
        )
    )
    outcome = project.up()
    assert outcome.succeeded, outcome.output
    (rule,) = client.describe_pull_through_cache_rules()["pullThroughCacheRules"]
    assert rule.get("upstreamRegistryUrl") == "ghcr.io"


def test_refresh_finds_what_others_changed_and_up_undoes_it(
    new_project: NewProject, client: ECRClient, api: str, secret: str
) -> None:
    project = new_project(ALL.replace('description="what is cached",', ""))
    assert project.up().succeeded
    client.update_pull_through_cache_rule(ecrRepositoryPrefix="hub", credentialArn=new_secret(api))
    client.update_repository_creation_template(
        prefix="hub", imageTagMutability="MUTABLE", description="from somebody else", lifecyclePolicy=""
    )
    client.put_replication_configuration(
        replicationConfiguration={"rules": [{"destinations": [{"region": "us-west-2", "registryId": ACCOUNT}]}]}
    )
    client.put_registry_policy(policyText=client.get_registry_policy()["policyText"].replace('"hub/', '"quay/'))
    text = client.get_registry_policy()["policyText"].replace("repository/hub/", "repository/quay/")
    client.put_registry_policy(policyText=text)
    client.put_registry_scanning_configuration(scanType="BASIC", rules=[])

    refreshed = project.refresh()
    assert refreshed.succeeded, refreshed.output
    state = {name: item["outputs"] for name, item in project.resources().items()}
    assert state["template"]["description"] == "from somebody else"
    assert state["scanning"]["scanType"] == "BASIC"
    repair = project.preview()
    assert repair.ops() == all_to("update"), repair.output
    assert sorted(repair.step("template").detail) == [
        "description",
        "imageTagMutability",
        "imageTagMutabilityExclusionFilters",
        "lifecyclePolicy",
    ]
    assert project.up().succeeded
    (rule,) = client.describe_pull_through_cache_rules()["pullThroughCacheRules"]
    (template,) = client.describe_repository_creation_templates()["repositoryCreationTemplates"]
    assert rule.get("credentialArn") == secret
    assert template.get("imageTagMutability") == "IMMUTABLE_WITH_EXCLUSION"
    assert not template.get("description")
    assert len(client.describe_registry()["replicationConfiguration"]["rules"]) == 2
    assert "repository/hub/" in client.get_registry_policy()["policyText"]
    assert project.refresh("--expect-no-changes").succeeded


def test_refresh_finds_what_others_deleted_and_up_makes_it_again(new_project: NewProject, client: ECRClient) -> None:
    project = new_project(ALL)
    assert project.up().succeeded
    client.delete_pull_through_cache_rule(ecrRepositoryPrefix="hub")
    client.delete_repository_creation_template(prefix="hub")
    client.put_replication_configuration(replicationConfiguration={"rules": []})
    client.delete_registry_policy()
    assert project.refresh().succeeded
    assert list(project.resources()) == ["scanning"]
    assert project.up().ops() == all_to("create") | {"scanning": "same"}

    # What is gone already needs no deletion.
    client.delete_pull_through_cache_rule(ecrRepositoryPrefix="hub")
    client.delete_repository_creation_template(prefix="hub")
    client.delete_registry_policy()
    assert project.destroy().succeeded


REPOSITORY = """
repository = aws.ecr.Repository(
    "repository", name=NAME, image_tag_mutability="IMMUTABLE_WITH_EXCLUSION",
    image_tag_mutability_exclusion_filters=[{"filter": "latest", "filter_type": "WILDCARD"}],
    encryption_configurations=[{"encryption_type": "KMS"}], image_scanning_configuration={"scan_on_push": True},
    tags={"team": "coins"}, opts=here,
)
"""
IMPORTED = REPOSITORY + ALL.replace(
    'description="what is cached"', 'description="cached", encryption_configurations=[{"encryption_type": "KMS"}]'
)
IDS = {
    "policy": ACCOUNT,
    "replication": ACCOUNT,
    "repository": "dockercoins/web",
    "rule": "hub",
    "scanning": ACCOUNT,
    "template": "hub",
}


def importing(program: str, names: Iterable[str]) -> str:
    """The program with the resource option `import_` on some of its resources."""
    for name in names:
        start = program.index(f'"{name}"')
        option = f'pulumi.ResourceOptions(import_="{IDS[name]}")'
        program = program[:start] + program[start:].replace(
            "opts=here", f"opts=pulumi.ResourceOptions.merge(here, {option})", 1
        )
    return program


def test_what_exists_is_imported_by_its_id_and_then_unchanged(new_project: NewProject) -> None:
    assert new_project(IMPORTED).up().succeeded
    importer = new_project(importing(IMPORTED, IDS), "second")
    preview = importer.preview()
    assert preview.succeeded, preview.output
    assert preview.warnings == []
    outcome = importer.up()
    assert outcome.succeeded, outcome.output
    assert outcome.ops() == dict.fromkeys(IDS, "import")
    assert importer.preview("--expect-no-changes").succeeded
    importer.write(PRELUDE + IMPORTED)
    assert importer.preview("--expect-no-changes").succeeded


def test_what_differs_is_changed_after_the_import(new_project: NewProject, client: ECRClient) -> None:
    first = TEMPLATE + REPOSITORY
    assert new_project(first).up().succeeded
    program = first.replace("what is cached", "ours").replace(
        'tags={"team": "coins"}, opts', 'tags={"team": "other"}, force_delete=True, opts'
    )
    importer = new_project(importing(program, ("repository", "template")), "second")
    outcome = importer.up()
    assert [(step.name, step.op) for step in outcome.steps if step.name == "repository"] == [
        ("repository", "import"),
        ("repository", "update"),
    ], outcome.output
    assert sorted(outcome.step("repository").detail) == ["forceDelete", "tags.team"]
    (template,) = client.describe_repository_creation_templates()["repositoryCreationTemplates"]
    assert template.get("description") == "ours"
    assert importer.preview("--expect-no-changes").succeeded


def test_an_import_of_something_else_is_refused(new_project: NewProject, client: ECRClient) -> None:
    client.create_pull_through_cache_rule(ecrRepositoryPrefix="hub", upstreamRegistryUrl="quay.io")
    project = new_project(importing(RULE, ["rule"]))
    outcome = project.up()
    assert "previously-imported resources that still specify an ID may not be replaced" in outcome.errors
    assert "upstreamRegistryUrl: {quay.io} => {registry-1.docker.io}" in outcome.errors
    client.put_registry_policy(policyText=REGISTRY_POLICY)
    project.write(PRELUDE + importing(POLICY, ["policy"]).replace(f'"{ACCOUNT}"', '"999999999999"'))
    assert "does not exist" in project.up().errors


def test_a_preview_accepts_what_is_not_known_yet(new_project: NewProject) -> None:
    project = new_project(
        """
repository = aws.ecr.Repository("repository", name=NAME, opts=here)
text = repository.arn.apply(lambda arn: json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": ["ecr:BatchImportUpstreamImage"],
    "Resource": arn}]}))
prefix = repository.registry_id.apply(lambda account: f"quay-{account}")
aws.ecr.PullThroughCacheRule("rule", ecr_repository_prefix=prefix, upstream_registry_url="quay.io", opts=here)
aws.ecr.RepositoryCreationTemplate("template", prefix=prefix, applied_fors=["PULL_THROUGH_CACHE"],
    resource_tags={"of": repository.arn}, opts=here)
aws.ecr.ReplicationConfiguration("replication", replication_configuration={"rules": [
    {"destinations": [{"region": "eu-central-1", "registry_id": repository.registry_id}]}]}, opts=here)
aws.ecr.RegistryPolicy("policy", policy=text, opts=here)
aws.ecr.RegistryScanningConfiguration("scanning", scan_type="BASIC", rules=[{"scan_frequency": "SCAN_ON_PUSH",
    "repository_filters": [{"filter": repository.name, "filter_type": "WILDCARD"}]}], opts=here)
"""
    )
    preview = project.preview()
    assert preview.succeeded, preview.output
    assert preview.produced("rule")["ecrRepositoryPrefix"] == UNKNOWN_TEXT
    assert preview.produced("policy")["policy"] == UNKNOWN_TEXT
    outcome = project.up()
    assert outcome.succeeded, outcome.output
    assert project.resources()["rule"]["id"] == f"quay-{ACCOUNT}"
    assert project.preview("--expect-no-changes").succeeded


@pytest.fixture
def provider(api: str, monkeypatch: pytest.MonkeyPatch) -> AwsProvider:
    """The provider, configured, without an engine."""
    for variable, value in ENVIRONMENT.items():
        monkeypatch.setenv(variable, value)
    made = AwsProvider()
    made.configure(
        {
            "region": "us-east-1",
            "endpoints": json.dumps([{"ecr": api, "sts": api}]),
            "accessKey": ACCESS_KEY,
            "secretKey": SECRET_KEY,
        }
    )
    return made


RULE_TYPE = "aws:ecr/pullThroughCacheRule:PullThroughCacheRule"
TEMPLATE_TYPE = "aws:ecr/repositoryCreationTemplate:RepositoryCreationTemplate"
REPLICATION_TYPE = "aws:ecr/replicationConfiguration:ReplicationConfiguration"
POLICY_TYPE = "aws:ecr/registryPolicy:RegistryPolicy"
SCANNING_TYPE = "aws:ecr/registryScanningConfiguration:RegistryScanningConfiguration"
REPOSITORY_TYPE = "aws:ecr/repository:Repository"

MISTAKES: dict[str, tuple[str, Properties, str]] = {
    "no upstream": (RULE_TYPE, {"ecrRepositoryPrefix": "quay"}, "upstreamRegistryUrl: missing"),
    "a prefix of one letter": (
        RULE_TYPE,
        {"ecrRepositoryPrefix": "q", "upstreamRegistryUrl": "quay.io"},
        "ecrRepositoryPrefix: expected ROOT, or 2 to 30 lower case letters, digits, . _ - and /, as docker-hub, "
        "received 'q'",
    ),
    "no ARN": (
        RULE_TYPE,
        {"ecrRepositoryPrefix": "hub", "upstreamRegistryUrl": "ghcr.io", "credentialArn": "hub"},
        "credentialArn: expected an ARN such as arn:aws:iam::123456789012:role/pull, received 'hub'",
    ),
    "not an input": (
        RULE_TYPE,
        {"ecrRepositoryPrefix": "quay", "upstreamRegistryUrl": "quay.io", "upstreamRegistry": "quay"},
        "upstreamRegistry: not an input of aws:ecr/pullThroughCacheRule:PullThroughCacheRule; accepted are",
    ),
    "a template for nothing": (TEMPLATE_TYPE, {"prefix": "hub", "appliedFors": []}, "appliedFors: missing"),
    "a template for something else": (
        TEMPLATE_TYPE,
        {"prefix": "hub", "appliedFors": ["PULL"]},
        "appliedFors[0]: expected CREATE_ON_PUSH, PULL_THROUGH_CACHE, REPLICATION, received 'PULL'",
    ),
    "a policy that is no JSON": (
        TEMPLATE_TYPE,
        {"prefix": "hub", "appliedFors": ["REPLICATION"], "lifecyclePolicy": "{"},
        "lifecyclePolicy: not JSON: Expecting property name",
    ),
    "tags that are none": (
        TEMPLATE_TYPE,
        {"prefix": "hub", "appliedFors": ["REPLICATION"], "resourceTags": ["a"]},
        "resourceTags: expected an object of key to text, received ['a']",
    ),
    "exclusions from nothing": (
        TEMPLATE_TYPE,
        {
            "prefix": "hub",
            "appliedFors": ["REPLICATION"],
            "imageTagMutabilityExclusionFilters": [{"filter": "a", "filterType": "WILDCARD"}],
        },
        "imageTagMutabilityExclusionFilters: needs imageTagMutability to be one of *_WITH_EXCLUSION, received None",
    ),
    "no exclusion": (
        REPOSITORY_TYPE,
        {"name": "dockercoins/web", "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION"},
        "imageTagMutabilityExclusionFilters: missing; IMMUTABLE_WITH_EXCLUSION needs 1 to 5 of them",
    ),
    "too many wildcards": (
        REPOSITORY_TYPE,
        {
            "name": "dockercoins/web",
            "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
            "imageTagMutabilityExclusionFilters": [{"filter": "a*b*c*", "filterType": "WILDCARD"}],
        },
        "imageTagMutabilityExclusionFilters[0].filter: expected 1 to 128 letters, digits, . _ - and at most two *, "
        "received 'a*b*c*'",
    ),
    "no replication": (REPLICATION_TYPE, {}, "replicationConfiguration: missing"),
    "replication by no rule": (
        REPLICATION_TYPE,
        {"replicationConfiguration": {"rules": []}},
        "replicationConfiguration.rules: missing",
    ),
    "replication to nowhere": (
        REPLICATION_TYPE,
        {"replicationConfiguration": {"rules": [{"destinations": [{"region": "Frankfurt", "registryId": "12"}]}]}},
        "replicationConfiguration.rules[0].destinations[0].region: expected a region such as eu-central-1, "
        "received 'Frankfurt'",
    ),
    "no scan type": (SCANNING_TYPE, {"rules": []}, "scanType: missing"),
    "a scan of nothing": (
        SCANNING_TYPE,
        {"scanType": "BASIC", "rules": [{"scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": []}]},
        "rules[0].repositoryFilters: missing",
    ),
    "a scan at some time": (
        SCANNING_TYPE,
        {
            "scanType": "BASIC",
            "rules": [
                {"scanFrequency": "DAILY", "repositoryFilters": [{"filter": "*", "filterType": "WILDCARD"}]},
            ],
        },
        "rules[0].scanFrequency: expected SCAN_ON_PUSH, CONTINUOUS_SCAN, MANUAL, received 'DAILY'",
    ),
    "a registry policy that is no JSON": (POLICY_TYPE, {"policy": "{"}, "policy: not JSON"),
    "a registry policy of a repository": (
        POLICY_TYPE,
        {"policy": "{}", "repository": "dockercoins/web"},
        "repository: not an input of aws:ecr/registryPolicy:RegistryPolicy; accepted are policy, region",
    ),
}


@pytest.mark.parametrize(("type_", "inputs", "message"), MISTAKES.values(), ids=list(MISTAKES))
def test_a_mistake_in_the_inputs_is_told_by_its_key(
    provider: AwsProvider, type_: str, inputs: Properties, message: str
) -> None:
    told = [failure.reason for failure in provider.check(CheckRequest(**_resource(type_), inputs=inputs)).failures]
    assert any(reason.startswith(message) for reason in told), told


UNKNOWNS: dict[str, Properties] = {
    RULE_TYPE: {"ecrRepositoryPrefix": UNKNOWN, "upstreamRegistryUrl": UNKNOWN, "credentialArn": UNKNOWN},
    TEMPLATE_TYPE: {
        "prefix": UNKNOWN,
        "appliedFors": UNKNOWN,
        "imageTagMutability": UNKNOWN,
        "imageTagMutabilityExclusionFilters": UNKNOWN,
        "encryptionConfigurations": UNKNOWN,
        "lifecyclePolicy": UNKNOWN,
        "resourceTags": UNKNOWN,
    },
    REPLICATION_TYPE: {"replicationConfiguration": UNKNOWN},
    SCANNING_TYPE: {"scanType": UNKNOWN, "rules": UNKNOWN},
    POLICY_TYPE: {"policy": UNKNOWN},
}


@pytest.mark.parametrize(("type_", "inputs"), UNKNOWNS.items(), ids=list(UNKNOWNS))
def test_an_input_that_is_not_known_yet_is_no_mistake(provider: AwsProvider, type_: str, inputs: Properties) -> None:
    assert provider.check(CheckRequest(**_resource(type_), inputs=inputs)).failures == []


REFUSED: dict[str, tuple[str, Properties, str]] = {
    "an upstream that is none": (
        RULE_TYPE,
        {"ecrRepositoryPrefix": "harbor", "upstreamRegistryUrl": "harbor.example.com"},
        "creating the ECR pull-through cache rule harbor: The upstream registry URL harbor.example.com is invalid. "
        "Specify a valid upstream registry URL and try again (UnsupportedUpstreamRegistryException); "
        "upstreams are public.ecr.aws, quay.io",
    ),
    "a secret that is not there": (
        RULE_TYPE,
        {
            "ecrRepositoryPrefix": "hub",
            "upstreamRegistryUrl": "registry-1.docker.io",
            "credentialArn": f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:ecr-pullthroughcache/none-AbCdEf",
        },
        "(SecretNotFoundException); the secret must be in the account and region of the rule",
    ),
    "a rule that exists": (
        RULE_TYPE,
        {"ecrRepositoryPrefix": "quay0", "upstreamRegistryUrl": "quay.io"},
        f"it exists already in account {ACCOUNT}, region us-east-1; to manage it here: "
        "pulumi import aws:ecr/pullThroughCacheRule:PullThroughCacheRule mine quay0",
    ),
    "one rule too many": (
        RULE_TYPE,
        {"ecrRepositoryPrefix": "more", "upstreamRegistryUrl": "quay.io"},
        "(LimitExceededException); a quota of the account: delete what is not needed",
    ),
    "a template that exists": (
        TEMPLATE_TYPE,
        {"prefix": "taken", "appliedFors": ["REPLICATION"]},
        "pulumi import aws:ecr/repositoryCreationTemplate:RepositoryCreationTemplate mine taken",
    ),
    "a policy for another service": (
        POLICY_TYPE,
        {
            "policy": json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"AWS": ROLE},
                            "Action": "s3:GetObject",
                            "Resource": "arn:aws:s3:::bucket",
                        }
                    ],
                }
            )
        },
        f"storing the registry policy of the ECR registry {ACCOUNT}: Invalid parameter at 'PolicyText' failed to "
        "satisfy constraint: 'Invalid registry policy provided' (InvalidParameterException); AWS does not say what",
    ),
    "replication to itself": (
        REPLICATION_TYPE,
        {"replicationConfiguration": {"rules": [{"destinations": [{"region": "us-east-1", "registryId": ACCOUNT}]}]}},
        f"creating the replication configuration of the ECR registry {ACCOUNT}: Invalid parameter at "
        "'replicationConfiguration' failed to satisfy constraint: 'Replication destination cannot be the same",
    ),
    "continuous basic scans": (
        SCANNING_TYPE,
        {
            "scanType": "BASIC",
            "rules": [
                {"scanFrequency": "CONTINUOUS_SCAN", "repositoryFilters": [{"filter": "*", "filterType": "WILDCARD"}]}
            ],
        },
        "CONTINUOUS_SCAN is not supported with the scan type BASIC",
    ),
}


@pytest.mark.parametrize(("type_", "inputs", "message"), REFUSED.values(), ids=list(REFUSED))
def test_what_aws_refuses_is_told_in_one_line_with_what_to_do(
    provider: AwsProvider, client: ECRClient, type_: str, inputs: Properties, message: str
) -> None:
    for number in range(MOST_RULES):
        client.create_pull_through_cache_rule(ecrRepositoryPrefix=f"quay{number}", upstreamRegistryUrl="quay.io")
    client.create_repository_creation_template(prefix="taken", appliedFor=["REPLICATION"])
    request = CreateRequest(**_resource(type_), inputs=inputs)
    with pytest.raises(ProviderError) as caught:
        provider.create(request)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_credentials_are_never_taken_from_a_rule(new_project: NewProject, client: ECRClient) -> None:
    quay = 'aws.ecr.PullThroughCacheRule("rule", ecr_repository_prefix="quay", upstream_registry_url="quay.io"'
    project = new_project(f'{quay}, custom_role_arn="{ROLE}", opts=here)')
    assert project.up().succeeded
    project.write(f"{PRELUDE}\n{quay}, opts=here)")
    assert "AWS gives a rule other credentials, and takes none away" in project.up().errors
    (rule,) = client.describe_pull_through_cache_rules()["pullThroughCacheRules"]
    assert rule.get("customRoleArn") == ROLE


def _resource(type_: str) -> _Resource:
    urn = f"urn:pulumi:test::plugins::{type_}::mine"
    return {
        "urn": urn,
        "type": type_,
        "name": "mine",
        "log": ResourceLog(EngineLog(), urn),
        "cancelled": threading.Event(),
    }
