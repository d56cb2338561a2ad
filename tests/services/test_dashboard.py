"""The dashboard for Grafana: each query asks for metrics and labels that the services tell."""

import itertools
import json
import re
from typing import Any

import aiohttp

from .harness import ROOT, Fleet, Redis, until
from .test_metrics import families

DASHBOARD: dict[str, Any] = json.loads((ROOT / "docs" / "grafana" / "dockercoins.json").read_text(encoding="utf-8"))
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES: list[str] = [target["expr"] for panel in PANELS for target in panel["targets"]]

SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("_total",), "gauge": ("",)}
# Prometheus itself gives these to whatever it scrapes.
LABELS_OF_TARGETS = {"instance", "job"}


def metrics_of(query: str) -> set[str]:
    return set(re.findall(r"\b(?:dockercoins|process|python)_\w+", query))


def labels_of(query: str) -> set[str]:
    listed = re.findall(r"\b(?:by|on|group_left)\s*\(([^)]*)\)", query)
    return {label.strip() for part in listed for label in part.split(",")} | set(re.findall(r"[{,]\s*(\w+)\s*=", query))


async def test_each_metric_and_label_of_the_dashboard_is_told_by_a_service(
    fleet: Fleet, redis: Redis, http: aiohttp.ClientSession
) -> None:
    rng, hasher = await fleet.start("rng"), await fleet.start("hasher")
    worker = await fleet.start("worker", RNG_URL=rng.url, HASHER_URL=hasher.url, **redis.settings)
    webui = await fleet.start("webui", **redis.settings)
    async with http.get(f"{webui.url}/json") as answer:
        assert answer.status == 200
    await until(lambda: redis.hashes() > 0, "units of work")
    labels: dict[str, set[str]] = {}
    for service in (rng, hasher, worker, webui):
        for family in await families(http, f"{service.url}/metrics"):
            for suffix in SUFFIXES.get(family.type, ()):
                told = labels.setdefault(family.name + suffix, set())
                told.update(itertools.chain.from_iterable(sample.labels for sample in family.samples))
    for query in QUERIES:
        metrics = metrics_of(query)
        assert metrics, query
        assert metrics <= set(labels), query
        known = LABELS_OF_TARGETS.union(*(labels[metric] for metric in metrics))
        assert labels_of(query) <= known, query
    shown = {label for panel in PANELS for target in panel["targets"] for label in _legend_labels(target)}
    assert shown <= LABELS_OF_TARGETS.union(*labels.values())


def _legend_labels(target: dict[str, Any]) -> list[str]:
    return re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])


def test_a_legend_names_only_labels_that_its_query_leaves() -> None:
    for panel in PANELS:
        for target in panel["targets"]:
            left = labels_of(target["expr"])
            assert set(_legend_labels(target)) <= left, target["expr"]


def test_panels_have_ids_and_places_of_their_own_and_the_data_source_is_chosen_by_the_reader() -> None:
    panels: list[dict[str, Any]] = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        x, y, width, height = (panel["gridPos"][key] for key in ("x", "y", "w", "h"))
        cells = set(itertools.product(range(x, x + width), range(y, y + height)))
        assert x + width <= 24
        assert not cells & taken
        taken |= cells
    assert {target["datasource"]["uid"] for panel in PANELS for target in panel["targets"]} == {"${datasource}"}
    assert [variable["name"] for variable in DASHBOARD["templating"]["list"]] == ["datasource"]
