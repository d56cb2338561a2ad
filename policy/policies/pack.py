"""The policies as the policy SDK takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyConfigSchema,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)

from . import exposure, images, repositories, tags, workloads
from .rules import Resource, Rule, Setting, Settings, StackRule
from .values import mapping, plain

NAME: Final = "dockercoins"
DESCRIPTION: Final = "What a deployment of images from one's own registry to Kubernetes should keep to"

RULES: Final = (*images.RULES, *workloads.RULES, *exposure.RULES, *repositories.RULES, *tags.RULES)
"""Those about one resource."""
STACK_RULES: Final = images.STACK_RULES
"""Those about all resources together."""


def _policy(rule: Rule) -> Policy:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        for message in rule.check(_resource(args), Settings(args.get_config(), rule.settings)):
            report(message, None)

    return ResourceValidationPolicy(
        rule.name,
        rule.description,
        validate,
        enforcement_level=EnforcementLevel(rule.level),
        config_schema=_schema(rule.settings),
    )


def _stack_policy(rule: StackRule) -> Policy:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        resources = [_resource(resource) for resource in args.resources]
        for resource, message in rule.check(resources, Settings(args.get_config(), rule.settings)):
            report(message, resource.urn)

    return StackValidationPolicy(
        rule.name,
        rule.description,
        validate,
        enforcement_level=EnforcementLevel(rule.level),
        config_schema=_schema(rule.settings),
    )


def _resource(resource: PolicyResource | ResourceValidationArgs) -> Resource:
    return Resource(resource.resource_type, resource.name, mapping(plain(resource.props)), resource.urn)


def _schema(settings: tuple[Setting, ...]) -> PolicyConfigSchema | None:
    return PolicyConfigSchema({setting.name: dict(_property(setting)) for setting in settings}) if settings else None


def _property(setting: Setting) -> Mapping[str, Any]:
    told = {"description": setting.description}
    if isinstance(setting.default, bool):
        return {**told, "type": "boolean", "default": setting.default}
    return {**told, "type": "array", "items": {"type": "string"}, "default": list(setting.default)}


POLICIES: Final = [*map(_policy, RULES), *map(_stack_policy, STACK_RULES)]
"""All of them."""
