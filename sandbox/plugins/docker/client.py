"""Runs a docker command line that can build with BuildKit, with a configuration that is thrown away afterwards."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final, cast

from ..protocol.provider import Cancelled, ProviderError
from .logins import Login, with_logins

_USUAL_FOLDERS: Final = ("/usr/bin", "/usr/local/bin")
_NEEDS_BUILDX_FROM: Final = 23
"""Docker's own BuildKit client left the command line for the buildx plugin in 23.0."""

_ASK_LIMIT: Final = 20.0  # seconds for a question that needs no build and no registry
_TERMINATE_LIMIT: Final = 2.0  # seconds from the polite end of a build to the other one
_WATCH_INTERVAL: Final = 0.1  # seconds
_SHARED_ENTRIES: Final = ("buildx", "cli-plugins", "contexts")
"""What lies beside `config.json` and that a build needs: builders, plugins and endpoints."""


@dataclass(frozen=True)
class Endpoint:
    """How to reach the Docker Engine, from the provider's configuration. All empty: as the command line does."""

    host: str = ""
    context: str = ""
    cert_path: str = ""
    ca: str = field(default="", repr=False)
    cert: str = field(default="", repr=False)
    key: str = field(default="", repr=False)


@dataclass(frozen=True)
class Ended:
    """A command's exit code, and the lines that it wrote to either stream."""

    exit_code: int
    lines: Sequence[str]

    @property
    def text(self) -> str:
        """The lines as one text."""
        return "\n".join(self.lines)


@cache
def find_docker() -> str:
    """The path of the first docker command, on PATH or in the usual folders, that builds with BuildKit.

    Raises:
        ProviderError: there is none; the message tells what was looked at.
    """
    folders = [*os.environ.get("PATH", "").split(os.pathsep), *_USUAL_FOLDERS]
    looked_at: list[str] = []
    for folder in dict.fromkeys(folder for folder in folders if folder):
        path = shutil.which("docker", path=folder)
        if path is None:
            continue
        lack = _lack(path)
        if lack is None:
            return path
        looked_at.append(f"{path} ({lack})")
    seen = f"found {', '.join(looked_at)}" if looked_at else "found no docker on PATH"
    raise ProviderError(
        f"no docker command that can build with BuildKit: {seen}; "
        "install Docker Engine with buildx (Debian: apt-get install docker.io; others: docs.docker.com/engine/install)"
    )


def _lack(path: str) -> str | None:
    """What a docker command lacks for building with BuildKit, with its version."""
    try:
        # Its version must not depend on whether the user's context can be resolved.
        neutral = {"PATH": os.environ.get("PATH", ""), "DOCKER_CONFIG": os.devnull}
        asked = subprocess.run(
            [path, "--version"],
            env=neutral,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_ASK_LIMIT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"does not run: {error}"
    version = re.search(r"Docker version (\d+)\.([\w.+-]+)", asked.stdout)
    if version is None:
        return "not Docker's"
    if int(version[1]) < _NEEDS_BUILDX_FROM:
        return None
    buildx = subprocess.run([path, "buildx", "version"], capture_output=True, check=False, stdin=subprocess.DEVNULL)
    return None if buildx.returncode == 0 else f"{version[1]}.{version[2]}, without buildx"


@contextmanager
def client(endpoint: Endpoint, logins: Sequence[Login], cancelled: threading.Event) -> Generator[Client]:
    """A docker command line with these logins, beside those of the user's own configuration.

    The credentials lie in a folder that only the user can enter, and that is removed at the end.
    """
    docker = find_docker()
    folder = Path(tempfile.mkdtemp(prefix="docker-config-"))  # made with mode 0700
    keeper = _start_keeper(folder)
    try:
        _write_config(folder, logins)
        yield Client(docker, folder, _environment(folder, endpoint), cancelled, keeper)
    finally:
        keeper.communicate()  # closes its input, and waits until it has cleaned up
        shutil.rmtree(folder, ignore_errors=True)


class Client:
    """One docker command line with its environment."""

    def __init__(
        self,
        docker: str,
        folder: Path,
        environment: Mapping[str, str],
        cancelled: threading.Event,
        keeper: subprocess.Popen[str],
    ) -> None:
        """Take the path of the command; its environment holds no credentials."""
        self._docker = docker
        self._folder = folder
        self._environment = dict(environment)
        self._cancelled = cancelled
        self._keeper = keeper

    @property
    def folder(self) -> Path:
        """A folder that only the user can enter, and that is removed with the client."""
        return self._folder

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables that a command runs with."""
        return self._environment

    def run(
        self,
        arguments: Sequence[str],
        on_line: Callable[[str], None] | None = None,
        extra_environment: Mapping[str, str] | None = None,
    ) -> Ended:
        """Run a command to its end; every line of its output goes to `on_line` as it comes.

        Raises:
            Cancelled: the user stopped the run; the command is gone by then.
        """
        process = subprocess.Popen(
            [self._docker, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**self._environment, **(extra_environment or {})},
            text=True,
            errors="replace",
            # A group of its own: docker starts buildx as another process, and both must end together.
            process_group=0,
        )
        self._tell_keeper(f"+{process.pid}")
        ended = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(process, ended), daemon=True, name="docker-watch")
        watcher.start()
        lines: list[str] = []
        try:
            assert process.stdout is not None  # noqa: S101 - Popen was told to make it
            for raw in process.stdout:
                line = raw.rstrip()
                lines.append(line)
                if on_line is not None and line:
                    on_line(line)
        finally:
            if process.poll() is None:
                _end(process)
            ended.set()
            watcher.join()
            self._tell_keeper(f"-{process.pid}")
            if process.stdout is not None:
                process.stdout.close()
        if self._cancelled.is_set():
            raise Cancelled(f"cancelled: docker {arguments[0]} was stopped")
        return Ended(process.returncode, lines)

    def _tell_keeper(self, line: str) -> None:
        # A keeper that is gone cannot be told anything; the plugin still cleans up where it ends by itself.
        with suppress(OSError, ValueError):
            if self._keeper.stdin is not None:
                self._keeper.stdin.write(f"{line}\n")
                self._keeper.stdin.flush()

    def _watch(self, process: subprocess.Popen[str], ended: threading.Event) -> None:
        while not ended.wait(_WATCH_INTERVAL):
            if self._cancelled.is_set():
                _end(process)
                return


def _start_keeper(folder: Path) -> subprocess.Popen[str]:
    """The process that removes the folder and ends what still runs, even if this one is killed."""
    return subprocess.Popen(
        [sys.executable, "-I", str(Path(__file__).with_name("keeper.py")), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        process_group=0,  # what ends the plugin's group must not end its keeper
    )


def _end(process: subprocess.Popen[str]) -> None:
    """End a command and all that it started: politely, so that it can tell the engine, and then by force."""
    _signal_group(process, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_TERMINATE_LIMIT)
    _signal_group(process, signal.SIGKILL)
    process.wait()


def _signal_group(process: subprocess.Popen[str], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _environment(folder: Path, endpoint: Endpoint) -> dict[str, str]:
    # Nothing of Pulumi's (the passphrase among it) is docker's business.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PULUMI_")}
    environment |= {
        "DOCKER_CONFIG": str(folder),
        "DOCKER_BUILDKIT": "1",
        # Attestations would turn an image into an index, which registries and digests treat differently.
        "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
        "BUILDKIT_COLORS": "",
        "NO_COLOR": "1",
    }
    if endpoint.host and not endpoint.context:
        environment["DOCKER_HOST"] = endpoint.host
        environment.pop("DOCKER_CONTEXT", None)
    if endpoint.context:
        environment["DOCKER_CONTEXT"] = endpoint.context
        environment.pop("DOCKER_HOST", None)
    if endpoint.cert_path:
        environment |= {"DOCKER_CERT_PATH": endpoint.cert_path, "DOCKER_TLS_VERIFY": "1"}
    if endpoint.ca:
        for name, content in (("ca.pem", endpoint.ca), ("cert.pem", endpoint.cert), ("key.pem", endpoint.key)):
            _write_private(folder / name, content)
        environment |= {"DOCKER_CERT_PATH": str(folder), "DOCKER_TLS_VERIFY": "1"}
    return environment


def _write_config(folder: Path, logins: Sequence[Login]) -> None:
    own = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    for name in _SHARED_ENTRIES:
        if (own / name).exists():
            (folder / name).symlink_to((own / name).resolve())
    config = with_logins(_read_config(own / "config.json"), logins)
    _write_private(folder / "config.json", json.dumps(config))


def _read_config(path: Path) -> dict[str, object]:
    try:
        parsed: object = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ProviderError(f"{path}: cannot be read as a Docker configuration: {error}") from None
    return cast("dict[str, object]", parsed) if isinstance(parsed, dict) else {}


def _write_private(path: Path, content: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(content)
