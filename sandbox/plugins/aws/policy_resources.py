"""`aws:ecr/lifecyclePolicy:LifecyclePolicy` and `aws:ecr/repositoryPolicy:RepositoryPolicy`: one document each.

Both belong to a repository and have its name as their id.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from ..protocol.diff import Diff, compare
from ..protocol.provider import (
    CheckRequest,
    CheckResult,
    CreateRequest,
    CreateResult,
    DeleteRequest,
    DiffRequest,
    Failure,
    ProviderError,
    ReadRequest,
    ReadResult,
    UpdateRequest,
)
from ..protocol.values import UNKNOWN, Properties, Secret, Unknown, Value, contains_unknown, get_string, plain, unwrap
from . import policies
from .session import Session, error_code, one_line_errors

if TYPE_CHECKING:
    from types_boto3_ecr.client import ECRClient

_INPUTS: Final = frozenset({"policy", "region", "repository"})


@dataclass(frozen=True)
class Document:
    """A policy document's text and the registry that it is in."""

    text: str
    registry: str


@dataclass(frozen=True)
class Kind:
    """One kind of policy: how AWS stores it."""

    type: str
    what: str
    normalize: policies.Normalize
    put: Callable[[ECRClient, str, str], str]
    """Stores (client, repository, text) and returns the registry's id."""

    get: Callable[[ECRClient, str], Document]
    remove: Callable[[ECRClient, str], object]
    missing: frozenset[str]
    """The error codes that say that there is none."""


def _put_lifecycle(client: ECRClient, repository: str, text: str) -> str:
    return client.put_lifecycle_policy(repositoryName=repository, lifecyclePolicyText=text)["registryId"]


def _get_lifecycle(client: ECRClient, repository: str) -> Document:
    answer = client.get_lifecycle_policy(repositoryName=repository)
    return Document(answer["lifecyclePolicyText"], answer["registryId"])


def _remove_lifecycle(client: ECRClient, repository: str) -> object:
    return client.delete_lifecycle_policy(repositoryName=repository)


def _put_permissions(client: ECRClient, repository: str, text: str) -> str:
    return client.set_repository_policy(repositoryName=repository, policyText=text)["registryId"]


def _get_permissions(client: ECRClient, repository: str) -> Document:
    answer = client.get_repository_policy(repositoryName=repository)
    return Document(answer["policyText"], answer["registryId"])


def _remove_permissions(client: ECRClient, repository: str) -> object:
    return client.delete_repository_policy(repositoryName=repository)


LIFECYCLE: Final = Kind(
    "aws:ecr/lifecyclePolicy:LifecyclePolicy",
    "lifecycle policy",
    policies.normalize_lifecycle,
    _put_lifecycle,
    _get_lifecycle,
    _remove_lifecycle,
    frozenset({"LifecyclePolicyNotFoundException", "RepositoryNotFoundException"}),
)
PERMISSIONS: Final = Kind(
    "aws:ecr/repositoryPolicy:RepositoryPolicy",
    "repository policy",
    policies.normalize_permissions,
    _put_permissions,
    _get_permissions,
    _remove_permissions,
    frozenset({"RepositoryPolicyNotFoundException", "RepositoryNotFoundException"}),
)


class PolicyResource:
    """The policy documents of one kind."""

    def __init__(self, session: Session, kind: Kind) -> None:
        """Serve the account of this session."""
        self._session = session
        self._kind = kind

    def check(self, request: CheckRequest) -> CheckResult:
        """Validate the inputs; a document that is given as an object becomes JSON text."""
        inputs = dict(request.inputs)
        found = [
            Failure(key, f"not an input of {self._kind.type}; accepted are {', '.join(sorted(_INPUTS))}")
            for key in inputs
            if key not in _INPUTS and not key.startswith("__")
        ]
        missing = [key for key in ("policy", "repository") if unwrap(inputs.get(key)) in (None, "")]
        found += [Failure(key, "missing") for key in missing]
        policy = unwrap(inputs.get("policy"))
        if isinstance(policy, dict | list) and contains_unknown(policy):
            inputs["policy"] = UNKNOWN
        elif isinstance(policy, dict | list):
            text = json.dumps(plain(policy), sort_keys=True)
            inputs["policy"] = Secret(text) if isinstance(inputs["policy"], Secret) else text
        elif isinstance(policy, str) and policy:
            try:
                policies.parse(policy)
            except ValueError as error:
                found.append(Failure("policy", str(error)))
        return CheckResult(inputs, found)

    def diff(self, request: DiffRequest) -> Diff:
        """Another repository replaces the policy; a text that means the same is no change."""
        same = _same_policy(request.old_inputs, request.inputs, self._kind.normalize)
        return compare(
            request.old_inputs,
            request.inputs,
            replace_on=("repository", "region"),
            ignore=("policy",) if same else (),
        )

    def create(self, request: CreateRequest) -> CreateResult:
        """Store the document."""
        repository = get_string(request.inputs, "repository") or ""
        if request.preview:
            return CreateResult("", self._outputs(request.inputs, UNKNOWN))
        return CreateResult(repository, self._put(request.inputs))

    def update(self, request: UpdateRequest) -> Properties:
        """Store another document in place of the one that is there."""
        if request.preview:
            return self._outputs(request.inputs, request.old_outputs.get("registryId", UNKNOWN))
        return self._put(request.inputs)

    def read(self, request: ReadRequest) -> ReadResult | None:
        """Read the document; None when there is none. A text that means the same as the known one is shown as that."""
        known = request.inputs or request.outputs
        with one_line_errors(f"reading the {self._kind.what} of the ECR repository {request.id}"):
            try:
                document = self._kind.get(self._client(known), request.id)
            except ClientError as error:
                if error_code(error) in self._kind.missing:
                    return None
                raise
        text = get_string(known, "policy")
        if text is None or not policies.equivalent(text, document.text, self._kind.normalize):
            text = document.text
        inputs: Properties = {**request.inputs, "policy": text, "repository": request.id}
        return ReadResult(request.id, inputs, self._outputs(inputs, document.registry))

    def delete(self, request: DeleteRequest) -> None:
        """Remove the document; that it or its repository is gone already is no error."""
        with one_line_errors(f"deleting the {self._kind.what} of the ECR repository {request.id}"):
            try:
                self._kind.remove(self._client(request.inputs or request.outputs), request.id)
            except ClientError as error:
                if error_code(error) not in self._kind.missing:
                    raise

    def _put(self, inputs: Properties) -> Properties:
        repository, text = get_string(inputs, "repository") or "", get_string(inputs, "policy") or ""
        doing = f"storing the {self._kind.what} of the ECR repository {repository}"
        with one_line_errors(doing):
            try:
                registry = self._kind.put(self._client(inputs), repository, text)
            except ClientError as error:
                if error_code(error) == "RepositoryNotFoundException":
                    region = get_string(inputs, "region") or self._session.region
                    raise ProviderError(f"{doing}: there is no such repository in region {region}") from None
                raise
        return self._outputs(inputs, registry)

    def _outputs(self, inputs: Mapping[str, Value], registry: Value) -> Properties:
        return {
            "policy": inputs.get("policy"),
            "region": inputs.get("region") or self._session.region,
            "registryId": registry,
            "repository": inputs.get("repository"),
        }

    def _client(self, inputs: Mapping[str, Value]) -> ECRClient:
        return self._session.ecr(get_string(inputs, "region") or "")


def _same_policy(old: Mapping[str, Value], new: Mapping[str, Value], normalize: policies.Normalize) -> bool:
    before, after = unwrap(old.get("policy")), unwrap(new.get("policy"))
    if isinstance(before, Unknown) or isinstance(after, Unknown):
        return False
    return isinstance(before, str) and isinstance(after, str) and policies.equivalent(before, after, normalize)
