"""What tests and benchmarks run in: an interpreter with all that they import, and the sandbox's platform."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NoReturn

from sandbox import paths, venvs

ROOT: Final = Path(__file__).resolve().parent.parent
REQUIREMENTS: Final = ROOT / "tests" / "requirements.txt"


def interpreter() -> Path:
    """The interpreter of an environment with everything that tests import, made once for its requirements."""
    folder = paths.of_user().venvs / f"tests-{venvs.key(REQUIREMENTS, Path(sys.executable))}"

    def run(command: list[str]) -> None:
        subprocess.run([*command, *(["--quiet"] if "pip" in command else [])], check=True)

    venvs.ensure(folder, REQUIREMENTS, run, lambda: say("installing what the tests need (once, about a minute)"))
    return venvs.python_of(folder)


class Platform:
    """The sandbox's engine, registry, ECR API and cluster, up while tests need them."""

    def __init__(self) -> None:
        self.environment: dict[str, str] | None = None
        self._was_up = False

    def up(self) -> dict[str, str]:
        """Bring it up, and give the environment in which its tools are found.

        Raises:
            subprocess.CalledProcessError: it does not come up; the sandbox has said why.
        """
        if self.environment is None:
            self._was_up = Path(self._exports()["KUBECONFIG"]).exists()
            subprocess.run([sys.executable, "-m", "sandbox", "platform"], cwd=ROOT, check=True)
            self.environment = {**os.environ, **self._exports()}
        return self.environment

    def down(self) -> None:
        """Take it down, unless it was up before the tests."""
        if self.environment is not None and not self._was_up:
            subprocess.run([sys.executable, "-m", "sandbox", "down"], cwd=ROOT, check=False)

    def _exports(self) -> dict[str, str]:
        listed = subprocess.run(
            [sys.executable, "-m", "sandbox", "env"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        exports: dict[str, str] = {}
        for line in listed.stdout.splitlines():
            if line.startswith("export "):
                (assignment,) = shlex.split(line.removeprefix("export "))
                name, _, value = assignment.partition("=")
                exports[name] = os.path.expandvars(value)
        return exports


def end_with(main: Callable[[Sequence[str]], int]) -> NoReturn:
    """End this process with what ``main`` gives for its arguments; after Ctrl-C without a word, as shells expect it."""
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


def say(text: str) -> None:
    """Print a line at once, so that it stands before what the next command prints."""
    print(text, flush=True)
