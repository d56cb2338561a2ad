"""Docker Engine: the running one, or one that the sandbox starts and later stops."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlsplit

import psutil

from . import files, leftovers, packages, processes
from .docker import Docker, find
from .errors import SandboxError
from .paths import Paths
from .progress import Step

_STARTS_WITHIN: Final = 60.0  # seconds
_STOPS_WITHIN: Final = 60.0  # seconds
_BRIDGE: Final = re.compile(r"\b(docker0|br-[0-9a-f]{12})\b")
"""The network interfaces that Docker Engine makes: its own, and one for each network, named by the network's id."""

_CLOCK_TOLERANCE: Final = 1.0  # seconds by which two readings of a process's start may differ


@dataclass(frozen=True)
class Started:
    """A Docker Engine that the sandbox started, and what it found before."""

    pid: int
    created: float
    """When the process began, in seconds since the epoch: with the number it names the process for good."""
    bridges: tuple[str, ...]
    """The bridges of an engine that were there before."""
    forward_policy: str
    """The policy of iptables' FORWARD chain, which Docker Engine sets to DROP; empty if unknown."""
    ip_forward: str
    """The content of /proc/sys/net/ipv4/ip_forward, which Docker Engine sets to 1."""

    def running(self) -> bool:
        """Whether that process still runs."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < _CLOCK_TOLERANCE
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


class Engine:
    """Finds, starts and stops Docker Engine."""

    def __init__(self, paths: Paths, search: str) -> None:
        """Look for programs on the `search` path."""
        self._paths = paths
        self._search = search
        self._record = paths.run / "engine.json"

    def client(self) -> Docker | None:
        """A suitable docker client, if there is one."""
        return find(self._search)

    def answers(self, docker: Docker) -> bool:
        """Whether the engine that the client is set up for answers."""
        return docker.succeeds("version", "--format", "{{.Server.Version}}")

    def started(self) -> Started | None:
        """The engine that the sandbox started, if it did."""
        try:
            document: Any = json.loads(self._record.read_text())
            entry = cast("dict[str, Any]", document)
            entry["bridges"] = tuple(entry["bridges"])
            return Started(**entry)
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def require_client(self, step: Step) -> Docker:
        """A docker client that can build with BuildKit, installed if need be."""
        client = self.client()
        if client is None:
            self._install(step)
            client = self.client()
        if client is None:
            raise SandboxError(
                "the `docker` programs on PATH cannot build with BuildKit. "
                "Install Docker's plugin buildx (the Debian package docker-buildx)."
            )
        return client

    def ensure(self, step: Step, limited: Path | None) -> Docker:
        """A client of an engine that answers: the running one, or one that is started now.

        Args:
            step: is told what is done.
            limited: the runtime to start containers with where CAP_SYS_RESOURCE is missing.

        Raises:
            SandboxError: there is no engine and none can be started; the message says why.
        """
        docker = self.require_client(step)
        if not self.answers(docker):
            self._start(step, docker, limited)
        where = "started by the sandbox" if self.started() is not None else "on the machine"
        step.finish(f"{docker.output('version', '--format', '{{.Server.Version}}').strip()} {where}")
        return docker

    def _start(self, step: Step, docker: Docker, limited: Path | None) -> None:
        address = _socket(os.environ.get("DOCKER_HOST", ""))
        previous = self.started()
        if previous is not None and previous.running():
            step.work("waiting for Docker Engine")
            self._await(docker, previous)
            return
        if os.geteuid() != 0:
            raise SandboxError(
                "Docker Engine does not answer, and only root can start one. "
                "Start it (`sudo systemctl start docker`), and let this user use it (`sudo usermod -aG docker $USER`, "
                f"then log in again).\n{_complaint(docker)}"
            )
        dockerd = shutil.which("dockerd", path=f"{self._search}:/usr/sbin:/usr/local/sbin")
        if dockerd is None:
            self._install(step)
            dockerd = shutil.which("dockerd", path=f"{self._search}:/usr/sbin:/usr/local/sbin")
            if self.answers(docker):  # the package's own service has started it
                return
        if dockerd is None:
            raise SandboxError("the package docker.io is installed, but there is no program dockerd")
        step.work("starting Docker Engine")
        self._paths.docker.mkdir(parents=True, exist_ok=True)
        command: list[str | Path] = [
            dockerd,
            *("--data-root", self._paths.docker),
            *("--exec-root", self._paths.engine),
            *("--pidfile", self._paths.run / "docker.pid"),
            *("--host", f"unix://{address}"),
        ]
        if limited is not None:
            command += ["--add-runtime", f"limited={limited}", "--default-runtime", "limited"]
        # The next engine would rely on the containerd of a killed one, though that is about to die or not yet reaped.
        leftovers.end(leftovers.using(self._paths.engine, lambda process: process.name() == "containerd"))
        # Nor may the number of a dead one in a pid file be taken for that of a live one.
        for pid_file in (self._paths.run / "docker.pid", self._paths.engine / "containerd" / "containerd.pid"):
            pid_file.unlink(missing_ok=True)
        # What a killed one left behind is not how the machine was; a restart of the machine has removed it.
        killed = previous is not None and previous.created > psutil.boot_time()
        before = _Network.of(previous) if previous is not None and killed else _Network.read()
        process = processes.daemon(command, log=self._paths.log("docker-engine"))
        started = Started(process.pid, psutil.Process(process.pid).create_time(), **asdict(before))
        files.write(self._record, json.dumps(asdict(started)) + "\n")
        self._await(docker, started, process)

    def _install(self, step: Step) -> None:
        # Debian splits the client and its plugin off in later releases; the engine calls iptables, `stop` calls ip.
        packages.install(
            step,
            ["docker.io", "iptables", "iproute2"],
            "Docker Engine",
            self._paths.log("packages"),
            where_known=["docker-cli", "docker-buildx"],
        )

    def _await(self, docker: Docker, started: Started, process: subprocess.Popen[bytes] | None = None) -> None:
        deadline = time.monotonic() + _STARTS_WITHIN
        log = self._paths.log("docker-engine")
        while not self.answers(docker):
            ended = process.poll() is not None if process is not None else not started.running()
            if ended:
                self._record.unlink(missing_ok=True)
                raise SandboxError(f"Docker Engine ended at once:\n{processes.tail(log)}\nThe whole log: {log}")
            if time.monotonic() > deadline:
                raise SandboxError(
                    f"Docker Engine does not answer after {_STARTS_WITHIN:.0f} s:\n{processes.tail(log)}\n"
                    f"The whole log: {log}"
                )
            time.sleep(0.2)

    def stop(self, step: Step) -> None:
        """Stop the engine that the sandbox started, and take back what it did to the machine's network and mounts."""
        started = self.started()
        if started is None:
            step.finish("not started by the sandbox, left alone")
            return
        step.work("stopping Docker Engine")
        if started.running():
            process = psutil.Process(started.pid)
            process.terminate()
            try:
                process.wait(_STOPS_WITHIN)
            except psutil.TimeoutExpired:
                for child in [*process.children(recursive=True), process]:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        child.kill()
        leftovers.end(leftovers.using(self._paths.engine))
        _unmount([self._paths.docker, self._paths.engine])
        files.remove(self._paths.engine)
        if not _others_run():
            _Network.of(started).restore()
        self._record.unlink(missing_ok=True)
        step.finish("stopped")


@dataclass(frozen=True)
class _Network:
    """What Docker Engine changes of the machine's network."""

    bridges: tuple[str, ...]
    forward_policy: str
    ip_forward: str

    @classmethod
    def of(cls, started: Started) -> _Network:
        return cls(started.bridges, started.forward_policy, started.ip_forward)

    @classmethod
    def read(cls) -> _Network:
        rules = _iptables_save("iptables-save")
        policy = next((line.split()[1] for line in rules if line.startswith(":FORWARD ")), "")
        try:
            ip_forward = Path("/proc/sys/net/ipv4/ip_forward").read_text().strip()
        except OSError:
            ip_forward = ""
        return cls(_bridges(), policy, ip_forward)

    def restore(self) -> None:
        for bridge in sorted(set(_bridges()) - set(self.bridges)):
            processes.succeeds(["ip", "link", "delete", bridge])
        for family in ("iptables", "ip6tables"):
            rules = _iptables_save(f"{family}-save")
            kept = without_docker(rules, self.forward_policy if family == "iptables" else "")
            if kept != rules:
                with contextlib.suppress(SandboxError):
                    processes.output([f"{family}-restore"], stdin="\n".join(kept) + "\n")
        if self.ip_forward == "0":
            with contextlib.suppress(OSError):
                Path("/proc/sys/net/ipv4/ip_forward").write_text("0\n")


def without_docker(rules: Iterable[str], forward_policy: str) -> list[str]:
    """The lines of `iptables-save` without those that Docker Engine added, and with FORWARD's policy of before."""
    kept: list[str] = []
    for line in rules:
        if line.startswith(":DOCKER") or " DOCKER" in line or _BRIDGE.search(line):
            continue
        if line.startswith(":FORWARD ") and forward_policy:
            chain, _, counters = line.split(maxsplit=2)
            kept.append(f"{chain} {forward_policy} {counters}")
            continue
        kept.append(line)
    return kept


def _others_run() -> bool:
    """Whether another Docker Engine runs in this network by now, whose rules look like those of the stopped one."""
    here = _network_namespace("self")
    engines = (process.pid for process in psutil.process_iter(["name"]) if process.info["name"] == "dockerd")
    return any(_network_namespace(str(pid)) == here for pid in engines)


def _network_namespace(process: str) -> str:
    """The network namespace of a process (proc_pid_ns(5)), empty if the process is gone."""
    try:
        return str(Path(f"/proc/{process}/ns/net").readlink())
    except OSError:
        return ""


def _bridges() -> tuple[str, ...]:
    # Not by /sys/class/net, which shows the network that /sys was mounted in.
    return tuple(sorted(name for _, name in socket.if_nameindex() if _BRIDGE.fullmatch(name)))


def _iptables_save(program: str) -> list[str]:
    try:
        text = processes.output([program])
    except SandboxError:
        return []
    return [line for line in text.splitlines() if not line.startswith("#")]


def _unmount(folders: Iterable[Path]) -> None:
    """Unmount everything under some folders, the innermost first."""
    try:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return
    for point in mounts_under(lines, folders):
        processes.succeeds(["umount", "--lazy", point])


def mounts_under(mountinfo: Iterable[str], folders: Iterable[Path]) -> list[str]:
    """The mount points at or under some folders, innermost first (proc_pid_mountinfo(5): the fifth field)."""
    roots = [str(folder) for folder in folders]
    points = [line.split()[4].replace("\\040", " ") for line in mountinfo if line.strip()]
    inside = [point for point in points if any(point == root or point.startswith(f"{root}/") for root in roots)]
    return sorted(inside, key=len, reverse=True)


def _socket(docker_host: str) -> str:
    if not docker_host:
        return "/var/run/docker.sock"
    address = urlsplit(docker_host)
    if address.scheme != "unix":
        raise SandboxError(
            f"DOCKER_HOST is {docker_host!r} and no Docker Engine answers there. "
            "Start that one, or unset DOCKER_HOST to use this machine's."
        )
    return address.path


def _complaint(docker: Docker) -> str:
    try:
        docker.output("version")
    except processes.CommandError as error:
        return error.tail
    except SandboxError as error:
        return str(error)
    return ""
