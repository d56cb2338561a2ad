"""Runs Pulumi on one stack, and reads what its engine tells."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from pipelines import problems
from pipelines.errors import StepError
from pipelines.events import EventsError, Json, Run, read

_QUERY_LIMIT: Final = 120.0  # seconds; for what only reads the state or a file


@dataclass(frozen=True)
class Done:
    """One command: what the engine told, the exit code, and what it printed on standard error."""

    run: Run
    exit_code: int
    said: str


@dataclass(frozen=True)
class Asked:
    """A command that gives an answer: what it printed, and what it said besides or, without that, printed."""

    succeeded: bool
    printed: str
    said: str


@dataclass(frozen=True)
class Pulumi:
    """Pulumi in a folder with a program, on one stack. Its progress goes to standard output while it works."""

    folder: Path
    stack: str
    environment: Mapping[str, str]

    def operation(self, command: str, events: Path, *arguments: str) -> Done:
        """Run ``preview`` or ``up``; the engine's events are left in the file ``events``.

        Raises:
            StepError: pulumi is not installed, or the events cannot be read.
        """
        events.parent.mkdir(parents=True, exist_ok=True)
        events.unlink(missing_ok=True)
        options = ["--stack", self.stack, "--non-interactive", "--color", "never", "--event-log", str(events.resolve())]
        sys.stdout.flush()
        # The kubernetes plugin leaves the kubeconfig, with its keys, in the folder for temporary files.
        with tempfile.TemporaryDirectory(prefix="pulumi-", ignore_cleanup_errors=True) as temporary:
            # `--event-log` is one of the options that tools drive the engine by; it is there with this variable only.
            environment = {**self.environment, "PULUMI_DEBUG_COMMANDS": "true", "TMPDIR": temporary}
            try:
                completed = subprocess.run(
                    ["pulumi", command, *options, *arguments],
                    cwd=self.folder,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    text=True,
                    check=False,
                )
            except FileNotFoundError:
                raise _missing() from None
        try:
            run = read(events.read_text().splitlines() if events.exists() else ())
        except EventsError as error:
            raise StepError(f"{command}: {error}") from None
        if completed.returncode == 0:
            sys.stderr.write(completed.stderr)
        return Done(run, completed.returncode, completed.stderr)

    def succeed(self, command: str, events: Path, *arguments: str) -> Run:
        """Run it as :meth:`operation` does.

        Raises:
            StepError: it did not succeed; the message says why, and what to do.
        """
        done = self.operation(command, events, *arguments)
        if done.exit_code:
            raise StepError(problems.explain(f"pulumi {command}", done.run, done.said))
        return done.run

    def outputs(self) -> Json:
        """The stack's outputs; a secret one is shown as ``[secret]``.

        Raises:
            StepError: there is no such stack, or its backend cannot be reached.
        """
        answer: object = json.loads(self.query("stack", "output", "--json"))
        return cast("Json", answer) if isinstance(answer, dict) else {}

    def images(self) -> dict[str, str]:
        """The stack's images, service to ``repository@sha256:…``; empty before its first update."""
        images: object = self.outputs().get("images")
        return {str(key): str(value) for key, value in cast("Json", images).items()} if isinstance(images, dict) else {}

    def query(self, *arguments: str) -> str:
        """What a command prints that reads or writes the state's or the stack's settings.

        Raises:
            StepError: it fails.
        """
        asked = self.ask(*arguments, "--stack", self.stack)
        if not asked.succeeded:
            raise StepError(problems.explain(f"pulumi {arguments[0]}", None, asked.said))
        return asked.printed

    def ask(self, *arguments: str) -> Asked:
        """Run a command that may fail.

        Raises:
            StepError: pulumi is not installed, or gives no answer.
        """
        try:
            completed = subprocess.run(
                ["pulumi", *arguments, "--non-interactive", "--color", "never"],
                cwd=self.folder,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_QUERY_LIMIT,
                check=False,
            )
        except FileNotFoundError:
            raise _missing() from None
        except subprocess.TimeoutExpired:
            raise StepError(
                f"pulumi {arguments[0]} gave no answer in {_QUERY_LIMIT:.0f} s: is the backend up?"
            ) from None
        return Asked(completed.returncode == 0, completed.stdout, completed.stderr or completed.stdout)


def here(stack: str) -> Pulumi:
    """Pulumi in the current folder."""
    return Pulumi(Path.cwd(), stack, os.environ)


def _missing() -> StepError:
    return StepError("pulumi is not on PATH: https://www.pulumi.com/docs/install/, or `make up` and `make env`")
