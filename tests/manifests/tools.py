"""The linters, the analyzer and the schemas, each built or installed once for its pins into the user's cache."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sandbox import files, paths, processes, toolchain, venvs
from sandbox.errors import SandboxError
from sandbox.paths import Paths
from sandbox.progress import Step
from sandbox.toolchain import Builder, Program
from tests.manifests import schemas

FOLDER: Final = Path(__file__).resolve().parent

KUBE_SCORE: Final = Program("kube-score", "github.com/zegl/kube-score/cmd/kube-score", module=FOLDER / "linters")
KUBECONFORM: Final = Program("kubeconform", "github.com/yannh/kubeconform/cmd/kubeconform", module=FOLDER / "linters")
MISCONFIGURATIONS: Final = Program("misconfigurations", module=FOLDER / "misconfigurations", experiments="jsonv2")


@dataclass(frozen=True)
class Published:
    """A file, or the files that match a pattern, in a Go module of a version and with a checksum as in a `go.sum`."""

    module: str
    version: str
    checksum: str
    pattern: str


def _of_cluster() -> Published:
    """The description of the very version that the sandbox's cluster has."""
    module, version = "k8s.io/kubernetes", toolchain.KUBERNETES
    sums = (toolchain.KUBERNETES_PROGRAM.folder / "go.sum").read_text().splitlines()
    (checksum,) = (line.split()[2] for line in sums if line.startswith(f"{module} {version} "))
    return Published(module, version, checksum, "api/openapi-spec/swagger.json")


OPENAPI: Final = _of_cluster()
CRDS: Final = (
    Published(
        "sigs.k8s.io/gateway-api",
        "v1.6.3",
        "h1:lKpJa5bGlraC/QeACvCpsHLdmO6y0iKfzVl6gzaFEYc=",
        "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml",
    ),
    Published(
        "github.com/prometheus-operator/prometheus-operator",
        "v0.85.0",
        "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
        "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
    ),
)


def _own() -> Paths:
    # Apart from the sandbox's own, whose commands may be building or cleaning up at the same time.
    return Paths(paths.of_user().root / "tests")


def _locked() -> AbstractContextManager[None]:
    return venvs.lock(_own().root / "tools.lock")


def _tell(text: str) -> None:
    print(text, file=sys.__stderr__, flush=True)


@functools.cache
def program(wanted: Program) -> Path:
    """A program of the pinned Go modules here."""
    builder = Builder(_own(), "")
    with _locked():
        done = builder.built(wanted)
        if done is not None:
            return done.path
        _tell(f"building {wanted.name} (once)")
        return builder.build(Step(wanted.name), wanted, _go(wanted)).path


@functools.cache
def environment(name: str, pins: Path = FOLDER) -> Path:
    """The folder of programs of a Python environment of its own, for what ``<name>.txt`` in the folder pins."""
    requirements = pins / f"{name}.txt"
    folder = paths.of_user().venvs / f"{name}-{venvs.key(requirements, Path(sys.executable))}"

    def run(command: list[str]) -> None:
        subprocess.run([*command, *(["--quiet"] if "pip" in command else [])], check=True)

    venvs.ensure(folder, requirements, run, lambda: _tell(f"installing {name} (once)"))
    return venvs.python_of(folder).parent


@functools.cache
def schema_folder() -> Path:
    """The schemas of all kinds that the program declares, as :mod:`tests.manifests.schemas` makes them."""
    key = files.digest([repr((OPENAPI, CRDS)), Path(schemas.__file__)])
    folder = _own().tools / f"schemas-{key}"
    with _locked():
        if folder.exists():
            return folder
        _tell(f"making schemas from {OPENAPI.module} {OPENAPI.version} (once)")
        with files.scratch(_own().root) as modules:
            (openapi,) = _fetch(OPENAPI, modules)
            crds = [path for published in CRDS for path in _fetch(published, modules)]
            with files.folder(folder) as staging:
                schemas.write(openapi, crds, staging)
    return folder


def clean_up() -> None:
    """Remove Go's caches, which nobody needs once all is built; waits for another run of tests that builds."""
    with _locked():
        Builder(_own(), "").prune()


def _go(wanted: Program) -> Path:
    return Builder(paths.of_user(), os.environ["PATH"]).go(Step("Go"), [wanted], Path(sys.executable)).path


def _fetch(published: Published, modules: Path) -> list[Path]:
    """The files of a Go module, which is checked against its checksum."""
    answer = processes.output(
        [_go(MISCONFIGURATIONS), "mod", "download", "-json", f"{published.module}@{published.version}"],
        cwd=modules,
        env=os.environ | {"GOMODCACHE": str(modules / "mod"), "GOTOOLCHAIN": "local", "GOFLAGS": ""},
        timeout=300.0,
    )
    fetched: dict[str, Any] = json.loads(answer)
    if fetched["Sum"] != published.checksum:
        raise SandboxError(f"{published.module} {published.version} has the checksum {fetched['Sum']}")
    return sorted(Path(fetched["Dir"]).glob(published.pattern))
