"""The roles that pipelines take: what a preview may do, and what an apply may do besides."""

import json
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml

ROLES = Path(__file__).parents[3] / "pipelines" / "roles"
READING = ("Get", "List", "Describe", "BatchGet", "BatchCheck")


def _statements(name: str) -> list[dict[str, Any]]:
    policy = json.loads((ROLES / f"aws-{name}.json").read_text())
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
