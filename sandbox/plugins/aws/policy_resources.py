"""The policies of a repository and of a registry: one document each.

`aws:ecr/lifecyclePolicy:LifecyclePolicy` and `aws:ecr/repositoryPolicy:RepositoryPolicy` belong to a repository and
have its name as their id; `aws:ecr/registryPolicy:RegistryPolicy` has the registry's id.
"""

from __future__ import annotations

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
    ProviderError,
    ReadRequest,
    ReadResult,
    UpdateRequest,
)
from ..protocol.values import UNKNOWN, Properties, Unknown, Value, get_string, unwrap
from . import inputs as checks
from . import policies
from .refusals import error_code
from .session import Session, one_line_errors

if TYPE_CHECKING:
    from types_boto3_ecr.client import ECRClient


@dataclass(frozen=True)
class Document:
    """A policy document's text and the registry that it is in."""

    text: str
    registry: str


@dataclass(frozen=True)
class Kind:
    """One kind of policy: what it belongs to, and how AWS stores it."""

    type: str
    what: str
    of_repository: bool
    """Whether it belongs to a repository, and not to the registry."""

    normalize: policies.Normalize
    put: Callable[[ECRClient, str, str], str]
    """Stores (client, repository, text) and returns the registry's id. A registry's policy ignores the repository."""

    get: Callable[[ECRClient, str], Document]
    remove: Callable[[ECRClient, str], object]
    missing: frozenset[str]
    """The error codes that say that there is none."""
    is_replaced: bool = False
    """Whether another document replaces the resource, instead of an update in place."""


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


def _put_registry(client: ECRClient, _repository: str, text: str) -> str:
    return client.put_registry_policy(policyText=text)["registryId"]


def _get_registry(client: ECRClient, _repository: str) -> Document:
    answer = client.get_registry_policy()
    return Document(answer["policyText"], answer["registryId"])


def _remove_registry(client: ECRClient, _repository: str) -> object:
    return client.delete_registry_policy()


LIFECYCLE: Final = Kind(
    "aws:ecr/lifecyclePolicy:LifecyclePolicy",
    "lifecycle policy",
    True,
    policies.normalize_lifecycle,
    _put_lifecycle,
    _get_lifecycle,
    _remove_lifecycle,
    frozenset({"LifecyclePolicyNotFoundException", "RepositoryNotFoundException"}),
    # `policy` is ForceNew in terraform-provider-aws, and pulumi-aws deletes the old one first.
    is_replaced=True,
)
PERMISSIONS: Final = Kind(
    "aws:ecr/repositoryPolicy:RepositoryPolicy",
    "repository policy",
    True,
    policies.normalize_permissions,
    _put_permissions,
    _get_permissions,
    _remove_permissions,
    frozenset({"RepositoryPolicyNotFoundException", "RepositoryNotFoundException"}),
)
REGISTRY: Final = Kind(
    "aws:ecr/registryPolicy:RegistryPolicy",
    "registry policy",
    False,
    policies.normalize_permissions,
    _put_registry,
    _get_registry,
    _remove_registry,
    frozenset({"RegistryPolicyNotFoundException"}),
)


class PolicyResource:
    """The policy documents of one kind."""

    def __init__(self, session: Session, kind: Kind) -> None:
        """Serve the account of this session."""
        self._session = session
        self._kind = kind
        self._required = ("policy", "repository") if kind.of_repository else ("policy",)

    def check(self, request: CheckRequest) -> CheckResult:
        """Validate the inputs; a document that is given as an object becomes JSON text."""
        inputs = dict(request.inputs)
        found = [
            *checks.unaccepted(inputs, {*self._required, "region"}, self._kind.type),
            *checks.missing(inputs, self._required),
            *checks.document("policy", inputs.get("policy")),
        ]
        if "policy" in inputs:
            inputs["policy"] = checks.document_text(inputs["policy"])
        return CheckResult(inputs, found)

    def diff(self, request: DiffRequest) -> Diff:
        """Another repository replaces the policy, another text does for some kinds; an equivalent text is no change."""
        same = _same_policy(request.old_inputs, request.inputs, self._kind.normalize)
        return compare(
            self._placed(request.old_inputs),
            self._placed(request.inputs),
            replace_on=("repository", "region", "policy") if self._kind.is_replaced else ("repository", "region"),
            ignore=("policy",) if same else (),
            delete_before_replace=self._kind.is_replaced,
        )

    def create(self, request: CreateRequest) -> CreateResult:
        """Store the document."""
        if request.preview:
            return CreateResult("", self._outputs(request.inputs, UNKNOWN))
        registry = self._put(request.inputs)
        repository = get_string(request.inputs, "repository") or ""
        return CreateResult(
            repository if self._kind.of_repository else registry, self._outputs(request.inputs, registry)
        )

    def update(self, request: UpdateRequest) -> Properties:
        """Store another document in place of the one that is there."""
        if request.preview:
            return self._outputs(request.inputs, request.old_outputs.get("registryId", UNKNOWN))
        return self._outputs(request.inputs, self._put(request.inputs))

    def read(self, request: ReadRequest) -> ReadResult | None:
        """Read the document; None when there is none. A text that means the same as the known one is shown as that."""
        known = request.inputs or request.outputs
        with one_line_errors(f"reading {self._what(request.id)}"):
            try:
                document = self._kind.get(self._client(known), request.id)
            except ClientError as error:
                if error_code(error) in self._kind.missing:
                    return None
                raise
        if not self._kind.of_repository and document.registry != request.id:
            return None
        text = get_string(known, "policy")
        if text is None or not policies.equivalent(text, document.text, self._kind.normalize):
            text = document.text
        inputs: Properties = {**request.inputs, "policy": text}
        if self._kind.of_repository:
            inputs["repository"] = request.id
        return ReadResult(request.id, inputs, self._outputs(inputs, document.registry))

    def delete(self, request: DeleteRequest) -> None:
        """Remove the document; that it or its repository is gone already is no error."""
        with one_line_errors(f"deleting {self._what(request.id)}"):
            try:
                self._kind.remove(self._client(request.inputs or request.outputs), request.id)
            except ClientError as error:
                if error_code(error) not in self._kind.missing:
                    raise

    def _put(self, inputs: Properties) -> str:
        repository, text = get_string(inputs, "repository") or "", get_string(inputs, "policy") or ""
        doing = f"storing {self._what(repository or self._session.account)}"
        with one_line_errors(doing):
            try:
                return self._kind.put(self._client(inputs), repository, text)
            except ClientError as error:
                if error_code(error) == "RepositoryNotFoundException":
                    region = get_string(inputs, "region") or self._session.region
                    raise ProviderError(f"{doing}: there is no such repository in region {region}") from None
                raise

    def _what(self, owner: str) -> str:
        return f"the {self._kind.what} of the ECR {'repository' if self._kind.of_repository else 'registry'} {owner}"

    def _placed(self, inputs: Mapping[str, Value]) -> Properties:
        # A region that is written out is the same as one that is left to the provider.
        return {"region": self._session.region, **inputs}

    def _outputs(self, inputs: Mapping[str, Value], registry: Value) -> Properties:
        outputs: Properties = {
            "policy": inputs.get("policy"),
            "region": inputs.get("region") or self._session.region,
            "registryId": registry,
        }
        if self._kind.of_repository:
            outputs["repository"] = inputs.get("repository")
        return outputs

    def _client(self, inputs: Mapping[str, Value]) -> ECRClient:
        return self._session.ecr(get_string(inputs, "region") or "")


def _same_policy(old: Mapping[str, Value], new: Mapping[str, Value], normalize: policies.Normalize) -> bool:
    before, after = unwrap(old.get("policy")), unwrap(new.get("policy"))
    if isinstance(before, Unknown) or isinstance(after, Unknown):
        return False
    return isinstance(before, str) and isinstance(after, str) and policies.equivalent(before, after, normalize)
