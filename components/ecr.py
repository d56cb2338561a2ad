"""A registry in Amazon ECR: one repository for each image, with what keeps it safe, small and close to its users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import pulumi
import pulumi_aws as aws

from components.ecr_cache import cached_reference, upstream
from components.ecr_lifecycle import lifecycle_policy
from components.ecr_partition import ecr_host
from components.ecr_policies import repository_policy
from components.ecr_pull_through import PullThroughCache, PullThroughCacheArgs
from components.ecr_replication import Destination, destinations
from components.ecr_tag_filters import check_tag_filters

__all__ = ["SCANNING", "EcrRegistry", "EcrRegistryArgs", "Scanning", "ecr_host"]

Scanning = Literal["off", "basic", "enhanced"]

SCANNING: Final[tuple[Scanning, ...]] = ("basic", "enhanced", "off")
"""How images are scanned: by ECR on each push, by Amazon Inspector all the time, or not at all."""


@dataclass(frozen=True)
class EcrRegistryArgs:
    """What an :class:`EcrRegistry` is made of.

    ``host`` is where images are pushed to and pulled from (:func:`ecr_host`, or the host of a registry that stands in
    for ECR's). ``images`` are the names under ``prefix`` that get a repository, in the registry of ``account`` in
    ``region``.

    ``keep`` is the number of tagged images that each repository keeps, ``untagged_days`` how many days it keeps images
    without a tag; an image for several ``platforms``, as many as this says, counts once. ``mutable_tags`` are filters
    (:data:`components.ecr_tag_filters.TAG_FILTER_RULE`) for the tags that may be pushed again, such as that of a build
    cache; what has one is never expired. ``kms_key`` is the ARN of a key to encrypt with; without one, ECR's own
    AES-256 is used. ``force_delete`` lets the deletion of a repository delete the images in it. ``scanning`` is one of
    :data:`SCANNING`.

    ``may_pull`` and ``may_push`` let principals in (:data:`components.ecr_policies.PRINCIPAL_RULE`) beside those whom
    the account's own IAM policies do. ``replicate_to`` has other registries
    (:data:`components.ecr_replication.DESTINATION_RULE`). ``cache`` maps registries to pull through to the ARNs of
    their credentials (:data:`components.ecr_cache.UPSTREAM_RULE`, :data:`components.ecr_cache.CREDENTIAL_RULE`).

    ``tags`` go on the repositories that ECR itself makes for the cache; what is declared here gets the default tags of
    the provider. ``import_existing`` takes over repositories of these names that are there already, all of them.
    """

    host: str
    prefix: str
    images: Sequence[str]
    account: str
    region: str
    keep: int = 30
    platforms: int = 1
    untagged_days: int = 7
    kms_key: str | None = None
    force_delete: bool = False
    may_pull: Sequence[str] = ()
    may_push: Sequence[str] = ()
    replicate_to: Sequence[str] = ()
    cache: Mapping[str, str | None] = field(default_factory=dict[str, "str | None"])
    scanning: Scanning = "basic"
    mutable_tags: Sequence[str] = ()
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    import_existing: bool = False


class EcrRegistry(pulumi.ComponentResource):
    """Repositories with immutable tags, scans, encryption, policies, and a clean-up that spares what is deployed.

    ``host`` is known before anything exists, so names of images are too. ``repositories`` maps an image's name to its
    repository, for others to wait for. ``cache_rules`` maps the name of a registry that is pulled through to its rule.
    ``username`` and ``password`` log in; ECR's password ends after 12 hours.

    A registry, which is an account's in a region, has one replication configuration and one scanning configuration.
    Where ``replicate_to`` is not empty, or ``scanning`` is ``enhanced``, this component declares it, filtered by the
    prefix; whatever another stack or a hand had set there is gone then. Enhanced scanning leaves every repository that
    its filters do not name unscanned. For ``basic``, each repository's own setting is enough, so nothing of the whole
    registry is touched, and what ECR caches is not scanned; once the scanning configuration is removed, the registry is
    back at basic scanning.

    To replicate to another account, that account's registry policy must allow this one ``ecr:ReplicateImage`` and
    ``ecr:CreateRepository``. Policies and clean-up are not copied along.

    A repository that is imported keeps the encryption that it has, which cannot be changed, as long as
    ``import_existing`` stays on; all else becomes as it is declared here. From then on it belongs to the stack, and is
    deleted with it.
    """

    host: str
    repositories: Mapping[str, aws.ecr.Repository]
    cache_rules: Mapping[str, aws.ecr.PullThroughCacheRule]
    username: pulumi.Output[str]
    password: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        args: EcrRegistryArgs,
        *,
        provider: aws.Provider,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the registry in the account and region of ``provider``, which ``args`` name too.

        Raises:
            ValueError: a principal, a destination, an upstream or a filter is wrong; nothing is declared then. The
                message names it and says what is accepted.
        """
        check_tag_filters(args.mutable_tags)
        replicas = destinations(args.replicate_to, args.account, args.region)
        policy = repository_policy(args.may_pull, args.may_push, region=args.region)
        cache = _cache_args(args)

        super().__init__("dockercoins:ecr:EcrRegistry", name, None, opts)
        self._args = args
        self._name = name
        self._child_opts = pulumi.ResourceOptions(parent=self, provider=provider)
        self.host = args.host
        self.repositories = {image: self._repository(image) for image in args.images}
        if policy:
            self._let_in(policy)
        if replicas:
            self._replicate(replicas)
        if args.scanning == "enhanced":
            self._scan_all_the_time()
        self.cache_rules = (
            PullThroughCache(f"{name}-cache", cache, provider=provider, opts=pulumi.ResourceOptions(parent=self)).rules
            if cache
            else {}
        )
        token = aws.ecr.get_authorization_token_output(
            opts=pulumi.InvokeOutputOptions(parent=self, provider=provider),
        )
        self.username = token.user_name
        self.password = pulumi.Output.secret(token.password)
        self.register_outputs({"host": self.host})

    def image_repository(self, image: str) -> str:
        """The repository of an image, as a push or a pull names it: ``<host>/<prefix>/<image>``."""
        return f"{self.host}/{self._args.prefix}/{image}"

    def cached(self, reference: str) -> str:
        """``reference`` as the cache has it, if it is of a registry that is pulled through; unchanged otherwise."""
        return cached_reference(self.host, self._args.cache, reference)

    def clean_up(self, deployed: Mapping[str, str], *, after: Sequence[pulumi.Input[pulumi.Resource]]) -> None:
        """Let each repository expire old images, but never the one whose tag ``deployed`` gives.

        The rules change only once all of ``after`` is up to date: until a new version runs, the policy goes on
        shielding the version that it replaces.
        """
        args = self._args
        for image, repository in self.repositories.items():
            aws.ecr.LifecyclePolicy(
                f"{self._name}-{image}",
                repository=repository.name,
                policy=lifecycle_policy(
                    args.keep,
                    [deployed[image]],
                    untagged_days=args.untagged_days,
                    mutable_tags=args.mutable_tags,
                    platforms=args.platforms,
                ),
                opts=pulumi.ResourceOptions.merge(
                    self._child_opts, pulumi.ResourceOptions(depends_on=[repository, *after])
                ),
            )

    def _repository(self, image: str) -> aws.ecr.Repository:
        args = self._args
        repository = f"{args.prefix}/{image}"
        encryption = (
            aws.ecr.RepositoryEncryptionConfigurationArgs(encryption_type="KMS", kms_key=args.kms_key)
            if args.kms_key
            else aws.ecr.RepositoryEncryptionConfigurationArgs(encryption_type="AES256")
        )
        exclusions = [
            aws.ecr.RepositoryImageTagMutabilityExclusionFilterArgs(filter=pattern, filter_type="WILDCARD")
            for pattern in sorted(set(args.mutable_tags))
        ]
        return aws.ecr.Repository(
            f"{self._name}-{image}",
            name=repository,
            image_tag_mutability="IMMUTABLE_WITH_EXCLUSION" if exclusions else "IMMUTABLE",
            image_tag_mutability_exclusion_filters=exclusions or None,
            image_scanning_configuration=aws.ecr.RepositoryImageScanningConfigurationArgs(
                scan_on_push=args.scanning != "off"
            ),
            encryption_configurations=[encryption],
            force_delete=args.force_delete,
            opts=pulumi.ResourceOptions.merge(
                self._child_opts,
                pulumi.ResourceOptions(
                    # Two repositories of one name cannot stand side by side.
                    delete_before_replace=True,
                    import_=repository if args.import_existing else None,
                    # Another encryption would replace the repository, and its images would be gone.
                    ignore_changes=["encryptionConfigurations"] if args.import_existing else None,
                ),
            ),
        )

    def _let_in(self, policy: str) -> None:
        for image, repository in self.repositories.items():
            aws.ecr.RepositoryPolicy(
                f"{self._name}-{image}", repository=repository.name, policy=policy, opts=self._child_opts
            )

    def _replicate(self, replicas: Sequence[Destination]) -> None:
        rule = aws.ecr.ReplicationConfigurationReplicationConfigurationRuleArgs(
            destinations=[
                aws.ecr.ReplicationConfigurationReplicationConfigurationRuleDestinationArgs(
                    region=replica.region, registry_id=replica.account
                )
                for replica in replicas
            ],
            repository_filters=[
                aws.ecr.ReplicationConfigurationReplicationConfigurationRuleRepositoryFilterArgs(
                    filter=f"{self._args.prefix}/", filter_type="PREFIX_MATCH"
                )
            ],
        )
        aws.ecr.ReplicationConfiguration(
            self._name,
            replication_configuration=aws.ecr.ReplicationConfigurationReplicationConfigurationArgs(rules=[rule]),
            opts=self._child_opts,
        )

    def _scan_all_the_time(self) -> None:
        prefixes = [self._args.prefix, *(upstream(name).prefix for name in self._args.cache)]
        rule = aws.ecr.RegistryScanningConfigurationRuleArgs(
            scan_frequency="CONTINUOUS_SCAN",
            repository_filters=[
                aws.ecr.RegistryScanningConfigurationRuleRepositoryFilterArgs(
                    filter=f"{prefix}/*", filter_type="WILDCARD"
                )
                for prefix in prefixes
            ],
        )
        aws.ecr.RegistryScanningConfiguration(self._name, scan_type="ENHANCED", rules=[rule], opts=self._child_opts)


def _cache_args(args: EcrRegistryArgs) -> PullThroughCacheArgs | None:
    if not args.cache:
        return None
    return PullThroughCacheArgs(
        account=args.account,
        region=args.region,
        repository_prefix=args.prefix,
        upstreams=args.cache,
        keep=args.keep,
        untagged_days=args.untagged_days,
        kms_key=args.kms_key,
        # Who ships an image may also pull what stands beside it.
        may_pull=[*args.may_pull, *args.may_push],
        tags=args.tags,
    )
