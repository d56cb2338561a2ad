"""A registry: moto's, with the parts that moto lacks and the rules that it does not know."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias, cast

from moto.core.base_backend import BackendDict
from moto.ecr.exceptions import ImageAlreadyExistsException, LifecyclePolicyNotFoundException
from moto.ecr.models import ECRBackend, Image, Repository
from moto.ecr.policy_validation import EcrLifecyclePolicyValidator
from moto.iam.exceptions import MalformedPolicyDocument
from moto.iam.policy_validation import IAMPolicyDocumentValidator
from moto.secretsmanager.models import secretsmanager_backends

from .cache_rules import CacheRules
from .creation_templates import CreationTemplates
from .errors import EcrError, invalid
from .lifecycle_preview import Expired, PushedImage, evaluate, matches

Json: TypeAlias = dict[str, Any]  # pyright: ignore[reportExplicitAny] - as moto's own signatures have it

_FREQUENCIES: Final = {
    "BASIC": ("MANUAL", "SCAN_ON_PUSH"),
    "ENHANCED": ("CONTINUOUS_SCAN", "SCAN_ON_PUSH"),
}
_MOST_WILDCARDS: Final = 2


class EcrBackend(ECRBackend):
    """The registry of one account in one region."""

    def __init__(self, region_name: str, account_id: str) -> None:
        """Begin empty."""
        super().__init__(region_name, account_id)
        self.cache_rules = CacheRules(account_id, self._has_secret)
        self.creation_templates = CreationTemplates(
            account_id,
            check_mutability=self.check_mutability,
            check_repository_policy=_check_repository_policy,
            check_lifecycle_policy=lambda text: EcrLifecyclePolicyValidator(text).validate(),
        )
        self._previews: dict[str, tuple[str, list[Expired]]] = {}

    def check_mutability(self, mutability: str | None, filters: Sequence[Mapping[str, str]] | None) -> None:
        """Refuse exclusions where there is nothing to exclude from, and more wildcards than a filter may have.

        Raises:
            ServiceException: they do not fit together.
        """
        chosen = [dict(entry) for entry in filters] if filters is not None else None
        self.validate_image_tag_mutability_params_compatibility(mutability or "MUTABLE", cast("Any", chosen))
        for entry in chosen or []:
            if entry["filter"].count("*") > _MOST_WILDCARDS:
                raise invalid(
                    "imageTagMutabilityExclusionFilters",
                    f"A filter can have a maximum of {_MOST_WILDCARDS} wildcards",
                )

    def create_repository(self, *args: Any, **more: Any) -> Repository:
        """Create a repository; moto checks all but the exclusions."""
        self.check_mutability(more.get("image_tag_mutability"), more.get("image_tag_mutability_exclusion_filters"))
        return super().create_repository(*args, **more)

    def put_image_tag_mutability(
        self,
        registry_id: str,
        repository_name: str,
        image_tag_mutability: str,
        image_tag_mutability_exclusion_filters: Any = None,
    ) -> dict[str, str]:
        """Change which tags can be overwritten; the answer names the exclusions too."""
        self.check_mutability(image_tag_mutability, image_tag_mutability_exclusion_filters)
        answer: Json = dict(
            super().put_image_tag_mutability(
                registry_id, repository_name, image_tag_mutability, image_tag_mutability_exclusion_filters
            )
        )
        if image_tag_mutability_exclusion_filters:
            answer["imageTagMutabilityExclusionFilters"] = image_tag_mutability_exclusion_filters
        return answer

    def put_image(
        self,
        repository_name: str,
        image_manifest: str,
        image_tag: str,
        image_manifest_mediatype: str | None = None,
        digest: str | None = None,
    ) -> Image:
        """Add an image or a tag. What is there already is told as such, before its tag is called immutable."""
        repository = self._get_repository(repository_name)
        for image in repository.images:
            if image.image_manifest == image_manifest and image_tag in image.image_tags:
                raise ImageAlreadyExistsException(
                    repository_name, repository.registry_id, image.get_image_digest(), image_tag
                )
        return super().put_image(repository_name, image_manifest, image_tag, image_manifest_mediatype, digest)

    def _resolve_image_tag_mutability(self, repository: Repository, proposed_image_tag: str) -> list[Image]:
        holders = [image for image in repository.images if proposed_image_tag in image.image_tags]
        filters = cast("Iterable[Mapping[str, str]]", repository.image_tag_mutability_exclusion_filters or ())
        excluded = any(matches(entry["filter"], proposed_image_tag) for entry in filters)
        if holders and repository.is_tag_immutable() != excluded:
            raise EcrError(
                "ImageTagAlreadyExistsException",
                f"The image tag '{proposed_image_tag}' already exists in the '{repository.name}' repository "
                "and cannot be overwritten because the tag is immutable.",
            )
        return holders

    def put_replication_configuration(self, replication_config: Json) -> Json:
        """Replace the replication rules; a registry is no destination of itself."""
        for rule in cast("list[Json]", replication_config["rules"]):
            for destination in cast("list[dict[str, str]]", rule["destinations"]):
                if (destination["region"], destination["registryId"]) == (self.region_name, self.account_id):
                    raise invalid(
                        "replicationConfiguration",
                        "Replication destination cannot be the same as the source registry",
                    )
        self.replication_config = replication_config
        return {"replicationConfiguration": replication_config}

    def put_registry_scanning_configuration(self, scan_type: str | None, rules: list[Json] | None) -> None:
        """Replace the scanning rules; which frequencies there are depends on the type of the scans."""
        chosen = scan_type or str(self.registry_scanning_configuration["scanType"])
        for rule in rules or []:
            if rule["scanFrequency"] not in _FREQUENCIES[chosen]:
                raise invalid(
                    "rules",
                    f"{rule['scanFrequency']} is not supported with the scan type {chosen}; use one of "
                    f"{', '.join(_FREQUENCIES[chosen])}",
                )
        super().put_registry_scanning_configuration(chosen, rules or [])

    def _validate_registry_policy_action(self, policy_text: str) -> None:
        # Today's scope of a registry policy takes every action of ECR, and nothing else.
        # https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry-permissions.html
        statements = _listed(json.loads(policy_text)["Statement"])
        actions = [action for statement in statements for action in _listed(cast("Json", statement).get("Action", []))]
        if not all(isinstance(action, str) and action.lower().startswith("ecr:") for action in actions):
            raise MalformedPolicyDocument

    def start_lifecycle_policy_preview(self, repository_name: str, registry_id: str, policy: str | None) -> str:
        """Work out what a policy, by default the repository's own, would expire, and return that policy.

        Raises:
            ServiceException: there is no such repository, no policy, or the policy is refused.
        """
        repository = self._get_repository(repository_name, registry_id)
        text = policy or repository.lifecycle_policy
        if not text:
            raise LifecyclePolicyNotFoundException(repository_name, repository.registry_id)
        EcrLifecyclePolicyValidator(text).validate()
        images = [
            PushedImage(
                image.get_image_digest(),
                tuple(image.image_tags),
                datetime.fromtimestamp(image.image_pushed_at, UTC),
            )
            for image in repository.images
        ]
        self._previews[repository_name] = (text, evaluate(text, images, datetime.now(UTC)))
        return text

    def get_lifecycle_policy_preview(self, repository_name: str, registry_id: str) -> tuple[str, list[Expired]]:
        """The policy of the last preview, and what it would expire.

        Raises:
            ServiceException: there is no such repository, or no preview was started.
        """
        repository = self._get_repository(repository_name, registry_id)
        if repository_name not in self._previews:
            raise EcrError(
                "LifecyclePolicyPreviewNotFoundException",
                f"The lifecycle policy preview does not exist for the repository with name '{repository_name}' "
                f"in the registry with id '{repository.registry_id}'",
            )
        return self._previews[repository_name]

    def delete_repository(
        self, repository_name: str, registry_id: str | None = None, force: bool = False
    ) -> Repository:
        """Delete a repository with what was previewed of it."""
        repository = super().delete_repository(repository_name, registry_id, force)
        self._previews.pop(repository_name, None)
        return repository

    def _has_secret(self, arn: str) -> bool:
        return arn in secretsmanager_backends[self.account_id][self.region_name].secrets


class _RepositoryPolicyValidator(IAMPolicyDocumentValidator):
    """As moto's own operation has it: no resource is named, statements may share a name, and any version will do."""

    def _validate_resource_exist(self) -> None:
        return

    def _validate_sid_uniqueness(self) -> None:
        return

    def _validate_version(self) -> None:
        return


def _check_repository_policy(text: str) -> None:
    try:
        _RepositoryPolicyValidator(text).validate()
    except MalformedPolicyDocument:
        raise invalid("repositoryPolicy", "Invalid repository policy provided") from None


def _listed(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else [value]


ecr_backends = cast("BackendDict[ECRBackend]", BackendDict(EcrBackend, "ecr"))
