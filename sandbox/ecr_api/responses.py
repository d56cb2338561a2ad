"""Requests and answers: moto's, and those of the parts that moto lacks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar, cast

from moto.core.common_types import TYPE_RESPONSE
from moto.core.responses import ActionResult
from moto.ecr.responses import ECRResponse

from . import constraints
from .creation_templates import Settings
from .errors import EcrError, invalid
from .models import EcrBackend, ecr_backends

_Item = TypeVar("_Item")

_PAGE: Final = 100
"""How many items a page has when the request does not say."""

_LOGIN_LASTS: Final = timedelta(hours=12)
_TEMPLATE_SETTINGS: Final = {
    "applied_for": "appliedFor",
    "custom_role_arn": "customRoleArn",
    "description": "description",
    "encryption_configuration": "encryptionConfiguration",
    "image_tag_mutability": "imageTagMutability",
    "image_tag_mutability_exclusion_filters": "imageTagMutabilityExclusionFilters",
    "lifecycle_policy": "lifecyclePolicy",
    "repository_policy": "repositoryPolicy",
    "resource_tags": "resourceTags",
}


class EcrResponse(ECRResponse):
    """Answers one request."""

    @property
    def ecr_backend(self) -> EcrBackend:
        """The registry that the request is for."""
        return cast("EcrBackend", ecr_backends[self.current_account][self.region])

    def call_action(self) -> TYPE_RESPONSE:
        """Refuse a request that the service's model does not allow; let the others through."""
        try:
            constraints.check(self._get_action(), cast("Mapping[str, object]", json.loads(self.body or "{}")))
        except EcrError as error:
            return self.serialized(ActionResult(error))
        return super().call_action()

    def get_authorization_token(self) -> ActionResult:
        """A login that ends when ECR's does; moto's has ended years ago."""
        answer = cast("dict[str, list[dict[str, object]]]", super().get_authorization_token().result)
        for login in answer["authorizationData"]:
            login["expiresAt"] = datetime.now(UTC) + _LOGIN_LASTS
        return ActionResult(answer)

    def create_pull_through_cache_rule(self) -> ActionResult:
        """Add a pull-through cache rule."""
        return ActionResult(
            self.ecr_backend.cache_rules.create(
                self._text("ecrRepositoryPrefix"),
                self._text("upstreamRegistryUrl"),
                upstream=self._text("upstreamRegistry") or None,
                credential_arn=self._text("credentialArn") or None,
                custom_role_arn=self._text("customRoleArn") or None,
                upstream_prefix=self._text("upstreamRepositoryPrefix") or None,
            )
        )

    def update_pull_through_cache_rule(self) -> ActionResult:
        """Give a pull-through cache rule other credentials."""
        return ActionResult(
            self.ecr_backend.cache_rules.update(
                self._text("ecrRepositoryPrefix"),
                credential_arn=self._text("credentialArn") or None,
                custom_role_arn=self._text("customRoleArn") or None,
            )
        )

    def delete_pull_through_cache_rule(self) -> ActionResult:
        """Take a pull-through cache rule away."""
        return ActionResult(self.ecr_backend.cache_rules.delete(self._text("ecrRepositoryPrefix")))

    def describe_pull_through_cache_rules(self) -> ActionResult:
        """Tell the pull-through cache rules."""
        rules = self.ecr_backend.cache_rules.describe(self._texts("ecrRepositoryPrefixes"))
        return self._page("pullThroughCacheRules", rules, {})

    def create_repository_creation_template(self) -> ActionResult:
        """Add a repository creation template."""
        return self._template(self.ecr_backend.creation_templates.create(self._text("prefix"), self._settings()))

    def update_repository_creation_template(self) -> ActionResult:
        """Change a repository creation template."""
        return self._template(self.ecr_backend.creation_templates.update(self._text("prefix"), self._settings()))

    def delete_repository_creation_template(self) -> ActionResult:
        """Take a repository creation template away."""
        return self._template(self.ecr_backend.creation_templates.delete(self._text("prefix")))

    def describe_repository_creation_templates(self) -> ActionResult:
        """Tell the repository creation templates."""
        templates = self.ecr_backend.creation_templates.describe(self._texts("prefixes"))
        return self._page("repositoryCreationTemplates", templates, {"registryId": self.current_account})

    def start_lifecycle_policy_preview(self) -> ActionResult:
        """Begin to work out what a lifecycle policy would expire. It is done at once, which a client cannot know."""
        name, registry = self._text("repositoryName"), self._text("registryId")
        policy = self.ecr_backend.start_lifecycle_policy_preview(name, registry, self._text("lifecyclePolicyText"))
        return ActionResult({**self._previewed(policy), "status": "IN_PROGRESS"})

    def get_lifecycle_policy_preview(self) -> ActionResult:
        """Tell what a lifecycle policy would expire."""
        name, registry = self._text("repositoryName"), self._text("registryId")
        policy, expired = self.ecr_backend.get_lifecycle_policy_preview(name, registry)
        results = [
            {
                "imageTags": list(one.image.tags),
                "imageDigest": one.image.digest,
                "imagePushedAt": one.image.pushed_at,
                "action": {"type": "EXPIRE"},
                "appliedRulePriority": one.priority,
            }
            for one in expired
        ]
        more = {
            **self._previewed(policy),
            "status": "COMPLETE",
            "summary": {"expiringImageTotalCount": len(results)},
        }
        return self._page("previewResults", results, more)

    def _previewed(self, policy: str) -> dict[str, object]:
        return {
            "registryId": self.current_account,
            "repositoryName": self._text("repositoryName"),
            "lifecyclePolicyText": policy,
        }

    def _settings(self) -> Settings:
        return Settings(**{name: self._get_param(key) for name, key in _TEMPLATE_SETTINGS.items()})

    def _template(self, template: object) -> ActionResult:
        return ActionResult({"registryId": self.current_account, "repositoryCreationTemplate": template})

    def _page(self, key: str, items: Sequence[_Item], more: Mapping[str, object]) -> ActionResult:
        """One page of a list; its token is where the next one begins."""
        token = self._text("nextToken")
        if token and not token.isdecimal():
            raise invalid("nextToken", "Invalid token")
        start = int(token or 0)
        end = start + cast("int", self._get_param("maxResults", _PAGE))
        page: dict[str, object] = {**more, key: items[start:end]}
        if end < len(items):
            page["nextToken"] = str(end)
        return ActionResult(page)

    def _text(self, name: str) -> str:
        return cast("str | None", self._get_param(name)) or ""

    def _texts(self, name: str) -> list[str]:
        return cast("list[str] | None", self._get_param(name)) or []
