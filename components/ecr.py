"""A registry in Amazon ECR: one repository for each image, with what keeps it safe and small."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.ecr_lifecycle import lifecycle_policy


def ecr_host(account: str, region: str) -> str:
    """The host of an account's ECR in a region (China's regions have a domain of their own)."""
    suffix = ".cn" if region.startswith("cn-") else ""
    return f"{account}.dkr.ecr.{region}.amazonaws.com{suffix}"


@dataclass(frozen=True)
class EcrRegistryArgs:
    """What an :class:`EcrRegistry` is made of.

    ``host`` is where images are pushed to and pulled from (:func:`ecr_host`, or the host of a registry that stands in
    for ECR's). ``images`` are the names under ``prefix`` that get a repository. ``keep`` is the number of images that
    each keeps. ``kms_key`` is the ARN of a key to encrypt with; without one, ECR's own AES-256 is used.
    ``force_delete`` lets the deletion of a repository delete the images in it.
    """

    host: str
    prefix: str
    images: Sequence[str]
    keep: int = 30
    kms_key: str | None = None
    force_delete: bool = False


class EcrRegistry(pulumi.ComponentResource):
    """Repositories with immutable tags, a scan on each push, encryption, and a clean-up that spares what is deployed.

    ``host`` is known before anything exists, so names of images are too. ``repositories`` maps an image's name to its
    repository, for others to wait for. ``username`` and ``password`` log in; ECR's password ends after 12 hours.
    """

    host: str
    repositories: Mapping[str, aws.ecr.Repository]
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
        """Declare the repositories in the account and region of ``provider``."""
        super().__init__("dockercoins:ecr:EcrRegistry", name, None, opts)
        self._args = args
        self._name = name
        self._child_opts = pulumi.ResourceOptions(parent=self, provider=provider)
        self.host = args.host
        self.repositories = {image: self._repository(image) for image in args.images}
        token = aws.ecr.get_authorization_token_output(
            opts=pulumi.InvokeOutputOptions(parent=self, provider=provider),
        )
        self.username = token.user_name
        self.password = pulumi.Output.secret(token.password)
        self.register_outputs({"host": self.host})

    def image_repository(self, image: str) -> str:
        """The repository of an image, as a push or a pull names it: ``<host>/<prefix>/<image>``."""
        return f"{self.host}/{self._args.prefix}/{image}"

    def clean_up(self, deployed: Mapping[str, str], *, after: Sequence[pulumi.Resource]) -> None:
        """Let each repository expire old images, but never the one whose tag ``deployed`` gives.

        The rules change only once all of ``after`` is up to date: until a new version runs, the policy goes on
        shielding the version that it replaces.
        """
        for image, repository in self.repositories.items():
            aws.ecr.LifecyclePolicy(
                f"{self._name}-{image}",
                repository=repository.name,
                policy=lifecycle_policy(self._args.keep, [deployed[image]]),
                opts=pulumi.ResourceOptions.merge(
                    self._child_opts, pulumi.ResourceOptions(depends_on=[repository, *after])
                ),
            )

    def _repository(self, image: str) -> aws.ecr.Repository:
        encryption = (
            aws.ecr.RepositoryEncryptionConfigurationArgs(encryption_type="KMS", kms_key=self._args.kms_key)
            if self._args.kms_key
            else aws.ecr.RepositoryEncryptionConfigurationArgs(encryption_type="AES256")
        )
        return aws.ecr.Repository(
            f"{self._name}-{image}",
            name=f"{self._args.prefix}/{image}",
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration=aws.ecr.RepositoryImageScanningConfigurationArgs(scan_on_push=True),
            encryption_configurations=[encryption],
            force_delete=self._args.force_delete,
            # Two repositories of one name cannot stand side by side.
            opts=pulumi.ResourceOptions.merge(self._child_opts, pulumi.ResourceOptions(delete_before_replace=True)),
        )
