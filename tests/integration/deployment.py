"""The whole program on the sandbox's cluster and registry, as a stack of its own beside others."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest
import urllib3
import yaml

from sandbox import settings as sandbox_settings
from tests.integration.kubectl import kubectl, objects
from tests.plugins.engine_support import PASSPHRASE, STACK, Outcome, Project

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("hasher", "rng", "webui", "worker")
_PROGRAM = (
    *sorted(path.name for path in ROOT.glob("*.py")),
    "components",
    "services",
    "Pulumi.yaml",
    "Pulumi.dev.yaml",
    "requirements.txt",
)
SANDBOX = sandbox_settings.read(ROOT / "Pulumi.dev.yaml")
SANDBOX_REGISTRY = SANDBOX.registry_host
NEEDED = ("PULUMI_HOME", "KUBECONFIG", "AWS_ACCESS_KEY_ID")
"""What the sandbox's environment has, and no deployment does without."""


@dataclass(frozen=True)
class Deployment:
    """A copy of the program with a stack that has a namespace and repositories of its own."""

    project: Project
    name: str
    outcomes: dict[str, Outcome]

    @property
    def folder(self) -> Path:
        """The copy of the checkout."""
        return self.project.directory

    def configure(self, **settings: Any) -> None:
        """Write settings to the stack file; ``None`` removes one. A secret needs ``Project.set_config``."""
        file = self.folder / f"Pulumi.{self.project.stack}.yaml"
        document = yaml.safe_load(file.read_text())
        for key, value in settings.items():
            document["config"].pop(f"dockercoins:{key}", None)
            if value is not None:
                document["config"][f"dockercoins:{key}"] = value
        file.write_text(yaml.safe_dump(document))

    def kubectl(self, *arguments: str) -> str:
        """What kubectl prints, in the stack's namespace."""
        return kubectl("--namespace", self.name, *arguments)

    def objects(self, kind: str, *arguments: str) -> dict[str, dict[str, Any]]:
        """The objects of a kind in the namespace, by name."""
        return {item["metadata"]["name"]: item for item in objects(self.name, kind, *arguments)}

    def page(self, path: str = "/json") -> dict[str, Any]:
        """The JSON that the webui answers."""
        return _json(self.url(path))

    def url(self, path: str) -> str:
        """The address of a path of the webui, as the stack's output says."""
        return str(self.project.outputs()["webui_url"]).rstrip("/") + path

    def settle(self) -> None:
        """Wait until one pod of each service is left, and all others are gone."""
        until(lambda: len(self.objects("pods")) == 1 + len(SERVICES), "the other pods to go", limit=90)

    def speed(self, seconds: float) -> float:
        """Hashes per second, measured for at least ``seconds`` by webui's own clock."""
        url = self.url("/json")
        first = _json(url)
        last = first
        while last["now"] - first["now"] < seconds:
            time.sleep(0.5)
            last = _json(url)
        return (last["hashes"] - first["hashes"]) / (last["now"] - first["now"])


def reach_speed(deployment: Deployment, low: float, high: float, *, seconds: float, limit: float) -> list[float]:
    """Measure the speed, ``seconds`` each time, until it is in the range; gives all that was measured."""
    seen: list[float] = []

    def is_reached() -> bool:
        seen.append(deployment.speed(seconds))
        return low <= seen[-1] <= high

    until(is_reached, f"a speed of {low} to {high} hashes a second", limit=limit)
    return seen


def missing_variables() -> list[str]:
    """Which of ``NEEDED`` are not set here."""
    return [name for name in NEEDED if name not in os.environ]


def create(folder: Path, stack: str = STACK, **settings: Any) -> Deployment:
    """Copy the program into ``folder`` and make its stack; the settings are those of the sandbox, and ``settings``."""
    if missing := missing_variables():
        pytest.fail(f"{', '.join(missing)} not set: these tests need the sandbox; run them with `make test`")
    root = folder / "project"
    root.mkdir()
    for entry in _PROGRAM:
        source = ROOT / entry
        if source.is_dir():
            shutil.copytree(source, root / entry, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, root / entry)
    (root / ".venv").symlink_to((ROOT / ".venv").resolve())
    template = (root / "Pulumi.dev.yaml").read_text()
    (root / "Pulumi.dev.yaml").unlink()
    (root / f"Pulumi.{stack}.yaml").write_text(without_salt(template))
    backend = folder / "backend"
    backend.mkdir()
    environment = {
        **os.environ,
        "PULUMI_BACKEND_URL": backend.as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_DEBUG_COMMANDS": "1",
    }
    return _initialized(Project(root, environment, stack), f"it-{secrets.token_hex(4)}", settings)


def create_beside(other: Deployment, stack: str, **settings: Any) -> Deployment:
    """Another stack of the same copy, with a namespace of its own; its settings are those of ``other``, and these."""
    text = (other.folder / f"Pulumi.{other.project.stack}.yaml").read_text()
    (other.folder / f"Pulumi.{stack}.yaml").write_text(without_salt(text))
    project = replace(other.project, stack=stack)
    registry = yaml.safe_load(text)["config"]["dockercoins:registry"]
    return _initialized(project, f"it-{secrets.token_hex(4)}", {"registry": registry, **settings})


def without_salt(settings: str) -> str:
    """The text of a stack file for another stack, which gets a salt of its own."""
    return "".join(line for line in settings.splitlines(True) if "encryptionsalt" not in line)


def _initialized(project: Project, name: str, settings: dict[str, Any]) -> Deployment:
    project.run("stack", "init", project.stack).stdout_or_fail()
    own = {
        "namespace": name,
        "registry": {"kind": "ecr", "host": SANDBOX_REGISTRY, "prefix": name},
        "webuiNodePort": "",
        "webuiNodeAddress": _node_address(),
    }
    deployment = Deployment(project, name, {})
    deployment.configure(**{**own, **settings})
    return deployment


def until(condition: Callable[[], bool], what: str, limit: float = 60) -> None:
    """Wait for a condition; fail with ``what`` after ``limit`` seconds."""
    end = time.monotonic() + limit
    while True:
        try:
            if condition():
                return
        except (urllib3.exceptions.HTTPError, AssertionError, KeyError):
            pass
        if time.monotonic() > end:
            pytest.fail(f"waited {limit:.0f} s for {what}")
        time.sleep(0.2)


def get(url: str) -> urllib3.BaseHTTPResponse:
    """Ask once, on a connection of its own."""
    return urllib3.request("GET", url, headers={"Connection": "close"}, timeout=5, retries=False)


@contextmanager
def asking(url: str) -> Generator[list[str]]:
    """Ask ``url`` over and over while the block runs; gives the failures, which are complete when it ends."""
    failures: list[str] = []
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            try:
                answer = get(url)
                if answer.status != 200:
                    failures.append(f"answered {answer.status}")
            except urllib3.exceptions.HTTPError as error:
                failures.append(repr(error))
            done.wait(0.05)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield failures
    finally:
        done.set()
        thread.join()


def _json(url: str) -> dict[str, Any]:
    answer = get(url)
    assert answer.status == 200, f"{url} answered {answer.status}"
    return cast("dict[str, Any]", answer.json())


def _node_address() -> str:
    (node, *_) = json.loads(kubectl("get", "nodes", "--output", "json"))["items"]
    return next(item["address"] for item in node["status"]["addresses"] if item["type"] == "InternalIP")
