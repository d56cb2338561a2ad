"""The benchmark of a class in small: it measures, and it hides neither a stall nor a failure."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks import classroom

_STALL = 2.5  # seconds


@dataclass
class _Page:
    """What a server gives, and what it has seen."""

    url: str = ""
    status: int = 200
    content: bytes = b'{"hashes": 1}'
    stalls: threading.Event = field(default_factory=threading.Event)
    clients: set[int] = field(default_factory=set[int])
    requests: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


@contextmanager
def _serving(page: _Page) -> Generator[_Page]:
    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            with page.lock:
                page.requests += 1
                page.clients.add(self.client_address[1])
                if page.stalls.is_set():
                    page.stalls.clear()
                    time.sleep(_STALL)
            self.send_response(page.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(page.content)))
            self.end_headers()
            self.wfile.write(page.content)

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        server.daemon_threads = True
        page.url = f"http://127.0.0.1:{server.server_port}/json"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield page
        finally:
            server.shutdown()
            thread.join()


def _until_asked(page: _Page, times: int) -> None:
    end = time.monotonic() + 20
    while page.requests < times:
        assert time.monotonic() < end, f"{page.requests} requests"
        time.sleep(0.01)


def test_each_browser_asks_once_a_second_on_a_connection_that_it_keeps() -> None:
    with _serving(_Page()) as page, classroom.attending(page.url, 5) as leave:
        _until_asked(page, 11)
        lesson = leave()
    assert lesson.failed == 0
    assert len(lesson.latencies) == page.requests
    assert page.requests == pytest.approx(5 * lesson.seconds, abs=5)
    assert len(page.clients) == lesson.connections == 5
    assert 0 < lesson.percentile(50) <= lesson.percentile(99) <= lesson.percentile(100)
    assert lesson.processor > 0


def test_a_server_that_stalls_is_shown_by_all_requests_that_were_due_meanwhile() -> None:
    with _serving(_Page()) as page, classroom.attending(page.url, 5) as leave:
        _until_asked(page, 5)
        page.stalls.set()
        _until_asked(page, 25)
        lesson = leave()
    slow = sorted(latency for latency in lesson.latencies if latency > 500)
    # Five browsers stood still for 2.5 s: each has a request that waited from 1.5 s on, and those that came due after
    # it and could not even be sent. Counted from when they were sent, there would be five at most.
    assert len(slow) >= 8
    assert slow[-1] >= _STALL * 1000
    assert lesson.failed == 0


@pytest.mark.parametrize(
    ("page", "failure"),
    [
        (_Page(status=503), "answered 503"),
        (_Page(content=b"[]"), "answers without hashes"),
        (_Page(content=b"no JSON"), "JSONDecodeError"),
    ],
)
def test_an_answer_that_is_not_the_page_is_a_failure(page: _Page, failure: str) -> None:
    with _serving(page), classroom.attending(page.url, 2) as leave:
        _until_asked(page, 2)
        lesson = leave()
    assert lesson.failures == {failure: page.requests}
    assert lesson.latencies == ()


def test_browsers_that_cannot_begin_are_an_error() -> None:
    with pytest.raises(RuntimeError, match=r"(?s)no browsers: .*invalid literal"), classroom.attending("", "x"):  # pyright: ignore[reportArgumentType] - on purpose
        pass


def test_mining_is_measured_with_a_class_and_without() -> None:
    told: list[str] = []
    figures, (lesson,) = classroom.compare(1, told.append, browsers=5, seconds=1)
    assert set(figures) == {"mining alone", "mining with a class of 5"}
    assert all(figure.median > 0 for figure in figures.values())
    assert lesson.failed == 0
    assert str(lesson) in told
