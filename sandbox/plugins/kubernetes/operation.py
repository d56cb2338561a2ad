"""A resource being created or updated: planned by a dry run, applied, and waited for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from ..protocol.provider import Cancelled, InitFailed, ProviderError, ResourceRequest
from ..protocol.values import Properties, plain_object
from .apply import FieldConflict, apply, field_manager
from .awaiting import NotReady, Waiter
from .client import ApiError, Cluster
from .kinds import Kind, Readiness
from .live_state import respecting, sent, state
from .objects import SKIP_AWAIT, TIMEOUT_SECONDS, Object, annotation, is_annotated, name_of, namespace_of

_FIRST_PAUSE: Final = 0.25  # seconds
_LAST_PAUSE: Final = 4.0  # seconds


@dataclass(frozen=True)
class Operation:
    """One resource, all of whose inputs are known.

    `kept_manager` is the field manager of its state, if it has one. `ignored` are the paths that are left as they are.
    """

    cluster: Cluster
    kind: Kind
    request: ResourceRequest
    inputs: Properties
    kept_manager: str = ""
    ignored: tuple[str, ...] = ()

    @cached_property
    def manifest(self) -> Object:
        """The inputs as a plain object."""
        return plain_object(self.inputs)

    @cached_property
    def manager(self) -> str:
        """The field manager that applies it."""
        return field_manager(self.request.urn, self.manifest, self.kept_manager)

    @property
    def place(self) -> str:
        """The object, for a message: `Deployment shop/web`."""
        return f"{self.kind.kind} {self.identifier(self.manifest)}"

    def plan(self, *, replacing: bool) -> Object | None:
        """What the object would be; None where the server cannot tell before the real thing.

        That is so when its namespace is made by the same program, when the credentials are for reading only, and, for a
        new object (`replacing`), when one of its name is there that will be deleted first.

        Raises:
            FieldConflict: another manager owns a field.
            ProviderError: the server would not take the object.
        """
        try:
            return self._apply(dry_run=True, take_over_edits=True)
        except FieldConflict:
            if replacing:
                return None
            raise
        except ApiError as error:
            if error.is_forbidden or error.is_missing or (error.is_immutable and replacing):
                return None
            raise self._refusal(error) from None

    def apply(self, *, take_over_edits: bool) -> Object:
        """Apply for real; what is not there yet (the namespace, a webhook's service) is waited for a little.

        Raises:
            FieldConflict: another manager owns a field.
            ProviderError: the server does not take the object.
        """
        pause = _FIRST_PAUSE
        while True:
            try:
                return self._apply(dry_run=False, take_over_edits=take_over_edits)
            except ApiError as error:
                if not error.is_missing or pause > _LAST_PAUSE:
                    raise self._refusal(error) from None
                self.request.log.status(f"not accepted yet: {error}")
            if self.request.cancelled.wait(pause):
                raise Cancelled(f"{self.place}: cancelled before it was applied")
            pause *= 2

    def settle(self, applied: Object, timeout: float | None) -> Object:
        """The live object once it is ready, after at most `timeout` seconds (None: the annotation's, or the kind's).

        Raises:
            InitFailed: it does not become ready; the error holds the state to save.
        """
        if self.kind.readiness is Readiness.NONE or is_annotated(self.manifest, SKIP_AWAIT):
            return applied
        waiter = Waiter(self.cluster, self.kind, self.request.log, self.request.cancelled)
        try:
            outcome = waiter.until_ready(applied, time_limit(timeout, self.manifest, self.kind.timeout))
        except ProviderError as error:
            outcome = NotReady((str(error),), applied)
        if isinstance(outcome, NotReady):
            raise InitFailed(self.identifier(applied), self.outputs(outcome.obj), self.inputs, outcome.reasons)
        return outcome

    def outputs(self, live: Object) -> Properties:
        """The outputs to keep."""
        return state(self.inputs, live, self.kind, self.manager)

    def identifier(self, obj: Object) -> str:
        """The resource's id, from an object with its name."""
        return self.kind.identifier(namespace_of(obj), name_of(obj))

    def _apply(self, *, dry_run: bool, take_over_edits: bool) -> Object:
        manifest = sent(self.manifest, self.kind)
        if self.ignored:
            live = self.cluster.get(self.kind, namespace_of(manifest), name_of(manifest))
            manifest = respecting(manifest, live or {}, self.manager, self.ignored)
        return apply(self.cluster, self.kind, manifest, self.manager, dry_run=dry_run, take_over_edits=take_over_edits)

    def _refusal(self, error: ApiError) -> ProviderError:
        if error.is_of_an_unknown_kind:
            kind = f"{self.kind.kind} of {self.kind.api_version}"
            return ProviderError(
                f"{self.place} is not accepted: the cluster has no {kind}; install what brings it "
                "(its CustomResourceDefinition) first"
            )
        return ProviderError(f"{self.place} is not accepted: {error}")


def time_limit(custom: float | None, inputs: Object, default: float) -> float:
    """Seconds: the resource option's (`customTimeouts`), else the annotation's, else the default."""
    if custom:
        return custom
    annotated = annotation(inputs, TIMEOUT_SECONDS)
    return float(annotated) if annotated.isdecimal() else default
