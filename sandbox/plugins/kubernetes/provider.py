"""The plugin: what the engine asks of a kubernetes provider, answered by an API server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Final

from ..protocol.diff import Change, ChangeKind, Diff, compare
from ..protocol.provider import (
    Cancelled,
    CheckRequest,
    CheckResult,
    CreateRequest,
    CreateResult,
    DeleteRequest,
    DiffRequest,
    Failure,
    InitFailed,
    Provider,
    ProviderError,
    ReadRequest,
    ReadResult,
    UpdateRequest,
)
from ..protocol.values import (
    UNKNOWN,
    Plain,
    Properties,
    Secret,
    Unknown,
    Value,
    as_value,
    contains_unknown,
    plain_object,
    unwrap,
    without_nulls,
)
from .apply import field_manager
from .awaiting import NotReady, Waiter
from .client import Cluster, ClusterUnreachable
from .kinds import BY_TOKEN, SECRET, Kind, Readiness, fixed_properties
from .kubeconfig import KubeconfigError, select_context
from .live_state import FIELD_MANAGER_KEY, data_secret, importable, inputs_value, owns, project, state
from .naming import NamingError, choose_name, is_autonamed, name_problem, named
from .objects import (
    DELETION_PROPAGATION,
    REPLACE_UNREADY,
    SKIP_AWAIT,
    Object,
    annotation,
    child,
    is_annotated,
    name_of,
    text,
)
from .operation import Operation, time_limit
from .rollout import is_complete
from .settings import Settings, difference, problems

_DELETE_TIMEOUT: Final = 300.0  # seconds
# How long a refresh waits for an object that is not ready, in seconds: an autoscaler's pods are starting, or it is ill.
_HEALTH_TIMEOUT: Final = 12.0
_PROPAGATIONS: Final = {"orphan": "Orphan", "background": "Background"}
# RBAC names its objects by path segments (`system:node`), everything else by DNS names.
_FREELY_NAMED: Final = "rbac.authorization.k8s.io"


class KubernetesProvider(Provider):
    """Serves the kinds of `kinds.BY_TOKEN`, by server-side apply."""

    package: ClassVar[str] = "kubernetes"
    version: ClassVar[str] = "4.34.2"
    types = BY_TOKEN.keys()
    supports_autonaming: ClassVar[bool] = True

    def __init__(self) -> None:
        """Know no cluster yet."""
        super().__init__()
        self._settings = Settings()
        self._cluster: Cluster | None = None
        self._default_namespace = "default"
        self._unreachable = "the provider is not configured"

    def check_config(self, inputs: Properties, old_inputs: Properties) -> CheckResult:
        """Validate the provider's configuration."""
        return CheckResult(inputs, problems(inputs))

    def diff_config(self, old_inputs: Properties, inputs: Properties) -> Diff:
        """Compare two configurations of the provider."""
        return difference(old_inputs, inputs)

    def configure(self, inputs: Properties) -> None:
        """Select the cluster and see whether it answers. If it does not, every later operation says so."""
        if found := problems(inputs):
            raise ProviderError("; ".join(f"{failure.property}: {failure.reason}" for failure in found))
        self._settings = settings = Settings.parse(inputs)
        try:
            context = select_context(settings.kubeconfig, settings.context, settings.cluster)
            self._default_namespace = settings.namespace or context.namespace or "default"
            cluster = Cluster(context, settings.request_timeout)
            cluster.check()
        except (KubeconfigError, ClusterUnreachable) as error:
            self._unreachable = str(error)
        else:
            self._cluster = cluster

    def check(self, request: CheckRequest) -> CheckResult:
        """Fill in apiVersion, kind, namespace and name; refuse what no API server would take."""
        self._reachable()
        kind = BY_TOKEN[request.type]
        inputs = _object_of(without_nulls(request.inputs))
        if kind is SECRET:
            inputs = data_secret(inputs)
        failures = list(_identity_failures(kind, inputs))
        inputs["apiVersion"], inputs["kind"] = kind.api_version, kind.kind
        if failures or isinstance(unwrap(inputs.get("metadata")), Unknown):
            return CheckResult(inputs, failures)
        try:
            inputs = self._named(request, inputs)
        except NamingError as error:
            return CheckResult(inputs, [Failure("metadata.name", str(error))])
        fields = _object_of(inputs.get("metadata"))
        if kind.namespaced and not fields.get("namespace"):
            inputs["metadata"] = fields = {**fields, "namespace": self._default_namespace}
        if not kind.namespaced:
            fields.pop("namespace", None)
            inputs["metadata"] = fields
        name = unwrap(fields.get("name"))
        if isinstance(name, str) and kind.group != _FREELY_NAMED and (problem := name_problem(name)):
            failures.append(Failure("metadata.name", problem))
        return CheckResult(inputs, failures)

    def diff(self, request: DiffRequest) -> Diff:
        """Compare the inputs. The next apply removes only fields that the last one owned: others are no change."""
        kind = BY_TOKEN[request.type]
        old, new = _object_of(without_nulls(request.old_inputs)), _object_of(without_nulls(request.inputs))
        settings = self._settings
        mutable_data = settings.mutable_secrets if kind is SECRET else settings.mutable_config_maps
        fixed = fixed_properties(kind, was_immutable=unwrap(old.get("immutable")) is True, mutable_data=mutable_data)
        diff = compare(old, new, replace_on=fixed, except_on=kind.mutable)
        live = _plain_outputs(request.old_outputs)
        manager = text(live, FIELD_MANAGER_KEY)
        changes = [change for change in diff.changes if not _is_of_others(change, live, manager)]
        name = unwrap(_object_of(new.get("metadata")).get("name"))
        fixed_name = not _is_autonamed(new) and name == name_of(live)
        same_namespace = _namespace_in(new) in (text(live, "metadata", "namespace"), None)
        return Diff(
            tuple(changes),
            delete_before_replace=fixed_name and same_namespace,
            extra_replace_reasons=self._unready(request, kind, new),
        )

    def _unready(self, request: DiffRequest, kind: Kind, inputs: Properties) -> tuple[str, ...]:
        """Why an object that is as the program wants it is replaced all the same: it is a Job that did not complete.

        That is so with the annotation `pulumi.com/replaceUnready` alone.
        """
        wanted = _plain_identity(inputs)
        if not is_annotated(wanted, REPLACE_UNREADY):
            return ()
        if kind.readiness is not Readiness.JOB:
            request.log.warning(f"the annotation {REPLACE_UNREADY} is heeded for a Job only, not for a {kind.kind}")
            return ()
        live = self._reachable().get(kind, *self._address(kind, request.id, wanted))
        if live is None or is_complete(live):
            return ()
        return (f'metadata.annotations["{REPLACE_UNREADY}"]',)

    def create(self, request: CreateRequest) -> CreateResult:
        """Apply the object and wait until it is ready; in a preview, ask the server what it would be."""
        kind = BY_TOKEN[request.type]
        inputs = _object_of(without_nulls(request.inputs))
        if request.preview and contains_unknown(inputs):
            return CreateResult("", _foreseen(kind, inputs, inputs))
        operation = Operation(self._reachable(), kind, request, inputs)
        if request.preview:
            planned = operation.plan(replacing=True)
            outputs = inputs if planned is None else operation.outputs(planned)
            return CreateResult("", _foreseen(kind, inputs, outputs))
        live = operation.settle(operation.apply(take_over_edits=False), request.timeout)
        return CreateResult(operation.identifier(live), operation.outputs(live))

    def update(self, request: UpdateRequest) -> Properties:
        """Apply the object and wait until it is ready; in a preview, ask the server what it would be."""
        kind = BY_TOKEN[request.type]
        inputs = _object_of(without_nulls(request.inputs))
        if request.preview and contains_unknown(inputs):
            return inputs
        manager = _kept_manager(request.old_outputs)
        operation = Operation(self._reachable(), kind, request, inputs, manager, request.ignored)
        if request.preview:
            planned = operation.plan(replacing=False)
            return inputs if planned is None else _without_status(operation.outputs(planned))
        live = operation.settle(operation.apply(take_over_edits=True), request.timeout)
        return operation.outputs(live)

    def read(self, request: ReadRequest) -> ReadResult | None:
        """Read the object: for a refresh what the inputs are now, for an import all that could be inputs."""
        kind = BY_TOKEN[request.type]
        if self._cluster is None and self._settings.delete_unreachable:
            request.log.warning(f"{self._unreachable}; taken as deleted, as deleteUnreachable is set")
            return None
        cluster = self._reachable()
        old_inputs = plain_object(_object_of(without_nulls(request.inputs)))
        namespace, name = self._address(kind, request.id, old_inputs)
        live = cluster.get(kind, namespace, name)
        if live is None:
            return None
        manager = field_manager(request.urn, old_inputs, _kept_manager(request.outputs))
        found = importable(live) if not old_inputs else project(old_inputs, live, kind)
        inputs = inputs_value(found, request.inputs, kind)
        outputs = state(inputs, live, kind, manager)
        if old_inputs and not is_annotated(old_inputs, SKIP_AWAIT) and not text(live, "metadata", "deletionTimestamp"):
            waiter = Waiter(cluster, kind, request.log, request.cancelled)
            outcome = waiter.until_ready(live, _HEALTH_TIMEOUT)
            if request.cancelled.is_set():
                raise Cancelled(f"{kind.kind} {request.id}: cancelled while it was read")
            if isinstance(outcome, NotReady):
                raise InitFailed(request.id, outputs, inputs, outcome.reasons)
        return ReadResult(request.id, inputs, outputs)

    def delete(self, request: DeleteRequest) -> None:
        """Delete the object and wait until it is gone, with all that it owns."""
        kind = BY_TOKEN[request.type]
        if self._cluster is None and self._settings.delete_unreachable:
            request.log.warning(f"{self._unreachable}; taken as deleted, as deleteUnreachable is set")
            return
        cluster = self._reachable()
        live = _plain_outputs(request.outputs)
        inputs = plain_object(_object_of(without_nulls(request.inputs)))
        namespace, name = self._address(kind, request.id, live)
        propagation = _PROPAGATIONS.get(annotation(inputs, DELETION_PROPAGATION).lower(), "Foreground")
        current = cluster.get(kind, namespace, name)
        if current is None or not cluster.delete(kind, namespace, name, propagation):
            return
        if is_annotated(inputs, SKIP_AWAIT):
            return
        timeout = time_limit(request.timeout, inputs, _DELETE_TIMEOUT)
        waiter = Waiter(cluster, kind, request.log, request.cancelled)
        remaining = waiter.until_gone(namespace, name, text(current, "metadata", "uid"), timeout)
        if remaining is None:
            return
        error = Cancelled if request.cancelled.is_set() else ProviderError
        raise error(f"{kind.identifier(namespace, name)}: {'; '.join(remaining.reasons)}")

    def _reachable(self) -> Cluster:
        if self._cluster is None:
            raise ClusterUnreachable(self._unreachable)
        return self._cluster

    def _named(self, request: CheckRequest, inputs: Properties) -> Properties:
        """The inputs with a name: the program's, else the one that was chosen before, else a new one."""
        metadata = _object_of(inputs.get("metadata"))
        if metadata.get("name"):
            return inputs
        if metadata.get("generateName"):
            raise NamingError("metadata.generateName is not served with server-side apply: leave the name out instead")
        old = _plain_identity(request.old_inputs or {})
        kept = name_of(old) if is_autonamed(old) else ""
        name = kept or choose_name(request.name, request.random_seed, request.autonaming)
        annotations = _object_of(metadata.get("annotations"))
        chosen = child(named({}, name), "metadata")
        marks = {key: as_value(item) for key, item in child(chosen, "annotations").items()}
        return {**inputs, "metadata": {**metadata, "name": name, "annotations": {**annotations, **marks}}}

    def _address(self, kind: Kind, identifier: str, known: Object) -> tuple[str, str]:
        """Namespace and name of a resource, from its id `namespace/name` or `name`."""
        namespace, _, name = identifier.rpartition("/")
        if not kind.namespaced:
            if namespace:
                raise ProviderError(f"{identifier!r} is no id of a {kind.kind}: expected its name alone")
            return "", name
        return namespace or text(known, "metadata", "namespace") or self._default_namespace, name


def _object_of(value: Value) -> Properties:
    value = value.value if isinstance(value, Secret) else value
    return dict(value) if isinstance(value, dict) else {}


def _plain_outputs(outputs: Properties) -> Object:
    return plain_object({key: item for key, item in outputs.items() if not contains_unknown(item)})


def _plain_identity(inputs: Properties) -> Object:
    metadata = {key: item for key, item in _object_of(inputs.get("metadata")).items() if not contains_unknown(item)}
    return {"metadata": plain_object(metadata)}


def _is_autonamed(inputs: Properties) -> bool:
    return is_autonamed(_plain_identity(inputs))


def _namespace_in(inputs: Properties) -> Value:
    return unwrap(_object_of(inputs.get("metadata")).get("namespace"))


def _kept_manager(outputs: Properties) -> str:
    kept = unwrap(outputs.get(FIELD_MANAGER_KEY))
    return kept if isinstance(kept, str) else ""


def _identity_failures(kind: Kind, inputs: Properties) -> Iterator[Failure]:
    expected: dict[str, Plain] = {"apiVersion": kind.api_version, "kind": kind.kind}
    for key, value in expected.items():
        given = unwrap(inputs.get(key))
        if given is not None and given is not UNKNOWN and given != value:
            yield Failure(key, f"expected {value!r} for {kind.token}, received {given!r}")
    metadata = unwrap(inputs.get("metadata"))
    if metadata is not None and metadata is not UNKNOWN and not isinstance(metadata, dict):
        yield Failure("metadata", f"expected an object, received {type(metadata).__name__}")


def _is_of_others(change: Change, live: Object, manager: str) -> bool:
    if change.kind is not ChangeKind.DELETE:
        return False
    path = change.path
    if path[0] == "stringData":  # applied as data
        path = ("data", *path[1:])
    return not owns(live, manager, path)


def _foreseen(kind: Kind, inputs: Properties, outputs: Properties) -> Properties:
    """The outputs of a new object as a preview knows them.

    A Service's address is unknown: the dry run shows one that another Service may get. The same is so of
    `metadata.uid`, but an unknown in `metadata` would make the name unknown to the program, so that is left as it is.
    """
    foreseen = _without_status(outputs)
    spec = foreseen.get("spec")
    given = _object_of(inputs.get("spec"))
    if kind.readiness is Readiness.SERVICE and isinstance(spec, dict):
        foreseen["spec"] = {**spec, **{key: UNKNOWN for key in ("clusterIP", "clusterIPs") if key not in given}}
    return foreseen


def _without_status(outputs: Properties) -> Properties:
    return {key: item for key, item in outputs.items() if key != "status"}
