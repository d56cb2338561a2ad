"""Repository creation templates of one registry.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-creation-templates.html
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from .errors import EcrError, invalid

Check = Callable[[str], None]
"""Takes the text of a policy, and raises a ServiceException if ECR would refuse it."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class CreationTemplate:
    """One template; the names of its fields are those of the API, in Python's spelling."""

    prefix: str
    applied_for: Sequence[str]
    description: str | None = None
    encryption_configuration: Mapping[str, str] = field(default_factory=lambda: {"encryptionType": "AES256"})
    image_tag_mutability: str = "MUTABLE"
    image_tag_mutability_exclusion_filters: Sequence[Mapping[str, str]] | None = None
    repository_policy: str | None = None
    lifecycle_policy: str | None = None
    resource_tags: Sequence[Mapping[str, str]] = ()
    custom_role_arn: str | None = None
    created_at: datetime = field(default_factory=_now)
    updated_at: datetime = field(default_factory=_now)


@dataclass(frozen=True)
class Settings:
    """What a request wants of a template; None leaves a value as it is, an empty one takes it away."""

    applied_for: Sequence[str] | None = None
    description: str | None = None
    encryption_configuration: Mapping[str, str] | None = None
    image_tag_mutability: str | None = None
    image_tag_mutability_exclusion_filters: Sequence[Mapping[str, str]] | None = None
    repository_policy: str | None = None
    lifecycle_policy: str | None = None
    resource_tags: Sequence[Mapping[str, str]] | None = None
    custom_role_arn: str | None = None

    def apply(self, template: CreationTemplate) -> None:
        """Change a template accordingly."""
        for name, value in vars(self).items():
            if value is not None:
                setattr(template, name, value)
        if self.image_tag_mutability is not None:
            template.image_tag_mutability_exclusion_filters = self.image_tag_mutability_exclusion_filters


class CreationTemplates:
    """The templates of a registry: one for each prefix."""

    def __init__(
        self,
        account: str,
        *,
        check_mutability: Callable[[str | None, Sequence[Mapping[str, str]] | None], None],
        check_repository_policy: Check,
        check_lifecycle_policy: Check,
    ) -> None:
        """Begin without any."""
        self._account = account
        self._check_mutability = check_mutability
        self._check_repository_policy = check_repository_policy
        self._check_lifecycle_policy = check_lifecycle_policy
        self._templates: dict[str, CreationTemplate] = {}

    def create(self, prefix: str, settings: Settings) -> CreationTemplate:
        """Add a template.

        Raises:
            EcrError: a setting is refused, or the prefix has a template already.
        """
        self._check(settings)
        if _key(prefix) in self._templates:
            raise EcrError(
                "TemplateAlreadyExistsException",
                f"A repository creation template with prefix '{prefix}' already exists "
                f"in the registry with id '{self._account}'",
            )
        template = CreationTemplate(prefix, settings.applied_for or ())
        settings.apply(template)
        self._templates[_key(prefix)] = template
        return template

    def update(self, prefix: str, settings: Settings) -> CreationTemplate:
        """Change a template.

        Raises:
            EcrError: a setting is refused, or there is no such template.
        """
        template = self._find(prefix)
        self._check(settings)
        settings.apply(template)
        template.updated_at = _now()
        return template

    def delete(self, prefix: str) -> CreationTemplate:
        """Take a template away; repositories that it has shaped stay as they are.

        Raises:
            EcrError: there is no such template.
        """
        template = self._find(prefix)
        del self._templates[_key(prefix)]
        return template

    def describe(self, prefixes: Collection[str]) -> list[CreationTemplate]:
        """Those of the templates of these prefixes that there are, or all."""
        if not prefixes:
            return list(self._templates.values())
        return [found for prefix in prefixes if (found := self._templates.get(_key(prefix)))]

    def _find(self, prefix: str) -> CreationTemplate:
        template = self._templates.get(_key(prefix))
        if template is None:
            raise EcrError(
                "TemplateNotFoundException",
                f"The repository creation template with prefix '{prefix}' does not exist "
                f"in the registry with id '{self._account}'",
            )
        return template

    def _check(self, settings: Settings) -> None:
        if settings.applied_for is not None and not settings.applied_for:
            raise invalid("appliedFor", "Member must have length greater than or equal to 1")
        filters = settings.image_tag_mutability_exclusion_filters
        if settings.image_tag_mutability is not None or filters is not None:
            self._check_mutability(settings.image_tag_mutability, filters)
        if settings.repository_policy:
            self._check_repository_policy(settings.repository_policy)
        if settings.lifecycle_policy:
            self._check_lifecycle_policy(settings.lifecycle_policy)


def _key(prefix: str) -> str:
    # ECR takes every prefix as if it ended with a slash.
    return prefix.rstrip("/")
