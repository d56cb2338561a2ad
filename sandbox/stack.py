"""The stack that lives in the sandbox: created, brought back after an interruption, updated."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import psutil

from . import checkpoint, ecr, files, leftovers, processes, toolchain
from .errors import SandboxError
from .paths import CHECKOUT, Paths
from .progress import duration
from .settings import STACK, Settings

PROJECT: Final = "dockercoins"

_UNCHECKED: Final = {"DOCKERCOINS_ROLLOUTS": "unchecked"}
"""What an interrupted update has left may run badly, and the update that follows mends it."""

TAGS: Final = {"project": PROJECT, "stack": STACK, "managed-by": "pulumi"}
"""What the program tags its cloud resources with."""


@dataclass(frozen=True)
class Stack:
    """The stack."""

    paths: Paths
    settings: Settings
    pulumi: toolchain.Tool
    environment: Mapping[str, str]
    """The variables of the sandbox, on top of the process's own."""

    def up(self, cluster_id: str, tell: Callable[[str], None]) -> None:
        """Bring the stack to what the program says, with Pulumi's own output.

        Args:
            cluster_id: names the cluster that it runs on.
            tell: takes one line about what is done besides.

        Raises:
            SandboxError: an update is running elsewhere, or this one fails.
        """
        tell(f"Deploying the stack {STACK} by Pulumi.")
        self._create()
        self._unlock(tell)
        state = self.state() or checkpoint.EMPTY
        existing = ecr.repositories(self.settings)
        needed = checkpoint.recovery(
            state,
            existing,
            ecr.tagged(self.settings, existing - state.repositories, TAGS),
            cluster_is_new=self._last_cluster() != cluster_id,
        )
        for name in sorted(needed.orphans):
            ecr.delete_repository(self.settings, name)
        if needed.settle:
            tell("The last update was interrupted: settling what it had begun.")
            self._pulumi(
                tell, "refresh", "--run-program", "--clear-pending-creates", "--skip-preview", "--yes", **_UNCHECKED
            )
        options = []
        if needed.refresh_first:
            tell("The ECR API or the cluster is new: looking at what is still there.")
            # The program tells the cluster's address; the state has that of the one before.
            options = ["--refresh", "--run-program"]
        self._pulumi(tell, "up", "--skip-preview", "--yes", *options)
        files.write(self.paths.run / "stack.json", json.dumps({"cluster": cluster_id}) + "\n")

    def state(self) -> checkpoint.Checkpoint | None:
        """What Pulumi knows about the stack; None if it was never created."""
        return checkpoint.read(checkpoint.file(self.paths.pulumi_backend, PROJECT, STACK))

    def _create(self) -> None:
        if self.state() is not None:
            return
        # `stack init` rewrites the stack file, which is committed and holds all that it would add.
        file = CHECKOUT / f"Pulumi.{STACK}.yaml"
        content = file.read_text()
        try:
            processes.output(
                [self.pulumi.path, "stack", "init", STACK, "--non-interactive", "--no-select"],
                env=self._variables(),
                cwd=CHECKOUT,
            )
        finally:
            if file.read_text() != content:
                files.write(file, content)

    def _unlock(self, tell: Callable[[str], None]) -> None:
        """Take away the lock of an update that was killed; wait for one that runs."""
        folder = checkpoint.locks(self.paths.pulumi_backend, PROJECT, STACK)
        told = False
        while True:
            entries = [owner for owner in (_owner(path.read_text()) for path in folder.glob("*.json")) if owner]
            alive = [owner for owner in entries if owner.is_alive()]
            if not alive:
                break
            if not told:
                tell(f"Process {alive[0].pid} is updating the stack: waiting for it.")
                told = True
            time.sleep(1.0)
        if entries:
            tell("The last update was killed: taking its lock away.")
            for broken in checkpoint.half_written(self.paths.pulumi_backend, PROJECT, STACK):
                broken.unlink(missing_ok=True)
            # Plugins that have lost their engine may still be at work.
            leftovers.end(leftovers.using(self.paths.pulumi_home, leftovers.is_orphan))
            processes.output(
                [self.pulumi.path, "cancel", "--yes", "--stack", STACK], env=self._variables(), cwd=CHECKOUT
            )

    def _last_cluster(self) -> str:
        try:
            document: Any = json.loads((self.paths.run / "stack.json").read_text())
            return str(cast("dict[str, Any]", document)["cluster"])
        except (OSError, ValueError, KeyError):
            return ""

    def _pulumi(self, tell: Callable[[str], None], *arguments: str, **variables: str) -> None:
        command = [self.pulumi.path, *arguments, "--stack", STACK]
        environment = {**self._variables(), **variables}
        if sys.stdout.isatty():
            # There Pulumi shows by itself that it works.
            code = processes.foreground(command, env=environment, cwd=CHECKOUT)
        else:
            code = processes.followed(
                command,
                env=environment,
                cwd=CHECKOUT,
                log=self.paths.log(f"pulumi-{arguments[0]}"),
                silent=lambda seconds: tell(f"`pulumi {arguments[0]}` is still running, {duration(seconds)}"),
            )
        if code:
            raise SandboxError(
                f"`pulumi {arguments[0]}` failed; its messages are above. `make up` goes on from here; "
                "`make logs` shows what the pods say."
            )

    def _variables(self) -> dict[str, str]:
        return dict(os.environ) | dict(self.environment)


@dataclass(frozen=True)
class Owner:
    """Who holds a lock of the file backend."""

    pid: int
    host: str

    def is_alive(self) -> bool:
        """Whether that process still runs. One on another host does, for all that is known."""
        if self.host != socket.gethostname():
            return True
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            return process.status() != psutil.STATUS_ZOMBIE and "pulumi" in process.name()
        return False


def _owner(text: str) -> Owner | None:
    try:
        document: Any = json.loads(text)
        entry = cast("dict[str, Any]", document)
        return Owner(int(entry["pid"]), str(entry["hostname"]))
    except (ValueError, KeyError, TypeError):
        return None
