"""Finds a Python that is new enough, makes the sandbox's own environment, and goes on inside it.

Only the standard library is imported here, and this file can be read by older Pythons, so that they can say so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

LEAST = (3, 11)
REQUIREMENTS = Path(__file__).resolve().parent / "requirements.txt"


def enter() -> None:
    """Return inside the sandbox's environment; where this is not it, run the same command there instead."""
    if sys.version_info[:2] < LEAST:
        _replace(_newer_python(), [])
    from . import paths, venvs  # noqa: PLC0415 - older Pythons cannot read them

    here = paths.of_user()
    made = os.environ.get("DOCKERCOINS_TOOLS")
    if made is not None and Path(sys.prefix).resolve() == Path(made).resolve():
        return
    folder = here.venvs / f"tools-{venvs.key(REQUIREMENTS, Path(sys.executable))}"
    log = here.log("python-tools")
    if not venvs.is_complete(folder) and not venvs.can_be_made():
        _install_venv(log)
    ticker = _Ticker("Python packages for the sandbox")
    try:
        venvs.ensure(folder, REQUIREMENTS, lambda command: _run(command, log), ticker.start)
    except subprocess.CalledProcessError as error:
        ticker.stop()
        lines = log.read_text(errors="replace").splitlines()[-15:]
        _fail(f"the sandbox's Python packages cannot be installed ({error}):\n" + "\n".join(lines) + f"\nLog: {log}")
    except KeyboardInterrupt:
        ticker.stop()
        _fail("interrupted", code=130)
    ticker.stop()
    os.environ["DOCKERCOINS_TOOLS"] = str(folder)
    _replace(str(venvs.python_of(folder)), [])


def _replace(python: str, options: list[str]) -> None:
    os.execv(python, [python, *options, "-m", "sandbox", *sys.argv[1:]])  # noqa: S606 - no shell is wanted


def _newer_python() -> str:
    for minor in range(20, LEAST[1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found:
            return found
    have = ".".join(str(part) for part in sys.version_info[:3])
    least = ".".join(str(part) for part in LEAST)
    _fail(
        f"this is Python {have} ({sys.executable}); the sandbox needs {least} or newer, and there is none on PATH. "
        f"Install one, or name it: make PYTHON=/path/to/python{least} up"
    )
    raise AssertionError


def _install_venv(log: Path) -> None:
    package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    if shutil.which("apt-get") is None or os.geteuid() != 0 or not sys.executable.startswith("/usr/bin/"):
        _fail(
            f"{sys.executable} cannot make virtual environments (no module ensurepip). "
            f"On Debian and Ubuntu: sudo apt-get install {package}"
        )
    ticker = _Ticker(f"Debian package {package}")
    ticker.start()
    try:
        _run(["apt-get", "update", "-q"], log)
        _run(["apt-get", "install", "-q", "-y", "--no-install-recommends", package], log)
    except subprocess.CalledProcessError as error:
        _fail(f"{package} cannot be installed ({error}); log: {log}")
    finally:
        ticker.stop()


def _run(command: list[str], log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as file:
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, check=True)


def _fail(message: str, code: int = 1) -> None:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(code)


class _Ticker:
    """Says that something is being installed, and for how long."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._tick, daemon=True)
        self._began = 0.0

    def start(self) -> None:
        self._began = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        if not self._thread.is_alive():
            return
        self._stopped.set()
        self._thread.join()
        print(f"{self._what}: {time.monotonic() - self._began:.0f} s", file=sys.stderr)

    def _tick(self) -> None:
        live = sys.stderr.isatty()
        print(f"{self._what}: installing", end="" if live else "\n", file=sys.stderr, flush=True)
        while not self._stopped.wait(1 if live else 30):
            spent = f"{self._what}: installing, {time.monotonic() - self._began:.0f} s"
            print(f"\r{spent}" if live else spent, end="" if live else "\n", file=sys.stderr, flush=True)
        if live:
            print("\r", end="", file=sys.stderr, flush=True)
