"""The command that a message about a setting prints, run in a shell on the stack file: it mends the mistake."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from configuration import Configuration, Mistake, SettingsError
from settings import read_settings
from tests.unit.stacks import REQUIRED, ROOT, declared, handed_over, project

SECRET: Final = "a-secret-of-20-signs"
ODD: Final[tuple[Any, ...]] = ("", "four", "-1", "a b", "$(x)'\"", [], ["a b"], {"a b": "c"}, {"a": {"b": 1}})
ODD_ENTRIES: Final[tuple[Any, ...]] = ("", "four", "a b", [], {"a": "b c"})
DIGEST: Final = f"sha256:{'ab' * 32}"
ENTRIES: Final[dict[str, tuple[str, ...]]] = {
    "registry": ("kind", "host", "prefix", "pullHost", "name", "password", "knd"),
    "images": ("source", "stack", "digests", "sourc"),
    "autoscale": ("hasher", "redis"),
    "webuiIngress": ("host", "class", "tls", "tlsSecret", "annotations", "hosts"),
    "webuiRoute": ("host", "gateway", "namespace", "tls"),
    "metrics": ("scrape", "labels", "namespace"),
    "refresh": ("role", "schedule", "accessKeyId", "endpoint"),
    "pullThroughCache": ("docker-hub", "ecr-public", "hub"),
    "mirrors": ("docker.io", "hub"),
}
"""Keys of the settings that are mappings, some of which they do not have."""

Settings = dict[str, Any]

TOGETHER: Final[tuple[Settings, ...]] = (
    {"autoscale": {"hasher": {"max": 5}}, "hasherReplicas": "3"},
    {"autoscale": {"hasher": {"min": 7, "max": 5}}},
    {
        "webuiIngress": {"host": "a.example.com"},
        "webuiRoute": {"host": "a.example.com", "gateway": "a", "namespace": "b"},
    },
    {"webuiIngress": {"host": "a.example.com"}, "webuiServiceType": "NodePort"},
    {"webuiIngress": {"host": "a.example.com", "tls": "false", "tlsSecret": "t"}},
    {"redisStorageClass": "fast"},
    {"metrics": {"labels": {"a": "b c"}}},
    {"registry": {"kind": "dockerhub"}},
    {"registry": {"kind": "generic", "host": "r.example"}, "pullCredentials": "static"},
    {"registry": {"kind": "generic", "host": "r.example", "username": "me"}},
    {"registry": {"kind": "generic", "host": "r.example"}, "registryPassword": "in plain text"},
    {"registry": {"kind": "harbor", "host": "r.example", "project": "Coins"}},
    {"registry": {"kind": "generic", "host": "r.example"}, "mayPull": ["123456789012"]},
    {"images": {"source": "prebuilt", "digests": {"rng": DIGEST, "hasher": "v1"}}},
    {"mayPull": ["*"]},
    {"platforms": ["linux/amd64", "linux/amd64"]},
    {"workerReplica": "3", "images.source": "stack", "mayPull[0]": "it's"},
)


def _mistaken() -> Iterator[Settings]:
    yield from TOGETHER
    for key in declared():
        yield from ({key: value} for value in ODD)
        for entry in ENTRIES.get(key, ()):
            yield from ({key: {entry: value}} for value in ODD_ENTRIES)


class Stack:
    """A stack file that pulumi's own commands change."""

    def __init__(self, folder: Path) -> None:
        self.folder = project(folder)
        shutil.copy(ROOT / "Pulumi.yaml", folder)
        self.file = folder / "Pulumi.test.yaml"
        self._environment = os.environ | {
            "PULUMI_BACKEND_URL": f"file://{folder}",
            "PULUMI_CONFIG_PASSPHRASE": "of-a-test",
            "PULUMI_STACK": "test",
            "KUBECONFIG": str(folder / "kubeconfig"),
        }
        self.run("pulumi stack init test")
        self._head: dict[str, Any] = yaml.safe_load(self.file.read_text())

    def run(self, command: str) -> None:
        """Run a command as a user would."""
        ended = subprocess.run(
            ["sh", "-c", command],
            cwd=self.folder,
            env=self._environment,
            input=f"{SECRET}\n",
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, f"{command}\n{ended.stdout}{ended.stderr}"

    def write(self, settings: Settings) -> None:
        """Make these the settings of the stack, beside what each stack has to say."""
        config = {f"dockercoins:{key}": value for key, value in (REQUIRED | settings).items()}
        self.file.write_text(yaml.safe_dump(self._head | {"config": config}, sort_keys=False))

    def mistakes(self) -> tuple[Mistake, ...]:
        """What the program says of the stack file as it stands."""
        values = {f"dockercoins:{key}": handed_over(entry["default"]) for key, entry in declared().items()}
        config: dict[str, Any] = yaml.safe_load(self.file.read_text()).get("config") or {}
        secret = [key for key, value in config.items() if isinstance(value, dict) and "secure" in value]
        values |= {key: SECRET if key in secret else handed_over(value) for key, value in config.items()}
        try:
            read_settings(
                Configuration(values, secret),
                project="dockercoins",
                stack="test",
                root=self.folder,
                environment=self._environment,
                home=self.folder,
            )
        except SettingsError as error:
            return error.mistakes
        return ()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Stack:
    return Stack(tmp_path_factory.mktemp("remedies"))


def test_each_command_that_is_printed_mends_its_mistake(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    tried: set[tuple[str, str]] = set()
    kept: list[str] = []
    for settings in _mistaken():
        stack.write(settings)
        for mistake in stack.mistakes():
            if (mistake.key, mistake.remedy) in tried or not mistake.remedy.startswith("pulumi "):
                continue
            tried.add((mistake.key, mistake.remedy))
            stack.write(settings)
            stack.run(mistake.remedy)
            if any((left.key, left.received) == (mistake.key, mistake.received) for left in stack.mistakes()):
                kept.append(f"{settings}\n{mistake}")
    with capsys.disabled():
        print(f"\n{len(tried)} commands for {len(list(_mistaken()))} mistaken stacks: {len(kept)} mend nothing")
    assert kept == []
    assert len(tried) >= 100
