"""ECR's pull-through cache: the rules, and what the repositories that ECR makes for them are like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from components.ecr_cache import (
    UPSTREAM_RULE,
    UpstreamError,
    cache_problems,
    creation_role_policy,
    creation_role_trust,
    upstream,
)
from components.ecr_lifecycle import lifecycle_policy
from components.ecr_policies import cached_repository_policy


@dataclass(frozen=True)
class PullThroughCacheArgs:
    """What a :class:`PullThroughCache` is made of.

    ``upstreams`` maps names (:data:`components.ecr_cache.UPSTREAM_RULE`) to the ARNs of their credentials, ``None``
    where there is none. ``repository_prefix`` is what the registry's own repositories are under. ``keep`` and
    ``untagged_days`` are for the clean-up of each cached repository, ``kms_key`` is the ARN of a key, ``may_pull`` has
    principals of other accounts or of the organization (:data:`components.ecr_policies.PRINCIPAL_RULE`). ``tags`` go on
    each cached repository: ECR makes it, so a provider's default tags do not reach it.
    """

    account: str
    region: str
    repository_prefix: str
    upstreams: Mapping[str, str | None]
    keep: int = 30
    untagged_days: int = 7
    kms_key: str | None = None
    may_pull: Sequence[str] = ()
    tags: Mapping[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        """Refuse what ECR would not take.

        Raises:
            UpstreamError: an upstream or its credential is wrong, or the key is named by an alias.
        """
        problems = cache_problems(
            self.upstreams, account=self.account, region=self.region, repository_prefix=self.repository_prefix
        )
        if problems:
            listing = "; ".join(f"{name!r}: {problem}" for name, problem in problems.items())
            raise UpstreamError(f"ECR cannot pull through as asked (accepted are {UPSTREAM_RULE}): {listing}")
        if self.kms_key and ":key/" not in self.kms_key:
            raise UpstreamError(
                f"cached repositories cannot be encrypted with {self.kms_key!r}: ECR takes the ARN of a key here,"
                " arn:aws:kms:<region>:<account>:key/<id>, not an alias"
            )


class PullThroughCache(pulumi.ComponentResource):
    """For each upstream a rule, and before it the template by which ECR makes its repositories.

    Their tags change when those of the upstream do, so they cannot be immutable. ECR makes them by a role, which is
    declared where the template asks for what needs one: tags or a key.

    ``rules`` maps the name of an upstream to its rule, for others to wait for before they pull.
    """

    rules: Mapping[str, aws.ecr.PullThroughCacheRule]

    def __init__(
        self,
        name: str,
        args: PullThroughCacheArgs,
        *,
        provider: aws.Provider,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the rules in the account and region of ``provider``, which ``args`` name too."""
        super().__init__("dockercoins:ecr:PullThroughCache", name, None, opts)
        self._args = args
        self._name = name
        self._child_opts = pulumi.ResourceOptions(parent=self, provider=provider)
        role, role_policy = self._creation_role()
        self.rules = {upstream_name: self._rule(upstream_name, role, role_policy) for upstream_name in args.upstreams}
        self.register_outputs({})

    def _creation_role(self) -> tuple[aws.iam.Role | None, aws.iam.RolePolicy | None]:
        args = self._args
        if not args.tags and not args.kms_key:
            return None, None
        role = aws.iam.Role(
            self._name,
            description="Lets ECR make the repositories of its pull-through cache",
            assume_role_policy=creation_role_trust(),
            opts=self._child_opts,
        )
        policy = aws.iam.RolePolicy(
            self._name,
            role=role.id,
            policy=creation_role_policy(
                list(args.upstreams), account=args.account, region=args.region, kms_key=args.kms_key
            ),
            opts=self._child_opts,
        )
        return role, policy

    def _rule(
        self, upstream_name: str, role: aws.iam.Role | None, role_policy: aws.iam.RolePolicy | None
    ) -> aws.ecr.PullThroughCacheRule:
        args = self._args
        found = upstream(upstream_name)
        name = f"{self._name}-{upstream_name}"
        template = aws.ecr.RepositoryCreationTemplate(
            name,
            prefix=found.prefix,
            description=f"What is pulled through from {found.url}",
            applied_fors=["PULL_THROUGH_CACHE"],
            image_tag_mutability="MUTABLE",
            encryption_configurations=[
                aws.ecr.RepositoryCreationTemplateEncryptionConfigurationArgs(
                    encryption_type="KMS", kms_key=args.kms_key
                )
                if args.kms_key
                else aws.ecr.RepositoryCreationTemplateEncryptionConfigurationArgs(encryption_type="AES256")
            ],
            lifecycle_policy=lifecycle_policy(args.keep, (), untagged_days=args.untagged_days),
            repository_policy=cached_repository_policy(args.may_pull, region=args.region),
            resource_tags=args.tags or None,
            custom_role_arn=role.arn if role else None,
            opts=self._options(role_policy),
        )
        return aws.ecr.PullThroughCacheRule(
            name,
            ecr_repository_prefix=found.prefix,
            upstream_registry_url=found.url,
            credential_arn=args.upstreams[upstream_name],
            opts=self._options(template),
        )

    def _options(self, after: pulumi.Resource | None) -> pulumi.ResourceOptions:
        # A registry has one template and one rule for a prefix, so a new one cannot stand beside the old one.
        more = pulumi.ResourceOptions(depends_on=[after] if after else [], delete_before_replace=True)
        return pulumi.ResourceOptions.merge(self._child_opts, more)
