"""Runs other programs: output into a log, nothing left behind when this program ends, however it ends."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Final

from .errors import SandboxError, Stopped

_TAIL_LINES: Final = 25
FULL: Final = (
    "the disk is full: free some space (`docker system prune` frees images and layers), then run this again.\n"
    """What to tell first where a disk is full."""
)
_SILENCE: Final = 10.0  # seconds without a line, after which a user wonders whether it still runs
_LOOK: Final = 0.1  # seconds between two looks at a log that grows
_GRACE: Final = 10.0  # seconds between SIGTERM and SIGKILL

_lock = threading.Lock()
_running: set[subprocess.Popen[str]] = set()
_stopping = threading.Event()


class CommandError(SandboxError):
    """A program ended with a failure."""

    def __init__(self, argv: Sequence[str], code: int, tail: str, log: Path | None = None) -> None:
        """Keep what is worth telling: the command, how it ended, its last lines, where the rest is."""
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"failed with exit code {code}"
        where = f"\nThe whole log: {log}" if log else ""
        full = FULL if "no space left on device" in tail.lower() else ""
        super().__init__(f"{full}`{' '.join(argv)[:200]}` {how}:\n{tail}{where}")
        self.code = code
        self.tail = tail


def output(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str | None = None,
    timeout: float = 60.0,
) -> str:
    """Run a short command and return what it printed on standard output.

    Raises:
        CommandError: it failed; the message has its standard error.
        SandboxError: it is not there, or took longer than `timeout` seconds.
    """
    words = [str(word) for word in argv]
    with _started(words, env=env, cwd=cwd, stdin=stdin is not None, stderr=subprocess.PIPE) as process:
        try:
            out, err = process.communicate(stdin, timeout)
        except subprocess.TimeoutExpired:
            _end(process)
            raise SandboxError(f"`{' '.join(words)}` gave no answer within {timeout:.0f} s") from None
    if process.returncode:
        _raise_if_stopping()
        raise CommandError(words, process.returncode, (err or out).strip())
    return out


def succeeds(argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None, timeout: float = 60.0) -> bool:
    """Whether a short command is there and ends well."""
    try:
        output(argv, env=env, timeout=timeout)
    except Stopped:
        raise
    except SandboxError:
        return False
    return True


def stream(
    argv: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str | None = None,
    on_line: Callable[[str], None] | None = None,
) -> None:
    """Run a long command; every line that it prints is appended to `log` and given to `on_line`.

    Raises:
        CommandError: it failed; the message has its last lines.
        Stopped: `stop` was called meanwhile.
    """
    words = [str(word) for word in argv]
    log.parent.mkdir(parents=True, exist_ok=True)
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    with (
        log.open("a", buffering=1) as file,
        _started(words, env=env, cwd=cwd, stdin=stdin is not None, stderr=subprocess.STDOUT) as process,
    ):
        file.write(f"$ {' '.join(words)}\n")
        if stdin is not None and process.stdin is not None:
            process.stdin.write(stdin)
            process.stdin.close()
        for line in process.stdout or ():
            file.write(line)
            tail.append(line)
            if on_line is not None:
                on_line(line.rstrip())
        process.wait()
    if process.returncode:
        _raise_if_stopping()
        raise CommandError(words, process.returncode, "".join(tail).strip(), log)


def foreground(argv: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path) -> int:
    """Run a command that talks to the terminal itself, and return its exit code.

    Ctrl-C reaches it directly, as it is in the terminal's foreground group; this program waits until it has ended.
    """
    with subprocess.Popen([*_bound(signal.SIGTERM), *(str(word) for word in argv)], env=env, cwd=cwd) as process:
        return _wait(process)


def followed(
    argv: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path, log: Path, silent: Callable[[float], None]
) -> int:
    """Run a command like :func:`foreground`, but with its output in a log, which is written to stdout as it grows.

    Args:
        argv: the command.
        env: its environment.
        cwd: where it runs.
        log: takes the output. A pipe would end the command in the middle of its work if this program died.
        silent: called every ten seconds without output, with the seconds since the start.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    words = [*_bound(signal.SIGTERM), *(str(word) for word in argv)]
    with (
        log.open("wb") as output,
        subprocess.Popen(words, env=env, cwd=cwd, stdout=output, stderr=subprocess.STDOUT) as process,
    ):
        ended = threading.Event()
        follower = threading.Thread(target=_follow, args=(log, ended, silent), daemon=True)
        follower.start()
        try:
            return _wait(process)
        finally:
            ended.set()
            follower.join()


def _wait(process: subprocess.Popen[bytes]) -> int:
    interrupted: KeyboardInterrupt | None = None
    while True:
        try:
            code = process.wait()
            break
        except KeyboardInterrupt as interrupt:
            interrupted = interrupt
    if interrupted is not None:
        raise interrupted
    return code


def _follow(log: Path, ended: threading.Event, silent: Callable[[float], None]) -> None:
    began = heard = time.monotonic()
    with log.open("rb") as file:
        while True:
            last = ended.wait(_LOOK)
            now = time.monotonic()
            if data := file.read():
                heard = now
                sys.stdout.buffer.write(data)
                sys.stdout.buffer.flush()
            if last:
                return
            if now - heard >= _SILENCE:
                heard = now
                silent(now - began)


def daemon(argv: Sequence[str | Path], *, log: Path, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start a program that outlives this one, in a session of its own, with its output in `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as file:
        return subprocess.Popen(
            [str(word) for word in argv],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=env,
            cwd="/",
        )


def stop() -> None:
    """End every program that `output` and `stream` have running, and let no other start."""
    _stopping.set()
    with _lock:
        victims = list(_running)
    for process in victims:
        _signal(process, signal.SIGTERM)
    deadline = time.monotonic() + _GRACE
    for process in victims:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            _signal(process, signal.SIGKILL)


def resume() -> None:
    """Let programs start again after `stop`."""
    _stopping.clear()


def tail(log: Path, lines: int = _TAIL_LINES) -> str:
    """The last lines of a log, empty if there is none."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


@contextlib.contextmanager
def _started(
    words: list[str], *, env: Mapping[str, str] | None, cwd: Path | None, stdin: bool, stderr: int
) -> Generator[subprocess.Popen[str]]:
    with _lock:
        _raise_if_stopping()
        try:
            process = subprocess.Popen(
                [*_bound(signal.SIGKILL), *words],
                stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                errors="replace",
                env=env,
                cwd=cwd,
                # A group of its own, so that its children can be ended with it.
                process_group=0,
            )
        except FileNotFoundError as error:
            raise SandboxError(f"`{words[0]}` is not there: {error}") from error
        _running.add(process)
    try:
        yield process
    except BaseException:
        _end(process)
        raise
    finally:
        with _lock:
            _running.discard(process)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                # A pipe whose reader is gone cannot be flushed.
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


def _bound(to: signal.Signals) -> list[str]:
    """A prefix that has the kernel signal the program when this one dies, even by SIGKILL (setpriv, util-linux)."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", to.name.removeprefix("SIG"), "--"] if setpriv else []


def _end(process: subprocess.Popen[str]) -> None:
    _signal(process, signal.SIGTERM)
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        _signal(process, signal.SIGKILL)
        process.wait()


def _signal(process: subprocess.Popen[str], what: signal.Signals) -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, what)


def _raise_if_stopping() -> None:
    if _stopping.is_set():
        raise Stopped("stopped")
