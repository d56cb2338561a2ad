"""The program's own stacks before the policies: what the defaults allow, and what has to be said."""

from __future__ import annotations

import contextlib
import json
import os
import runpy
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from pulumi_policy import ResourceValidationPolicy

from policy.policies.pack import POLICIES
from tests.manifests.rendering import STACKS
from tests.unit.policy.judging import found, found_in_stack, resource
from tests.unit.recording import Recorder, run
from tests.unit.stacks import REQUIRED, ROOT, project, secret_keys, values

EVERYTHING = {
    "buildCache": "true",
    "imageScanning": "enhanced",
    "kmsKey": "arn:aws:kms:eu-west-1:111122223333:key/11111111-2222-3333-4444-555555555555",
    "mayPull": ["444455556666", "o-a1b2c3d4e5"],
    "mayPush": ["arn:aws:iam::444455556666:role/builder"],
    "replicateTo": ["eu-central-1"],
    "pullThroughCache": {
        "docker-hub": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:ecr-pullthroughcache/hub-a1b2c3"
    },
}
# The providers put their default tags in, which no provider does here.
NOT_HERE = "required-tags"


def _findings(folder: Path, settings: Mapping[str, Any], configuration: Mapping[str, Any]) -> dict[str, list[str]]:
    recorder = Recorder(account=settings.get("awsAccount", REQUIRED["awsAccount"]))
    place = project(folder)
    with contextlib.chdir(place), mock.patch.dict(os.environ, {"KUBECONFIG": str(place / "kubeconfig")}):
        run(
            lambda: runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__"),
            stack_name="test",
            values=values(**settings),
            secret_keys=secret_keys(),
            recorder=recorder,
        )
    types = {record.typ for record in recorder.resources}
    declared = [(type_, name, inputs) for type_ in types for name, inputs in recorder.of_type(type_).items()]
    assert {"kubernetes:apps/v1:Deployment", "aws:ecr/repository:Repository"} <= types
    told: dict[str, list[str]] = {}
    for policy in POLICIES:
        chosen = configuration.get(policy.name, {})
        if isinstance(policy, ResourceValidationPolicy):
            messages = [text for one in declared for text in found(policy.name, one[0], one[2], one[1], **chosen)]
        else:
            resources = [resource(type_, name, inputs) for type_, name, inputs in declared]
            messages = list(found_in_stack(policy.name, *resources, **chosen).values())
        if messages and policy.name != NOT_HERE:
            told[policy.name] = messages
    return told


@pytest.mark.parametrize("settings", [STACKS["default"], STACKS["dev"], STACKS["full"], STACKS["route"], EVERYTHING])
def test_a_stack_meets_every_policy_without_any_configuration(tmp_path: Path, settings: Mapping[str, Any]) -> None:
    assert _findings(tmp_path, settings, {}) == {}


def test_production_is_open_to_the_world_and_its_configuration_says_so(tmp_path: Path) -> None:
    for name in ("silent", "said"):
        (tmp_path / name).mkdir()
    told = _findings(tmp_path / "silent", STACKS["prod"], {})
    assert list(told) == ["no-open-load-balancer"]
    assert _findings(tmp_path / "said", STACKS["prod"], json.loads((ROOT / "policy" / "prod.json").read_text())) == {}


def test_an_image_by_a_mirror_needs_its_place_in_the_configuration(tmp_path: Path) -> None:
    settings = {"mirrors": {"docker.io": "harbor.example/hub"}}
    for name in ("silent", "said"):
        (tmp_path / name).mkdir()
    assert list(_findings(tmp_path / "silent", settings, {})) == ["images-from-known-registries"]
    places = {"images-from-known-registries": {"places": ["harbor.example/hub"]}}
    assert _findings(tmp_path / "said", settings, places) == {}


def test_a_page_without_tls_is_told(tmp_path: Path) -> None:
    told = _findings(tmp_path, {"webuiIngress": {"host": "coins.example.com"}}, {})
    assert list(told) == ["ingress-over-tls"]
