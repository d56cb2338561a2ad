"""Says which part of the sandbox is up, and where it came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from rich.table import Table

from . import checkpoint, containers, images, registry, toolchain, web
from .cluster import Cluster
from .docker import Docker
from .engine import Engine
from .errors import SandboxError
from .metrics import Metrics
from .paths import Paths
from .plugins.install import origin_of
from .settings import STACK, Settings
from .stack import PROJECT

_PAGE_WITHIN: Final = 60.0  # seconds
_OK: Final = 200


@dataclass(frozen=True)
class Row:
    """One part."""

    part: str
    state: str
    good: bool
    detail: str = ""
    origin: str = ""


def table(rows: Sequence[Row]) -> Table:
    """Rows as a table."""
    drawn = Table(box=None, pad_edge=False)
    for title in ("Part", "State", "Detail", "Origin"):
        drawn.add_column(title, overflow="fold")
    for row in rows:
        drawn.add_row(row.part, f"[{'green' if row.good else 'red'}]{row.state}[/]", row.detail, row.origin)
    return drawn


def _shortened(path: Path) -> str:
    home = str(Path.home())
    return f"~{str(path).removeprefix(home)}" if path.is_relative_to(home) else str(path)


def await_page(settings: Settings) -> None:
    """Wait until the page answers.

    Raises:
        SandboxError: it does not.
    """
    if web.await_status(f"{settings.page}/json", _OK, _PAGE_WITHIN) != _OK:
        raise SandboxError(f"{settings.page} does not answer, although its pods are ready; see `make status`")


class Status:
    """Looks at everything, and changes nothing."""

    def __init__(self, paths: Paths, settings: Settings, search: str) -> None:
        """Look for programs on the `search` path."""
        self._paths = paths
        self._settings = settings
        self._engine = Engine(paths, search)
        self._metrics = Metrics(paths, settings, search)

    def rows(self) -> list[Row]:
        """One row for each part."""
        docker = self._engine.client()
        if docker is None or not self._engine.answers(docker):
            down = "Docker Engine does not answer"
            return [
                Row("Docker Engine", "down", good=False, detail=down),
                *self._programs(),
                self._stack(),
                self._page(),
            ]
        return [
            self._engine_row(docker),
            self._container(docker, "registry", self._settings.registry_container, self._registry_problem),
            self._container(docker, "ECR API", self._settings.ecr_container, self._ecr_problem),
            self._cluster(docker),
            self._measures(),
            *self._programs(),
            *self._plugins(),
            self._stack(),
            self._page(),
        ]

    def _engine_row(self, docker: Docker) -> Row:
        version = docker.output("version", "--format", "{{.Server.Version}}").strip()
        started = self._engine.started()
        origin = "started by the sandbox" if started and started.running() else "on the machine"
        return Row("Docker Engine", "up", good=True, detail=version, origin=origin)

    def _container(self, docker: Docker, part: str, name: str, problem: Any) -> Row:
        there = docker.inspect("container", name)
        if there is None or not there["State"]["Running"]:
            return Row(part, "down", good=False, detail=f"container {name}")
        image = docker.inspect("image", str(there["Image"]))
        origin = "built" if image and containers.label(image, images.RECIPE) else "pulled"
        what = cast("str", problem())
        return Row(part, "bad" if what else "up", good=not what, detail=what or f"container {name}", origin=origin)

    def _registry_problem(self) -> str:
        try:
            registry.check(self._settings)
        except SandboxError as error:
            return str(error)
        return ""

    def _ecr_problem(self) -> str:
        answers = web.status(f"{self._settings.ecr_endpoint}/moto-api/") == _OK
        return "" if answers else f"{self._settings.ecr_endpoint} does not answer"

    def _cluster(self, docker: Docker) -> Row:
        kubectl = toolchain.Tool(self._paths.bin / "kubectl", "", "")
        cluster = Cluster(docker, self._paths, self._settings, kubectl, kubectl)
        there = docker.inspect("container", cluster.node_name)
        if there is None:
            return Row("cluster", "down", good=False, detail=self._settings.context)
        ready = cluster.is_ready()
        origin = "pulled" if str(there["Config"]["Image"]).startswith("kindest/") else "built"
        detail = f"{self._settings.context}, node {cluster.node_name}"
        return Row("cluster", "up" if ready else "not ready", good=ready, detail=detail, origin=origin)

    def _measures(self) -> Row:
        state = self._metrics.state()
        log = _shortened(self._paths.log("metrics"))
        detail = "" if state == "up" else f"`python -m sandbox metrics` waits for it; log {log}"
        return Row("metrics-server", state, good=state != "down", detail=detail, origin="built")

    def _programs(self) -> list[Row]:
        rows: list[Row] = []
        for name in ("docker", "kind", "kubectl", "pulumi"):
            link = self._paths.bin / name
            if not link.exists():
                rows.append(Row(name, "missing", good=False))
                continue
            target = link.resolve()
            ours = target.is_relative_to(self._paths.tools)
            rows.append(
                Row(name, "ready", good=True, detail=_shortened(target), origin="built" if ours else "on the machine")
            )
        return rows

    def _plugins(self) -> list[Row]:
        rows: list[Row] = []
        for folder in sorted((self._paths.pulumi_home / "plugins").glob("resource-*")):
            if folder.is_dir():
                part = f"plugin {folder.name.removeprefix('resource-')}"
                rows.append(Row(part, "ready", good=True, origin=origin_of(folder)))
        return rows

    def _stack(self) -> Row:
        state = checkpoint.read(checkpoint.file(self._paths.pulumi_backend, PROJECT, STACK))
        if state is None or not (state.has_resources or state.pending):
            return Row(f"stack {STACK}", "down", good=False, detail="nothing deployed")
        if state.pending:
            return Row(f"stack {STACK}", "interrupted", good=False, detail="`make up` goes on from there")
        return Row(f"stack {STACK}", "deployed", good=True, detail=f"namespace {state.outputs.get('namespace', '')}")

    def _page(self) -> Row:
        up = web.status(f"{self._settings.page}/json") == _OK
        return Row("page", "up" if up else "down", good=up, detail=self._settings.page)
