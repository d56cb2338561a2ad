"""The commands of the sandbox."""

from __future__ import annotations

import argparse
import errno
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.markup import escape

from . import (
    assembly,
    checkpoint,
    doctor,
    environment,
    lock,
    logs,
    processes,
    products,
    progress,
    report,
    settings,
    stack,
    status,
    teardown,
)
from .durations import Durations
from .errors import SandboxError
from .metrics import Metrics
from .paths import CHECKOUT, Paths, of_user
from .progress import View

_INTERRUPTED = 130
_REMINDER_EVERY = 30.0  # seconds


def main(arguments: Sequence[str]) -> int:
    """Run one command and return the exit code."""
    options = _parser().parse_args(arguments)
    # A log is not as narrow as the 80 columns that are assumed where there is no terminal.
    width = None if sys.stdout.isatty() else 160
    console = Console(highlight=False, soft_wrap=True, width=width)
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    try:
        paths = of_user()
        found = settings.read(CHECKOUT / f"Pulumi.{settings.STACK}.yaml")
        search = environment.user_path(os.environ, paths)
        # A Pulumi home that is the sandbox's own holds no plugin of the user's.
        home = Path(os.environ.get("PULUMI_HOME", Path.home() / ".pulumi"))
        commands = Commands(paths, found, search, home, console)
        return _run(commands, options)
    except SandboxError as error:
        _say(console, f"[bold red]error:[/] {escape(str(error))}")
        return 1
    except BrokenPipeError:
        return 1
    except OSError as error:
        full = f"{processes.FULL}" if error.errno == errno.ENOSPC else ""
        _say(console, f"[bold red]error:[/] {escape(f'{full}{error}')}")
        return 1
    except KeyboardInterrupt:
        processes.stop()
        _say(console, "interrupted; the same command goes on from here")
        return _INTERRUPTED


@dataclass(frozen=True)
class Commands:
    """What the commands do."""

    paths: Paths
    settings: settings.Settings
    search: str
    pulumi_home: Path
    console: Console

    def platform(self) -> None:
        """Bring up everything but the stack."""
        self._metrics().start(self._platform().cluster.identity())

    def up(self, began: float) -> None:
        """Bring up everything."""
        platform = self._platform()
        variables = environment.variables(self.paths, self.settings, self.search)
        dev = stack.Stack(self.paths, self.settings, platform.pulumi, variables)
        before = dev.state() or checkpoint.EMPTY
        dev.up(platform.cluster.identity(), self._tell)
        after = dev.state() or checkpoint.EMPTY
        earlier, current = products.deployed(before.outputs), products.deployed(after.outputs)
        if earlier != current:
            # The earlier version stays, to go back to it.
            products.remove(platform.docker, self.settings.registry_host, earlier | current)
        status.await_page(self.settings)
        # Nobody waits for them, so they get what processors there are once everything else is up.
        self._metrics().start(platform.cluster.identity())
        self._tell(report.ready(self.settings, after.outputs, time.monotonic() - began))

    def metrics(self) -> None:
        """Wait until there are metrics, and see to it that there will be."""
        with self._view() as view:
            self._metrics().bring_up(view, Waiting(self.console))
        self._tell("The cluster measures its pods: `kubectl top pods` and autoscalers work.")

    def down(self) -> None:
        """Take everything down."""
        with self._view() as view:
            teardown.Teardown(self.paths, self.settings, self.search).run(view)
        self._tell(f"All of it is down. What was built is kept in {self.paths.root}; delete that folder to free it.")

    def status(self) -> int:
        """Show each part."""
        rows = status.Status(self.paths, self.settings, self.search).rows()
        self.console.print(status.table(rows))
        return 0 if all(row.good for row in rows) else 1

    def logs(self, service: str | None) -> int:
        """Follow the logs of the pods."""
        variables = environment.variables(self.paths, self.settings, self.search)
        try:
            return logs.follow(self.paths, self.settings, variables, service)
        except KeyboardInterrupt:  # the way to end it
            return 0

    def env(self) -> None:
        """Print the exports for a shell."""
        sys.stdout.write(environment.exports(self.paths, self.settings, self.search))

    def _platform(self) -> assembly.Platform:
        doctor.check(self.paths)
        self.paths.make()
        os.environ["PATH"] = f"{self.paths.bin}{os.pathsep}{self.search}"
        assembled = assembly.Assembly(self.paths, self.settings, self.search, self.pulumi_home)
        with self._view() as view:
            return assembled.bring_up(view)

    def _metrics(self) -> Metrics:
        return Metrics(self.paths, self.settings, self.search)

    def _view(self) -> View:
        return progress.view(self.console, Durations(self.paths.durations))

    def _tell(self, text: str) -> None:
        _say(self.console, escape(text))


class Waiting:
    """Tells now and then for whom a command waits."""

    def __init__(self, console: Console) -> None:
        """Tell it there."""
        self._console = console
        self._told: float | None = None

    def __call__(self, owner: lock.Owner | None, seconds: float) -> None:
        """Tell it if it was not told of late."""
        if self._told is None or seconds - self._told >= _REMINDER_EVERY:
            self._told = seconds
            _say(self._console, f"waiting for {owner or 'another command'} to end")


def _run(commands: Commands, options: argparse.Namespace) -> int:
    command: str = options.command
    if command == "status":
        return commands.status()
    if command == "env":
        commands.env()
        return 0
    if command == "logs":
        return commands.logs(options.service)
    if command == "metrics":
        commands.metrics()
        return 0
    began = time.monotonic()
    with lock.held(commands.paths.lock, f"sandbox {command}", Waiting(commands.console)):
        if command == "up":
            commands.up(began)
        elif command == "platform":
            commands.platform()
            _say(commands.console, escape(report.platform(commands.settings, time.monotonic() - began)))
        else:
            commands.down()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    commands.add_parser("up", help="bring up everything, and the application on it")
    commands.add_parser("platform", help="bring up everything but the application")
    commands.add_parser("down", help="remove containers, networks, processes and state; keep the cache")
    commands.add_parser("metrics", help="wait until the cluster measures its pods, for kubectl top and autoscalers")
    commands.add_parser("status", help="show each part, and where it came from")
    logs_parser = commands.add_parser("logs", help="follow the logs of the pods")
    logs_parser.add_argument("service", nargs="?", help="one of the services; all of them if it is left out")
    commands.add_parser("env", help="print shell commands that let a shell work on the sandbox")
    return parser


def _say(console: Console, markup: str) -> None:
    console.print(markup)


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt
