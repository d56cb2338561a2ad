import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from sandbox import metrics, paths, settings
from sandbox.background import Background
from sandbox.metrics import Metrics


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The clusters for which a process was started; none is."""
    clusters: list[str] = []

    def start(_: Background, argv: Sequence[str], subject: str, *, log: Path, folder: Path) -> None:
        del argv, log, folder
        clusters.append(subject)

    monkeypatch.setattr(Background, "start", start)
    return clusters


@pytest.fixture
def place(tmp_path: Path) -> paths.Paths:
    place = paths.Paths(tmp_path)
    place.make()
    return place


@pytest.fixture
def watched(place: paths.Paths) -> Metrics:
    return Metrics(place, settings.read(paths.CHECKOUT / "Pulumi.dev.yaml"), "")


def test_a_cluster_without_metrics_gets_them_in_the_background(watched: Metrics, started: list[str]) -> None:
    watched.start("a")
    assert started == ["a"]


def test_a_cluster_that_has_them_is_left_alone_and_a_new_one_is_not(
    watched: Metrics, started: list[str], place: paths.Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place.run / "metrics").write_text(f"{watched.goal('a')}\n")
    watched.start("a")
    assert started == []
    watched.start("b")
    assert started == ["b"]
    changed = place.root / "server.yaml"
    changed.write_text("kind: Other\n")
    monkeypatch.setattr(metrics, "_SERVER", changed)
    watched.start("a")
    assert started == ["b", "a"]


def test_the_manifests_ask_for_the_image_that_is_put_into_the_node() -> None:
    folder = paths.SOURCES / "manifests"
    documents = list(yaml.safe_load_all((folder / "metrics-server.yaml").read_text()))
    assert json.dumps(documents).count('"image": "IMAGE"') == 1
    api = yaml.safe_load((folder / "metrics-api.yaml").read_text())
    assert api["spec"]["service"] == {"name": "metrics-server", "namespace": "kube-system"}
    assert "APIService" not in {document["kind"] for document in documents}
