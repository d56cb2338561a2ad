"""What resources of AWS have in common, whichever service they are of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Generic, TypeVar

from botocore.exceptions import ClientError

from ..protocol.diff import ChangeKind, Diff, compare
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
from ..protocol.values import UNKNOWN, Properties, Value, contains_unknown, unwrap
from . import inputs as checks
from .naming import DEFAULTS
from .refusals import error_code
from .session import Session, one_line_errors

Client = TypeVar("Client")
"""The service's client in boto3."""


class AwsResource(ABC, Generic[Client]):
    """Resources of one type. A subclass says what AWS is asked for; this has the steps and what is shown of them."""

    type: ClassVar[str]
    accepted: ClassVar[frozenset[str]]
    """The inputs that there are."""

    required: ClassVar[tuple[str, ...]] = ()
    replaced_by: ClassVar[tuple[str, ...]] = ()
    """The inputs that AWS cannot change in place."""

    kept: ClassVar[frozenset[str]] = frozenset()
    """The inputs that have a value of AWS's own: a program that leaves them out accepts the one that is there."""

    local: ClassVar[frozenset[str]] = frozenset()
    """The inputs that AWS is not told: the program alone knows them."""

    computed: ClassVar[tuple[str, ...]] = ()
    """The outputs that only AWS knows, beside the id."""

    defaults: ClassVar[Mapping[str, Value]] = {}
    gone: ClassVar[frozenset[str]] = frozenset()
    """The error codes that say that there is none."""

    exists: ClassVar[str] = ""
    """The error code that says that there is one already."""

    def __init__(self, session: Session) -> None:
        """Serve the account of this session."""
        self._session = session

    @abstractmethod
    def client(self, inputs: Mapping[str, Value]) -> Client:
        """The client to ask."""

    @abstractmethod
    def place(self, inputs: Mapping[str, Value]) -> str:
        """Where it is, in messages."""

    @abstractmethod
    def what(self, resource_id: str) -> str:
        """What it is called in messages."""

    @abstractmethod
    def failures(self, inputs: Properties) -> list[Failure]:
        """What of the inputs is not accepted, beside those that are missing or that the type does not have."""

    @abstractmethod
    def identify(self, inputs: Mapping[str, Value]) -> str:
        """What it is called in messages before it has an id."""

    @abstractmethod
    def make(self, client: Client, inputs: Properties) -> str:
        """Create it, and return its id."""

    @abstractmethod
    def change(self, client: Client, resource_id: str, old: Properties, new: Properties) -> None:
        """Change it from the old inputs to the new ones."""

    @abstractmethod
    def fetch(self, client: Client, resource_id: str) -> Properties | None:
        """The outputs of the live one, without its id and what AWS does not know; None if there is none."""

    @abstractmethod
    def remove(self, client: Client, resource_id: str) -> object:
        """Delete it."""

    def canonical(self, key: str, value: Value, wanted: Value) -> Value:
        """A known value of an input in one form, to be compared with a wanted one."""
        del key, wanted
        return value

    def implied(self) -> Mapping[str, Value]:
        """What inputs that are left out stand for."""
        return self.defaults

    def complete(self, inputs: Mapping[str, Value], live: Properties) -> Properties:
        """The outputs of the live one with those that AWS does not know."""
        return {**live, **{key: inputs[key] for key in self.local if key in inputs}}

    def foreseen(self, inputs: Properties, old_outputs: Mapping[str, Value]) -> Properties:
        """The outputs as far as they are known before AWS is asked."""
        outputs: Properties = {key: value for key, value in inputs.items() if key in self.accepted}
        outputs |= {key: old_outputs[key] for key in self.kept if key in old_outputs and key not in inputs}
        return outputs | {key: old_outputs.get(key, UNKNOWN) for key in self.computed}

    def check(self, request: CheckRequest) -> CheckResult:
        """Validate the inputs, and fill in the defaults."""
        inputs = {key: value for key, value in request.inputs.items() if key != DEFAULTS}
        found = [
            *checks.unaccepted(inputs, self.accepted, self.type),
            *checks.missing(inputs, self.required),
            *self.failures(inputs),
        ]
        defaults = {key: value for key, value in self.defaults.items() if key not in inputs}
        return CheckResult({**inputs, **defaults, DEFAULTS: list[Value](defaults)}, found)

    def diff(self, request: DiffRequest) -> Diff:
        """Compare what is wanted with what was; the same written differently is no change."""
        wanted = self._comparable(request.inputs, request.inputs)
        diff = compare(self._comparable(request.old_inputs, request.inputs), wanted, replace_on=self.replaced_by)
        return Diff(
            tuple(
                change
                for change in diff.changes
                if not (change.kind is ChangeKind.DELETE and change.path[0] in self.kept and len(change.path) == 1)
            )
        )

    def create(self, request: CreateRequest) -> CreateResult:
        """Create it."""
        inputs = request.inputs
        if request.preview:
            # No id yet: what depends on it waits for it to exist.
            return CreateResult("", self.foreseen(inputs, {}))
        doing = f"creating {self.what(self.identify(inputs))}"
        client = self.client(inputs)
        with one_line_errors(doing):
            try:
                resource_id = self.make(client, inputs)
            except ClientError as error:
                if self.exists and error_code(error) == self.exists:
                    raise ProviderError(self._told_existing(doing, request.name, inputs)) from None
                raise
        return CreateResult(resource_id, self._outputs(resource_id, inputs))

    def read(self, request: ReadRequest) -> ReadResult | None:
        """Read it; None when there is none."""
        known = request.inputs or request.outputs
        live = self._fetch(request.id, known)
        if live is None:
            return None
        outputs: Properties = {**self.complete(known, live), "id": request.id}
        return ReadResult(request.id, self._live_inputs(request.inputs, live), outputs)

    def update(self, request: UpdateRequest) -> Properties:
        """Change it in place."""
        if request.preview:
            return self.foreseen(request.inputs, request.old_outputs)
        with one_line_errors(f"updating {self.what(request.id)}"):
            try:
                self.change(self.client(request.inputs), request.id, request.old_inputs, request.inputs)
            except ClientError as error:
                if error_code(error) in self.gone:
                    raise ProviderError(self._told_gone("updating", request.id, request.inputs)) from None
                raise
        return self._outputs(request.id, request.inputs)

    def delete(self, request: DeleteRequest) -> None:
        """Delete it; that it is gone already is no error."""
        with one_line_errors(f"deleting {self.what(request.id)}"):
            try:
                self.remove(self.client(request.inputs or request.outputs), request.id)
            except ClientError as error:
                if error_code(error) not in self.gone:
                    raise

    def _fetch(self, resource_id: str, inputs: Mapping[str, Value]) -> Properties | None:
        with one_line_errors(f"reading {self.what(resource_id)}"):
            try:
                return self.fetch(self.client(inputs), resource_id)
            except ClientError as error:
                if error_code(error) in self.gone:
                    return None
                raise

    def _outputs(self, resource_id: str, inputs: Mapping[str, Value]) -> Properties:
        live = self._fetch(resource_id, inputs)
        if live is None:
            raise ProviderError(self._told_gone("reading", resource_id, inputs))
        return {**self.complete(inputs, self._as_written(inputs, live)), "id": resource_id}

    def _comparable(self, inputs: Mapping[str, Value], wanted: Mapping[str, Value]) -> Properties:
        # A default that is written out is the same as one that is left out.
        comparable = dict(self.implied())
        for key in self.accepted:
            value, other = unwrap(inputs.get(key)), unwrap(wanted.get(key))
            known = value if contains_unknown(value) else self.canonical(key, value, other)
            if not _is_empty(known):
                comparable[key] = known
        return comparable

    def _as_written(self, inputs: Mapping[str, Value], live: Properties) -> Properties:
        """The live values, each as the program wrote it if it is the same."""
        written = dict(live)
        for key in self.accepted & live.keys() & inputs.keys():
            mine, theirs = unwrap(inputs[key]), live[key]
            if self.canonical(key, mine, mine) == self.canonical(key, theirs, mine) and key not in self.kept:
                written[key] = mine
        return written

    def _live_inputs(self, inputs: Properties, live: Properties) -> Properties:
        """The inputs that would make the live one: those of the program with live values, or all at an import."""
        shown = self._as_written(inputs, live)
        kept = {
            key: value
            for key, value in shown.items()
            if key in self.accepted and not _is_empty(value) and (key in inputs or key not in self.kept or not inputs)
        }
        local: Properties = {key: inputs[key] for key in self.local if key in inputs}
        return {**kept, **local, DEFAULTS: inputs.get(DEFAULTS, [])}

    def _told_existing(self, doing: str, name: str, inputs: Mapping[str, Value]) -> str:
        return (
            f"{doing}: it exists already in {self.place(inputs)}; to manage it here: "
            f"pulumi import {self.type} {name} {self.identify(inputs)}; to replace it, set the resource option "
            "deleteBeforeReplace"
        )

    def _told_gone(self, doing: str, resource_id: str, inputs: Mapping[str, Value]) -> str:
        return f"{doing} {self.what(resource_id)}: it is gone from {self.place(inputs)}; pulumi refresh notes that"


def _is_empty(value: Value) -> bool:
    return value in (None, "", [], {})
