"""Takes the sandbox down: containers, volumes, networks, processes, mounts and state. The cache stays."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

import psutil

from . import capabilities, files, toolchain
from .cluster import NETWORK, Cluster
from .docker import Docker
from .engine import Engine
from .errors import SandboxError
from .paths import Paths
from .progress import Step, View
from .settings import Settings
from .tasks import Graph
from .toolchain import Builder

_ENDS_WITHIN = 10.0  # seconds


class Teardown:
    """Takes down what `Assembly` brought up, whole or half made."""

    def __init__(self, paths: Paths, settings: Settings, search: str) -> None:
        """Look for programs on the `search` path."""
        self._paths = paths
        self._settings = settings
        self._search = search
        self._engine = Engine(paths, search)

    def run(self, view: View) -> None:
        """Do it.

        Raises:
            SandboxError: something that the sandbox made cannot be removed.
        """
        graph = Graph()
        programs = graph.add("Pulumi and its plugins", self._end_programs)
        containers = graph.add("containers", self._remove_containers, needs=[programs])
        engine = graph.add("Docker Engine", self._engine.stop, needs=[containers])
        graph.add("state", self._remove_state, needs=[engine])
        graph.execute(view)

    def _end_programs(self, step: Step) -> None:
        """End what works on the sandbox, such as an update that runs on after its parent was killed."""
        ended = end(using(self._paths.pulumi_home))
        step.finish(f"{ended} processes ended" if ended else "none running")

    def _remove_containers(self, step: Step) -> None:
        docker = self._engine.client()
        if docker is None:
            step.finish("no docker")
            return
        if not self._engine.answers(docker):
            if self._engine.started() is None:
                step.finish("Docker Engine does not run, and the sandbox did not start it")
                return
            # Only a running engine removes its containers; this one was killed or the machine was restarted.
            self._engine.ensure(step, self._limited())
        step.work("removing containers")
        nothing = toolchain.Tool(Path(), "", "")
        Cluster(docker, self._paths, self._settings, nothing, nothing).remove()
        for name in (self._settings.registry_container, self._settings.ecr_container):
            if docker.inspect("container", name) is not None:
                docker.output("rm", "--force", "--volumes", name, timeout=120.0)
        if docker.inspect("volume", self._settings.registry_container) is not None:
            docker.output("volume", "rm", self._settings.registry_container)
        self._remove_network(docker)
        step.finish("removed")

    def _remove_network(self, docker: Docker) -> None:
        """Remove kind's network if the sandbox's cluster was the reason for it and nobody else uses it now."""
        record = self._paths.run / "network"
        if not record.exists():
            return
        network = docker.inspect("network", NETWORK)
        if network is not None and not network["Containers"]:
            docker.output("network", "rm", NETWORK)
        record.unlink()

    def _limited(self) -> Path | None:
        if not capabilities.lacks_sys_resource():
            return None
        tool = Builder(self._paths, self._search).built(toolchain.LIMITED)
        return tool.path if tool else None

    def _remove_state(self, step: Step) -> None:
        end(using(self._paths.run))
        files.remove(self._paths.state)
        if self._paths.state.exists():
            raise SandboxError(f"{self._paths.state} cannot be removed; is something in it still in use?")
        step.finish(f"{self._paths.state} removed")


def using(folder: Path) -> list[psutil.Process]:
    """The processes of this user whose command line or Pulumi home names a folder, but for this one and its parents."""
    own = {process.pid for process in [psutil.Process(), *psutil.Process().parents()]}
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        if process.pid in own:
            continue
        with contextlib.suppress(psutil.Error):
            if names(process.cmdline(), process.environ().get("PULUMI_HOME", ""), folder):
                found.append(process)
    return found


def names(command: Iterable[str], pulumi_home: str, folder: Path) -> bool:
    """Whether a process is one of the sandbox: a program in a folder or told of it, or Pulumi with its home there."""
    place = str(folder)
    words = list(command)
    program = Path(words[0]).name if words else ""
    return any(place in word for word in words) or (pulumi_home == place and program.startswith("pulumi"))


def end(processes: list[psutil.Process]) -> int:
    """End processes, and return how many there were."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, alive = psutil.wait_procs(processes, timeout=_ENDS_WITHIN)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, timeout=_ENDS_WITHIN)
    return len(processes)
