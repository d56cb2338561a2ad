"""`aws:iam/rolePolicy:RolePolicy`: a policy in a role; the id is `<role>:<policy>`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Final

from ..protocol.provider import Failure, ProviderError
from ..protocol.values import Properties, Value, get_string
from . import inputs as checks
from .iam_resource import IamResource, document_text

if TYPE_CHECKING:
    from types_boto3_iam.client import IAMClient

_NAME: Final = re.compile(r"[\w+=,.@-]{1,128}", re.ASCII)


class RolePolicy(IamResource):
    """Policies that belong to one role, and are gone with it."""

    type: ClassVar[str] = "aws:iam/rolePolicy:RolePolicy"
    accepted: ClassVar[frozenset[str]] = frozenset({"name", "policy", "role"})
    required: ClassVar[tuple[str, ...]] = ("policy", "role")
    replaced_by: ClassVar[tuple[str, ...]] = ("name", "role")
    documents: ClassVar[frozenset[str]] = frozenset({"policy"})
    longest_name: ClassVar[int] = 128

    def what(self, resource_id: str) -> str:
        """The names of the policy and of its role."""
        role, _, name = resource_id.partition(":")
        return f"the policy {name} of the IAM role {role}"

    def identify(self, inputs: Mapping[str, Value]) -> str:
        """The id."""
        return f"{get_string(inputs, 'role') or ''}:{get_string(inputs, 'name') or ''}"

    def failures(self, inputs: Properties) -> list[Failure]:
        """Everything that would make no policy."""
        return [
            *checks.text("name", inputs.get("name"), _NAME, "1 to 128 letters, digits and + = , . @ _ -, as make"),
            *checks.document("policy", inputs.get("policy")),
        ]

    def make(self, client: IAMClient, inputs: Properties) -> str:
        """Put the policy into the role, in place of one of the same name."""
        resource_id = self.identify(inputs)
        _put(client, resource_id, inputs)
        return resource_id

    def change(self, client: IAMClient, resource_id: str, old: Properties, new: Properties) -> None:
        """Put another document in the place of the one that is there."""
        del old
        _put(client, resource_id, new)

    def fetch(self, client: IAMClient, resource_id: str) -> Properties | None:
        """The policy."""
        role, name = _parts(resource_id)
        answer = client.get_role_policy(RoleName=role, PolicyName=name)
        return {"name": name, "policy": document_text(answer["PolicyDocument"]), "role": role}

    def remove(self, client: IAMClient, resource_id: str) -> object:
        """Take the policy out of the role."""
        role, name = _parts(resource_id)
        return client.delete_role_policy(RoleName=role, PolicyName=name)


def _put(client: IAMClient, resource_id: str, inputs: Properties) -> None:
    role, name = _parts(resource_id)
    client.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=get_string(inputs, "policy") or "")


def _parts(resource_id: str) -> tuple[str, str]:
    role, colon, name = resource_id.partition(":")
    if not role or not colon or not name:
        raise ProviderError(f"expected the id <role>:<policy> of a policy in an IAM role, received {resource_id!r}")
    return role, name
