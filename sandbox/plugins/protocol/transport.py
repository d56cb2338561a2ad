"""The gRPC library behind types.

The published stubs of grpcio leave its generics unbound, so nothing of it can be used as it is under strict type
checking. Everything that this package needs of it is here, typed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent import futures
from dataclasses import dataclass
from typing import Any, Final, NoReturn, Protocol, TypeVar, cast

import grpc
from google.protobuf.message import Message

_Request = TypeVar("_Request", bound=Message)
_Response = TypeVar("_Response", bound=Message)

_MAX_MESSAGE: Final = 400 * 1024 * 1024  # bytes; the engine's own limit (sdk/go/common/util/rpcutil)
# Every awaited resource holds a thread, and Cancel must find one free. Threads are started as they are needed.
_MAX_THREADS: Final = 512
_OPTIONS: Final = [("grpc.max_receive_message_length", _MAX_MESSAGE), ("grpc.max_send_message_length", _MAX_MESSAGE)]

_grpc: Final = cast("Any", grpc)

StatusCode = grpc.StatusCode


class CallContext(Protocol):
    """One call that is being served (`grpc.ServicerContext`)."""

    def abort(self, code: grpc.StatusCode, details: str) -> NoReturn:
        """End the call with an error."""
        ...

    def set_trailing_metadata(self, trailing_metadata: tuple[tuple[str, bytes], ...]) -> None:
        """Send metadata with the end of the call."""
        ...


@dataclass(frozen=True)
class Method:
    """One method of a service, as gRPC wants it."""

    handler: object


def method(serve: Callable[[_Request, CallContext], _Response], request_type: type[_Request]) -> Method:
    """A method that takes a request of this type and gives one response."""
    return Method(
        _grpc.unary_unary_rpc_method_handler(
            serve, request_deserializer=request_type.FromString, response_serializer=_serialize
        )
    )


def _serialize(response: Message) -> bytes:
    return response.SerializeToString()


class Server:
    """A gRPC server for one service, on a free port of the loopback interface."""

    def __init__(self, service: str, methods: Mapping[str, Method]) -> None:
        """Bind the port; `start` begins to serve."""
        self._server: Any = _grpc.server(
            futures.ThreadPoolExecutor(max_workers=_MAX_THREADS, thread_name_prefix="rpc"), options=_OPTIONS
        )
        handlers = {name: entry.handler for name, entry in methods.items()}
        self._server.add_generic_rpc_handlers((_grpc.method_handlers_generic_handler(service, handlers),))
        self.port: int = self._server.add_insecure_port("127.0.0.1:0")

    def start(self) -> None:
        """Serve from now on, in threads of its own."""
        self._server.start()

    def stop(self, grace: float) -> None:
        """Take no more calls, wait up to `grace` seconds for the running ones, then end them."""
        ended: threading.Event = self._server.stop(grace)
        ended.wait()


class Unreachable(Exception):  # noqa: N818 - a state of the other side, handled where it is expected
    """The other side did not take the call."""


class Channel:
    """A connection to a gRPC server at `host:port`. It connects with the first call."""

    def __init__(self, address: str) -> None:
        """Open the channel."""
        self._channel: Any = _grpc.insecure_channel(address, options=_OPTIONS)

    def call(self, method: str, request: Message, response_type: type[_Response], timeout: float) -> _Response:
        """Call `/package.Service/Method` and wait up to `timeout` seconds for the answer.

        Raises:
            Unreachable: there was no answer, or an error.
        """
        try:
            send = self._channel.unary_unary(
                method, request_serializer=_serialize, response_deserializer=response_type.FromString
            )
            return cast("_Response", send(request, timeout=timeout))
        except (grpc.RpcError, ValueError) as error:
            # ValueError: the channel was closed meanwhile.
            raise Unreachable(method) from error

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()
