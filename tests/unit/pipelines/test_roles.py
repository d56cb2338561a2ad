"""The roles that pipelines take: what a preview may do, and what an apply may do besides."""

import fnmatch
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml

ROOT = Path(__file__).parents[3]
ROLES = ROOT / "pipelines" / "roles"
READING = ("Get", "List", "Describe", "BatchGet", "BatchCheck")


def _statements(name: str) -> list[dict[str, Any]]:
    file = ROLES / f"{name if name.startswith('trust-') else f'aws-{name}'}.json"
    policy = json.loads(file.read_text())
    assert policy["Version"] == "2012-10-17"
    return policy["Statement"]


def _actions(name: str) -> set[str]:
    actions: set[str] = set()
    for statement in _statements(name):
        assert statement["Effect"] == "Allow"
        given = statement["Action"]
        actions |= {given} if isinstance(given, str) else set(given)
    return actions


def _kubernetes() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((ROLES / "kubernetes.yaml").read_text()))


@pytest.mark.parametrize("name", ["preview", "apply", "apply-registry", "state-preview", "state-apply"])
def test_each_action_is_one_of_amazon(name: str) -> None:
    session = botocore.session.get_session()
    known = {
        f"{service}:{operation}"
        for service in ("ecr", "eks", "iam", "kms", "s3", "sts")
        for operation in session.get_service_model(service).operation_names
    } | {"ecr:BatchCheckLayerAvailability", "iam:PassRole", "s3:ListBucket"}
    assert _actions(name) - known == set()


def test_a_preview_only_reads_and_an_apply_may_all_that_a_preview_may() -> None:
    assert [action for action in _actions("preview") if not action.partition(":")[2].startswith(READING)] == []
    assert _actions("preview") < _actions("apply")


@pytest.mark.parametrize("name", ["preview", "apply"])
def test_repositories_are_those_of_the_application(name: str) -> None:
    for statement in _statements(name):
        if any("Repositor" in action and "Template" not in action for action in statement["Action"]):
            assert statement["Resource"] == "arn:aws:ecr:*:*:repository/dockercoins/*"


def test_of_iam_an_apply_keeps_one_role_and_hands_it_to_ecr_alone() -> None:
    assert [action for action in _actions("preview") | _actions("apply") if action.startswith("iam:")] == []
    for statement in _statements("apply-registry"):
        if "iam:CreateServiceLinkedRole" in statement["Action"]:
            assert all("/aws-service-role/" in resource for resource in statement["Resource"])
        elif "iam:" in str(statement["Action"]):
            # The name that components.ecr gives the role, and eight random characters after it.
            assert statement["Resource"] == "arn:aws:iam::*:role/registry-cache-*"
    (handing,) = [item for item in _statements("apply-registry") if item["Action"] == "iam:PassRole"]
    assert handing["Condition"] == {"StringEquals": {"iam:PassedToService": "ecr.amazonaws.com"}}


def test_a_preview_cannot_write_the_state_and_an_apply_deletes_nothing_but_locks() -> None:
    assert _actions("state-preview") == {"kms:Decrypt", "s3:GetObject", "s3:ListBucket"}
    assert _actions("state-apply") - _actions("state-preview") == {"s3:DeleteObject", "s3:PutObject"}
    for name in ("state-preview", "state-apply"):
        for statement in _statements(name):
            if "s3" in str(statement["Action"]):
                assert statement["Resource"].startswith("arn:aws:s3:::dockercoins-state")
    (deleting,) = [item for item in _statements("state-apply") if "s3:DeleteObject" in item["Action"]]
    assert deleting["Resource"].endswith("/.pulumi/locks/*")


def test_what_the_group_of_a_preview_sends_has_to_be_a_dry_run() -> None:
    (policy,) = [item for item in _kubernetes() if item["kind"] == "ValidatingAdmissionPolicy"]
    assert policy["spec"]["failurePolicy"] == "Fail"
    (rule,) = policy["spec"]["matchConstraints"]["resourceRules"]
    assert {"CREATE", "UPDATE", "DELETE"} <= set(rule["operations"])
    (binding,) = [item for item in _kubernetes() if item["kind"] == "ValidatingAdmissionPolicyBinding"]
    assert binding["spec"] == {"policyName": policy["metadata"]["name"], "validationActions": ["Deny"]}


def test_both_roles_are_about_the_same_kinds_and_only_an_apply_deletes() -> None:
    roles = {item["metadata"]["name"]: item["rules"] for item in _kubernetes() if item["kind"] == "ClusterRole"}
    preview, apply = roles["dockercoins-preview"], roles["dockercoins-apply"]
    assert [rule["resources"] for rule in preview] == [rule["resources"] for rule in apply]
    assert not any(
        {"delete", "update", "*", "escalate", "bind", "impersonate"} & set(rule["verbs"]) for rule in preview
    )


# Which role each job takes, and the subject of the token that it takes it with:
# https://docs.github.com/en/actions/reference/security/oidc#example-subject-claims
# https://docs.gitlab.com/ci/secrets/id_token_authentication/#token-payload

REPOSITORY = "mycompany/dockercoins"
JOBS_OF_GITHUB = {
    f"{job['environment']}": step["with"]["role-to-assume"]
    for file in sorted((ROOT / ".github" / "workflows").iterdir())
    for job in yaml.safe_load(file.read_text())["jobs"].values()
    for step in job["steps"]
    if "configure-aws-credentials" in step.get("uses", "")
}


def _subjects_of_github(role: str) -> set[str]:
    environments = {environment for environment, taken in JOBS_OF_GITHUB.items() if f"vars.{role} " in taken}
    expanded = {name.replace("${{ matrix.stack }}", stack) for name in environments for stack in ("dev", "prod")}
    return {f"repo:{REPOSITORY}:environment:{name}" for name in expanded}


def _subjects_of_gitlab(role: str) -> set[str]:
    jobs: dict[str, Any] = yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text())
    subjects: set[str] = set()
    described: list[dict[str, Any]] = [job for job in jobs.values() if isinstance(job, dict)]
    for job in described:
        if job.get("variables", {}).get("AWS_ROLE_ARN") == f"${role}":
            of_request = any("MERGE_REQUEST" in rule["if"] for rule in job["rules"])
            subjects.add(f"project_path:{REPOSITORY}:ref_type:branch:ref:{'a-branch' if of_request else 'main'}")
    return subjects


def _trusts(name: str, subject: str, audience: str = "sts.amazonaws.com") -> bool:
    (statement,) = _statements(name)
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    host = statement["Principal"]["Federated"].partition(":oidc-provider/")[2]
    claims = {f"{host}:aud": audience, f"{host}:sub": subject}
    matches = {"StringEquals": str.__eq__, "StringLike": fnmatch.fnmatchcase}
    return all(
        any(matches[operator](claims[key], wanted) for wanted in ([values] if isinstance(values, str) else values))
        for operator, conditions in statement["Condition"].items()
        for key, values in conditions.items()
    )


@pytest.mark.parametrize("role", ["preview", "apply"])
@pytest.mark.parametrize(("host", "subjects"), [("github", _subjects_of_github), ("gitlab", _subjects_of_gitlab)])
def test_each_job_may_take_its_role(host: str, subjects: Callable[[str], set[str]], role: str) -> None:
    asked = subjects(f"AWS_{role.upper()}_ROLE")
    assert asked
    assert [subject for subject in asked if not _trusts(f"trust-{host}-{role}", subject)] == []


@pytest.mark.parametrize(("host", "subjects"), [("github", _subjects_of_github), ("gitlab", _subjects_of_gitlab)])
def test_no_preview_of_a_branch_may_take_the_role_of_an_apply(host: str, subjects: Callable[[str], set[str]]) -> None:
    applies = subjects("AWS_APPLY_ROLE")
    for subject in subjects("AWS_PREVIEW_ROLE") - applies:
        assert not _trusts(f"trust-{host}-apply", subject)


@pytest.mark.parametrize(
    "subject",
    [
        f"repo:{REPOSITORY}:pull_request",
        f"repo:{REPOSITORY}:ref:refs/heads/main",
        f"repo:{REPOSITORY}-2:environment:dev",
        "repo:somebody/dockercoins:environment:dev",
        f"project_path:{REPOSITORY}:ref_type:tag:ref:main",
        f"project_path:{REPOSITORY}-2:ref_type:branch:ref:main",
    ],
)
def test_nobody_else_may_take_a_role(subject: str) -> None:
    names = [path.stem.removeprefix("aws-") for path in ROLES.glob("trust-*.json")]
    assert len(names) == 4
    assert [name for name in names if _trusts(name, subject)] == []


def test_a_token_for_another_audience_is_refused() -> None:
    assert _trusts("trust-github-apply", f"repo:{REPOSITORY}:environment:dev")
    assert not _trusts(
        "trust-github-apply", f"repo:{REPOSITORY}:environment:dev", audience="https://github.com/mycompany"
    )
