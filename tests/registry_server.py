"""A server on a free loopback port that answers as a registry might, each request by a function of the test."""

from __future__ import annotations

import json
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, urlsplit

_TLS_HANDSHAKE: Final = b"\x16"


@dataclass(frozen=True)
class Request:
    """What came in; the names of headers are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True)
class Reply:
    """What goes out; a body that is no bytes goes as JSON."""

    status: int = 200
    body: Any = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


def error(status: int, code: str, message: str, **headers: str) -> Reply:
    """An error as the distribution specification has it; `_` in a header's name stands for `-`."""
    # Without a detail, Docker Engine takes an error whose message is the code's own for one that may pass.
    body: dict[str, Any] = {"errors": [{"code": code, "message": message, "detail": {}}]}
    return Reply(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


@dataclass
class RegistryServer:
    """A running server, and what it was asked."""

    port: int
    requests: list[Request] = field(default_factory=list[Request])

    @property
    def host(self) -> str:
        return f"localhost:{self.port}"

    def asked(self) -> list[str]:
        """Method and path of each request."""
        return [f"{request.method} {request.path}" for request in self.requests]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, handler: type[BaseHTTPRequestHandler], tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self._tls = tls

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Answer as a server of Go's, as Distribution is, those who speak TLS to plain http or the other way round."""
        speaks_tls = request.recv(1, socket.MSG_PEEK) == _TLS_HANDSHAKE
        if speaks_tls != (self._tls is not None):
            request.recv(1 << 16)
            request.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
        elif self._tls is None:
            super().finish_request(request, client_address)
        else:
            with self._tls.wrap_socket(request, server_side=True) as secure:
                super().finish_request(secure, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over a client that breaks off; an error of the test's own is shown."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


@contextmanager
def serve(answer: Callable[[Request], Reply], tls: ssl.SSLContext | None = None) -> Generator[RegistryServer]:
    """Answer requests until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 20

        def answer(self) -> None:
            # A proxy is told a host and port in the place of a path.
            parts = SplitResult("", "", self.path, "", "") if self.command == "CONNECT" else urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, parts.path, dict(parse_qsl(parts.query)), headers, self._body(headers))
            server.requests.append(request)
            reply = answer(request)
            body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def _body(self, headers: Mapping[str, str]) -> bytes:
            if headers.get("transfer-encoding") != "chunked":
                return self.rfile.read(int(headers.get("content-length", "0")))
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    for method in ("GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "CONNECT"):
        setattr(Handler, f"do_{method}", Handler.answer)
    listening = _Server(Handler, tls)
    server = RegistryServer(listening.server_port)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
