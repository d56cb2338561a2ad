import io
import threading
from pathlib import Path

import pytest

from sandbox import processes
from sandbox.durations import Durations
from sandbox.errors import SandboxError
from sandbox.progress import LogView, Step
from sandbox.tasks import Graph, Task


@pytest.fixture
def view(tmp_path: Path) -> LogView:
    return LogView(io.StringIO(), Durations(tmp_path / "durations.json"))


@pytest.fixture(autouse=True)
def _let_programs_start_again() -> None:  # pyright: ignore[reportUnusedFunction] - pytest calls it
    processes.resume()


def test_a_task_sees_the_results_of_those_it_needs(view: LogView) -> None:
    graph = Graph()
    first = graph.add("first", lambda _: 20)
    second = graph.add("second", lambda _: first.result + 1, needs=[first])
    third = graph.add("third", lambda _: second.result * 2, needs=[first, second])
    with view:
        graph.execute(view)
    assert third.result == 42


def test_tasks_that_need_nothing_of_each_other_run_side_by_side(view: LogView) -> None:
    meeting = threading.Barrier(3, timeout=10)

    def meet(_: Step) -> None:
        meeting.wait()

    graph = Graph()
    for name in ("a", "b", "c"):
        graph.add(name, meet)
    with view:
        graph.execute(view)


def test_no_more_heavy_tasks_run_at_once_than_allowed(view: LogView) -> None:
    running: set[str] = set()
    seen: list[int] = []
    lock = threading.Lock()
    both = threading.Barrier(2, timeout=10)

    def heavy(name: str) -> None:
        with lock:
            running.add(name)
            seen.append(len(running))
        both.wait()
        with lock:
            running.discard(name)

    graph = Graph()
    for name in ("a", "b", "c", "d"):
        graph.add(name, lambda _, name=name: heavy(name), heavy=True)
    with view:
        graph.execute(view, heavy_at_once=2)
    assert max(seen) == 2


def test_the_first_failure_is_raised_and_what_needs_the_failed_task_does_not_run(view: LogView) -> None:
    ran: list[str] = []

    def fail(_: Step) -> None:
        raise SandboxError("no disk left")

    graph = Graph()
    failing = graph.add("failing", fail)
    graph.add("after", lambda _: ran.append("after"), needs=[failing])
    with view, pytest.raises(SandboxError, match="no disk left"):
        graph.execute(view)
    assert ran == []


def test_a_failure_ends_the_programs_of_the_other_tasks(view: LogView, tmp_path: Path) -> None:
    started = threading.Event()

    def sleep(_: Step) -> None:
        processes.stream(["sh", "-c", "echo up; exec sleep 600"], log=tmp_path / "log", on_line=lambda _: started.set())

    def fail(_: Step) -> None:
        assert started.wait(10)
        raise SandboxError("first")

    graph = Graph()
    graph.add("sleeper", sleep)
    graph.add("failing", fail)
    with view, pytest.raises(SandboxError, match="first"):
        graph.execute(view)


def test_a_circle_is_refused(view: LogView) -> None:
    graph = Graph()
    needs: list[Task[None]] = []
    first = graph.add("first", lambda _: None, needs=needs)
    needs.append(graph.add("second", lambda _: None, needs=[first]))
    with view, pytest.raises(ValueError, match="cycle"):
        graph.execute(view)


def test_asking_for_a_result_that_is_not_there_is_a_mistake() -> None:
    task = Graph().add("never run", lambda _: 1)
    with pytest.raises(LookupError, match="never run"):
        _ = task.result
