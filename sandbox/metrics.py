"""metrics-server in the cluster, for `kubectl top` and for autoscalers.

Most work on the sandbox needs neither, so nobody waits for it: a process in the background builds it, once, and deploys
it into each new cluster. Whoever needs metrics runs `python -m sandbox metrics`, which waits until there are some.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from . import files, images, lock, processes, toolchain, web
from .background import Background
from .cluster import Cluster
from .docker import Docker
from .engine import Engine
from .errors import SandboxError
from .paths import CHECKOUT, SOURCES, Paths
from .progress import Step, View
from .settings import Settings
from .tasks import Graph
from .toolchain import Builder, Tool

PROGRAM: Final = toolchain.METRICS_SERVER

_MANIFESTS: Final = SOURCES / "manifests"
_SERVER: Final = _MANIFESTS / "metrics-server.yaml"
_API: Final = _MANIFESTS / "metrics-api.yaml"
_API_NAME: Final = "v1beta1.metrics.k8s.io"
_READY_WITHIN: Final = 180.0  # seconds


class Metrics:
    """Builds, deploys and awaits metrics-server."""

    def __init__(self, paths: Paths, settings: Settings, search: str) -> None:
        """Look for programs on the `search` path."""
        self._paths = paths
        self._settings = settings
        self._search = search
        self._kubectl = paths.bin / "kubectl"
        self._background = Background(paths.run / "metrics.json")
        self._record = paths.run / "metrics"

    def start(self, cluster: str) -> None:
        """Have it brought up by a process in the background, unless it is there.

        Args:
            cluster: names the cluster.
        """
        if self._deployed() == self.goal(cluster) or self._background.works_on(cluster):
            return
        self._background.end()
        self._background.start(
            [sys.executable, "-m", "sandbox", "metrics"], cluster, log=self._paths.log("metrics"), folder=CHECKOUT
        )

    def bring_up(self, view: View, waiting: Callable[[lock.Owner | None, float], None]) -> None:
        """Build and deploy it, unless it is there, and wait until it gives metrics.

        Args:
            view: shows the progress.
            waiting: is told who builds or deploys it at the moment, and for how many seconds that has been waited for.

        Raises:
            SandboxError: there is no cluster, or it cannot be built, or it gives no metrics.
        """
        docker = Engine(self._paths, self._search).client()
        if docker is None or not self._paths.kubeconfig.exists():
            raise SandboxError("there is no cluster to measure; `make up` makes one")
        kind = Tool(self._paths.bin / "kind", "", "")
        cluster = Cluster(docker, self._paths, self._settings, kind, Tool(self._kubectl, "", ""))
        goal = self.goal(cluster.identity())
        with lock.held(self._paths.extras / "lock", "sandbox metrics", waiting):
            graph = Graph()
            program = graph.add("metrics-server", self._program, heavy=True)
            image = graph.add(
                "metrics-server image", lambda step: self._image(docker, step, program.result), needs=[program]
            )
            loaded = graph.add(
                "metrics-server in the cluster", lambda step: cluster.load(step, image.result), needs=[image]
            )
            graph.add("metrics", lambda step: self._deploy(step, image.result.name), needs=[loaded])
            graph.execute(view)
        files.write(self._record, goal + "\n")

    def end(self) -> None:
        """End the process in the background."""
        self._background.end()

    def state(self) -> str:
        """`up`, `starting` or `down`."""
        if self._answers():
            return "up"
        return "starting" if self._background.running() else "down"

    def goal(self, cluster: str) -> str:
        """Names the metrics-server of this checkout in a cluster; a record of it says that it is there."""
        return files.digest([cluster, PROGRAM.key, _SERVER, _API])

    def _deployed(self) -> str:
        try:
            return self._record.read_text().strip()
        except OSError:
            return ""

    def _program(self, step: Step) -> Tool:
        with_platform = Builder(self._paths, self._search)
        if with_platform.built(PROGRAM) is not None:
            return with_platform.take(step, PROGRAM)
        # Go's caches are its own: a command that has built the rest removes those that it used.
        builder = Builder(Paths(self._paths.extras), self._search)
        done = builder.built(PROGRAM)
        if done is not None:
            return builder.take(step, PROGRAM)
        step.work("looking for Go")
        go = builder.go(step, [PROGRAM], Path(sys.executable))
        built = builder.build(step, PROGRAM, go.path)
        builder.prune()
        return built

    def _image(self, docker: Docker, step: Step, program: Tool) -> images.Image:
        recipe = images.RECIPES / "metrics-server" / "Dockerfile"
        key = files.digest([PROGRAM.key, recipe])
        return images.build(
            docker,
            step,
            self._paths,
            name=f"dockercoins/metrics-server:{key}",
            key=key,
            contents=[(recipe, "Dockerfile"), (program.path, "metrics-server")],
        )

    def _deploy(self, step: Step, image: str) -> None:
        step.work("deploying")
        self._output("apply", "--filename", "-", stdin=_SERVER.read_text().replace("IMAGE", image))
        step.work("waiting for the first metrics")
        self._output(
            *("--namespace", "kube-system", "rollout", "status", "deployment/metrics-server"),
            f"--timeout={_READY_WITHIN:.0f}s",
            timeout=_READY_WITHIN + 10,
        )
        self._output("apply", "--filename", str(_API))
        web.wait(self._answers, _READY_WITHIN, lambda: f"no metrics after {_READY_WITHIN:.0f} s")
        step.finish("kubectl top works")

    def _answers(self) -> bool:
        """Whether the cluster's API gives metrics of the node."""
        try:
            return bool(self._output("get", "nodes.metrics.k8s.io", "--output=name", "--request-timeout=5s").strip())
        except processes.Stopped:
            raise
        except SandboxError:
            return False

    def _output(self, *arguments: str, stdin: str | None = None, timeout: float = 60.0) -> str:
        environment = os.environ | {"KUBECONFIG": str(self._paths.kubeconfig)}
        return processes.output([self._kubectl, *arguments], env=environment, stdin=stdin, timeout=timeout)
