"""Judges of what goes to Amazon: the ECR API's own model (botocore), and Amazon's linter for policies (cfn-lint)."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import botocore.session
from botocore.validate import ParamValidator
from cfnlint.api import lint
from cfnlint.core import get_rules  # pyright: ignore[reportUnknownVariableType] - one parameter has no type

if TYPE_CHECKING:
    from botocore.model import ListShape, Shape, StructureShape

Json = dict[str, Any]


@cache
def _model() -> Any:
    return botocore.session.get_session().get_service_model("ecr")


@cache
def _rules() -> Any:
    # Errors, and the warnings that tell of actions that no service has.
    return get_rules([], [], ["E", "W"], {}, include_experimental=False)


def request_problems(operation: str, parameters: Json) -> list[str]:
    """What ECR's API would refuse in a request: wrong keys and types, and limits, patterns and choices not kept."""
    shape = _model().operation_model(operation).input_shape
    report: str = ParamValidator().validate(parameters, shape).generate_report()
    return [*([report] if report else []), *_broken(shape, parameters, operation)]


def policy_problems(resource_type: str, properties: Json, region: str = "us-east-1") -> list[str]:
    """What Amazon's linter has against a resource with a policy in it."""
    template = json.dumps({"Resources": {"It": {"Type": resource_type, "Properties": properties}}})
    return [f"{match.rule.id}: {match.message}" for match in lint(template, _rules(), [region])]


def repository_policy_problems(policy: str) -> list[str]:
    """What Amazon's linter has against the policy, as JSON, of a repository."""
    return policy_problems("AWS::ECR::Repository", {"RepositoryPolicyText": json.loads(policy)})


def _broken(shape: Shape, value: Any, where: str) -> list[str]:
    """Patterns, choices and upper limits, which botocore itself leaves to the service."""
    if shape.type_name == "structure":
        members = cast("StructureShape", shape).members
        return [
            problem
            for key, entry in value.items()
            if key in members
            for problem in _broken(members[key], entry, f"{where}.{key}")
        ]
    metadata: Json = shape.metadata
    size = 0 if isinstance(value, bool) else len(value)
    problems = [f"{where} has {size}, more than {metadata['max']}"] if size > metadata.get("max", size) else []
    if shape.type_name == "list":
        member = cast("ListShape", shape).member
        return [
            *problems,
            *(
                problem
                for position, entry in enumerate(cast("list[Any]", value))
                for problem in _broken(member, entry, f"{where}[{position}]")
            ),
        ]
    if "pattern" in metadata and not re.fullmatch(_of_java(metadata["pattern"]), str(value)):
        problems.append(f"{where}: {value!r} does not match {metadata['pattern']}")
    if "enum" in metadata and value not in metadata["enum"]:
        problems.append(f"{where}: {value!r} is none of {metadata['enum']}")
    return problems


def _of_java(pattern: str) -> str:
    # The model anchors some of its patterns, and fullmatch does that for all.
    return pattern.removeprefix("^").removesuffix("$")
