"""Time and memory of `pulumi up` and `pulumi preview` for more and more microservices of one image each."""

from __future__ import annotations

import json
import os
import platform
import secrets
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil

from benchmarks import programs
from benchmarks.processes import run
from benchmarks.rounds import Figures
from tests.integration.deployment import ROOT, SANDBOX, SANDBOX_REGISTRY
from tests.integration.kubectl import kubectl
from tests.plugins.engine_support import PASSPHRASE, UP, Project

SIZES: Final = (10, 30, 100)
"""Numbers of microservices. A node takes 110 pods (the kubelet's `maxPods`), and nine are the cluster's own."""

FIRST: Final = "up, first"
AGAIN: Final = "preview, no change"

ENGINE: Final = "engine"
PROGRAM: Final = "program"
PLUGINS: Final = "plugins"

_LOOK: Final = 0.1  # seconds between two looks at memory and processor
# A preview is short, and what a collector of garbage or another process takes would bend the line.
_PREVIEWS: Final = 3
_RUNS_A_PROGRAM: Final = "pulumi-language-python-exec"
COMPONENTS: Final = "components"
PLAIN: Final = "plain Pulumi program"
PROGRAMS: Final = (COMPONENTS, PLAIN)
_DOCKERFILE: Final = f"""\
FROM {SANDBOX.python_image}
COPY server.py /server.py
USER 10001
CMD ["python3", "/server.py"]
"""
_SERVER: Final = """\
import http.server
import signal
import sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
http.server.test(HandlerClass=http.server.BaseHTTPRequestHandler, port=8080)
"""


@dataclass(frozen=True)
class Cost:
    """What one command took."""

    seconds: float
    mebibytes: float
    """The most memory that the engine, the program and the plugins held together (resident, pages that they share
    counted once for each)."""
    processor: Mapping[str, float] = field(default_factory=dict[str, float])
    """Seconds of a processor by each of ``ENGINE``, ``PROGRAM`` and ``PLUGINS``, to a few tenths."""
    held: Mapping[str, float] = field(default_factory=dict[str, float])
    """MiB by each of them, each at its own most."""


@dataclass(frozen=True)
class Growth:
    """What each command took: command to pairs of size and cost."""

    costs: Mapping[str, Sequence[tuple[int, Cost]]]

    def seconds(self, command: str) -> list[tuple[float, float]]:
        """Pairs of size and seconds."""
        return [(float(size), cost.seconds) for size, cost in self.costs[command]]

    def mebibytes(self, command: str) -> list[tuple[float, float]]:
        """Pairs of size and MiB."""
        return [(float(size), cost.mebibytes) for size, cost in self.costs[command]]

    def shares(self, program: str) -> list[str]:
        """Who took how much of each command and size, a line each; medians."""
        return [
            f"{size} microservices, {program}: {command}: {_shares([cost for at, cost in pairs if at == size])}"
            for command, pairs in self.costs.items()
            for size in dict(pairs)
        ]

    def figures(self, program: str) -> dict[str, Figures]:
        """Seconds of each command and size, by the name that :func:`named` gives."""
        values: dict[str, list[float]] = {}
        for command, pairs in self.costs.items():
            for size, cost in pairs:
                values.setdefault(named(size, program, command), []).append(cost.seconds)
        return {name: Figures(name, tuple(measured)) for name, measured in values.items()}


def named(size: int, program: str, command: str) -> str:
    """What was measured, in a word."""
    return f"{size} microservices, {program}: {command}"


def _shares(costs: Sequence[Cost]) -> str:
    median = statistics.median
    return "; ".join(
        f"{kind} {median(cost.processor.get(kind, 0) for cost in costs):.1f} s of a processor, "
        f"{median(cost.held.get(kind, 0) for cost in costs):.0f} MiB"
        for kind in (ENGINE, PROGRAM, PLUGINS)
    )


def grow(sizes: Sequence[int], rounds: int, tell: Callable[[str], None]) -> dict[str, Growth]:
    """Bring up, and preview without a change (three times), so many microservices, by each of the programs in turn.

    Each size and program has a namespace of its own.

    Raises:
        RuntimeError: the cluster has no room for so many pods, or a command failed; the message says what it said.
    """
    room = _room()
    if room < max(sizes):
        raise RuntimeError(f"the nodes take {room} more pods, and {max(sizes)} are needed: remove what else runs there")
    costs: dict[str, dict[str, list[tuple[int, Cost]]]] = {name: {FIRST: [], AGAIN: []} for name in PROGRAMS}
    # The one push of the base image to an empty registry takes as long as all else for ten microservices.
    with _project(COMPONENTS, 1) as project:
        _cost(project, UP)
    for number in range(rounds):
        for size in sizes:
            for program in PROGRAMS:
                with _project(program, size) as project:
                    for command, arguments in (
                        (FIRST, UP),
                        *[(AGAIN, ("preview", "--expect-no-changes"))] * _PREVIEWS,
                    ):
                        cost = _cost(project, arguments)
                        costs[program][command].append((size, cost))
                        tell(
                            f"round {number + 1} of {rounds}: {size} microservices, {program}: {command}: "
                            f"{cost.seconds:.1f} s, {cost.mebibytes:.0f} MiB"
                        )
    return {program: Growth(measured) for program, measured in costs.items()}


def _room() -> int:
    """How many more pods the nodes take."""
    nodes: list[dict[str, Any]] = json.loads(kubectl("get", "nodes", "--output=json"))["items"]
    running = kubectl("get", "pods", "--all-namespaces", "--output=name").splitlines()
    return sum(int(node["status"]["allocatable"]["pods"]) for node in nodes) - len(running)


@contextmanager
def _project(program: str, size: int) -> Generator[Project]:
    """A program with so many contexts, whose images nobody has built before."""
    with tempfile.TemporaryDirectory(prefix="dockercoins-growth-") as name:
        root, backend = Path(name) / "project", Path(name) / "backend"
        backend.mkdir()
        if program == COMPONENTS:
            shutil.copytree(ROOT / "benchmarks" / "growing", root)
            shutil.copytree(ROOT / "components", root / "components", ignore=shutil.ignore_patterns("__pycache__"))
        else:
            programs.copy_plain("microservices.py", root)
        (root / ".venv").symlink_to((ROOT / ".venv").resolve())
        for number in range(size):
            context = root / "services" / f"service-{number:03}"
            context.mkdir(parents=True)
            (context / "Dockerfile").write_text(_DOCKERFILE)
            (context / "server.py").write_text(f"{_SERVER}# {secrets.token_hex(8)}\n")
        environment = {
            **os.environ,
            "PULUMI_BACKEND_URL": backend.as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_DEBUG_COMMANDS": "1",
        }
        project = Project(root, environment, f"growth-{secrets.token_hex(3)}")
        project.run("stack", "init", project.stack).stdout_or_fail()
        machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
        for key, value in (("registry", SANDBOX_REGISTRY), ("user", "AWS"), ("platform", f"linux/{machine}")):
            project.set_config(key, value)
        project.set_config("password", SANDBOX.registry_password, secret=True)
        project.set_config("kubeconfig", Path(os.environ["KUBECONFIG"]).read_text(), secret=True)
        try:
            yield project
        finally:
            # Faster than `pulumi destroy`, which waits for each object; the stack's state goes with the folder.
            with suppress(RuntimeError):  # it would hide what went wrong before, and all that was measured
                run(["kubectl", "delete", "namespace", project.stack, "--ignore-not-found", "--timeout=300s"])


def _cost(project: Project, arguments: Sequence[str]) -> Cost:
    began = time.monotonic()
    process = subprocess.Popen(
        ["pulumi", "--non-interactive", *arguments, "--stack", project.stack],
        cwd=project.directory,
        env=dict(project.environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    watched = _Watched(process.pid)
    watch = threading.Thread(target=watched.until_it_ends)
    watch.start()
    output, _ = process.communicate()
    seconds = time.monotonic() - began
    watch.join()
    if process.returncode:
        raise RuntimeError(output)
    return watched.cost(seconds)


class _Watched:
    """What a command of Pulumi and all that it has started take."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peak = 0
        self._used: dict[psutil.Process, tuple[str, float]] = {}
        self._held: dict[str, int] = {}

    def until_it_ends(self) -> None:
        """Look again and again, until the command has ended."""
        while True:
            try:
                first = psutil.Process(self._pid)
                processes = [first, *first.children(recursive=True)]
                if first.status() == psutil.STATUS_ZOMBIE:
                    return
            except psutil.NoSuchProcess:
                return
            self._look(processes)
            time.sleep(_LOOK)

    def cost(self, seconds: float) -> Cost:
        """All that was seen."""
        processor: dict[str, float] = defaultdict(float)
        for kind, used in self._used.values():
            processor[kind] += used
        held = {kind: most / 2**20 for kind, most in self._held.items()}
        return Cost(seconds, self._peak / 2**20, processor, held)

    def _look(self, processes: Sequence[psutil.Process]) -> None:
        held: dict[str, int] = defaultdict(int)
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                # A process is another one at first, until it runs what it was made for.
                kind = self._kind(process)
                held[kind] += process.memory_info().rss
                used = process.cpu_times()
                self._used[process] = (kind, used.user + used.system)
        self._peak = max(self._peak, sum(held.values()))
        for kind, now in held.items():
            self._held[kind] = max(self._held.get(kind, 0), now)

    def _kind(self, process: psutil.Process) -> str:
        if process.pid == self._pid:
            return ENGINE
        return PROGRAM if any(_RUNS_A_PROGRAM in word for word in process.cmdline()) else PLUGINS
