"""A Docker Engine of a test's own that has neither images nor a build cache, as on a fresh machine.

It runs in a network and a mount namespace of its own: without a bridge there, it touches nothing of the machine's
network. The one thing that it reaches is a registry on a loopback port, whose connections this process hands over.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox.plugins.docker.client import find_docker

from .engine_support import wait_until

needs_engine_of_its_own = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None or shutil.which("dockerd") is None,
    reason="needs root, unshare (util-linux) and dockerd",
)

# With the first process of the namespace for processes, all of them end.
_NAMESPACES = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--")

# Runs in the namespaces: listens for the engine where the registry is, sends the listener out, and becomes the engine.
_START = """
import os, socket, subprocess, sys
port, place, *command = sys.argv[1:]
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
listener = socket.create_server(("127.0.0.1", int(port)))
with socket.socket(socket.AF_UNIX) as outside:
    outside.connect(place)
    socket.send_fds(outside, [b"listener"], [listener.fileno()])
os.execvp(command[0], command)
"""


@contextmanager
def fresh_engine(registry_port: int) -> Generator[str]:
    """The address of an engine, for `DOCKER_HOST`, that reaches a registry of this machine under its usual name."""
    # The paths of sockets are short (unix(7)), and pytest's folders are not.
    folder = Path(tempfile.mkdtemp(prefix="engine-"))
    address = f"unix://{folder / 'docker.sock'}"
    dockerd = [
        "dockerd",
        *("--data-root", str(folder / "data")),
        *("--exec-root", str(folder / "run")),
        *("--pidfile", str(folder / "pid")),
        *("--host", address),
        *("--bridge", "none"),
        *("--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"),
        *_runtime(),
    ]
    with socket.socket(socket.AF_UNIX) as inbox, (folder / "log").open("wb") as log:
        inbox.bind(str(folder / "inbox"))
        inbox.listen()
        inbox.settimeout(20)
        start = [sys.executable, "-c", _START, str(registry_port), str(folder / "inbox"), *dockerd]
        process = subprocess.Popen([*_NAMESPACES, *start], stdout=log, stderr=log)
        try:
            with _relay(_receive(inbox), registry_port):
                wait_until(lambda: _answers(address, process, folder / "log"), "an engine of the test's own to answer")
                yield address
        finally:
            process.kill()
            process.wait(30)
            shutil.rmtree(folder)


def _runtime() -> list[str]:
    """The runtime that the machine's engine uses: some machines let no container start with the usual one."""
    asked = subprocess.run(
        [find_docker(), "info", "--format", "{{json .}}"], capture_output=True, text=True, check=True
    )
    info = json.loads(asked.stdout)
    name = info["DefaultRuntime"]
    if name == "runc":
        return []
    return ["--add-runtime", f"{name}={info['Runtimes'][name]['path']}", "--default-runtime", name]


def _answers(address: str, process: subprocess.Popen[bytes], log: Path) -> bool:
    if process.poll() is not None:
        pytest.fail(f"dockerd ended:\n{log.read_text()[-2000:]}")
    asked = subprocess.run([find_docker(), "--host", address, "version"], capture_output=True, check=False)
    return asked.returncode == 0


def _receive(inbox: socket.socket) -> socket.socket:
    connection, _ = inbox.accept()
    with connection:
        _, descriptors, _, _ = socket.recv_fds(connection, 64, 1)
    return socket.socket(fileno=descriptors[0])


@contextmanager
def _relay(listener: socket.socket, port: int) -> Generator[None]:
    """Hand each connection over to a port of this machine."""

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                inside, _ = listener.accept()
                threading.Thread(target=_connect, args=(inside, port), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _connect(inside: socket.socket, port: int) -> None:
    with inside, socket.create_connection(("127.0.0.1", port)) as outside:
        back = threading.Thread(target=_copy, args=(outside, inside), daemon=True)
        back.start()
        _copy(inside, outside)
        back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
