"""A plugin as the engine meets it: a process that prints its port and speaks `pulumirpc.ResourceProvider`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import grpc
import pytest
from google.protobuf import empty_pb2
from google.protobuf.message import Message
from pulumi.runtime.proto import engine_pb2, plugin_pb2, provider_pb2, status_pb2

from sandbox.plugins.protocol.server import split_urn
from sandbox.plugins.protocol.transport import CallContext, Server, method
from sandbox.plugins.protocol.values import Properties, Secret, from_struct, to_struct

from .engine_support import wait_until

ROOT = Path(__file__).parents[2]
URN = "urn:pulumi:stack::project::custom:Component$echo:index:Thing::thing"
LIMIT = 20.0  # seconds

_Response = TypeVar("_Response", bound=Message)


class Failed(Exception):  # noqa: N818 - what happened to the call, as the plugin told it
    """An error of the plugin, as gRPC carries it."""

    def __init__(self, error: grpc.RpcError) -> None:
        call = cast("Any", error)
        self.code: grpc.StatusCode = call.code()
        self.details: str = call.details()
        self.metadata: dict[str, bytes] = dict(call.trailing_metadata() or ())
        super().__init__(self.details)


class Plugin:
    """The echo plugin in a process of its own."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        assert process.stdout is not None
        self._channel: Any = cast("Any", grpc).insecure_channel(f"127.0.0.1:{int(process.stdout.readline())}")

    def call(self, name: str, request: Message, response: type[_Response]) -> _Response:
        send = self._channel.unary_unary(
            f"/pulumirpc.ResourceProvider/{name}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=response.FromString,
        )
        try:
            return cast("_Response", send(request, timeout=LIMIT))
        except grpc.RpcError as error:
            raise Failed(error) from None

    def create(self, inputs: Properties, urn: str = URN) -> provider_pb2.CreateResponse:
        request = provider_pb2.CreateRequest(urn=urn, properties=to_struct(inputs))
        return self.call("Create", request, provider_pb2.CreateResponse)


@contextmanager
def started(*arguments: str) -> Generator[Plugin]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.plugins.protocol_echo", *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        yield Plugin(process)
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def plugin() -> Iterator[Plugin]:
    with started() as running:
        yield running


@pytest.mark.parametrize("package", ["aws", "docker"])
def test_a_plugin_starts_without_the_rest_of_the_sdk(package: str) -> None:
    program = (
        f"import sys; import sandbox.plugins.{package}.provider, sandbox.plugins.protocol.server; "
        "print('pulumi' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


def test_it_introduces_itself_and_asks_for_secrets(plugin: Plugin) -> None:
    assert plugin.call("GetPluginInfo", empty_pb2.Empty(), plugin_pb2.PluginInfo).version == "1.2.3"
    answer = plugin.call(
        "Handshake",
        provider_pb2.ProviderHandshakeRequest(engine_address="127.0.0.1:1"),
        provider_pb2.ProviderHandshakeResponse,
    )
    assert answer.accept_secrets
    configured = plugin.call(
        "Configure", provider_pb2.ConfigureRequest(args=to_struct({})), provider_pb2.ConfigureResponse
    )
    assert (configured.acceptSecrets, configured.supportsPreview) == (True, True)


def test_what_it_does_not_serve_it_refuses_by_name(plugin: Plugin) -> None:
    with pytest.raises(Failed) as refused:
        plugin.create({}, urn="urn:pulumi:s::p::aws:s3/bucket:Bucket::b")
    assert refused.value.details.startswith(
        "aws:s3/bucket:Bucket is not served by this stand-in for the echo plugin (it serves: echo:index:Thing, "
    )
    assert "\n" not in refused.value.details
    with pytest.raises(Failed, match="echo:index:sing is not served"):
        plugin.call("Invoke", provider_pb2.InvokeRequest(tok="echo:index:sing"), provider_pb2.InvokeResponse)


def test_secrets_stay_secret_although_the_plugin_forgets_them(plugin: Plugin) -> None:
    inputs: Properties = {"password": Secret("open-sesame"), "size": 1}
    checked = plugin.call(
        "Check", provider_pb2.CheckRequest(urn=URN, news=to_struct(inputs)), provider_pb2.CheckResponse
    )
    assert from_struct(checked.inputs) == inputs
    assert from_struct(plugin.create(inputs).properties) == inputs
    request = provider_pb2.ReadRequest(urn=URN, id="x", inputs=to_struct(inputs), properties=to_struct(inputs))
    read = plugin.call("Read", request, provider_pb2.ReadResponse)
    assert (from_struct(read.inputs), from_struct(read.properties)) == (inputs, inputs)


def test_inputs_that_are_not_accepted_are_told_by_property(plugin: Plugin) -> None:
    request = provider_pb2.CheckRequest(urn=URN, news=to_struct({"size": "big"}))
    failures = plugin.call("Check", request, provider_pb2.CheckResponse).failures
    assert [(failure.property, failure.reason) for failure in failures] == [("size", "expected a number")]


def test_a_resource_that_is_gone_has_no_id(plugin: Plugin) -> None:
    read = plugin.call("Read", provider_pb2.ReadRequest(urn=URN, id="gone"), provider_pb2.ReadResponse)
    assert read.id == ""
    assert not read.HasField("properties")


def test_an_invocation_answers_in_return(plugin: Plugin) -> None:
    request = provider_pb2.InvokeRequest(tok="echo:index:say", args=to_struct({"what": Secret("x")}))
    answer = plugin.call("Invoke", request, provider_pb2.InvokeResponse)
    assert from_struct(getattr(answer, "return")) == {"said": Secret("x")}


def test_an_error_is_its_message_and_a_defect_tells_neither_traceback_nor_values(plugin: Plugin) -> None:
    with pytest.raises(Failed) as failed:
        plugin.create({"then": "fail"})
    assert failed.value.details == "it cannot be done: say something else"
    with pytest.raises(Failed) as broken:
        plugin.create({"then": "break", "password": Secret("open-sesame")})
    assert "failed with KeyError at protocol_echo.py:" in broken.value.details
    assert "open-sesame" not in broken.value.details
    assert "\n" not in broken.value.details


def test_a_resource_that_is_made_but_not_ready_comes_with_its_state(plugin: Plugin) -> None:
    with pytest.raises(Failed) as failed:
        plugin.create({"then": "half", "password": Secret("open-sesame")})
    status = status_pb2.Status.FromString(failed.value.metadata["grpc-status-details-bin"])
    detail = provider_pb2.ErrorResourceInitFailed()
    assert status.details[0].Unpack(detail)
    assert (detail.id, list(detail.reasons)) == ("half", ["the first reason", "the second"])
    assert from_struct(detail.properties)["password"] == Secret("open-sesame")
    assert from_struct(detail.inputs)["password"] == Secret("open-sesame")


def test_cancel_ends_what_runs_and_refuses_what_comes_and_statuses_reach_the_engine() -> None:
    told = threading.Event()
    messages: list[engine_pb2.LogRequest] = []

    def log(request: engine_pb2.LogRequest, _: CallContext) -> empty_pb2.Empty:
        messages.append(request)
        told.set()
        return empty_pb2.Empty()

    engine = Server("pulumirpc.Engine", {"Log": method(log, engine_pb2.LogRequest)})
    engine.start()
    outcome: list[Failed] = []
    with started(f"127.0.0.1:{engine.port}") as running:

        def create() -> None:
            try:
                running.create({"then": "wait"})
            except Failed as failed:
                outcome.append(failed)

        thread = threading.Thread(target=create)
        thread.start()
        assert told.wait(LIMIT)
        running.call("Cancel", empty_pb2.Empty(), empty_pb2.Empty)
        thread.join(LIMIT)
        with pytest.raises(Failed, match="cancelled before it was started"):
            running.create({})
    engine.stop(0)
    assert "grpc-status-details-bin" in outcome[0].metadata
    assert (messages[0].message, messages[0].urn, messages[0].ephemeral) == ("waiting", URN, True)


def test_it_ends_with_the_engine_however_that_ends() -> None:
    with started() as running:
        assert running.process.stdin is not None
        running.process.stdin.close()  # the engine holds this pipe as long as it lives
        assert running.process.wait(LIMIT) == 0
    with started() as running:
        running.process.terminate()
        assert running.process.wait(LIMIT) == 0


def test_it_ends_when_its_parent_is_gone_without_a_word() -> None:
    # No pipe is left between the two: only the parent's end can tell.
    launch = (
        "import subprocess, sys\n"
        f"p = subprocess.Popen([{sys.executable!r}, '-m', 'tests.plugins.protocol_echo'],"
        " stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)\n"
        "p.stdout.readline()\nprint(p.pid, flush=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", launch], cwd=ROOT, capture_output=True, check=True, text=True, timeout=LIMIT
    )
    pid = int(done.stdout)
    try:
        wait_until(lambda: not _is_running(pid), f"process {pid} to end", LIMIT)
    finally:
        if _is_running(pid):
            os.kill(pid, signal.SIGKILL)


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("urn", "expected"),
    [
        (URN, ("echo:index:Thing", "thing")),
        ("urn:pulumi:s::p::a:b/c:D::a::b$c", ("a:b/c:D", "a::b$c")),
    ],
)
def test_type_and_name_are_read_from_the_urn(urn: str, expected: tuple[str, str]) -> None:
    assert split_urn(urn) == expected
