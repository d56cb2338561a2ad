"""A resource provider, and what a concrete one has to say: `Provider`, its requests and results, and its errors.

The shapes follow `pulumirpc.ResourceProvider`; `server.serve` puts a `Provider` behind gRPC.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import ClassVar

from .diff import Diff, compare
from .engine_log import EngineLog, ResourceLog
from .values import Properties

SHOWN_TYPES = 12  # a refusal names at most this many of the served types


class ProviderError(Exception):
    """An operation failed, and nothing was changed. The message is shown to the user as it is."""


class Cancelled(ProviderError):  # noqa: N818 - the field's term for it
    """The user asked for an end before the operation was done."""


class NotServed(ProviderError):  # noqa: N818 - says what happened: the stand-in does not serve this
    """The stand-in does not have this resource type, function or feature."""


class InitFailed(ProviderError):  # noqa: N818 - the protocol's name for it (ErrorResourceInitFailed)
    """The resource exists now, but did not become ready.

    The engine keeps its state, shows the reasons, and calls update for it in the next run.
    """

    def __init__(self, resource_id: str, outputs: Properties, inputs: Properties, reasons: Sequence[str]) -> None:
        """Keep what the engine saves, and the reasons that it shows (each may have several lines)."""
        super().__init__("; ".join(reasons))
        self.resource_id = resource_id
        self.outputs = outputs
        self.inputs = inputs
        self.reasons = tuple(reasons)


class AutonamingMode(Enum):
    """What the stack's configuration says about names that the program leaves out."""

    PROPOSE = "propose"
    ENFORCE = "enforce"
    DISABLE = "disable"


@dataclass(frozen=True)
class Autonaming:
    """The engine's proposal of a name, from `pulumi:autonaming` in the stack's configuration."""

    proposed_name: str
    mode: AutonamingMode


@dataclass(frozen=True)
class ResourceRequest:
    """What every request about one resource carries.

    `type` is the type token (`kubernetes:apps/v1:Deployment`), `name` the resource's name in the program. `cancelled`
    is set when the user stops the run: a long operation watches it and raises `Cancelled` (or `InitFailed`, when there
    is something to save).
    """

    urn: str
    type: str
    name: str
    log: ResourceLog
    cancelled: threading.Event


@dataclass(frozen=True)
class CheckRequest(ResourceRequest):
    """Validate `inputs` and fill in defaults. `old_inputs` is None for a new resource.

    `random_seed` is the same in the preview and in the update that follows it.
    """

    inputs: Properties
    old_inputs: Properties | None = None
    random_seed: bytes = b""
    autonaming: Autonaming | None = None


@dataclass(frozen=True)
class DiffRequest(ResourceRequest):
    """Compare the inputs of the last operation with the new ones.

    What the resource option `ignoreChanges` names is taken out of the answer afterwards.
    """

    id: str
    old_inputs: Properties
    old_outputs: Properties
    inputs: Properties


@dataclass(frozen=True)
class CreateRequest(ResourceRequest):
    """Create the resource; with `preview`, only say what it would be. `timeout` is in seconds, None when unset."""

    inputs: Properties
    timeout: float | None = None
    preview: bool = False


@dataclass(frozen=True)
class UpdateRequest(ResourceRequest):
    """Change the resource in place; with `preview`, only say what it would be. `timeout` is in seconds.

    `ignored` are the paths of the resource option `ignoreChanges`. The engine has put the values of the last operation
    there already, which need not be those of the live resource.
    """

    id: str
    old_inputs: Properties
    old_outputs: Properties
    inputs: Properties
    timeout: float | None = None
    preview: bool = False
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReadRequest(ResourceRequest):
    """Read the live resource: for a refresh with the last state, for an import (or a get) with both empty."""

    id: str
    inputs: Properties
    outputs: Properties

    @property
    def is_import(self) -> bool:
        """Whether there is no earlier state to compare with."""
        return not self.inputs and not self.outputs


@dataclass(frozen=True)
class DeleteRequest(ResourceRequest):
    """Delete the resource and wait until it is gone. `timeout` is in seconds, None when unset."""

    id: str
    inputs: Properties
    outputs: Properties
    timeout: float | None = None


@dataclass(frozen=True)
class InvokeRequest:
    """Call the function `token` (`aws:ecr/getAuthorizationToken:getAuthorizationToken`)."""

    token: str
    arguments: Properties
    preview: bool
    cancelled: threading.Event


@dataclass(frozen=True)
class Failure:
    """An input that is not accepted, and why. `property` may be empty when it is about all of them."""

    property: str
    reason: str


@dataclass(frozen=True)
class CheckResult:
    """The inputs to keep, or what is wrong with them."""

    inputs: Properties
    failures: Sequence[Failure] = ()


@dataclass(frozen=True)
class CreateResult:
    """The id and the outputs of a resource that was created."""

    id: str
    outputs: Properties


@dataclass(frozen=True)
class ReadResult:
    """The live resource: its id, the inputs that would make it, and its outputs."""

    id: str
    inputs: Properties
    outputs: Properties


@dataclass(frozen=True)
class InvokeResult:
    """What a function returned, or what is wrong with its arguments."""

    value: Properties
    failures: Sequence[Failure] = field(default=())


class Provider:
    """A stand-in for one package's official plugin. A subclass overrides what it serves.

    The server refuses every type and function that `types` and `functions` do not name, marks outputs secret where the
    inputs are, and turns errors into one line for the user: `ProviderError` shows its message; any other exception is a
    defect of the plugin, and says so with its place and no traceback (`pulumi --debug` has it).
    Methods are called from several threads at once.
    """

    package: ClassVar[str]
    """The package, as in type tokens: `kubernetes`."""

    version: ClassVar[str]
    """The version of the official plugin that this stands in for."""

    types: ClassVar[Collection[str]] = ()
    """The type tokens that are served."""

    functions: ClassVar[Collection[str]] = ()
    """The tokens of the functions that are served."""

    supports_autonaming: ClassVar[bool] = False
    """Whether `check` heeds `CheckRequest.autonaming`."""

    def __init__(self) -> None:
        """Start without an engine; the server attaches one."""
        self.log = EngineLog()
        self.cancelled = threading.Event()

    def check_config(self, inputs: Properties, old_inputs: Properties) -> CheckResult:
        """Validate the provider's own configuration. It may hold unknowns. By default everything is accepted."""
        del old_inputs
        return CheckResult(inputs)

    def diff_config(self, old_inputs: Properties, inputs: Properties) -> Diff:
        """Compare two configurations; a replacing diff replaces every resource. By default it never does."""
        return compare(old_inputs, inputs)

    def configure(self, inputs: Properties) -> None:
        """Take the configuration, all known. Called once, before any resource."""

    def check(self, request: CheckRequest) -> CheckResult:
        """Validate a resource's inputs; by default they are accepted as they are."""
        return CheckResult(request.inputs)

    def diff(self, request: DiffRequest) -> Diff:
        """Compare a resource's inputs; by default every change is an update in place."""
        return compare(request.old_inputs, request.inputs)

    def create(self, request: CreateRequest) -> CreateResult:
        """Create a resource."""
        raise self.not_served(request.type)

    def read(self, request: ReadRequest) -> ReadResult | None:
        """Read a resource; None when it does not exist (any more)."""
        raise self.not_served(request.type)

    def update(self, request: UpdateRequest) -> Properties:
        """Change a resource in place, and return its outputs."""
        raise self.not_served(request.type)

    def delete(self, request: DeleteRequest) -> None:
        """Delete a resource; that it is gone already is no error."""
        raise self.not_served(request.type)

    def invoke(self, request: InvokeRequest) -> InvokeResult:
        """Call a function."""
        raise self.not_served(request.token)

    def not_served(self, token: str) -> NotServed:
        """The refusal of a type or function that this stand-in does not have."""
        served = sorted([*self.types, *self.functions])
        shown = ", ".join(served[:SHOWN_TYPES])
        more = f" and {len(served) - SHOWN_TYPES} more" if len(served) > SHOWN_TYPES else ""
        return NotServed(
            f"{token} is not served by this stand-in for the {self.package} plugin (it serves: {shown}{more}); "
            f"the official plugin serves all: pulumi plugin install resource {self.package} v{self.version}"
        )
