"""Who may pull from an ECR repository and who may push to it: its policy, with the least that each needs.

A policy here lets principals of any account in. A principal of another account, or one that is named by its
organization, also needs an IAM policy of its own that allows the same actions and ``ecr:GetAuthorizationToken``, which
no repository can grant. Sources: https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-policies.html and
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Final

from components.ecr_partition import PARTITION_NAMES, partition_of

PULL_ACTIONS: Final = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
"""What a pull needs."""

PUSH_ACTIONS: Final = (
    *PULL_ACTIONS,
    "ecr:CompleteLayerUpload",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
)
"""What a push needs; a push also looks at what is there, so whoever pushes may pull."""

CACHE_PULL_ACTIONS: Final = (*PULL_ACTIONS, "ecr:BatchImportUpstreamImage")
"""What a pull through the cache needs, once the repository that holds the cached images is there."""

POLICY_LIMIT: Final = 10_240
"""The most characters of a repository's policy (``SetRepositoryPolicy`` of the ECR API)."""

PRINCIPAL_RULE: Final = (
    "an account's 12 digits, the ARN of an IAM role or user, or the id of an organization such as o-a1b2c3d4e5"
)
"""What a principal may be, in words."""

_ACCOUNT = re.compile(r"[0-9]{12}")
_ORGANIZATION = re.compile(r"o-[a-z0-9]{10,32}")
_ARN = re.compile(r"arn:(?P<partition>[^:]*):(?P<service>[^:]*):[^:]*:(?P<account>[^:]*):(?P<rest>.*)", re.DOTALL)
# A path's parts are printable ASCII, and no principal may hold a wildcard in its ARN.
_IDENTITY = re.compile(r"(role|user)/([!-)+-.0->@-~]+/)*[A-Za-z0-9_+=,.@-]{1,64}")


class PrincipalError(ValueError):
    """A text that is no principal, or too many of them; the message says what is wrong."""


def principal_problem(text: str, region: str = "") -> str | None:
    """What is wrong with ``text`` as a principal (:data:`PRINCIPAL_RULE`), ``None`` if nothing is.

    With a ``region``, an ARN of another partition is wrong too.
    """
    if _ACCOUNT.fullmatch(text) or _ORGANIZATION.fullmatch(text):
        return None
    arn = _ARN.fullmatch(text)
    return _arn_problem(arn, region) if arn else _hint(text)


def access_problem(may_pull: Sequence[str], may_push: Sequence[str], region: str) -> str | None:
    """What is wrong with two lists of principals as a whole, ``None`` if nothing is: the policy may be too long."""
    return _length_problem(_policy(_groups(may_pull, may_push), region))


def repository_policy(may_pull: Sequence[str], may_push: Sequence[str], *, region: str) -> str | None:
    """The policy, as JSON, of a repository in ``region``; ``None`` where nobody is named.

    Equal lists give equal text, in whatever order. Who is in both is in the statement for pushes alone.

    Raises:
        PrincipalError: a text is no principal of the region's partition, or there are too many of them.
    """
    return _checked(_groups(may_pull, may_push), region)


def cached_repository_policy(may_pull: Sequence[str], *, region: str) -> str | None:
    """The policy, as JSON, of a repository that a pull-through cache fills; nobody pushes there by hand.

    Raises:
        PrincipalError: as :func:`repository_policy` does.
    """
    return _checked([("Pull", set(may_pull), CACHE_PULL_ACTIONS)], region)


_Group = tuple[str, set[str], Sequence[str]]
"""A statement's name, its principals, and what they may do."""


def _groups(may_pull: Sequence[str], may_push: Sequence[str]) -> list[_Group]:
    pushers = set(may_push)
    return [("Pull", set(may_pull) - pushers, PULL_ACTIONS), ("Push", pushers, PUSH_ACTIONS)]


def _checked(groups: Sequence[_Group], region: str) -> str | None:
    for text in sorted(set[str]().union(*(principals for _, principals, _ in groups))):
        problem = principal_problem(text, region)
        if problem:
            raise PrincipalError(f"{text!r} cannot be let in to a repository: {problem}")
    policy = _policy(groups, region)
    problem = _length_problem(policy)
    if problem:
        raise PrincipalError(problem)
    return policy


def _length_problem(policy: str | None) -> str | None:
    length = len(policy or "")
    if length <= POLICY_LIMIT:
        return None
    return (
        f"the principals make a policy of {length} characters, and ECR takes at most {POLICY_LIMIT};"
        " name accounts or an organization in place of single roles"
    )


def _policy(groups: Sequence[_Group], region: str) -> str | None:
    statements = [statement for group in groups for statement in _statements(*group, region)]
    if not statements:
        return None
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, sort_keys=True)


def _statements(name: str, principals: set[str], actions: Sequence[str], region: str) -> list[dict[str, object]]:
    organizations = sorted(text for text in principals if _ORGANIZATION.fullmatch(text))
    arns = sorted({_arn_of(text, region) for text in principals if not _ORGANIZATION.fullmatch(text)})
    allowed = {"Effect": "Allow", "Action": list(actions)}
    statements: list[dict[str, object]] = []
    if arns:
        statements.append({"Sid": name, **allowed, "Principal": {"AWS": arns}})
    if organizations:
        # An organization is no principal of its own: everyone is let in who the condition says is in it.
        condition = {"StringEquals": {"aws:PrincipalOrgID": organizations}}
        statements.append({"Sid": f"{name}InOrganization", **allowed, "Principal": "*", "Condition": condition})
    return statements


def _arn_of(principal: str, region: str) -> str:
    if _ACCOUNT.fullmatch(principal):
        return f"arn:{partition_of(region).name}:iam::{principal}:root"
    return principal


def _hint(text: str) -> str:
    if text == "*":
        return "'*' lets in everyone; name accounts, roles, users or an organization"
    if re.fullmatch(r"[0-9]+", text):
        return f"it has {len(text)} digits; an account has 12"
    if text.startswith("o-"):
        return "an organization's id is 'o-' and 10 to 32 lowercase letters and digits"
    if re.fullmatch(r"(r|ou)-[a-z0-9-]+", text):
        return "a root or unit of an organization is no principal; name the organization, or accounts"
    return f"it is not {PRINCIPAL_RULE}"


def _arn_problem(arn: re.Match[str], region: str) -> str | None:
    partition, service, account, rest = arn.group("partition", "service", "account", "rest")
    kind = rest.partition("/")[0]
    problem = None
    if partition not in PARTITION_NAMES:
        problem = f"the partition {partition!r}; accepted are {', '.join(sorted(PARTITION_NAMES))}"
    elif service == "sts":
        problem = "it is a session that ends; name its role: arn:aws:iam::<account>:role/<name>"
    elif service != "iam":
        problem = f"it is an ARN of {service!r}, not of 'iam'"
    elif not _ACCOUNT.fullmatch(account):
        problem = f"its account {account!r} is not 12 digits"
    elif region and partition != partition_of(region).name:
        problem = f"it is of the partition {partition!r}, and {region} is in {partition_of(region).name!r}"
    elif "*" in rest or "?" in rest:
        problem = "a principal's ARN takes no wildcard; name the account to let in all of its roles and users"
    elif kind == "group":
        problem = "a group is no principal; name its users, a role or the account"
    elif rest != "root" and not _IDENTITY.fullmatch(rest):
        problem = f"{rest!r} is neither role/<name> nor user/<name>"
    return problem
