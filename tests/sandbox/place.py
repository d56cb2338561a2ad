"""A sandbox of the tests' own: another cluster, other ports, another cache, beside whatever else runs here."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import psutil
import urllib3

from sandbox import environment, paths, settings
from sandbox.cluster import NETWORK

CHECKOUT = paths.CHECKOUT
SECONDS = 900.0
"""How long any one command may take."""


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    output: str


@dataclass
class Running:
    """A command that runs, in a process group of its own."""

    process: subprocess.Popen[bytes]
    log: Path

    def wait_for(self, file: Path | None, pattern: str) -> None:
        """Wait until a file (None: the output) holds what matches."""
        place = file or self.log
        deadline = time.monotonic() + SECONDS
        while not re.search(pattern, _text(place)):
            assert self.process.poll() is None, f"it ended before {pattern!r} came:\n{_text(self.log)}"
            assert time.monotonic() < deadline, f"{pattern!r} never came:\n{_text(self.log)}"
            time.sleep(0.02)

    def children(self, name: str) -> list[psutil.Process]:
        """Its running children, at any depth, whose program has a name."""
        found: list[psutil.Process] = []
        for child in psutil.Process(self.process.pid).children(recursive=True):
            with suppress(psutil.Error):
                if Path(child.exe()).name == name:
                    found.append(child)
        return found

    def end(self) -> Outcome:
        """Wait for its end."""
        code = self.process.wait(SECONDS)
        return Outcome(code, _text(self.log))


@dataclass(frozen=True)
class Place:
    """A copy of the checkout that is set up to bring up a sandbox of its own."""

    checkout: Path
    cache: Path

    @property
    def state(self) -> Path:
        return self.cache / "dockercoins" / "sandbox"

    @property
    def settings(self) -> settings.Settings:
        return settings.read(self.checkout / "Pulumi.dev.yaml")

    def traces(self) -> set[str]:
        """What the sandbox has left on this machine, where others have containers, volumes and processes too."""
        cluster = f"name={self.settings.cluster}"
        return {
            *docker("ps", "--all", "--format", "{{.Names}}", "--filter", cluster).split(),
            *docker("volume", "ls", "--format", "{{.Name}}", "--filter", cluster).split(),
            *(line for line in Path("/proc/self/mounts").read_text().splitlines() if str(self.cache) in line),
            *_processes(self.cache),
        }

    def log(self, name: str) -> Path:
        return self.state / "logs" / f"{name}.log"

    def variables(self) -> dict[str, str]:
        """An environment without anything of another sandbox."""
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("PULUMI_", "AWS_", "DOCKERCOINS_")) and key not in {"KUBECONFIG", "VIRTUAL_ENV"}
        }
        kept["PATH"] = environment.user_path(kept, paths.of_user())
        return kept | {"XDG_CACHE_HOME": str(self.cache), "PYTHONUNBUFFERED": "1"}

    def start(self, *arguments: str) -> Running:
        self.cache.mkdir(parents=True, exist_ok=True)
        log = self.cache / f"{arguments[0]}-{time.monotonic_ns()}.out"
        with log.open("wb") as file:
            process = subprocess.Popen(
                # Tests that a shell runs in its background ignore Ctrl-C, and so would what they start.
                ["env", "--default-signal=INT", sys.executable, "-m", "sandbox", *arguments],
                cwd=self.checkout,
                env=self.variables(),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return Running(process, log)

    def run(self, *arguments: str) -> Outcome:
        _progress(f"sandbox {' '.join(arguments)}")
        return self.start(*arguments).end()

    def must(self, *arguments: str) -> str:
        outcome = self.run(*arguments)
        assert outcome.code == 0, outcome.output
        return outcome.output

    def converge(self) -> None:
        """Bring it up, again while the cluster still holds the node port of a Service that is gone.

        The API server gives back such a port, if the creation of its Service was cut off, in a round every 3 minutes.
        """
        deadline = time.monotonic() + 300
        while (outcome := self.run("up")).code != 0:
            assert "provided port is already allocated" in outcome.output, outcome.output
            assert time.monotonic() < deadline, outcome.output
            time.sleep(5)

    def pulumi(self, *arguments: str) -> str:
        """Run the sandbox's own pulumi on its stack."""
        bound = environment.variables(
            paths.Paths(self.cache / "dockercoins"), self.settings, self.variables().get("PATH", "")
        )
        bound["PULUMI_PYTHON_CMD"] = str(self.checkout / ".venv" / "bin" / "python")
        completed = subprocess.run(
            [str(self.state / "bin" / "pulumi"), *arguments, "--stack", settings.STACK, "--non-interactive"],
            cwd=self.checkout,
            env=self.variables() | bound,
            capture_output=True,
            text=True,
            check=False,
        )
        assert completed.returncode == 0, completed.stdout + completed.stderr
        return completed.stdout

    def mines(self) -> bool:
        """Whether the count of hashes grows."""
        first = self._hashes()
        deadline = time.monotonic() + 60
        while self._hashes() <= first:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.5)
        return True

    def _hashes(self) -> int:
        answer = urllib3.request("GET", f"{self.settings.page}/json", timeout=10)
        return int(cast("dict[str, Any]", answer.json())["hashes"])


def shared() -> set[str]:
    """What tells not whose it is: the volumes of the engine that no container has, and kind's network."""
    return {
        *docker("volume", "ls", "--quiet", "--filter", "dangling=true").split(),
        *docker("network", "ls", "--format", "{{.Name}}", "--filter", f"name={NETWORK}").split(),
    }


def docker(*arguments: str) -> str:
    """Run docker and return what it prints."""
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True).stdout


def _processes(cache: Path) -> Iterator[str]:
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = process.cmdline()
            if any(str(cache) in word for word in words) or str(cache) in process.environ().get("PYTHONPATH", ""):
                yield f"{process.pid} {' '.join(words)}"


def make(folder: Path) -> Place:
    """Copy what is committed or about to be, and give it names and ports that nobody else has."""
    checkout = folder / "checkout"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        source = CHECKOUT / name
        if source.is_file():
            target = checkout / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    stack = checkout / "Pulumi.dev.yaml"
    ours = settings.read(CHECKOUT / "Pulumi.dev.yaml")
    text = stack.read_text()
    for old, new in (
        (ours.context, f"kind-test-{os.getpid()}"),
        (ours.registry_host, f"localhost:{free_port()}"),
        (ours.ecr_endpoint, f"http://localhost:{free_port()}"),
        (str(ours.page_port), str(free_port(range(30100, 32700)))),
    ):
        assert old in text
        text = text.replace(old, new)
    stack.write_text(text)
    cache = folder / "cache"
    real = paths.of_user()
    mine = paths.Paths(cache / "dockercoins")
    mine.venvs.mkdir(parents=True)
    # What was built is shared, what describes the running sandbox is not.
    mine.tools.symlink_to(real.tools)
    real.extras.mkdir(parents=True, exist_ok=True)
    mine.extras.symlink_to(real.extras)
    for tools in real.venvs.glob("tools-*"):
        (mine.venvs / tools.name).symlink_to(tools)
    return Place(checkout, cache)


def free_port(among: range | None = None) -> int:
    """A port of the loopback address that nobody listens on."""
    candidates = random.sample(among, len(among)) if among else [0]
    for candidate in candidates:
        with suppress(OSError), socket.create_server(("127.0.0.1", candidate)) as server:
            return int(server.getsockname()[1])
    raise AssertionError("no port is free")


Kill = Callable[[Running], None]


def kill(running: Running) -> None:
    """The sandbox alone dies at once."""
    running.process.send_signal(signal.SIGKILL)


def interrupt(running: Running) -> None:
    """Ctrl-C: everything in the terminal's foreground group gets it."""
    os.killpg(running.process.pid, signal.SIGINT)


def terminate(running: Running) -> None:
    """The session ends, or a supervisor stops it."""
    running.process.send_signal(signal.SIGTERM)


def kill_child(name: str) -> Kill:
    """A program that the sandbox waits for dies at once."""

    def kill_it(running: Running) -> None:
        children = running.children(name)
        assert children, f"{name} does not run"
        for child in children:
            child.kill()

    return kill_it


def _text(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""


def _progress(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.__stderr__, flush=True)
