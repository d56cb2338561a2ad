"""Serves a `Provider` over gRPC, the way Pulumi's engine starts a plugin.

The engine starts the plugin with its own address as the argument, and reads the port that the plugin listens on from
the first line of its standard output. The plugin's standard input is a pipe that the engine holds open while it lives.
"""

from __future__ import annotations

import gc
import os
import signal
import stat
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import Final, NoReturn, TypedDict, TypeVar, cast

from google.protobuf import any_pb2, empty_pb2
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct

from .diff import ChangeKind, Diff
from .engine_log import ResourceLog
from .messages import plugin_pb2, provider_pb2, status_pb2
from .provider import (
    Autonaming,
    AutonamingMode,
    Cancelled,
    CheckRequest,
    CheckResult,
    CreateRequest,
    DeleteRequest,
    DiffRequest,
    Failure,
    InitFailed,
    InvokeRequest,
    NotServed,
    Provider,
    ProviderError,
    ReadRequest,
    UpdateRequest,
)
from .transport import CallContext, Method, Server, StatusCode, method
from .values import Properties, from_struct, to_struct, with_secrets_like

_Request = TypeVar("_Request", bound=Message)
_Response = TypeVar("_Response", bound=Message)

SERVICE: Final = "pulumirpc.ResourceProvider"
_GRACE: Final = 5.0  # seconds for running operations to end once a stop was asked for
_PARENT_POLL: Final = 1.0  # seconds
_GARBAGE: Final = 100_000  # objects made between two looks for garbage

_KINDS: Final = {
    (ChangeKind.ADD, False): provider_pb2.PropertyDiff.ADD,
    (ChangeKind.ADD, True): provider_pb2.PropertyDiff.ADD_REPLACE,
    (ChangeKind.DELETE, False): provider_pb2.PropertyDiff.DELETE,
    (ChangeKind.DELETE, True): provider_pb2.PropertyDiff.DELETE_REPLACE,
    (ChangeKind.UPDATE, False): provider_pb2.PropertyDiff.UPDATE,
    (ChangeKind.UPDATE, True): provider_pb2.PropertyDiff.UPDATE_REPLACE,
}
_AUTONAMING_MODES: Final = {
    provider_pb2.CheckRequest.AutonamingOptions.PROPOSE: AutonamingMode.PROPOSE,
    provider_pb2.CheckRequest.AutonamingOptions.ENFORCE: AutonamingMode.ENFORCE,
    provider_pb2.CheckRequest.AutonamingOptions.DISABLE: AutonamingMode.DISABLE,
}


def serve(provider: Provider) -> NoReturn:
    """Serve the provider until the engine goes away or asks it to end; then the process exits.

    The engine's address is the process's argument. A plugin that is started by hand has none, prints its port all the
    same, and gets the address by `Attach` (`PULUMI_DEBUG_PROVIDERS`).
    """
    # Before the engine can know that the plugin runs: an engine that ends at once after that has been a parent too.
    parent = os.getppid()
    # Messages are trees of small objects; a process that lives for one command need not look for garbage in them often.
    gc.set_threshold(_GARBAGE)
    if len(sys.argv) > 1:
        provider.log.attach(sys.argv[1])
    server = Server(SERVICE, methods(provider))
    stop = threading.Event()

    def on_signal(_number: int, _frame: object) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    server.start()
    sys.stdout.write(f"{server.port}\n")
    sys.stdout.flush()
    _watch_engine(parent, stop)
    stop.wait()
    provider.cancelled.set()
    server.stop(_GRACE)
    provider.log.close()
    # Not sys.exit: it would wait for the thread that still reads standard input.
    os._exit(0)


def _watch_engine(parent: int, stop: threading.Event) -> None:
    """Set `stop` when the engine, the process `parent`, is gone, however it ended."""

    def poll_parent() -> None:
        while os.getppid() == parent:
            if stop.wait(_PARENT_POLL):
                return
        stop.set()

    def read_input() -> None:
        while os.read(0, 4096):
            pass
        stop.set()

    threading.Thread(target=poll_parent, daemon=True, name="parent").start()
    try:
        piped = stat.S_ISFIFO(os.fstat(0).st_mode)
    except OSError:
        piped = False
    if piped:
        threading.Thread(target=read_input, daemon=True, name="stdin").start()


def methods(provider: Provider) -> dict[str, Method]:
    """The methods of the service `SERVICE`, answered by the provider."""
    return _Service(provider).methods()


class _Service:
    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def methods(self) -> dict[str, Method]:
        pb = provider_pb2
        return {
            "Handshake": self._method(self.handshake, pb.ProviderHandshakeRequest),
            "GetPluginInfo": self._method(self.get_plugin_info, empty_pb2.Empty),
            "GetSchema": self._method(self.get_schema, pb.GetSchemaRequest),
            "GetMapping": self._method(lambda _: pb.GetMappingResponse(), pb.GetMappingRequest),
            "GetMappings": self._method(lambda _: pb.GetMappingsResponse(), pb.GetMappingsRequest),
            "Attach": self._method(self.attach, plugin_pb2.PluginAttach),
            "Cancel": self._method(self.cancel, empty_pb2.Empty),
            "CheckConfig": self._method(self.check_config, pb.CheckRequest),
            "DiffConfig": self._method(self.diff_config, pb.DiffRequest),
            "Configure": self._method(self.configure, pb.ConfigureRequest),
            "Invoke": self._method(self.invoke, pb.InvokeRequest),
            "Check": self._method(self.check, pb.CheckRequest),
            "Diff": self._method(self.diff, pb.DiffRequest),
            "Create": self._method(self.create, pb.CreateRequest),
            "Read": self._method(self.read, pb.ReadRequest),
            "Update": self._method(self.update, pb.UpdateRequest),
            "Delete": self._method(self.delete, pb.DeleteRequest),
            "Call": self._method(self.call, pb.CallRequest),
            "Construct": self._method(self.construct, pb.ConstructRequest),
            "Parameterize": self._method(self.parameterize, pb.ParameterizeRequest),
        }

    def _method(self, answer: Callable[[_Request], _Response], request_type: type[_Request]) -> Method:
        def run(request: _Request, context: CallContext) -> _Response:
            try:
                return answer(request)
            except InitFailed as failure:
                _abort_with_state(context, failure)
            except Cancelled as error:
                context.abort(StatusCode.CANCELLED, str(error))
            except NotServed as error:
                context.abort(StatusCode.UNIMPLEMENTED, str(error))
            except ProviderError as error:
                context.abort(StatusCode.FAILED_PRECONDITION, str(error))
            except Exception as error:
                self._provider.log.debug(traceback.format_exc())
                context.abort(StatusCode.INTERNAL, self._describe_defect(error))

        return method(run, request_type)

    def _describe_defect(self, error: Exception) -> str:
        # Without the exception's own message: it may quote a value that is secret.
        place = traceback.extract_tb(error.__traceback__)[-1]
        return (
            f"the stand-in for the {self._provider.package} plugin failed with {type(error).__name__} at "
            f"{PurePath(place.filename).name}:{place.lineno}; this is a defect of the stand-in "
            "(pulumi --debug shows the details)"
        )

    def handshake(self, request: provider_pb2.ProviderHandshakeRequest) -> provider_pb2.ProviderHandshakeResponse:
        self._provider.log.attach(request.engine_address)
        return provider_pb2.ProviderHandshakeResponse(
            accept_secrets=True,
            accept_resources=False,
            accept_outputs=False,
            supports_autonaming_configuration=self._provider.supports_autonaming,
        )

    def get_plugin_info(self, _: empty_pb2.Empty) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=self._provider.version)

    def get_schema(self, _: provider_pb2.GetSchemaRequest) -> provider_pb2.GetSchemaResponse:
        raise NotServed(
            f"this stand-in for the {self._provider.package} plugin has no schema, so no program code can be generated "
            "from it (pulumi import: add --generate-code=false)"
        )

    def attach(self, request: plugin_pb2.PluginAttach) -> empty_pb2.Empty:
        self._provider.log.attach(request.address)
        return empty_pb2.Empty()

    def cancel(self, _: empty_pb2.Empty) -> empty_pb2.Empty:
        self._provider.cancelled.set()
        return empty_pb2.Empty()

    def check_config(self, request: provider_pb2.CheckRequest) -> provider_pb2.CheckResponse:
        inputs = from_struct(request.news)
        return _check_response(inputs, self._provider.check_config(inputs, from_struct(request.olds)))

    def diff_config(self, request: provider_pb2.DiffRequest) -> provider_pb2.DiffResponse:
        old = from_struct(request.old_inputs if request.HasField("old_inputs") else request.olds)
        return _diff_response(self._provider.diff_config(old, from_struct(request.news)))

    def configure(self, request: provider_pb2.ConfigureRequest) -> provider_pb2.ConfigureResponse:
        self._provider.configure(from_struct(request.args))
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True,
            supportsPreview=True,
            acceptResources=False,
            acceptOutputs=False,
            supports_autonaming_configuration=self._provider.supports_autonaming,
        )

    def invoke(self, request: provider_pb2.InvokeRequest) -> provider_pb2.InvokeResponse:
        if request.tok not in self._provider.functions:
            raise self._provider.not_served(request.tok)
        result = self._provider.invoke(
            InvokeRequest(request.tok, from_struct(request.args), request.preview, self._provider.cancelled)
        )
        response = provider_pb2.InvokeResponse(failures=_failures(result.failures))
        # The field's name is a keyword of Python.
        cast("Struct", getattr(response, "return")).CopyFrom(to_struct(result.value))
        return response

    def check(self, request: provider_pb2.CheckRequest) -> provider_pb2.CheckResponse:
        inputs = from_struct(request.news)
        autonaming = None
        if request.HasField("autonaming"):
            autonaming = Autonaming(request.autonaming.proposed_name, _AUTONAMING_MODES[request.autonaming.mode])
        result = self._provider.check(
            CheckRequest(
                **self._resource(request.urn),
                inputs=inputs,
                old_inputs=from_struct(request.olds) if request.olds.fields else None,
                random_seed=request.randomSeed,
                autonaming=autonaming,
            )
        )
        return _check_response(inputs, result)

    def diff(self, request: provider_pb2.DiffRequest) -> provider_pb2.DiffResponse:
        diff = self._provider.diff(
            DiffRequest(
                **self._resource(request.urn),
                id=request.id,
                old_inputs=from_struct(request.old_inputs),
                old_outputs=from_struct(request.olds),
                inputs=from_struct(request.news),
            )
        )
        # In an update the engine has replaced what is ignored beforehand; in a refresh it leaves that to the plugin.
        return _diff_response(diff.without(request.ignoreChanges))

    def create(self, request: provider_pb2.CreateRequest) -> provider_pb2.CreateResponse:
        inputs = from_struct(request.properties)
        self._refuse_when_cancelled()
        try:
            result = self._provider.create(
                CreateRequest(
                    **self._resource(request.urn),
                    inputs=inputs,
                    timeout=request.timeout or None,
                    preview=request.preview,
                )
            )
        except InitFailed as failure:
            raise _with_secrets(failure, inputs) from None
        return provider_pb2.CreateResponse(
            id=result.id, properties=to_struct(with_secrets_like(inputs, result.outputs))
        )

    def read(self, request: provider_pb2.ReadRequest) -> provider_pb2.ReadResponse:
        inputs, outputs = from_struct(request.inputs), from_struct(request.properties)
        try:
            result = self._provider.read(
                ReadRequest(**self._resource(request.urn), id=request.id, inputs=inputs, outputs=outputs)
            )
        except InitFailed as failure:
            raise _with_secrets(failure, inputs) from None
        if result is None:
            return provider_pb2.ReadResponse()
        secrets = with_secrets_like(inputs, with_secrets_like(outputs, result.outputs))
        return provider_pb2.ReadResponse(
            id=result.id,
            inputs=to_struct(with_secrets_like(inputs, result.inputs)),
            properties=to_struct(secrets),
        )

    def update(self, request: provider_pb2.UpdateRequest) -> provider_pb2.UpdateResponse:
        inputs = from_struct(request.news)
        self._refuse_when_cancelled()
        try:
            outputs = self._provider.update(
                UpdateRequest(
                    **self._resource(request.urn),
                    id=request.id,
                    old_inputs=from_struct(request.old_inputs),
                    old_outputs=from_struct(request.olds),
                    inputs=inputs,
                    timeout=request.timeout or None,
                    preview=request.preview,
                    ignored=tuple(request.ignoreChanges),
                )
            )
        except InitFailed as failure:
            raise _with_secrets(failure, inputs) from None
        return provider_pb2.UpdateResponse(properties=to_struct(with_secrets_like(inputs, outputs)))

    def delete(self, request: provider_pb2.DeleteRequest) -> empty_pb2.Empty:
        self._refuse_when_cancelled()
        self._provider.delete(
            DeleteRequest(
                **self._resource(request.urn),
                id=request.id,
                inputs=from_struct(request.old_inputs),
                outputs=from_struct(request.properties),
                timeout=request.timeout or None,
            )
        )
        return empty_pb2.Empty()

    def call(self, request: provider_pb2.CallRequest) -> provider_pb2.CallResponse:
        raise self._provider.not_served(request.tok)

    def construct(self, request: provider_pb2.ConstructRequest) -> provider_pb2.ConstructResponse:
        raise self._provider.not_served(request.type)

    def parameterize(self, _: provider_pb2.ParameterizeRequest) -> provider_pb2.ParameterizeResponse:
        raise NotServed(f"this stand-in for the {self._provider.package} plugin takes no parameters")

    def _resource(self, urn: str) -> _ResourceFields:
        type_token, name = split_urn(urn)
        if type_token not in self._provider.types:
            raise self._provider.not_served(type_token)
        return {
            "urn": urn,
            "type": type_token,
            "name": name,
            "log": ResourceLog(self._provider.log, urn),
            "cancelled": self._provider.cancelled,
        }

    def _refuse_when_cancelled(self) -> None:
        if self._provider.cancelled.is_set():
            raise Cancelled("cancelled before it was started")


def split_urn(urn: str) -> tuple[str, str]:
    """The type token and the name in a URN, `urn:pulumi:<stack>::<project>::<parent types>$<type>::<name>`.

    Raises:
        ProviderError: the text has another shape.
    """
    parts = urn.split("::", 3)
    if len(parts) != 4 or not parts[0].startswith("urn:pulumi:"):  # noqa: PLR2004 - the four parts of a URN
        raise ProviderError(f"not a URN of a resource: {urn!r}")
    return parts[2].rsplit("$", 1)[-1], parts[3]


class _ResourceFields(TypedDict):
    urn: str
    type: str
    name: str
    log: ResourceLog
    cancelled: threading.Event


def _failures(failures: Sequence[Failure]) -> list[provider_pb2.CheckFailure]:
    return [provider_pb2.CheckFailure(property=failure.property, reason=failure.reason) for failure in failures]


def _check_response(inputs: Properties, result: CheckResult) -> provider_pb2.CheckResponse:
    return provider_pb2.CheckResponse(
        inputs=to_struct(with_secrets_like(inputs, result.inputs)), failures=_failures(result.failures)
    )


def _diff_response(diff: Diff) -> provider_pb2.DiffResponse:
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if diff else provider_pb2.DiffResponse.DIFF_NONE,
        diffs=list(dict.fromkeys(str(change.path[0]) for change in diff.changes if change.path)),
        replaces=list(diff.replaces),
        deleteBeforeReplace=diff.delete_before_replace and bool(diff.replaces),
        hasDetailedDiff=True,
        detailedDiff={
            change.name: provider_pb2.PropertyDiff(
                kind=_KINDS[change.kind, change.forces_replacement], inputDiff=diff.of_inputs
            )
            for change in diff.changes
        },
    )


def _with_secrets(failure: InitFailed, inputs: Properties) -> InitFailed:
    return InitFailed(
        failure.resource_id,
        with_secrets_like(inputs, failure.outputs),
        with_secrets_like(inputs, failure.inputs),
        failure.reasons,
    )


def _abort_with_state(context: CallContext, failure: InitFailed) -> NoReturn:
    """End the call with the error that carries the state to save (gRPC's rich error model: google.rpc.Status)."""
    detail = any_pb2.Any()
    detail.Pack(
        provider_pb2.ErrorResourceInitFailed(
            id=failure.resource_id,
            properties=to_struct(failure.outputs),
            inputs=to_struct(failure.inputs),
            reasons=list(failure.reasons),
        )
    )
    code = StatusCode.UNKNOWN
    text = "the resource was created or changed, but did not become ready"
    status = status_pb2.Status(code=code.value[0], message=text, details=[detail])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(code, text)
