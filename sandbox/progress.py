"""Shows what is being done, how far it is and how long it takes: live on a terminal, line by line in a log."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO, Final, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.text import Text

from .durations import Durations

_REPORT_EVERY: Final = 10.0  # seconds between two lines of one task in a log


def duration(seconds: float) -> str:
    """A length of time as people read it: `7 s`, `1 min 05 s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


@dataclass
class Step:
    """One task's progress, told by the task and read by the view."""

    title: str
    """What it is called."""
    estimate: float | None = None
    """Seconds that it took last time."""
    doing: str = ""
    """What it does now; empty until it finds that there is something to do."""
    outcome: str = ""
    """What it came to, such as the version and where that came from."""
    done: int = 0
    total: int = 0
    """The share that is done, of this many; 0 if nobody knows."""
    worked: float | None = None
    """When it began to do something, by the monotonic clock."""
    ended: float | None = None
    failed: bool = False
    reported: float = 0.0
    """When it was last mentioned in a log."""

    def work(self, doing: str, total: int = 0) -> None:
        """Tell what is done from now on, and of how many parts it is made."""
        self.doing = doing
        self.done = 0
        self.total = total
        self.reported = 0.0
        if self.worked is None:
            self.worked = time.monotonic()

    def advance(self, count: int = 1) -> None:
        """Tell that some parts are done."""
        self.done = min(self.done + count, self.total) if self.total else 0

    def finish(self, outcome: str) -> None:
        """Tell what it came to."""
        self.outcome = outcome


def status(step: Step, now: float) -> str:
    """One line about a step that is being worked on."""
    spent = now - (step.worked if step.worked is not None else now)
    share = f" {100 * step.done // step.total} %" if step.total else ""
    expected = f" of about {duration(step.estimate)}" if step.estimate and step.estimate > spent else ""
    return f"{step.title}: {step.doing}{share}, {duration(spent)}{expected}"


def summary(step: Step) -> str:
    """One line about a step that has ended."""
    spent = f" ({duration(step.ended - step.worked)})" if step.ended is not None and step.worked is not None else ""
    return f"{step.title}: {'failed' if step.failed else step.outcome or 'done'}{spent}"


class View(Protocol):
    """Something that shows steps."""

    def __enter__(self) -> View:
        """Begin to show."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop showing."""
        ...

    def begin(self, title: str) -> Step:
        """Give a new step to tell progress by."""
        ...

    def end(self, step: Step, *, failed: bool = False) -> None:
        """Say that a step has ended."""
        ...


@dataclass
class _Steps:
    durations: Durations
    running: list[Step] = field(default_factory=list[Step])
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, title: str) -> Step:
        step = Step(title, self.durations.of(title))
        with self.lock:
            self.running.append(step)
        return step

    def end(self, step: Step, *, failed: bool) -> None:
        step.failed = failed
        step.ended = time.monotonic()
        with self.lock:
            self.running.remove(step)
            if not failed and step.worked is not None:
                self.durations.record(step.title, step.ended - step.worked)

    def busy(self) -> list[Step]:
        with self.lock:
            return [step for step in self.running if step.worked is not None]


class TerminalView:
    """Every running step on a line of its own that moves, the ended ones above."""

    def __init__(self, console: Console, durations: Durations) -> None:
        """Show on a console; take estimates from `durations` and record new ones there."""
        self._console = console
        self._steps = _Steps(durations)
        self._live = Live(console=console, refresh_per_second=4, transient=True, get_renderable=self._render)

    def __enter__(self) -> TerminalView:
        """Begin to show."""
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop showing."""
        self._live.stop()

    def begin(self, title: str) -> Step:
        """Give a new step to tell progress by."""
        return self._steps.begin(title)

    def end(self, step: Step, *, failed: bool = False) -> None:
        """Say that a step has ended."""
        self._steps.end(step, failed=failed)
        self._console.print(f"[{'red' if failed else 'green'}]{'✗' if failed else '✓'}[/] {escape(summary(step))}")

    def _render(self) -> Group:
        now = time.monotonic()
        return Group(*(_bar(step, now, self._console.width) for step in self._steps.busy()))


def _bar(step: Step, now: float, width: int) -> Text:
    spent = now - (step.worked or now)
    share = step.done / step.total if step.total else min(0.99, spent / step.estimate) if step.estimate else 0.0
    filled = round(share * 20)
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append("━" * filled, "cyan")
    text.append("━" * (20 - filled), "bright_black")
    text.append(f" {status(step, now)}")
    text.truncate(width)
    return text


class LogView:
    """A line when a step begins to do something, one every ten seconds, one at its end."""

    def __init__(self, out: IO[str], durations: Durations) -> None:
        """Write to `out`; take estimates from `durations` and record new ones there."""
        self._out = out
        self._steps = _Steps(durations)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="progress", daemon=True)

    def __enter__(self) -> LogView:
        """Begin to write."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop writing."""
        self._ended.set()
        self._thread.join()

    def begin(self, title: str) -> Step:
        """Give a new step to tell progress by."""
        return self._steps.begin(title)

    def end(self, step: Step, *, failed: bool = False) -> None:
        """Say that a step has ended."""
        self._steps.end(step, failed=failed)
        self._print(summary(step))

    def _watch(self) -> None:
        while not self._ended.wait(0.5):
            now = time.monotonic()
            for step in due(self._steps.busy(), now):
                step.reported = now
                self._print(status(step, now))

    def _print(self, line: str) -> None:
        # One write for a line: several threads have something to say.
        self._out.write(f"{time.strftime('%H:%M:%S')} {line}\n")
        self._out.flush()


def due(steps: Sequence[Step], now: float) -> list[Step]:
    """The steps to be mentioned in a log now: new ones, and those not mentioned for ten seconds."""
    return [step for step in steps if not step.reported or now - step.reported >= _REPORT_EVERY]


def view(console: Console, durations: Durations) -> View:
    """The view that suits where the output goes."""
    return TerminalView(console, durations) if console.is_terminal else LogView(console.file, durations)
