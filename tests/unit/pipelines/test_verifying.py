import json
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pipelines.errors import StepError
from pipelines.verifying import Smoke

Answers = Callable[[str], tuple[int, str]]


@contextmanager
def _page(answers: Answers) -> Generator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, text = answers(self.path)
            self.send_response(status)
            if status == 302:
                self.send_header("Location", text)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _mine(hashes: Callable[[], object]) -> Answers:
    def answer(path: str) -> tuple[int, str]:
        if path == "/":
            return 302, "/index.html"
        return (200, json.dumps({"hashes": hashes()})) if path == "/json" else (200, "<!doctype html><html></html>")

    return answer


def _always(status: int, text: str) -> Answers:
    return lambda path: (status, text)


def test_a_page_that_is_redirected_to_and_hashes_that_grow_keep_the_promise() -> None:
    count = iter(range(1000))
    told: list[str] = []
    with _page(_mine(lambda: next(count))) as url:
        Smoke(url, 10, steady=1).test(told.append)
    assert told[0].startswith("the page answers")
    assert told[1].startswith("hashes grow: 0 → 1")


def test_an_answer_that_is_wrong_at_first_is_asked_for_again() -> None:
    count = iter(range(1000))
    failures = iter([True, True])

    def answer(path: str) -> tuple[int, str]:
        return (503, "starting") if next(failures, False) else _mine(lambda: next(count))(path)

    with _page(answer) as url:
        Smoke(url, 20, steady=0).test(lambda text: None)


def test_a_version_before_that_still_answers_does_not_stand_in_for_one_that_is_wrong() -> None:
    count = iter(range(1000))
    asked = iter(range(1000))

    def answer(path: str) -> tuple[int, str]:
        # The first two counts tell that hashes grow.
        return _mine(lambda: next(count) if next(asked) < 2 else None)(path)

    with _page(answer) as url, pytest.raises(StepError, match="/json tells no hashes"):
        Smoke(url, 2).test(lambda text: None)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (_mine(lambda: 7), "the count of hashes stays at 7"),
        (_mine(lambda: None), "/json tells no hashes"),
        (_always(200, "hello"), "something else than a page"),
        (_always(500, "oops"), "/ answers 500"),
        (_always(200, "<html>"), "something else than JSON"),
    ],
)
def test_what_was_seen_last_is_told_when_the_limit_is_over(answers: Answers, said: str) -> None:
    with _page(answers) as url, pytest.raises(StepError, match=said):
        Smoke(url, 0).test(lambda text: None)


def test_a_page_that_is_away_is_told_by_its_address() -> None:
    with pytest.raises(StepError, match=r"http://127\.0\.0\.1:1/ was not right within 0 s: no answer"):
        Smoke("http://127.0.0.1:1/", 0).test(lambda text: None)
