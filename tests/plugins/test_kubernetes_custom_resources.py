"""Kinds that others bring, such as HTTPRoute and PodMonitor."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .kubernetes_support import Json, api, project, rewrite, wait_for

PROGRAM = """
route = k8s.apiextensions.CustomResource(
    "route", api_version="gateway.networking.k8s.io/v1", kind="HTTPRoute", metadata=meta("route"),
    spec={"parentRefs": [{"name": "web", "namespace": "gateways"}], "hostnames": [HOST]}, opts=in_cluster,
)
k8s.apiextensions.CustomResource(
    "monitor", api_version="monitoring.coreos.com/v1", kind="PodMonitor", metadata=meta("monitor"),
    spec={"selector": {}, "podMetricsEndpoints": [{"port": "metrics"}]}, opts=in_cluster,
)
"""


def test_kinds_that_others_bring_are_served_where_they_are_installed(tmp_path: Path, namespace: str) -> None:
    stack = project(tmp_path, namespace, PROGRAM.replace("HOST", '"a.example"'))
    path = f"/apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/httproutes/route"
    with (
        _installed("gateway.networking.k8s.io", "HTTPRoute", "httproutes"),
        _installed("monitoring.coreos.com", "PodMonitor", "podmonitors"),
    ):
        made = stack.up()
        assert made.succeeded, made.output
        assert api().get(path)["spec"]["hostnames"] == ["a.example"]
        refreshed = stack.refresh("--expect-no-changes")
        assert refreshed.succeeded, refreshed.output
        rewrite(stack, PROGRAM.replace("HOST", '"b.example"'))
        changed = stack.up()
        assert changed.succeeded, changed.output
        assert changed.ops() == {"route": "update", "monitor": "same"}
        assert api().get(path)["spec"]["hostnames"] == ["b.example"]


@contextmanager
def _installed(group: str, kind: str, plural: str) -> Generator[None]:
    """A kind as its owner would install it, without its schema."""
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    name = f"{plural}.{group}"
    schema: Json = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    body: Json = {
        "metadata": {
            "name": name,
            # The group of the Gateway API is protected: https://github.com/kubernetes/enhancements/pull/1111
            "annotations": {"api-approved.kubernetes.io": "unapproved, for tests only"},
        },
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
        },
    }
    if api().exists(f"{definitions}/{name}"):
        pytest.skip(f"the cluster has {name} already, with a schema of its own")
    assert api().request("POST", definitions, body)["kind"] == "CustomResourceDefinition"
    try:
        wait_for(lambda: api().exists(f"/apis/{group}/v1/namespaces/default/{plural}"), f"{name} to be served")
        yield
    finally:
        api().request("DELETE", f"{definitions}/{name}")
        wait_for(lambda: not api().exists(f"{definitions}/{name}"), f"{name} to be removed")
