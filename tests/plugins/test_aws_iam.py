"""Roles and the policies in them, by the aws plugin: through Pulumi's engine; mistakes, by the provider alone."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sandbox.plugins.aws.provider import AwsProvider
from sandbox.plugins.protocol.engine_log import EngineLog, ResourceLog
from sandbox.plugins.protocol.provider import Autonaming, AutonamingMode, CheckRequest, CreateRequest, ProviderError
from sandbox.plugins.protocol.values import UNKNOWN, Properties

from .aws_support import ACCESS_KEY, ACCOUNT, ENVIRONMENT, PLUGINS, PRELUDE, SECRET_KEY, iam
from .engine_support import Project

if TYPE_CHECKING:
    from types_boto3_iam.client import IAMClient

TRUST = """
trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["sts:AssumeRole", "sts:TagSession"],
    "Principal": {"Service": "ecr.amazonaws.com"}}]}
"""
ROLE = """
role = aws.iam.Role("role", name="caching", assume_role_policy=json.dumps(trust), description="makes repositories",
    max_session_duration=7200, path="/ecr/", tags={"team": "coins"}, opts=here)
"""
POLICY = """
may = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["ecr:CreateRepository", "ecr:TagResource"],
    "Resource": "arn:aws:ecr:us-east-1:123456789012:repository/hub/*"}]}
policy = aws.iam.RolePolicy("policy", name="make", role=role.id, policy=json.dumps(may), opts=here)
"""
ALL = TRUST + ROLE + POLICY
BOUNDARY = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryFullAccess"
ROLE_TYPE = "aws:iam/role:Role"
POLICY_TYPE = "aws:iam/rolePolicy:RolePolicy"
DOCUMENT = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]})

NewProject = Callable[..., Project]


@pytest.fixture
def client(api: str) -> IAMClient:
    return iam(api)


@pytest.fixture
def new_project(tmp_path: Path, api: str) -> NewProject:
    """Makes a project with this program, in a folder of this name."""

    def make(program: str, folder: str = "first") -> Project:
        variables = {**ENVIRONMENT, "TEST_API": api, "TEST_NAME": "caching"}
        return Project.create(tmp_path / folder, PRELUDE + program, PLUGINS, variables)

    return make


def changed(program: str, changes: dict[str, str]) -> str:
    for old, new in changes.items():
        assert old in program, old
        program = program.replace(old, new)
    return program


def test_a_role_comes_with_its_policy_is_then_unchanged_and_goes_with_it(
    new_project: NewProject, client: IAMClient
) -> None:
    project = new_project(ALL)
    preview = project.preview()
    assert preview.succeeded, preview.output
    outcome = project.up()
    assert outcome.ops() == {"role": "create", "policy": "create"}, outcome.output
    resources = project.resources()
    assert {name: item["id"] for name, item in resources.items()} == {"role": "caching", "policy": "caching:make"}
    live = client.get_role(RoleName="caching")["Role"]
    outputs = resources["role"]["outputs"]
    assert json.loads(outputs.pop("assumeRolePolicy"))["Statement"][0]["Principal"] == {"Service": "ecr.amazonaws.com"}
    assert outputs == {
        "arn": f"arn:aws:iam::{ACCOUNT}:role/ecr/caching",
        "createDate": f"{live['CreateDate']:%Y-%m-%dT%H:%M:%SZ}",
        "description": "makes repositories",
        "forceDetachPolicies": False,
        "id": "caching",
        "inlinePolicies": [],
        "managedPolicyArns": [],
        "maxSessionDuration": 7200,
        "name": "caching",
        "path": "/ecr/",
        "tags": {"team": "coins"},
        "tagsAll": {"team": "coins"},
        "uniqueId": live["RoleId"],
    }
    assert {key: resources["policy"]["outputs"][key] for key in ("id", "name", "role")} == {
        "id": "caching:make",
        "name": "make",
        "role": "caching",
    }
    document = client.get_role_policy(RoleName="caching", PolicyName="make")["PolicyDocument"]
    assert "repository/hub/*" in str(document)
    assert project.preview("--expect-no-changes").succeeded
    refreshed = project.refresh("--expect-no-changes")
    assert refreshed.succeeded, refreshed.output
    assert project.preview("--expect-no-changes").succeeded

    assert project.destroy().succeeded
    assert client.list_roles()["Roles"] == []


def test_a_role_has_the_default_tags_of_the_provider(new_project: NewProject, client: IAMClient) -> None:
    tags = 'default_tags={"tags": {"project": "dockercoins", "team": "all"}}'
    tagged = f'here = pulumi.ResourceOptions(provider=provider("tagged", {tags}))\n'
    project = new_project(tagged + ALL)
    assert project.up().succeeded
    live = client.list_role_tags(RoleName="caching")["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in live} == {"project": "dockercoins", "team": "coins"}
    assert project.resources()["role"]["outputs"]["tagsAll"] == {"project": "dockercoins", "team": "coins"}
    project.write(PRELUDE + tagged + ALL.replace(', tags={"team": "coins"}', ""))
    outcome = project.up()
    assert list(outcome.step("role").detail) == ["tags.team"], outcome.output
    assert project.refresh("--expect-no-changes").succeeded


def test_everything_but_name_and_path_is_changed_in_place(new_project: NewProject, client: IAMClient) -> None:
    project = new_project(ALL)
    assert project.up().succeeded
    program = changed(
        ALL,
        {
            '["sts:AssumeRole", "sts:TagSession"]': '"sts:AssumeRole"',
            'description="makes repositories",': f'permissions_boundary="{BOUNDARY}", force_detach_policies=True,',
            "7200": "43200",
            '{"team": "coins"}': '{"owner": "coins"}',
            '"ecr:CreateRepository", ': "",
        },
    )
    project.write(PRELUDE + program)
    before = client.get_role(RoleName="caching")["Role"]["RoleId"]
    preview = project.preview()
    assert preview.ops() == {"role": "update", "policy": "update"}, preview.output
    assert sorted(preview.step("role").detail) == [
        "assumeRolePolicy",
        "description",
        "forceDetachPolicies",
        "maxSessionDuration",
        "permissionsBoundary",
        "tags.owner",
        "tags.team",
    ]
    outcome = project.up()
    assert outcome.succeeded, outcome.output
    live = client.get_role(RoleName="caching")["Role"]
    assert (live["RoleId"], live.get("MaxSessionDuration"), live.get("Description") or "") == (before, 43200, "")
    assert live.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn") == BOUNDARY
    assert live.get("Tags") == [{"Key": "owner", "Value": "coins"}]
    assert "TagSession" not in str(live.get("AssumeRolePolicyDocument"))
    assert "CreateRepository" not in str(
        client.get_role_policy(RoleName="caching", PolicyName="make")["PolicyDocument"]
    )
    assert project.refresh("--expect-no-changes").succeeded
    assert project.preview("--expect-no-changes").succeeded

    project.write(PRELUDE + program.replace(f'permissions_boundary="{BOUNDARY}", ', ""))
    assert list(project.up().step("role").detail) == ["permissionsBoundary"]
    assert "PermissionsBoundary" not in client.get_role(RoleName="caching")["Role"]


def test_the_same_written_differently_is_no_change(new_project: NewProject) -> None:
    project = new_project(ALL.replace('path="/ecr/", ', ""))
    assert project.up().succeeded
    program = changed(
        ALL,
        {
            "json.dumps(trust)": "json.dumps(trust, indent=2)",
            '["sts:AssumeRole", "sts:TagSession"]': '["sts:TagSession", "sts:AssumeRole"]',
            '"/ecr/"': '"/", force_detach_policies=False',
            "policy=json.dumps(may)": "policy=may",
        },
    )
    project.write(PRELUDE + program)
    preview = project.preview("--expect-no-changes")
    assert preview.succeeded, preview.output


def test_another_path_or_name_replaces_a_role_and_the_policy_in_it(new_project: NewProject, client: IAMClient) -> None:
    project = new_project(ALL)
    assert project.up().succeeded
    # The name is taken as long as the old role is there, and the old role cannot go before its policy.
    project.write(PRELUDE + ALL.replace('"/ecr/"', '"/cache/"'))
    outcome = project.up()
    assert outcome.step("role").replaces == ("path",), outcome.output
    assert outcome.ops()["policy"] == "replace"
    assert client.get_role(RoleName="caching")["Role"]["Path"] == "/cache/"
    assert client.list_role_policies(RoleName="caching")["PolicyNames"] == ["make"]

    project.write(PRELUDE + ALL.replace('"caching"', '"pulling"').replace('"make"', '"tag"'))
    outcome = project.up()
    assert outcome.ops() == {"role": "replace", "policy": "replace"}, outcome.output
    (role,) = client.list_roles()["Roles"]
    assert role["RoleName"] == "pulling"
    assert client.list_role_policies(RoleName="pulling")["PolicyNames"] == ["tag"]


def test_names_that_are_left_out_are_made_once(new_project: NewProject, client: IAMClient) -> None:
    program = ALL.replace('name="caching", ', "").replace('name="make", ', "")
    project = new_project(program)
    assert project.up().succeeded
    (role,) = client.list_roles()["Roles"]
    (policy,) = client.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]
    assert role["RoleName"].startswith("role-")
    assert policy.startswith("policy-")
    assert project.preview("--expect-no-changes").succeeded

    project.write(PRELUDE + program.replace("7200", "3600"))
    assert project.up().ops()["role"] == "update"
    assert client.list_roles()["Roles"][0]["RoleName"] == role["RoleName"]

    # A new one can be made beside the old one.
    project.write(PRELUDE + program.replace('"/ecr/"', '"/cache/"'))
    outcome = project.up()
    assert outcome.succeeded, outcome.output
    (other,) = client.list_roles()["Roles"]
    assert other["RoleName"] != role["RoleName"]


def test_refresh_finds_what_others_changed_and_up_undoes_it(new_project: NewProject, client: IAMClient) -> None:
    project = new_project(ALL.replace('description="makes repositories",', ""))
    assert project.up().succeeded
    client.update_role(RoleName="caching", Description="from somebody else", MaxSessionDuration=3600)
    client.untag_role(RoleName="caching", TagKeys=["team"])
    client.put_role_policy(RoleName="caching", PolicyName="make", PolicyDocument=DOCUMENT)
    assert project.refresh().succeeded
    repair = project.preview()
    assert sorted(repair.step("role").detail) == ["description", "maxSessionDuration", "tags"], repair.output
    assert list(repair.step("policy").detail) == ["policy"]
    assert project.up().succeeded
    role = client.get_role(RoleName="caching")["Role"]
    assert not role.get("Description")
    assert role.get("MaxSessionDuration") == 7200
    assert role.get("Tags") == [{"Key": "team", "Value": "coins"}]
    assert "hub" in str(client.get_role_policy(RoleName="caching", PolicyName="make")["PolicyDocument"])
    assert project.refresh("--expect-no-changes").succeeded


def test_refresh_finds_what_others_deleted_and_up_makes_it_again(new_project: NewProject, client: IAMClient) -> None:
    project = new_project(ALL)
    assert project.up().succeeded
    client.delete_role_policy(RoleName="caching", PolicyName="make")
    assert project.refresh().succeeded
    assert list(project.resources()) == ["role"]
    assert project.up().ops() == {"role": "same", "policy": "create"}
    client.delete_role_policy(RoleName="caching", PolicyName="make")
    client.delete_role(RoleName="caching")
    # What is gone already needs no deletion.
    assert project.destroy().succeeded


def test_what_exists_is_imported_by_its_id_and_then_unchanged(new_project: NewProject) -> None:
    assert new_project(ALL).up().succeeded
    importing = changed(
        ALL,
        {
            'tags={"team": "coins"}, opts=here': 'tags={"team": "coins"}, opts=taking("caching")',
            "policy=json.dumps(may), opts=here": 'policy=json.dumps(may), opts=taking("caching:make")',
        },
    )
    taking = "def taking(id):\n    return pulumi.ResourceOptions.merge(here, pulumi.ResourceOptions(import_=id))\n"
    importer = new_project(taking + importing, "second")
    preview = importer.preview()
    assert preview.succeeded, preview.output
    assert preview.warnings == []
    outcome = importer.up()
    assert outcome.ops() == {"role": "import", "policy": "import"}, outcome.output
    importer.write(PRELUDE + ALL)
    assert importer.preview("--expect-no-changes").succeeded
    importer.write(PRELUDE + taking + importing.replace('taking("caching:make")', 'taking("make")'))
    stranger = new_project(taking + importing.replace('taking("caching:make")', 'taking("make")'), "third")
    assert "expected the id <role>:<policy> of a policy in an IAM role, received 'make'" in stranger.up().errors


def test_a_role_goes_with_policies_of_others_only_if_it_says_so(new_project: NewProject, client: IAMClient) -> None:
    project = new_project(TRUST + ROLE)
    assert project.up().succeeded
    client.put_role_policy(RoleName="caching", PolicyName="theirs", PolicyDocument=DOCUMENT)
    managed = client.create_policy(PolicyName="theirs", PolicyDocument=DOCUMENT)["Policy"].get("Arn", "")
    client.attach_role_policy(RoleName="caching", PolicyArn=managed)
    client.create_instance_profile(InstanceProfileName="theirs")
    client.add_role_to_instance_profile(InstanceProfileName="theirs", RoleName="caching")
    refused = project.destroy()
    assert (
        "deleting the IAM role caching: Cannot delete entity, must detach all policies first. (DeleteConflict); "
        in (refused.errors)
    )
    assert "set forceDetachPolicies to true" in refused.errors
    project.write(PRELUDE + TRUST + ROLE.replace('path="/ecr/"', 'path="/ecr/", force_detach_policies=True'))
    assert project.up().succeeded
    assert project.destroy().succeeded
    assert client.list_roles()["Roles"] == []
    assert len(client.list_policies(Scope="Local")["Policies"]) == 1


def test_a_role_goes_with_the_policies_that_a_refresh_has_found(new_project: NewProject, client: IAMClient) -> None:
    project = new_project(TRUST + ROLE)
    assert project.up().succeeded
    client.put_role_policy(RoleName="caching", PolicyName="theirs", PolicyDocument=DOCUMENT)
    assert "must delete policies first" in project.destroy().errors
    assert project.refresh().succeeded
    assert [found["name"] for found in project.resources()["role"]["outputs"]["inlinePolicies"]] == ["theirs"]
    outcome = project.destroy()
    assert outcome.succeeded, outcome.output
    assert client.list_roles()["Roles"] == []


@pytest.fixture
def provider(api: str, monkeypatch: pytest.MonkeyPatch) -> AwsProvider:
    """The provider, configured, without an engine."""
    for variable, value in ENVIRONMENT.items():
        monkeypatch.setenv(variable, value)
    made = AwsProvider()
    made.configure(
        {
            "region": "us-east-1",
            "endpoints": json.dumps([{"ecr": api, "iam": api, "sts": api}]),
            "accessKey": ACCESS_KEY,
            "secretKey": SECRET_KEY,
        }
    )
    return made


def checking(type_: str, inputs: Properties, **more: object) -> CheckRequest:
    urn = f"urn:pulumi:test::plugins::{type_}::mine"
    naming = more.get("autonaming")
    return CheckRequest(
        urn=urn,
        type=type_,
        name=str(more.get("name", "mine")),
        log=ResourceLog(EngineLog(), urn),
        cancelled=threading.Event(),
        inputs=inputs,
        random_seed=bytes(range(16)),
        autonaming=naming if isinstance(naming, Autonaming) else None,
    )


MISTAKES: dict[str, tuple[str, Properties, str]] = {
    "a role that nobody may take": (ROLE_TYPE, {}, "assumeRolePolicy: missing"),
    "a trust that is no JSON": (ROLE_TYPE, {"assumeRolePolicy": "{"}, "assumeRolePolicy: not JSON"),
    "a name with a space": (
        ROLE_TYPE,
        {"assumeRolePolicy": "{}", "name": "my role"},
        "name: expected 1 to 64 letters, digits and + = , . @ _ -, as pull-cache, received 'my role'",
    ),
    "a path without an end": (
        ROLE_TYPE,
        {"assumeRolePolicy": "{}", "path": "/ecr"},
        "path: expected at most 512 characters between slashes, as /service/, received '/ecr'",
    ),
    "a session of a minute": (
        ROLE_TYPE,
        {"assumeRolePolicy": "{}", "maxSessionDuration": 60},
        "maxSessionDuration: expected 3600 to 43200 seconds, received 60",
    ),
    "not an input": (
        ROLE_TYPE,
        {"assumeRolePolicy": "{}", "inlinePolicies": []},
        "inlinePolicies: not an input of aws:iam/role:Role; accepted are assumeRolePolicy,",
    ),
    "detached by a word": (
        ROLE_TYPE,
        {"assumeRolePolicy": "{}", "forceDetachPolicies": "yes"},
        "forceDetachPolicies: expected true or false, received 'yes'",
    ),
    "a policy of no role": (POLICY_TYPE, {"policy": "{}"}, "role: missing"),
    "a policy that is no JSON": (POLICY_TYPE, {"policy": "{", "role": "caching"}, "policy: not JSON"),
}


@pytest.mark.parametrize(("type_", "inputs", "message"), MISTAKES.values(), ids=list(MISTAKES))
def test_a_mistake_in_the_inputs_is_told_by_its_key(
    provider: AwsProvider, type_: str, inputs: Properties, message: str
) -> None:
    told = [failure.reason for failure in provider.check(checking(type_, inputs)).failures]
    assert any(reason.startswith(message) for reason in told), told


def test_an_input_that_is_not_known_yet_is_no_mistake(provider: AwsProvider) -> None:
    role: Properties = dict.fromkeys(
        ("assumeRolePolicy", "description", "maxSessionDuration", "name", "path", "permissionsBoundary", "tags"),
        UNKNOWN,
    )
    assert provider.check(checking(ROLE_TYPE, role)).failures == []
    policy: Properties = {"policy": {"Statement": [{"Resource": UNKNOWN}]}, "role": UNKNOWN}
    checked = provider.check(checking(POLICY_TYPE, policy))
    assert checked.failures == []
    assert checked.inputs["policy"] == UNKNOWN


def test_a_name_is_made_as_the_stack_asks_for_it(provider: AwsProvider) -> None:
    inputs: Properties = {"assumeRolePolicy": "{}"}
    assert provider.check(checking(ROLE_TYPE, inputs)).inputs["name"] == "mine-0001020"
    proposed = Autonaming("mine-of-test", AutonamingMode.PROPOSE)
    assert provider.check(checking(ROLE_TYPE, inputs, autonaming=proposed)).inputs["name"] == "mine-of-test"
    forbidden = provider.check(checking(ROLE_TYPE, inputs, autonaming=Autonaming("", AutonamingMode.DISABLE)))
    assert [failure.reason for failure in forbidden.failures] == [
        "name: missing, and automatic naming is disabled (pulumi:autonaming)"
    ]
    (long,) = provider.check(checking(ROLE_TYPE, inputs, name="m" * 60)).failures
    assert "would have more than 64 characters" in long.reason


REFUSED: dict[str, tuple[str, Properties, str]] = {
    "a role that exists": (
        ROLE_TYPE,
        {"name": "caching", "assumeRolePolicy": "TRUST"},
        f"creating the IAM role caching: it exists already in account {ACCOUNT}; to manage it here: "
        "pulumi import aws:iam/role:Role mine caching",
    ),
    "a policy in a role that is not there": (
        POLICY_TYPE,
        {"name": "make", "role": "none", "policy": DOCUMENT},
        "creating the policy make of the IAM role none: ",
    ),
    "a policy for nothing": (
        POLICY_TYPE,
        {"name": "make", "role": "caching", "policy": '{"Version": "2012-10-17"}'},
        "creating the policy make of the IAM role caching: Syntax errors in policy. (MalformedPolicyDocument)",
    ),
}


@pytest.mark.parametrize(("type_", "inputs", "message"), REFUSED.values(), ids=list(REFUSED))
def test_what_aws_refuses_is_told_in_one_line(
    provider: AwsProvider, client: IAMClient, type_: str, inputs: Properties, message: str
) -> None:
    trust = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "ecr.amazonaws.com"}, "Action": "sts:AssumeRole"}
            ],
        }
    )
    client.create_role(RoleName="caching", AssumeRolePolicyDocument=trust)
    check = checking(type_, {key: trust if value == "TRUST" else value for key, value in inputs.items()})
    request = CreateRequest(
        urn=check.urn, type=type_, name="mine", log=check.log, cancelled=check.cancelled, inputs=check.inputs
    )
    with pytest.raises(ProviderError) as caught:
        provider.create(request)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
