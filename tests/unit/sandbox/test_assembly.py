import io
from pathlib import Path
from typing import Any

import pytest

from sandbox import images, node, toolchain
from sandbox.assembly import REGISTRY_IMAGE, Assembly, Found, Plan, Platform
from sandbox.durations import Durations
from sandbox.engine import Engine
from sandbox.paths import Paths
from sandbox.plugins.install import PluginDownloadError
from sandbox.progress import LogView, View
from sandbox.settings import Settings
from sandbox.tasks import Task
from sandbox.toolchain import Builder

SETTINGS = Settings(
    cluster="dockercoins",
    registry_port=5001,
    ecr_port=5002,
    page_port=30080,
    account="000000000000",
    region="us-east-1",
    python_image="python:3",
    redis_image="redis:8",
)
# metrics-server shares most of its packages with Kubernetes, so it is compiled with it.
_NODE_PROGRAMS = {*(program.name for program in node.PROGRAMS), toolchain.METRICS_SERVER.name}
PROVIDER = toolchain.KUBERNETES_PROVIDER.name


def _plan(
    tmp_path: Path, to_build: frozenset[str], *, hub: bool = False, refused: frozenset[str] = frozenset()
) -> list[Task[Any]]:
    paths = Paths(tmp_path)
    found = Found(hub, local={}, pulumi=None, kind=None, kubectl=None, plugins_to_build=to_build, refused=refused)
    plan = Plan(
        paths,
        SETTINGS,
        found,
        engine=Engine(paths, ""),
        builder=Builder(paths, ""),
        systems=images.Systems(paths),
    )
    plan.add(tmp_path)
    return plan.graph.tasks


def test_a_provider_that_cannot_be_downloaded_is_the_last_build(tmp_path: Path) -> None:
    tasks = _plan(tmp_path, frozenset({"kubernetes"}))
    # Nobody waits for metrics-server.
    assert [task.title for task in tasks if task.heavy][-2:] == [PROVIDER, toolchain.METRICS_SERVER.name]
    provider = next(task for task in tasks if task.title == PROVIDER)
    assert [task.title for task in tasks if provider in task.needs] == ["plugins"]


def test_a_provider_that_is_there_or_can_be_downloaded_is_not_built(tmp_path: Path) -> None:
    assert PROVIDER not in [task.title for task in _plan(tmp_path, frozenset())]


@pytest.mark.parametrize(
    ("refused", "built"),
    [
        ((), set[str]()),
        ((SETTINGS.python_image,), {"mmdebstrap"}),
        ((SETTINGS.redis_image,), {"mmdebstrap", "image redis:8", "redis in the cluster"}),
        ((REGISTRY_IMAGE,), {"registry", "registry image"}),
        (
            (node.OFFICIAL,),
            {"mmdebstrap", "image dockercoins/node-base", "node image", *(_NODE_PROGRAMS - {"kind"})},
        ),
    ],
)
def test_an_image_that_docker_hub_does_not_give_is_made_here_and_the_others_are_pulled(
    tmp_path: Path, refused: tuple[str, ...], built: set[str]
) -> None:
    whole = {task.title for task in _plan(tmp_path, frozenset(), hub=True)}
    titles = {task.title for task in _plan(tmp_path, frozenset(), hub=True, refused=frozenset(refused))}
    assert titles - whole == built


def test_a_provider_is_built_after_its_download_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[bool] = []

    def to_build(_paths: Paths, _home: Path, *, download: bool) -> frozenset[str]:
        looked.append(download)
        return frozenset() if download else frozenset({"kubernetes"})

    def assemble(_self: Assembly, _view: View, found: Found) -> Platform | None:
        if not found.plugins_to_build:
            raise PluginDownloadError("plugin kubernetes 4.34.2: the download failed")
        return None

    monkeypatch.setattr("sandbox.pulumi_home.plugins_to_build", to_build)

    def no_answer(_url: str, *, timeout: float) -> None:
        assert timeout > 0

    def no_images(_self: Assembly) -> dict[str, images.Image]:
        return {}

    monkeypatch.setattr("sandbox.web.status", no_answer)
    monkeypatch.setattr(Assembly, "_local_images", no_images)
    monkeypatch.setattr(Assembly, "_assemble", assemble)
    Assembly(Paths(tmp_path), SETTINGS, "", tmp_path).bring_up(
        LogView(io.StringIO(), Durations(tmp_path / "durations.json"))
    )
    assert looked == [True, False]
