"""A server with the comments of one request, as the REST APIs of GitHub and GitLab have them."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "a-token-of-the-test"


class Comments:
    """The comments that there are, and the requests that came: ``POST /path``."""

    def __init__(self) -> None:
        self.bodies: dict[int, str] = {}
        self.requests: list[str] = []
        self.answers: list[int] = []
        """Status codes to answer with first."""
        self.address = ""

    def answer(self, method: str, target: str, authorized: bool, body: dict[str, Any]) -> tuple[int, Any]:
        path = urlsplit(target)
        self.requests.append(f"{method} {path.path}")
        if self.answers:
            return self.answers.pop(0), {"message": "as the test wants it"}
        if not authorized:
            return 401, {"message": "Bad credentials"}
        if method == "GET":
            query = parse_qs(path.query)
            size, page = int(query["per_page"][0]), int(query["page"][0])
            listed = [{"id": number, "body": text} for number, text in sorted(self.bodies.items())]
            return 200, listed[size * (page - 1) : size * page]
        number = max(self.bodies, default=0) + 1 if method == "POST" else int(path.path.rpartition("/")[2])
        self.bodies[number] = body["body"]
        return 201 if method == "POST" else 200, {"id": number}


@contextmanager
def serving() -> Generator[Comments]:
    """The comments, served while the context lasts."""
    comments = Comments()

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            authorized = TOKEN in (self.headers.get("Authorization") or self.headers.get("PRIVATE-TOKEN") or "")
            status, answer = comments.answer(self.command, self.path, authorized, json.loads(content or b"{}"))
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = do_PUT = _handle  # noqa: N815 - the names of the base class

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    comments.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield comments
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
