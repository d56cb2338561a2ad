"""What the resources of Identity and Access Management have in common."""

from __future__ import annotations

import json
from abc import ABC
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from ..protocol.diff import Diff
from ..protocol.provider import CheckRequest, CheckResult, DiffRequest, Failure
from ..protocol.values import Value
from . import inputs as checks
from . import naming, policies
from .resource import AwsResource

if TYPE_CHECKING:
    from types_boto3_iam.client import IAMClient


class IamResource(AwsResource["IAMClient"], ABC):
    """Resources of the account, in no region, with a name that the program may leave out."""

    documents: ClassVar[frozenset[str]] = frozenset()
    """The inputs that are policy documents."""

    longest_name: ClassVar[int]
    """The most characters of a name: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""

    gone: ClassVar[frozenset[str]] = frozenset({"NoSuchEntity"})

    def client(self, inputs: Mapping[str, Value]) -> IAMClient:
        """The client of the account."""
        del inputs
        return self._session.iam()

    def place(self, inputs: Mapping[str, Value]) -> str:
        """The account."""
        del inputs
        return f"account {self._session.account}" if self._session.account else "the account"

    def check(self, request: CheckRequest) -> CheckResult:
        """Validate the inputs, fill in the defaults and the name, and take documents that are objects as text."""
        inputs = {
            key: checks.document_text(value) if key in self.documents else value
            for key, value in request.inputs.items()
        }
        result = super().check(replace(request, inputs=inputs))
        if "name" in inputs:
            return result
        name = naming.automatic(request, self.longest_name)
        if isinstance(name, Failure):
            return CheckResult(result.inputs, [*result.failures, name])
        defaults = result.inputs[naming.DEFAULTS]
        names: list[Value] = [*defaults, "name"] if isinstance(defaults, list) else ["name"]
        return CheckResult({**result.inputs, "name": name, naming.DEFAULTS: names}, result.failures)

    def diff(self, request: DiffRequest) -> Diff:
        """Compare what is wanted with what was; a name of the program's choice is taken until the old one is gone."""
        diff = super().diff(request)
        made_here = request.inputs.get(naming.DEFAULTS)
        chosen = not (isinstance(made_here, list) and "name" in made_here)
        taken = chosen and request.old_inputs.get("name") == request.inputs.get("name")
        return replace(diff, delete_before_replace=taken)

    def canonical(self, key: str, value: Value, wanted: Value) -> Value:
        """Documents by what they mean."""
        del wanted
        if key in self.documents and isinstance(value, str):
            return policies.canonical(value, policies.normalize_permissions)
        return value


def document_text(document: object) -> str:
    """A policy document that boto3 has decoded, as JSON text."""
    return document if isinstance(document, str) else json.dumps(document, separators=(",", ":"))
