"""Policies are judged by Amazon's own linter for them (cfn-lint), and by a small evaluator of who may do what."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.ecr_policies import (
    CACHE_PULL_ACTIONS,
    POLICY_LIMIT,
    PULL_ACTIONS,
    PUSH_ACTIONS,
    PrincipalError,
    access_problem,
    cached_repository_policy,
    principal_problem,
    repository_policy,
)
from tests.unit.ecr_api import repository_policy_problems, request_problems

ACCOUNT, OTHER = "111122223333", "444455556666"
ROLE = f"arn:aws:iam::{OTHER}:role/ci/builders/push"
USER = f"arn:aws:iam::{OTHER}:user/Ada.Lovelace+ci@example.com"
ORGANIZATION = "o-a1b2c3d4e5"

# The linter knows these three.
REGIONS = {"aws": "eu-west-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}


def statements(policy: str | None) -> list[dict[str, Any]]:
    return json.loads(policy or '{"Statement": []}')["Statement"]


def who_may(policy: str | None, action: str) -> set[str]:
    """The ARNs, and the organizations, that a policy lets do something."""
    found: set[str] = set()
    for statement in statements(policy):
        assert statement["Effect"] == "Allow"
        if action in statement["Action"]:
            principal = statement["Principal"]
            found |= set(organizations(statement) if principal == "*" else principal["AWS"])
    return found


def organizations(statement: dict[str, Any]) -> list[str]:
    assert set(statement["Condition"]) == {"StringEquals"}
    assert set(statement["Condition"]["StringEquals"]) == {"aws:PrincipalOrgID"}
    return statement["Condition"]["StringEquals"]["aws:PrincipalOrgID"]


names = st.text("abcXYZ019+=,.@_-", min_size=1, max_size=64)
accounts = st.text("0123456789", min_size=12, max_size=12)
paths = st.lists(st.text("abc019-_.", min_size=1, max_size=5).map(lambda part: f"{part}/"), max_size=2)


def principals(partition: str) -> st.SearchStrategy[str]:
    def arn(account: str, kind: str, path: list[str], name: str) -> str:
        return f"arn:{partition}:iam::{account}:{kind}/{''.join(path)}{name}"

    arns = st.builds(arn, accounts, st.sampled_from(["role", "user"]), paths, names)
    ids = st.text("abcxyz019", min_size=10, max_size=32).map(lambda suffix: f"o-{suffix}")
    return st.one_of(accounts, arns, ids)


def lists_in_some_partition() -> st.SearchStrategy[tuple[str, list[str], list[str]]]:
    def lists(partition: str) -> st.SearchStrategy[tuple[str, list[str], list[str]]]:
        some = st.lists(principals(partition), max_size=6)
        return st.tuples(st.just(partition), some, some)

    return st.sampled_from(sorted(REGIONS)).flatmap(lists)


@settings(max_examples=40)
@given(lists=lists_in_some_partition())
def test_every_policy_is_valid_by_the_rules_of_iam_and_of_ecr(lists: tuple[str, list[str], list[str]]) -> None:
    partition, may_pull, may_push = lists
    for policy in (
        repository_policy(may_pull, may_push, region=REGIONS[partition]),
        cached_repository_policy(may_pull, region=REGIONS[partition]),
    ):
        if policy is not None:
            assert repository_policy_problems(policy) == []
            assert request_problems("SetRepositoryPolicy", {"repositoryName": "coins/rng", "policyText": policy}) == []
            assert len({statement["Sid"] for statement in statements(policy)}) == len(statements(policy))


@given(lists=lists_in_some_partition())
def test_whoever_is_named_is_let_in_and_nobody_else(lists: tuple[str, list[str], list[str]]) -> None:
    partition, may_pull, may_push = lists
    policy = repository_policy(may_pull, may_push, region=REGIONS[partition])

    def named(texts: list[str]) -> set[str]:
        return {f"arn:{partition}:iam::{text}:root" if text.isdigit() else text for text in texts}

    for action in PULL_ACTIONS:
        assert who_may(policy, action) == named([*may_pull, *may_push])
    for action in set(PUSH_ACTIONS) - set(PULL_ACTIONS):
        assert who_may(policy, action) == named(may_push)


@given(lists=lists_in_some_partition(), seed=st.randoms())
def test_the_order_of_a_list_and_what_stands_twice_change_nothing(
    lists: tuple[str, list[str], list[str]], seed: Any
) -> None:
    partition, may_pull, may_push = lists
    again = [*may_pull, *may_pull]
    seed.shuffle(again)
    region = REGIONS[partition]
    assert repository_policy(again, may_push, region=region) == repository_policy(may_pull, may_push, region=region)


def test_who_pulls_may_do_what_a_pull_needs_and_no_more() -> None:
    (statement,) = statements(repository_policy([ACCOUNT], [], region="eu-west-1"))
    assert statement == {
        "Sid": "Pull",
        "Effect": "Allow",
        "Principal": {"AWS": [f"arn:aws:iam::{ACCOUNT}:root"]},
        "Action": ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
    }


def test_who_pushes_may_also_upload_and_put_an_image_and_no_more() -> None:
    (statement,) = statements(repository_policy([], [ROLE], region="eu-west-1"))
    assert statement["Principal"] == {"AWS": [ROLE]}
    assert set(statement["Action"]) == {
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:CompleteLayerUpload",
        "ecr:GetDownloadUrlForLayer",
        "ecr:InitiateLayerUpload",
        "ecr:PutImage",
        "ecr:UploadLayerPart",
    }


def test_an_organization_is_let_in_by_a_condition_beside_the_single_principals() -> None:
    alone, together = statements(repository_policy([ORGANIZATION, USER], [], region="eu-west-1"))
    assert alone["Principal"] == {"AWS": [USER]}
    assert "Condition" not in alone
    assert together["Principal"] == "*"
    assert together["Condition"] == {"StringEquals": {"aws:PrincipalOrgID": [ORGANIZATION]}}


def test_who_is_in_both_lists_is_named_once() -> None:
    (statement,) = statements(repository_policy([ACCOUNT], [ACCOUNT], region="eu-west-1"))
    assert statement["Sid"] == "Push"


def test_the_root_of_an_account_is_the_account() -> None:
    root = f"arn:aws:iam::{ACCOUNT}:root"
    (statement,) = statements(repository_policy([ACCOUNT, root], [], region="eu-west-1"))
    assert statement["Principal"] == {"AWS": [root]}


@pytest.mark.parametrize(("partition", "region"), REGIONS.items())
def test_an_account_is_named_in_the_partition_of_the_region(partition: str, region: str) -> None:
    policy = repository_policy([ACCOUNT], [], region=region)
    assert who_may(policy, "ecr:BatchGetImage") == {f"arn:{partition}:iam::{ACCOUNT}:root"}


def test_nobody_named_is_no_policy() -> None:
    assert repository_policy([], [], region="eu-west-1") is None
    assert cached_repository_policy([], region="eu-west-1") is None


def test_a_cached_repository_may_be_filled_by_whoever_pulls_and_pushed_to_by_nobody() -> None:
    policy = cached_repository_policy([ACCOUNT, ORGANIZATION], region="eu-west-1")
    assert {action for statement in statements(policy) for action in statement["Action"]} == set(CACHE_PULL_ACTIONS)
    assert who_may(policy, "ecr:BatchImportUpstreamImage") == {f"arn:aws:iam::{ACCOUNT}:root", ORGANIZATION}


@pytest.mark.parametrize("text", [ACCOUNT, ROLE, USER, ORGANIZATION, f"arn:aws:iam::{ACCOUNT}:root"])
def test_accounts_roles_users_and_organizations_are_principals(text: str) -> None:
    assert principal_problem(text) is None
    assert principal_problem(text, "eu-west-1") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is not an account's 12 digits, the ARN of an IAM role or user, or the id of an organization"),
        ("*", "lets in everyone"),
        ("12345678901", "it has 11 digits; an account has 12"),
        ("١٢٣٤٥٦٧٨٩٠١٢", "it is not an account's 12 digits"),
        (f"{ACCOUNT}\n", "it is not an account's 12 digits"),
        ("o-short", "10 to 32 lowercase letters and digits"),
        ("o-A1B2C3D4E5", "10 to 32 lowercase letters and digits"),
        ("ou-abcd-12345678", "root or unit of an organization"),
        ("role/push", "it is not an account's 12 digits"),
        (f"arn:amazon:iam::{ACCOUNT}:role/push", "the partition 'amazon'"),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/push/session", "session that ends; name its role"),
        (f"arn:aws:s3::{ACCOUNT}:role/push", "an ARN of 's3'"),
        ("arn:aws:iam::1234:role/push", "its account '1234' is not 12 digits"),
        (f"arn:aws:iam::{ACCOUNT}:role/*", "takes no wildcard"),
        (f"arn:aws:iam::{ACCOUNT}:group/builders", "a group is no principal"),
        (f"arn:aws:iam::{ACCOUNT}:role/", "'role/' is neither role/<name> nor user/<name>"),
        (f"arn:aws:iam::{ACCOUNT}:role/{'r' * 65}", "is neither role/<name>"),
        (f"arn:aws:iam::{ACCOUNT}:policy/p", "is neither role/<name>"),
        (f"arn:aws:iam::{ACCOUNT}:role/a b", "is neither role/<name>"),
    ],
)
def test_what_is_no_principal_is_refused_with_the_reason(text: str, said: str) -> None:
    assert said in (principal_problem(text) or "")
    with pytest.raises(PrincipalError) as raised:
        repository_policy([text], [], region="eu-west-1")
    assert repr(text) in str(raised.value)
    assert said in str(raised.value)


def test_a_principal_of_another_partition_is_refused() -> None:
    assert principal_problem(ROLE, "cn-north-1") == ("it is of the partition 'aws', and cn-north-1 is in 'aws-cn'")
    with pytest.raises(PrincipalError, match="cn-north-1 is in 'aws-cn'"):
        cached_repository_policy([ROLE], region="cn-north-1")


@given(text=st.text(max_size=80))
def test_any_text_is_either_refused_or_makes_a_valid_policy(text: str) -> None:
    if principal_problem(text, "eu-west-1") is None:
        assert repository_policy_problems(repository_policy([text], [], region="eu-west-1") or "") == []
    else:
        with pytest.raises(PrincipalError):
            repository_policy([], [text], region="eu-west-1")


def test_more_principals_than_a_policy_has_room_for_are_refused() -> None:
    few = [f"{number:012}" for number in range(200)]
    many = [f"{number:012}" for number in range(400)]
    assert access_problem(few, [], "eu-west-1") is None
    assert len(repository_policy(few, [], region="eu-west-1") or "") <= POLICY_LIMIT
    assert f"ECR takes at most {POLICY_LIMIT}" in (access_problem(many, [], "eu-west-1") or "")
    with pytest.raises(PrincipalError, match="name accounts or an organization"):
        repository_policy(many, [], region="eu-west-1")
