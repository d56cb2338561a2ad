"""The program that the benchmarks compare with declares the objects of the application, and no others."""

from __future__ import annotations

import contextlib
import json
import os
import re
import runpy
import sys
from pathlib import Path
from typing import Any, Final
from unittest import mock

import pytest

from tests.manifests.rendering import of_file, of_program
from tests.unit.recording import Record, Recorder, run
from tests.unit.stacks import ROOT, SERVICES, project

PROGRAM: Final = ROOT / "benchmarks" / "plain_program"
NAMESPACE: Final = "dockercoins-dev"
VERSIONS: Final = re.compile(r"(?<=app.kubernetes.io/version\": \")[^\"]+|(?<=SERVICE_VERSION\", \"value\": \")[^\"]+")
OF_PULUMI: Final = re.compile(r"^pulumi\.com/")


def plain(folder: Path, profile: str) -> Recorder:
    settings = of_file("dev")
    values = {
        "namespace": NAMESPACE,
        "host": settings["registry"]["host"],
        "prefix": "dockercoins",
        "platform": "linux/amd64",
        "kubeContext": "test-context",
        "teaching": str(profile == "teaching").lower(),
        **{key: settings[key] for key in ("awsAccount", "awsEndpoint", "pythonImage", "redisImage")},
    }
    place = project(folder)
    with (
        contextlib.chdir(place),
        mock.patch.dict(os.environ, {"KUBECONFIG": str(place / "kubeconfig")}),
        mock.patch.object(sys, "path", [str(PROGRAM), *sys.path]),
    ):
        return run(
            lambda: runpy.run_path(str(PROGRAM / "application.py"), run_name="__main__"),
            values={f"dockercoins:{key}": value for key, value in values.items()},
            recorder=Recorder(account=settings["awsAccount"]),
        )


def comparable(item: Record) -> Record:
    """An object without what each of the programs names or chooses in its own way."""
    item = json.loads(VERSIONS.sub("a version", json.dumps(item, sort_keys=True)))
    annotations = item["metadata"].pop("annotations", {})
    assert all(OF_PULUMI.match(key) for key in annotations)
    if item["kind"] == "Service":
        for port in item["spec"]["ports"]:
            port.pop("nodePort", None)
    if item["kind"] == "Deployment":
        (container,) = item["spec"]["template"]["spec"]["containers"]
        container["env"] = sorted(container.get("env", []), key=json.dumps)
    return item


def key(item: Record) -> tuple[str, str]:
    # One of them leaves the name of its pull secret to the engine.
    return item["kind"], re.sub("-0a1b2c3$", "", item["metadata"].get("name", "pull"))


def objects_of(recorder: Recorder) -> list[Record]:
    types = {typ for typ, _ in recorder.requests if typ.startswith("kubernetes:")}
    return [item for typ in sorted(types) for item in recorder.of_type(typ).values()]


@pytest.mark.parametrize("profile", ["teaching", "full"])
def test_both_programs_declare_the_same_objects_of_the_cluster(tmp_path: Path, profile: str) -> None:
    def named(items: list[Record]) -> dict[tuple[str, str], Record]:
        return {key(item): comparable(item) for item in items}

    ours: dict[tuple[str, str], Any] = named(of_program("dev", {**of_file("dev"), "profile": profile}))
    theirs: dict[tuple[str, str], Any] = named(objects_of(plain(tmp_path, profile)))
    assert theirs.keys() == ours.keys()
    for name, item in ours.items():
        if name[0] != "Secret":
            assert theirs[name] == item, name


def test_both_programs_declare_as_many_repositories_and_images(tmp_path: Path) -> None:
    recorder = plain(tmp_path, "full")
    for typ in ("aws:ecr/repository:Repository", "aws:ecr/lifecyclePolicy:LifecyclePolicy", "docker:index/image:Image"):
        assert sorted(recorder.of_type(typ)) == sorted(SERVICES), typ
