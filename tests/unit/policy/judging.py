"""Puts resources before the policies of the pack, by the types that the policy SDK calls them with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from pulumi_policy import (
    PolicyCustomTimeouts,
    PolicyResource,
    PolicyResourceOptions,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, unknown_checking_proxy

from policy.policies.pack import POLICIES

UNKNOWN = UNKNOWN_STRING_VALUE
"""What the SDK takes for a value that is not known yet."""

_OPTIONS = PolicyResourceOptions(False, [], None, [], PolicyCustomTimeouts(0, 0, 0), [], None)


def found(policy: str, type_: str, properties: dict[str, Any], name: str = "it", **settings: Any) -> list[str]:
    """What a policy says about a resource."""
    messages: list[str] = []
    judge = _policy(policy)
    assert isinstance(judge, ResourceValidationPolicy)
    props = unknown_checking_proxy(properties)
    args = ResourceValidationArgs(type_, props, f"urn:pulumi:s::p::{type_}::{name}", name, _OPTIONS, None, settings)
    judge.validate(args, lambda message, urn: messages.append(message))  # pyright: ignore[reportUnknownMemberType] - of what it awaits
    return messages


def found_in_stack(policy: str, *resources: PolicyResource, **settings: Any) -> dict[str, str]:
    """What a policy says about the resources of a stack, by the name of the resource."""
    messages: dict[str, str] = {}
    judge = _policy(policy)
    assert isinstance(judge, StackValidationPolicy)

    def report(message: str, urn: str | None) -> None:
        messages[str(urn).rpartition("::")[2]] = message

    judge.validate(StackValidationArgs(list(resources), settings), report)  # pyright: ignore[reportUnknownMemberType] - of what it awaits
    return messages


def resource(type_: str, name: str, properties: dict[str, Any]) -> PolicyResource:
    """A resource of a stack."""
    props = unknown_checking_proxy(properties)
    return PolicyResource(type_, props, f"urn:pulumi:s::p::{type_}::{name}", name, _OPTIONS, None, None, [], {})


def merged(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``change`` in it; ``None`` takes a key away."""
    result = dict(base)
    for key, value in change.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], cast("Mapping[str, Any]", value))
        else:
            result[key] = value
    return result


def deployment(container: Mapping[str, Any], pod: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A Deployment ``web`` of one container ``page``, and other properties of its pods."""
    spec = {"containers": [{"name": "page", **container}], **(pod or {})}
    return {"metadata": {"name": "web", "namespace": "shop"}, "spec": {"template": {"spec": spec}}}


def _policy(name: str) -> object:
    return next(policy for policy in POLICIES if policy.name == name)
