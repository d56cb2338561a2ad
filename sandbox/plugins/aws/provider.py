"""The aws provider, as the engine sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from ..protocol.diff import Diff, compare
from ..protocol.provider import (
    CheckRequest,
    CheckResult,
    CreateRequest,
    CreateResult,
    DeleteRequest,
    DiffRequest,
    Failure,
    InvokeRequest,
    InvokeResult,
    Provider,
    ProviderError,
    ReadRequest,
    ReadResult,
    UpdateRequest,
)
from ..protocol.values import Properties, unwrap, without_nulls
from . import config

if TYPE_CHECKING:
    from .functions import Functions


class _Resource(Protocol):
    def check(self, request: CheckRequest) -> CheckResult: ...
    def diff(self, request: DiffRequest) -> Diff: ...
    def create(self, request: CreateRequest) -> CreateResult: ...
    def read(self, request: ReadRequest) -> ReadResult | None: ...
    def update(self, request: UpdateRequest) -> Properties: ...
    def delete(self, request: DeleteRequest) -> None: ...


class AwsProvider(Provider):
    """Elastic Container Registry, the roles of Identity and Access Management, and who and where one is."""

    package = "aws"
    version = "7.51.1"
    # Written out, so that they are known before boto3 is imported.
    types = (
        "aws:ecr/lifecyclePolicy:LifecyclePolicy",
        "aws:ecr/pullThroughCacheRule:PullThroughCacheRule",
        "aws:ecr/registryPolicy:RegistryPolicy",
        "aws:ecr/registryScanningConfiguration:RegistryScanningConfiguration",
        "aws:ecr/replicationConfiguration:ReplicationConfiguration",
        "aws:ecr/repository:Repository",
        "aws:ecr/repositoryCreationTemplate:RepositoryCreationTemplate",
        "aws:ecr/repositoryPolicy:RepositoryPolicy",
        "aws:iam/role:Role",
        "aws:iam/rolePolicy:RolePolicy",
    )
    functions = (
        "aws:ecr/getAuthorizationToken:getAuthorizationToken",
        "aws:ecr/getImage:getImage",
        "aws:ecr/getRepository:getRepository",
        "aws:index/getCallerIdentity:getCallerIdentity",
        "aws:index/getPartition:getPartition",
        "aws:index/getRegion:getRegion",
    )
    supports_autonaming = True

    def __init__(self) -> None:
        """Start without an account."""
        super().__init__()
        self._resources: Mapping[str, _Resource] = {}
        self._functions: Functions | None = None

    def check_config(self, inputs: Properties, old_inputs: Properties) -> CheckResult:
        """Accept what is served, and refuse the rest by name."""
        del old_inputs
        return CheckResult(inputs, _told(config.failures(inputs)))

    def diff_config(self, old_inputs: Properties, inputs: Properties) -> Diff:
        """Another region is another place for every resource: they are replaced. Other changes are not."""
        return compare(old_inputs, inputs, replace_on=("region",))

    def configure(self, inputs: Properties) -> None:
        """Find the account; the SDK is imported here, and not before."""
        # Imported late: boto3 takes longer to load than everything else together.
        from .cache_rule import CacheRule  # noqa: PLC0415
        from .creation_template import CreationTemplate  # noqa: PLC0415
        from .functions import Functions  # noqa: PLC0415
        from .policy_resources import LIFECYCLE, PERMISSIONS, REGISTRY, PolicyResource  # noqa: PLC0415
        from .replication import Replication  # noqa: PLC0415
        from .repository import TYPE, Repository  # noqa: PLC0415
        from .role import Role  # noqa: PLC0415
        from .role_policy import RolePolicy  # noqa: PLC0415
        from .scanning import Scanning  # noqa: PLC0415
        from .session import Session  # noqa: PLC0415

        try:
            session = Session(config.read(inputs))
        except config.ConfigError as error:
            raise ProviderError(f"aws provider configuration: {error}") from None
        self._resources = {
            TYPE: Repository(session),
            **{kind.type: PolicyResource(session, kind) for kind in (LIFECYCLE, PERMISSIONS, REGISTRY)},
            **{
                kind.type: kind(session)
                for kind in (CacheRule, CreationTemplate, Replication, Role, RolePolicy, Scanning)
            },
        }
        self._functions = Functions(session)

    def check(self, request: CheckRequest) -> CheckResult:
        """Validate a resource's inputs; what the program set to nothing is left out."""
        inputs: Properties = {key: without_nulls(value) for key, value in request.inputs.items() if value is not None}
        result = self._resource(request.type).check(replace(request, inputs=inputs))
        return CheckResult(result.inputs, _told(result.failures))

    def diff(self, request: DiffRequest) -> Diff:
        """Compare a resource's inputs."""
        return self._resource(request.type).diff(request)

    def create(self, request: CreateRequest) -> CreateResult:
        """Create a resource."""
        return self._resource(request.type).create(request)

    def read(self, request: ReadRequest) -> ReadResult | None:
        """Read a resource."""
        return self._resource(request.type).read(request)

    def update(self, request: UpdateRequest) -> Properties:
        """Change a resource in place."""
        return self._resource(request.type).update(request)

    def delete(self, request: DeleteRequest) -> None:
        """Delete a resource."""
        self._resource(request.type).delete(request)

    def invoke(self, request: InvokeRequest) -> InvokeResult:
        """Call a function."""
        if self._functions is None:
            raise ProviderError(f"{request.token}: the aws provider is not configured yet")
        arguments = {key: value for key, value in request.arguments.items() if unwrap(value) is not None}
        return InvokeResult(self._functions.by_token[request.token](arguments))

    def _resource(self, type_token: str) -> _Resource:
        resource = self._resources.get(type_token)
        if resource is None:
            raise ProviderError(f"{type_token}: the aws provider is not configured yet")
        return resource


def _told(found: Sequence[Failure]) -> list[Failure]:
    """The failures without a property of their own: beside one, the engine shows its value, which may be a secret."""
    return [Failure("", f"{failure.property}: {failure.reason}") for failure in found]
