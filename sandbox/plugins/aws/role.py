"""`aws:iam/role:Role`; the id is the role's name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Final

from botocore.exceptions import ClientError

from ..protocol.provider import CheckRequest, CheckResult, DeleteRequest, Failure
from ..protocol.values import Properties, Unknown, Value, get_string, unwrap
from . import inputs as checks
from . import tags as tagging
from .iam_resource import IamResource, document_text
from .refusals import error_code
from .session import one_line_errors

if TYPE_CHECKING:
    from types_boto3_iam.client import IAMClient
    from types_boto3_iam.type_defs import CreateRoleRequestTypeDef, TagTypeDef

_NAME: Final = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)
_PATH: Final = re.compile(r"(?=.{1,512}\Z)/(?:[!-~]+/)?")
_DESCRIPTION: Final = re.compile(r"[\t\n\r\x20-\x7e\xa1-\xff]{0,1000}")
_SHORTEST_SESSION: Final = 3600  # seconds
_LONGEST_SESSION: Final = 43200  # seconds


class Role(IamResource):
    """Roles of the account."""

    type: ClassVar[str] = "aws:iam/role:Role"
    accepted: ClassVar[frozenset[str]] = frozenset(
        {
            "assumeRolePolicy",
            "description",
            "forceDetachPolicies",
            "maxSessionDuration",
            "name",
            "path",
            "permissionsBoundary",
            "tags",
        }
    )
    required: ClassVar[tuple[str, ...]] = ("assumeRolePolicy",)
    replaced_by: ClassVar[tuple[str, ...]] = ("name", "path")
    local: ClassVar[frozenset[str]] = frozenset({"forceDetachPolicies"})
    computed: ClassVar[tuple[str, ...]] = ("arn", "createDate", "inlinePolicies", "managedPolicyArns", "uniqueId")
    defaults: ClassVar[Mapping[str, Value]] = {
        "forceDetachPolicies": False,
        "maxSessionDuration": _SHORTEST_SESSION,
        "path": "/",
    }
    documents: ClassVar[frozenset[str]] = frozenset({"assumeRolePolicy"})
    longest_name: ClassVar[int] = 64
    exists: ClassVar[str] = "EntityAlreadyExists"

    def what(self, resource_id: str) -> str:
        """The name of the role."""
        return f"the IAM role {resource_id}"

    def identify(self, inputs: Mapping[str, Value]) -> str:
        """The role's name."""
        return get_string(inputs, "name") or ""

    def check(self, request: CheckRequest) -> CheckResult:
        """Validate the inputs, fill in the defaults, and merge the provider's default tags in."""
        result = super().check(request)
        tags = tagging.merged(self._session.default_tags, unwrap(result.inputs.get("tags")))
        return result if tags is None else CheckResult({**result.inputs, "tags": tags}, result.failures)

    def failures(self, inputs: Properties) -> list[Failure]:
        """Everything that would make no role."""
        duration, detach = unwrap(inputs.get("maxSessionDuration")), unwrap(inputs.get("forceDetachPolicies"))
        found = [
            *checks.text("name", inputs.get("name"), _NAME, "1 to 64 letters, digits and + = , . @ _ -, as pull-cache"),
            *checks.text("path", inputs.get("path"), _PATH, "at most 512 characters between slashes, as /service/"),
            *checks.text("description", inputs.get("description"), _DESCRIPTION, "at most 1000 characters of Latin-1"),
            *checks.document("assumeRolePolicy", inputs.get("assumeRolePolicy")),
            *checks.arn("permissionsBoundary", inputs.get("permissionsBoundary")),
            *tagging.failures("tags", inputs.get("tags")),
        ]
        if not isinstance(duration, Unknown | None) and not _is_session(duration):
            expected = f"{_SHORTEST_SESSION} to {_LONGEST_SESSION} seconds"
            found.append(Failure("maxSessionDuration", f"expected {expected}, received {duration!r}"))
        if not isinstance(detach, Unknown | bool | None):
            found.append(Failure("forceDetachPolicies", f"expected true or false, received {detach!r}"))
        return found

    def complete(self, inputs: Mapping[str, Value], live: Properties) -> Properties:
        """The outputs of the live role, with all of its tags."""
        return {**super().complete(inputs, live), "tagsAll": live.get("tags", {})}

    def foreseen(self, inputs: Properties, old_outputs: Mapping[str, Value]) -> Properties:
        """The outputs as far as they are known before AWS is asked; all of the tags are."""
        return {**super().foreseen(inputs, old_outputs), "tagsAll": inputs.get("tags", {})}

    def make(self, client: IAMClient, inputs: Properties) -> str:
        """Create the role, and wait until every server of the service has it."""
        name = self.identify(inputs)
        wanted: CreateRoleRequestTypeDef = {
            "RoleName": name,
            "AssumeRolePolicyDocument": get_string(inputs, "assumeRolePolicy") or "",
            "MaxSessionDuration": _session(inputs),
            "Path": get_string(inputs, "path") or "/",
            "Tags": _tags(tagging.texts(inputs.get("tags"))),
        }
        if description := get_string(inputs, "description"):
            wanted["Description"] = description
        if boundary := get_string(inputs, "permissionsBoundary"):
            wanted["PermissionsBoundary"] = boundary
        client.create_role(**wanted)
        client.get_waiter("role_exists").wait(RoleName=name)
        return name

    def change(self, client: IAMClient, resource_id: str, old: Properties, new: Properties) -> None:
        """Change what differs."""

        def differs(*keys: str) -> bool:
            return any(unwrap(old.get(key)) != unwrap(new.get(key)) for key in keys)

        if differs("assumeRolePolicy"):
            policy = get_string(new, "assumeRolePolicy") or ""
            client.update_assume_role_policy(RoleName=resource_id, PolicyDocument=policy)
        if differs("description", "maxSessionDuration"):
            description = get_string(new, "description") or ""
            client.update_role(RoleName=resource_id, Description=description, MaxSessionDuration=_session(new))
        if differs("permissionsBoundary"):
            if boundary := get_string(new, "permissionsBoundary"):
                client.put_role_permissions_boundary(RoleName=resource_id, PermissionsBoundary=boundary)
            else:
                client.delete_role_permissions_boundary(RoleName=resource_id)
        change = tagging.change(tagging.texts(old.get("tags")), tagging.texts(new.get("tags")))
        if change.remove:
            client.untag_role(RoleName=resource_id, TagKeys=list(change.remove))
        if change.set:
            client.tag_role(RoleName=resource_id, Tags=_tags(change.set))

    def fetch(self, client: IAMClient, resource_id: str) -> Properties | None:
        """The role with its policies."""
        role = client.get_role(RoleName=resource_id)["Role"]
        tags: Properties = dict(tagging.from_pairs((tag["Key"], tag["Value"]) for tag in role.get("Tags", [])))
        live: Properties = {
            "arn": role["Arn"],
            "assumeRolePolicy": document_text(role.get("AssumeRolePolicyDocument", "")),
            "createDate": f"{role['CreateDate']:%Y-%m-%dT%H:%M:%SZ}",
            "description": role.get("Description"),
            "maxSessionDuration": role.get("MaxSessionDuration", _SHORTEST_SESSION),
            "name": role["RoleName"],
            "path": role["Path"],
            "permissionsBoundary": role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
            "tags": tags,
            "uniqueId": role["RoleId"],
        }
        shown = {key: value for key, value in live.items() if value not in (None, "", {})}
        return {
            **shown,
            "inlinePolicies": [_inline(client, resource_id, name) for name in _inline_names(client, resource_id)],
            "managedPolicyArns": list[Value](_attached(client, resource_id)),
        }

    def delete(self, request: DeleteRequest) -> None:
        """Delete the role; with policies that the state does not know only if `forceDetachPolicies` was set before."""
        force = unwrap((request.inputs or request.outputs).get("forceDetachPolicies")) is True
        client = self._session.iam()
        with one_line_errors(f"detaching the policies of {self.what(request.id)}"):
            try:
                if force or request.outputs.get("managedPolicyArns"):
                    for arn in _attached(client, request.id):
                        client.detach_role_policy(RoleName=request.id, PolicyArn=arn)
                if force or request.outputs.get("inlinePolicies"):
                    for name in _inline_names(client, request.id):
                        client.delete_role_policy(RoleName=request.id, PolicyName=name)
            except ClientError as error:
                if error_code(error) not in self.gone:
                    raise
        super().delete(request)

    def remove(self, client: IAMClient, resource_id: str) -> object:
        """Take the role out of the instance profiles that it is in, and delete it."""
        for page in client.get_paginator("list_instance_profiles_for_role").paginate(RoleName=resource_id):
            for profile in page["InstanceProfiles"]:
                client.remove_role_from_instance_profile(
                    InstanceProfileName=profile["InstanceProfileName"], RoleName=resource_id
                )
        return client.delete_role(RoleName=resource_id)


def _attached(client: IAMClient, role: str) -> list[str]:
    pages = client.get_paginator("list_attached_role_policies").paginate(RoleName=role)
    return sorted(arn for page in pages for policy in page["AttachedPolicies"] if (arn := policy.get("PolicyArn")))


def _inline_names(client: IAMClient, role: str) -> list[str]:
    pages = client.get_paginator("list_role_policies").paginate(RoleName=role)
    return sorted(name for page in pages for name in page["PolicyNames"])


def _inline(client: IAMClient, role: str, name: str) -> Value:
    document = client.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    return {"name": name, "policy": document_text(document)}


def _is_session(duration: Value) -> bool:
    return isinstance(duration, int) and _SHORTEST_SESSION <= duration <= _LONGEST_SESSION


def _session(inputs: Mapping[str, Value]) -> int:
    duration = unwrap(inputs.get("maxSessionDuration"))
    return duration if isinstance(duration, int) else _SHORTEST_SESSION


def _tags(tags: Mapping[str, str]) -> list[TagTypeDef]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
