"""Waiting until an object changes, on the cluster."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from sandbox.plugins.kubernetes.client import ApiError, Cluster
from sandbox.plugins.kubernetes.kinds import CONFIG_MAP
from sandbox.plugins.kubernetes.kubeconfig import select_context
from sandbox.plugins.kubernetes.objects import Object

from .kubernetes_support import APPLY, api, temporary_namespace

NAME = "watched"
ENOUGH = 60.0  # seconds


@pytest.fixture
def namespace() -> Iterator[str]:
    with temporary_namespace() as name:
        yield name


def _cluster(token: str = "") -> Cluster:
    document = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())
    if token:
        document["users"] = [{"name": user["name"], "user": {"token": token}} for user in document["users"]]
    return Cluster(select_context(yaml.safe_dump(document), None))


def _write(namespace: str, value: str) -> Object:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME}, "data": {"value": value}}
    path = f"/api/v1/namespaces/{namespace}/configmaps/{NAME}?fieldManager=test"
    return api().request("PATCH", path, body, APPLY)


def test_the_wait_ends_with_the_change(namespace: str) -> None:
    cluster, seen = _cluster(), _write(namespace, "first")
    waits = 0
    changed = threading.Event()

    def change() -> None:
        _write(namespace, "second")
        changed.set()

    timer = threading.Timer(0.2, change)
    timer.start()
    end = time.monotonic() + ENOUGH
    while cluster.get(CONFIG_MAP, namespace, NAME) == seen and time.monotonic() < end:
        cluster.wait_for_change(CONFIG_MAP, seen)
        waits += 1
    timer.join()
    assert changed.is_set()
    # A wait ends after a second in any case: more of them would be looks that nothing called for.
    assert waits <= 2


def test_a_wait_without_a_change_ends_too_and_leaves_the_connection_usable(namespace: str) -> None:
    cluster, seen = _cluster(), _write(namespace, "first")
    cluster.wait_for_change(CONFIG_MAP, seen)
    assert cluster.get(CONFIG_MAP, namespace, NAME) is not None


def test_who_may_not_watch_is_told(namespace: str) -> None:
    seen = _write(namespace, "first")
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    api().request("POST", accounts, {"metadata": {"name": "nobody"}})
    cluster = _cluster(token=api().request("POST", f"{accounts}/nobody/token", {"spec": {}})["status"]["token"])
    with pytest.raises(ApiError) as refused:
        cluster.wait_for_change(CONFIG_MAP, seen)
    assert refused.value.is_forbidden
