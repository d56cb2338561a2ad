"""Pull-through cache rules of one registry.

What each upstream wants is told in
https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache.html, and the limit in
https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from .errors import EcrError

MOST_RULES: Final = 50
"""In one registry."""

_ROOT: Final = "ROOT"
_OTHER_ECR: Final = re.compile(r"(\d{12})\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?")
_AZURE: Final = re.compile(r"[a-z0-9-]+\.azurecr\.io", re.IGNORECASE)
_UPSTREAMS: Final = {
    "cgr.dev": "chainguard",
    "ghcr.io": "github-container-registry",
    "public.ecr.aws": "ecr-public",
    "quay.io": "quay",
    "registry-1.docker.io": "docker-hub",
    "registry.gitlab.com": "gitlab-container-registry",
    "registry.k8s.io": "k8s",
}
_WITH_SECRET: Final = frozenset(
    {
        "azure-container-registry",
        "chainguard",
        "docker-hub",
        "github-container-registry",
        "gitlab-container-registry",
    }
)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class CacheRule:
    """One rule; the names of its fields are those of the API, in Python's spelling."""

    ecr_repository_prefix: str
    upstream_registry_url: str
    upstream_registry: str
    registry_id: str
    credential_arn: str | None
    custom_role_arn: str | None
    upstream_repository_prefix: str | None
    created_at: datetime = field(default_factory=_now)
    updated_at: datetime = field(default_factory=_now)


class CacheRules:
    """The rules of a registry: one for each prefix."""

    def __init__(self, account: str, has_secret: Callable[[str], bool]) -> None:
        """Begin without any; `has_secret` tells whether this account and region have the secret of an ARN."""
        self._account = account
        self._has_secret = has_secret
        self._rules: dict[str, CacheRule] = {}

    def create(
        self,
        prefix: str,
        url: str,
        *,
        upstream: str | None,
        credential_arn: str | None,
        custom_role_arn: str | None,
        upstream_prefix: str | None,
    ) -> CacheRule:
        """Add a rule.

        Raises:
            EcrError: the upstream is none of those supported or lacks its credentials, the secret is not
                there, the prefix has a rule already, or there are too many.
        """
        name = _upstream_of(url)
        if name is None or upstream not in (None, name):
            raise EcrError(
                "UnsupportedUpstreamRegistryException",
                f"The upstream registry URL {url} is invalid. Specify a valid upstream registry URL and try again",
            )
        self._check_credentials(name, url, credential_arn, custom_role_arn)
        if _key(prefix) in self._rules:
            raise EcrError(
                "PullThroughCacheRuleAlreadyExistsException",
                f"A pull through cache rule with prefix '{prefix}' already exists "
                f"in the registry with id '{self._account}'",
            )
        if len(self._rules) >= MOST_RULES:
            raise EcrError(
                "LimitExceededException",
                f"The registry with id '{self._account}' already has the maximum number of pull through cache rules, "
                f"which is {MOST_RULES}",
            )
        rule = CacheRule(
            ecr_repository_prefix=prefix,
            upstream_registry_url=url,
            upstream_registry=name,
            registry_id=self._account,
            credential_arn=credential_arn,
            custom_role_arn=custom_role_arn,
            upstream_repository_prefix=upstream_prefix or (_ROOT if name == "ecr" else None),
        )
        self._rules[_key(prefix)] = rule
        return rule

    def update(self, prefix: str, *, credential_arn: str | None, custom_role_arn: str | None) -> CacheRule:
        """Give a rule other credentials.

        Raises:
            EcrError: there is no such rule, or neither of the two is given.
        """
        rule = self._find(prefix)
        if not credential_arn and not custom_role_arn:
            raise EcrError(
                "InvalidParameterException",
                "Invalid input: Please set either credential arn or role arn to update the credentials",
            )
        self._check_secret(credential_arn)
        rule.credential_arn = credential_arn or rule.credential_arn
        rule.custom_role_arn = custom_role_arn or rule.custom_role_arn
        rule.updated_at = _now()
        return rule

    def delete(self, prefix: str) -> CacheRule:
        """Take a rule away; repositories that it has made stay.

        Raises:
            EcrError: there is no such rule.
        """
        rule = self._find(prefix)
        del self._rules[_key(prefix)]
        return rule

    def describe(self, prefixes: Collection[str]) -> list[CacheRule]:
        """The rules of these prefixes, or all.

        Raises:
            EcrError: one of them has none.
        """
        return [self._find(prefix) for prefix in prefixes] if prefixes else list(self._rules.values())

    def _find(self, prefix: str) -> CacheRule:
        rule = self._rules.get(_key(prefix))
        if rule is None:
            raise EcrError(
                "PullThroughCacheRuleNotFoundException",
                f"The pull through cache rule with prefix '{prefix}' does not exist "
                f"in the registry with id '{self._account}'",
            )
        return rule

    def _check_credentials(
        self, upstream: str, url: str, credential_arn: str | None, custom_role_arn: str | None
    ) -> None:
        if upstream in _WITH_SECRET and not credential_arn:
            raise EcrError(
                "UnsupportedUpstreamRegistryException",
                "The specified upstream registry requires authentication. Specify a valid Secrets Manager ARN",
            )
        other = _OTHER_ECR.fullmatch(url)
        if other is not None and other.group(1) != self._account and not custom_role_arn:
            raise EcrError(
                "InvalidParameterException",
                "Invalid input: The upstream registry belongs to another account. Specify a custom role ARN",
            )
        self._check_secret(credential_arn)

    def _check_secret(self, arn: str | None) -> None:
        if arn and not self._has_secret(arn):
            raise EcrError(
                "SecretNotFoundException",
                "The ARN of the secret specified in the pull through cache rule was not found",
            )


def _key(prefix: str) -> str:
    # ECR takes every prefix as if it ended with a slash.
    return prefix.rstrip("/")


def _upstream_of(url: str) -> str | None:
    if _OTHER_ECR.fullmatch(url):
        return "ecr"
    if _AZURE.fullmatch(url):
        return "azure-container-registry"
    return _UPSTREAMS.get(url)
