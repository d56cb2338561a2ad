"""The registries that ECR can pull through, as data, and the names that their images have in the cache.

A rule maps a prefix of the private registry to another registry: the first pull of
``<host>/docker-hub/library/redis:8`` makes the repository, fetches the image and stores it; later pulls are served from
there, and a tag is looked up again once a day. Rules, names and which registry needs a credential:
https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache.html. A credential is a secret in AWS Secrets
Manager with the JSON keys ``username`` and ``accessToken``, in the account and region of the registry.

Whoever pulls an image that is not in the cache yet needs ``ecr:BatchImportUpstreamImage``, and ``ecr:CreateRepository``
where its repository is not there yet, by an IAM policy or the registry's own. Amazon's
``AmazonEC2ContainerRegistryPullOnly``, which nodes usually have, holds the first of them only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from components.ecr_partition import partition_of
from components.image_reference import DOCKER_HUB, parse

SECRET_PREFIX: Final = "ecr-pullthroughcache/"  # noqa: S105 - what the names of secrets begin with
"""What the name of every secret with a credential begins with: ECR takes no other."""


@dataclass(frozen=True)
class Upstream:
    """A registry that ECR can pull through.

    ``prefix`` is what its images are under in the private registry. ``url`` is what ECR calls it by, ``host`` what
    references name it by. ``needs_credential`` is whether ECR refuses a rule without one; for the others it takes none.
    """

    prefix: str
    url: str
    host: str
    needs_credential: bool


UPSTREAMS: Final[Mapping[str, Upstream]] = {
    "docker-hub": Upstream("docker-hub", "registry-1.docker.io", DOCKER_HUB, needs_credential=True),
    "ecr-public": Upstream("ecr-public", "public.ecr.aws", "public.ecr.aws", needs_credential=False),
    "kubernetes": Upstream("kubernetes", "registry.k8s.io", "registry.k8s.io", needs_credential=False),
    "quay": Upstream("quay", "quay.io", "quay.io", needs_credential=False),
    "github": Upstream("github", "ghcr.io", "ghcr.io", needs_credential=True),
    "gitlab": Upstream("gitlab", "registry.gitlab.com", "registry.gitlab.com", needs_credential=True),
    "chainguard": Upstream("chainguard", "cgr.dev", "cgr.dev", needs_credential=True),
}
"""The registries that are the same for everyone, by name; each registry of Azure's goes by its host."""

UPSTREAM_RULE: Final = f"{', '.join(UPSTREAMS)}, or the host of an Azure registry such as mycompany.azurecr.io"
"""What the name of an upstream may be, in words."""

CREDENTIAL_RULE: Final = (
    "the ARN of a secret in AWS Secrets Manager whose name begins with"
    f" {SECRET_PREFIX} for Docker Hub, GitHub, GitLab, Chainguard and Azure, and nothing for the others"
)
"""What the credential of an upstream may be, in words."""

_AZURE_PREFIX: Final = "azure/"
_PREFIX_LIMIT: Final = 30
_AZURE_NAME_LIMIT: Final = _PREFIX_LIMIT - len(_AZURE_PREFIX)
_AZURE = re.compile(rf"([a-z0-9]{{5,{_AZURE_NAME_LIMIT}}})\.azurecr\.io")
_SECRET = re.compile(r"arn:([a-z-]+):secretsmanager:([a-z0-9-]+):([0-9]{12}):secret:(.+)", re.DOTALL)
_SECRET_NAME = re.compile(rf"{SECRET_PREFIX}[a-zA-Z0-9/_+=.@-]+")


class UpstreamError(ValueError):
    """A registry that ECR cannot pull through as asked; the message says why."""


def upstream(name: str) -> Upstream:
    """The upstream of this name.

    Raises:
        UpstreamError: there is none.
    """
    azure = _AZURE.fullmatch(name)
    if azure:
        return Upstream(f"{_AZURE_PREFIX}{azure[1]}", name, name, needs_credential=True)
    if name not in UPSTREAMS:
        raise UpstreamError(f"{name!r} is no registry to pull through: {upstream_problem(name)}")
    return UPSTREAMS[name]


def upstream_problem(name: str) -> str | None:
    """What is wrong with the name of an upstream, ``None`` if nothing is."""
    if name in UPSTREAMS or _AZURE.fullmatch(name):
        return None
    if name.endswith(".azurecr.io"):
        return f"the name of an Azure registry to pull through is 5 to {_AZURE_NAME_LIMIT} lowercase letters and digits"
    return f"accepted are {UPSTREAM_RULE}"


def credential_problem(name: str, credential: str | None, account: str, region: str) -> str | None:
    """What is wrong with the credential of an upstream for the registry of ``account`` in ``region``.

    ``None`` if nothing is. A wrong name is no matter of this: :func:`upstream_problem` tells it.
    """
    if upstream_problem(name):
        return None
    if not upstream(name).needs_credential:
        return f"ECR pulls through {name} without a credential, and takes none" if credential else None
    if not credential:
        return f"ECR pulls through {name} with a credential only: {_secret_rule(account, region)}"
    return _secret_problem(credential, account, region)


def cache_problems(
    cache: Mapping[str, str | None], *, account: str, region: str, repository_prefix: str
) -> dict[str, str]:
    """What is wrong with upstreams and their credentials for the registry of ``account`` in ``region``, by name.

    ``repository_prefix`` is what the registry's own repositories are under: no upstream may have it too. Empty where
    nothing is wrong.
    """
    found: dict[str, str] = {}
    for name, credential in cache.items():
        problem = upstream_problem(name) or credential_problem(name, credential, account, region)
        if problem is None and _nested(upstream(name).prefix, repository_prefix):
            problem = f"its images would be among this registry's own, which are under {repository_prefix}/"
        if problem:
            found[name] = problem
    return found


def cached_reference(host: str, upstreams: Collection[str], reference: str) -> str:
    """``reference`` as the cache of the registry at ``host`` has it, if one of ``upstreams`` serves it; else unchanged.

    ``redis:8@sha256:…`` becomes ``<host>/docker-hub/library/redis:8@sha256:…``.

    Raises:
        UpstreamError: a name is none of an upstream.
        ReferenceFormatError: the text is no reference.
    """
    image = parse(reference)
    for name in upstreams:
        found = upstream(name)
        if image.host == found.host:
            return image.under(f"{host}/{found.prefix}")
    return reference


def creation_role_trust() -> str:
    """Who may take on the role that makes repositories for the cache, as JSON: ECR."""
    statement = {"Effect": "Allow", "Principal": {"Service": "ecr.amazonaws.com"}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, sort_keys=True)


def creation_role_policy(upstreams: Collection[str], *, account: str, region: str, kms_key: str | None) -> str:
    """What that role may do, as JSON: make and tag the repositories of ``upstreams``, and encrypt with ``kms_key``.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-creation-templates-custom.html
    """
    registry = f"arn:{partition_of(region).name}:ecr:{region}:{account}:repository"
    statements: list[dict[str, object]] = [
        {
            "Sid": "MakeCachedRepositories",
            "Effect": "Allow",
            "Action": ["ecr:CreateRepository", "ecr:ReplicateImage", "ecr:TagResource"],
            "Resource": sorted(f"{registry}/{upstream(name).prefix}/*" for name in upstreams),
        }
    ]
    if kms_key:
        statements.append(
            {
                "Sid": "EncryptThem",
                "Effect": "Allow",
                "Action": ["kms:CreateGrant", "kms:DescribeKey", "kms:RetireGrant"],
                "Resource": kms_key,
            }
        )
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, sort_keys=True)


def _secret_problem(credential: str, account: str, region: str) -> str | None:
    secret = _SECRET.fullmatch(credential)
    if not secret:
        return f"it is not the ARN of a secret; accepted is {_secret_rule(account, region)}"
    partition, its_region, its_account, its_name = secret.groups()
    if (partition, its_region, its_account) != (partition_of(region).name, region, account):
        return (
            f"the secret is not in the account and region of the registry; accepted is {_secret_rule(account, region)}"
        )
    if not _SECRET_NAME.fullmatch(its_name):
        return f"the secret's name {its_name!r} does not begin with {SECRET_PREFIX}, and ECR takes no other"
    return None


def _secret_rule(account: str, region: str) -> str:
    return (
        f"arn:{partition_of(region).name}:secretsmanager:{region}:{account}:secret:{SECRET_PREFIX}<name>-<6 characters>"
    )


def _nested(first: str, second: str) -> bool:
    return f"{first}/".startswith(f"{second}/") or f"{second}/".startswith(f"{first}/")
