"""Runs tasks side by side, each when those that it needs are done."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import Any, Final, Generic, TypeVar, cast

from . import processes
from .errors import Stopped
from .progress import Step, View

T = TypeVar("T")

_NOTHING: Final = object()

HEAVY_AT_ONCE: Final = max(2, (os.cpu_count() or 2) // 2)
"""How many tasks that keep several processors busy may run together. Two on a small machine: while one links, on a
single processor, another compiles."""


@dataclass(eq=False)
class Task(Generic[T]):
    """Something to be done once, with a result."""

    title: str
    run: Callable[[Step], T]
    needs: Sequence[Task[Any]] = ()
    heavy: bool = False
    """Whether it keeps several processors busy."""
    _result: object = field(default=_NOTHING, repr=False)

    @property
    def result(self) -> T:
        """What it gave; only a task that needs this one may ask."""
        if self._result is _NOTHING:
            raise LookupError(f"{self.title} has not run: whoever asks must need it")
        return cast("T", self._result)

    def execute(self, step: Step) -> None:
        """Do it, and keep the result."""
        self._result = self.run(step)


class Graph:
    """Tasks and what they need; those added first go first where there is a choice."""

    def __init__(self) -> None:
        """Begin with no task."""
        self._tasks: list[Task[Any]] = []

    def add(
        self, title: str, run: Callable[[Step], T], *, needs: Sequence[Task[Any]] = (), heavy: bool = False
    ) -> Task[T]:
        """Add a task."""
        task = Task(title, run, needs, heavy)
        self._tasks.append(task)
        return task

    @property
    def tasks(self) -> list[Task[Any]]:
        """Those added so far, in their order."""
        return list(self._tasks)

    def execute(self, view: View, heavy_at_once: int = HEAVY_AT_ONCE) -> None:
        """Run all of them.

        Raises:
            Exception: the first failure of a task. The others have been stopped by then.
        """
        order = {task: number for number, task in enumerate(self._tasks)}
        sorter = TopologicalSorter({task: task.needs for task in self._tasks})
        sorter.prepare()
        outcomes: queue.Queue[tuple[Task[Any], BaseException | None]] = queue.Queue()
        threads: list[threading.Thread] = []
        waiting: list[Task[Any]] = []
        heavy = 0
        try:
            while sorter.is_active():
                waiting = sorted([*waiting, *sorter.get_ready()], key=order.__getitem__)
                for task in list(waiting):
                    if task.heavy and heavy >= heavy_at_once:
                        continue
                    heavy += task.heavy
                    waiting.remove(task)
                    thread = threading.Thread(target=_perform, args=(task, view, outcomes), name=task.title)
                    thread.start()
                    threads.append(thread)
                task = _next(outcomes)
                heavy -= task.heavy
                sorter.done(task)
        except BaseException:
            processes.stop()
            raise
        finally:
            for thread in threads:
                thread.join()


def _next(outcomes: queue.Queue[tuple[Task[Any], BaseException | None]]) -> Task[Any]:
    """Wait for a task to end, and raise its failure if it failed."""
    # Waiting in short turns lets a signal's handler run in between.
    while True:
        with contextlib.suppress(queue.Empty):
            task, failure = outcomes.get(timeout=0.2)
            if failure is not None:
                raise failure
            return task


def _perform(task: Task[Any], view: View, outcomes: queue.Queue[tuple[Task[Any], BaseException | None]]) -> None:
    step = view.begin(task.title)
    try:
        task.execute(step)
    except Stopped as stopped:
        view.end(step, failed=True)
        outcomes.put((task, stopped))
    except BaseException as failure:
        view.end(step, failed=True)
        outcomes.put((task, failure))
    else:
        view.end(step)
        outcomes.put((task, None))
