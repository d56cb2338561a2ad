"""Takes the sandbox down: containers, volumes, networks, processes, mounts and state. The cache stays."""

from __future__ import annotations

from pathlib import Path

from . import capabilities, files, leftovers, products, toolchain
from .cluster import NETWORK, Cluster
from .docker import Docker
from .engine import Engine
from .errors import SandboxError
from .metrics import Metrics
from .paths import Paths
from .progress import Step, View
from .settings import Settings
from .tasks import Graph
from .toolchain import Builder


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
        Metrics(self._paths, self._settings, self._search).end()
        ended = leftovers.end(leftovers.using(self._paths.pulumi_home))
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
        # The registry that they were pushed to is gone.
        products.remove(docker, self._settings.registry_host)
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
        leftovers.end(leftovers.using(self._paths.run))
        files.remove(self._paths.state)
        if self._paths.state.exists():
            raise SandboxError(f"{self._paths.state} cannot be removed; is something in it still in use?")
        step.finish(f"{self._paths.state} removed")
