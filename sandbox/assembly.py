"""What needs what: the platform as a graph of tasks."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from . import capabilities, ecr, files, images, node, processes, pulumi_home, registry, toolchain, web
from .cluster import Cluster, NodeImage
from .docker import Docker
from .engine import Engine
from .paths import SOURCES, Paths
from .plugins.install import PluginDownloadError
from .progress import Step, View
from .settings import Settings
from .tasks import Graph, Task
from .toolchain import Builder, Program, Tool

REGISTRY_IMAGE: Final = "distribution/distribution:3.1.2"
ECR_IMAGE: Final = "motoserver/moto:5.2.5"

_PROVIDERS: Final = {"kubernetes": toolchain.KUBERNETES_PROVIDER}
"""The plugins that can be built, by package."""

_HUB: Final = "https://registry-1.docker.io/v2/"
_HUB_ANSWERS_WITHIN: Final = 3.0  # seconds


@dataclass(frozen=True)
class Found:
    """What there is before anything is done."""

    hub: bool
    """Whether Docker Hub answers."""
    local: dict[str, images.Image]
    """Of the images wanted, those on the machine, by name."""
    pulumi: Tool | None
    kind: Tool | None
    kubectl: Tool | None
    plugins_to_build: frozenset[str]
    """Packages whose official plugin is neither there nor to be downloaded."""
    refused: frozenset[str] = frozenset()
    """The images that Docker Hub did not give, although it answers."""

    def is_pulled(self, image: str) -> bool:
        """Whether Docker Hub is asked for an image."""
        return self.hub and image not in self.refused


@dataclass(frozen=True)
class Platform:
    """What is up at the end."""

    docker: Docker
    pulumi: Tool
    cluster: Cluster


class Assembly:
    """Brings the platform up."""

    def __init__(self, paths: Paths, settings: Settings, search: str, official_home: Path) -> None:
        """Look for programs on the `search` path, and for official plugins in the user's Pulumi home."""
        self._paths = paths
        self._settings = settings
        self._search = search
        self._official_home = official_home
        self._engine = Engine(paths, search)
        self._builder = Builder(paths, search)
        self._systems = images.Systems(paths)

    def bring_up(self, view: View) -> Platform:
        """Do all that is missing.

        Raises:
            SandboxError: something cannot be done; the first such thing is told.
        """
        for parent in (self._paths.tools, self._paths.root):
            files.remove_unfinished(parent)
        refused: set[str] = set()
        download_plugins = True
        while True:
            found = self._look(refused, download_plugins=download_plugins)
            try:
                return self._assemble(view, found)
            except images.PullError as error:
                if error.name in refused:
                    raise
                # As when its limit is reached: this one image is built instead.
                refused.add(error.name)
                processes.resume()
            except PluginDownloadError:
                # Likewise: the site answers, but does not give the plugin.
                download_plugins = False
                processes.resume()

    def _look(self, refused: set[str], *, download_plugins: bool) -> Found:
        with ThreadPoolExecutor(max_workers=7) as pool:
            hub = pool.submit(lambda: web.status(_HUB, timeout=_HUB_ANSWERS_WITHIN) is not None)
            local = pool.submit(self._local_images)
            pulumi = pool.submit(self._pulumi_on_path)
            kind = pool.submit(toolchain.on_path, "kind", ["version"], toolchain.suitable_kind, self._search)
            kubectl = pool.submit(
                toolchain.on_path, "kubectl", ["version", "--client"], toolchain.suitable_kubectl, self._search
            )
            plugins = pool.submit(
                pulumi_home.plugins_to_build, self._paths, self._official_home, download=download_plugins
            )
            return Found(
                hub=hub.result(),
                local=local.result(),
                pulumi=pulumi.result(),
                kind=kind.result(),
                kubectl=kubectl.result(),
                plugins_to_build=plugins.result(),
                refused=frozenset(refused),
            )

    def _local_images(self) -> dict[str, images.Image]:
        docker = self._engine.client()
        if docker is None or not self._engine.answers(docker):
            return {}
        names = (
            *(self._settings.python_image, self._settings.redis_image),
            *(REGISTRY_IMAGE, ECR_IMAGE, node.OFFICIAL),
        )
        found = {name: images.there(docker, name, "") for name in names}
        return {name: image for name, image in found.items() if image is not None}

    def _pulumi_on_path(self) -> Tool | None:
        tool = toolchain.on_path("pulumi", ["version"], toolchain.suitable_pulumi, self._search)
        # An engine is of no use without its language host, which its distribution puts beside it.
        return tool if tool and (tool.path.resolve().parent / "pulumi-language-python").exists() else None

    def _assemble(self, view: View, found: Found) -> Platform:
        plan = Plan(
            self._paths,
            self._settings,
            found,
            engine=self._engine,
            builder=self._builder,
            systems=self._systems,
        )
        finish = plan.add(self._official_home)
        plan.graph.execute(view)
        if plan.built_programs:
            self._builder.prune()
        return finish()


class Plan:
    """One graph of tasks for what was found."""

    def __init__(
        self,
        paths: Paths,
        settings: Settings,
        found: Found,
        *,
        engine: Engine,
        builder: Builder,
        systems: images.Systems,
    ) -> None:
        """Begin with the tasks that many others need."""
        self.graph = Graph()
        self._paths = paths
        self._settings = settings
        self._found = found
        self._builder = builder
        self._systems = systems
        self._programs: dict[str, Task[Tool]] = {}
        self._go: Task[Tool] | None = None
        self._mmdebstrap: Task[None] | None = None
        self._wrapper = self._built(toolchain.LIMITED) if capabilities.lacks_sys_resource() else None
        wrapper = self._wrapper
        self._docker = self.graph.add(
            "Docker Engine",
            lambda step: engine.ensure(step, wrapper.result.path if wrapper else None),
            needs=[wrapper] if wrapper else [],
        )

    @property
    def built_programs(self) -> bool:
        """Whether Go had something to build."""
        return self._go is not None

    def add(self, official_home: Path) -> Callable[[], Platform]:
        """Add every task, the longest chain first, and return what gives the platform once all have run."""
        paths, settings, docker = self._paths, self._settings, self._docker
        node_image = self._node()
        pulumi = self._pulumi()
        kind = self._kind()
        kubectl = self._kubectl()
        python = self._base_image(settings.python_image, lambda: images.python_system(_pip_settings()))
        registry_image = self._registry_image()
        ecr_image = self._ecr_image(python)

        links = self.graph.add(
            "programs on PATH",
            lambda step: _link_all(
                step, paths.bin, [docker.result.tool, kind.result, kubectl.result, pulumi.result[0]], pulumi.result[1]
            ),
            needs=[docker, kind, kubectl, pulumi],
        )
        registry_ready = self.graph.add(
            "registry server",
            lambda step: registry.ensure(docker.result, step, paths, settings, registry_image.result.name),
            needs=[docker, registry_image],
        )
        ecr_ready = self.graph.add(
            "ECR API",
            lambda step: ecr.ensure(docker.result, step, settings, ecr_image.result.name),
            needs=[docker, ecr_image],
        )

        def make_cluster(step: Step) -> Cluster:
            made = Cluster(docker.result, paths, settings, kind.result, kubectl.result)
            made.ensure(step, node_image.result)
            return made

        cluster = self.graph.add("cluster", make_cluster, needs=[docker, node_image, kind, kubectl])
        self.graph.add(
            "registry in the cluster",
            lambda step: cluster.result.connect_registry(step),  # noqa: PLW0108 - the result is not there yet
            needs=[cluster, registry_ready],
        )
        self.graph.add(
            "ECR API in the cluster",
            lambda step: cluster.result.connect_ecr(step),  # noqa: PLW0108 - as above
            needs=[cluster, ecr_ready],
        )
        # The node pulls it from Docker Hub itself, unless it was made here.
        if not self._found.is_pulled(settings.redis_image):
            redis = self._base_image(settings.redis_image, images.redis_system)
            self.graph.add(
                "redis in the cluster", lambda step: cluster.result.load(step, redis.result), needs=[cluster, redis]
            )
        self.graph.add("program's packages", lambda step: pulumi_home.ensure_program(step, paths))
        # The last of all builds: only the stack needs the plugins.
        providers = {name: self._built(_PROVIDERS[name]) for name in sorted(self._found.plugins_to_build)}
        self.graph.add(
            "plugins",
            lambda step: pulumi_home.ensure_plugins(
                step, paths, official_home, {name: task.result.path for name, task in providers.items()}
            ),
            needs=[links, *providers.values()],
        )
        kubernetes = self._programs.get(toolchain.KUBERNETES_PROGRAM.name)
        if kubernetes is not None and kubernetes.heavy:
            # For the background: most of it has just been compiled for Kubernetes, and Go's caches go after this.
            self._built(toolchain.METRICS_SERVER)
        return lambda: Platform(docker.result, pulumi.result[0], cluster.result)

    def _built(self, program: Program) -> Task[Tool]:
        """A program from its Go module."""
        if program.name in self._programs:
            return self._programs[program.name]
        if self._builder.built(program) is not None:
            task = self.graph.add(program.name, lambda step: self._builder.take(step, program))
        else:
            go = self._go_toolchain()
            task = self.graph.add(
                program.name,
                lambda step: self._builder.build(step, program, go.result.path),
                needs=[go],
                heavy=True,
            )
        self._programs[program.name] = task
        return task

    def _go_toolchain(self) -> Task[Tool]:
        if self._go is None:
            self._go = self.graph.add(
                "Go", lambda step: self._builder.go(step, toolchain.PROGRAMS, Path(sys.executable))
            )
        return self._go

    def _found_or_built(self, found: Tool | None, program: Program) -> Task[Tool]:
        if found is None:
            return self._built(program)
        return self.graph.add(program.name, lambda step: _take(step, found))

    def _kind(self) -> Task[Tool]:
        return self._found_or_built(self._found.kind, toolchain.KIND)

    def _kubectl(self) -> Task[Tool]:
        if self._found.kubectl is None and toolchain.KUBERNETES_PROGRAM.name in self._programs:
            # The node's programs hold it already.
            whole = self._programs[toolchain.KUBERNETES_PROGRAM.name]
            return self.graph.add(
                "kubectl",
                lambda step: _take(step, replace(whole.result, path=whole.result.path.parent / "kubectl")),
                needs=[whole],
            )
        return self._found_or_built(self._found.kubectl, toolchain.KUBECTL)

    def _pulumi(self) -> Task[tuple[Tool, Tool]]:
        """The engine, and the language host that fits it."""
        found = self._found.pulumi
        if found is not None:
            host = Tool(found.path.resolve().parent / toolchain.LANGUAGE_HOST.name, found.version, found.origin)
            return self.graph.add("pulumi and its language host", lambda step: (_take(step, found), host))
        engine = self._built(toolchain.PULUMI)
        language_host = self._built(toolchain.LANGUAGE_HOST)

        def both(step: Step) -> tuple[Tool, Tool]:
            # The engine takes a language host for its own, without a warning, if it lies beside it.
            parts = (engine.result.path.parent, language_host.result.path.parent)
            names = (*(part.name for part in parts), toolchain.LANGUAGE_EXEC)
            folder = self._paths.tools / f"pulumi-{files.digest(names)}-complete"
            if not folder.exists():
                with files.folder(folder) as staging:
                    for path in (path for part in parts for path in part.iterdir()):
                        files.gather(path, staging / path.name)
                    # A copy: a change of the checkout's own must not reach into the cache.
                    shutil.copy2(toolchain.LANGUAGE_EXEC, staging / toolchain.LANGUAGE_EXEC.name)
            step.finish(str(engine.result))
            return replace(engine.result, path=folder / "pulumi"), replace(
                language_host.result, path=folder / toolchain.LANGUAGE_HOST.name
            )

        return self.graph.add("pulumi and its language host", both, needs=[engine, language_host])

    def _node(self) -> Task[NodeImage]:
        docker, paths = self._docker, self._paths
        official = self._official(node.OFFICIAL)
        if official is not None:
            base = official
        else:
            system = self._system("dockercoins/node-base", images.node_system)
            programs = [self._built(program) for program in node.PROGRAMS]
            base = self.graph.add(
                "node image",
                lambda step: node.build(
                    docker.result, step, paths, system.result, node.Programs(*(task.result for task in programs))
                ),
                needs=[docker, system, *programs],
            )
        wrapper = self._wrapper
        own_network = official is None

        def fit(step: Step) -> NodeImage:
            image = base.result
            if wrapper is not None:
                image = node.limited(docker.result, step, paths, image, wrapper.result)
            else:
                step.finish(f"{image.name} as it is")
            return NodeImage(image, own_network=own_network)

        return self.graph.add(
            "node for this machine", fit, needs=[docker, base, *([wrapper] if wrapper is not None else [])]
        )

    def _registry_image(self) -> Task[images.Image]:
        official = self._official(REGISTRY_IMAGE)
        if official is not None:
            return official
        program = self._built(toolchain.REGISTRY)
        recipe = images.RECIPES / "registry" / "Dockerfile"

        def make(step: Step) -> images.Image:
            key = files.digest([program.result.path.parent.name, recipe])
            contents = [(recipe, "Dockerfile"), (program.result.path, "registry")]
            name = f"dockercoins/registry:{key}"
            return images.build(self._docker.result, step, self._paths, name=name, key=key, contents=contents)

        return self.graph.add("registry image", make, needs=[self._docker, program])

    def _ecr_image(self, python: Task[images.Image]) -> Task[images.Image]:
        """moto's server, published or installed here, with what the sandbox adds to it."""
        official = self._official(ECR_IMAGE)
        base = official or python
        argument = "MOTO" if official else "PYTHON"
        recipe = images.RECIPES / "ecr"
        modules = sorted((SOURCES / "ecr_api").glob("*.py"))

        def make(step: Step) -> images.Image:
            inspected = self._docker.result.inspect("image", base.result.name) or {}
            names = [path.name for path in modules]
            key = files.digest([argument, str(inspected.get("Id", "")), recipe, *names, *modules])
            return images.build(
                self._docker.result,
                step,
                self._paths,
                name=f"dockercoins/ecr:{key}",
                key=key,
                contents=[(recipe, ""), *((path, f"sandbox/ecr_api/{path.name}") for path in modules)],
                arguments={argument: base.result.name},
            )

        return self.graph.add("ECR API image", make, needs=[self._docker, base])

    def _base_image(self, name: str, stand_in: Callable[[], images.System]) -> Task[images.Image]:
        return self._official(name) or self._system(name, stand_in)

    def _official(self, name: str) -> Task[images.Image] | None:
        """The image as its publisher made it; None if it is neither there nor to be had."""
        docker, paths = self._docker, self._paths
        there = self._found.local.get(name)
        if there is not None:

            def take(step: Step) -> images.Image:
                step.finish("on the machine")
                return there

            return self.graph.add(f"image {name.partition('@')[0]}", take)
        if not self._found.is_pulled(name):
            return None
        return self.graph.add(
            f"image {name.partition('@')[0]}",
            lambda step: images.pull(docker.result, step, name, paths.log("pull")),
            needs=[docker],
        )

    def _system(self, name: str, system: Callable[[], images.System]) -> Task[images.Image]:
        docker = self._docker
        tools = self._debian_tools()
        return self.graph.add(
            f"image {name}",
            lambda step: self._systems.make(docker.result, step, name, system()),
            needs=[docker, tools],
        )

    def _debian_tools(self) -> Task[None]:
        if self._mmdebstrap is None:
            # After the engine, which may install packages too: one apt-get at a time.
            self._mmdebstrap = self.graph.add("mmdebstrap", self._systems.require_tools, needs=[self._docker])
        return self._mmdebstrap


def _take(step: Step, tool: Tool) -> Tool:
    step.finish(str(tool))
    return tool


def _link_all(step: Step, folder: Path, tools: Sequence[Tool], language_host: Tool) -> None:
    """Put the programs that were chosen first on PATH, under their names."""
    beside = sorted(language_host.path.parent.glob("pulumi-language-python*"))
    for path in [*(tool.path for tool in tools), *beside]:
        files.link(folder / path.name, path)
    step.finish(str(folder))


def _pip_settings() -> dict[str, str]:
    return images.pip_settings(processes.output([sys.executable, "-m", "pip", "config", "list"]))
