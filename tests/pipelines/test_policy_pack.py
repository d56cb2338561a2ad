"""The policy pack, run by the real engine on the real program, as the pipelines' steps run it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.integration.deployment import ROOT, Deployment, create
from tests.pipelines.steps import Steps

PACK = ROOT / "policy"


@dataclass(frozen=True)
class Pipeline(Steps):
    deployment: Deployment

    def preview(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.step("preview", "--policy-pack", str(PACK), *arguments)

    def configured(self, policies: dict[str, Any]) -> tuple[str, str]:
        """The arguments for a configuration of the pack."""
        file = self.files / "policies.json"
        file.write_text(json.dumps(policies))
        return "--policy-pack-config", str(file)

    def comment(self) -> str:
        return (self.files / "comment.md").read_text()


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Generator[Pipeline]:
    """The program with a stack of its own, of which nothing is ever deployed."""
    deployment = create(tmp_path_factory.mktemp("policies"), buildOnPreview="true")
    # Where the virtual environment that the pack names lies, seen from the pack.
    assert (ROOT / ".venv").exists()
    yield Pipeline(deployment.project, tmp_path_factory.mktemp("files"), deployment)
    assert deployment.project.resources() == {}


def test_the_program_as_it_is_meets_every_policy(pipeline: Pipeline) -> None:
    completed = pipeline.preview(*pipeline.configured({"all": "mandatory"}))
    assert completed.returncode == 0, completed.stdout + completed.stderr
    assert re.search(r"✅ dockercoins@v1\.0\.0", completed.stdout)
    assert "#### Policies" not in pipeline.comment()


def test_a_mandatory_finding_ends_the_preview_with_one_message_and_no_plan(pipeline: Pipeline) -> None:
    pipeline.deployment.configure(webuiServiceType="LoadBalancer")
    pipeline.edit("__main__.py", "image=redis_image)", 'image="redis:latest")')
    refused = pipeline.preview()
    pipeline.edit("__main__.py", 'image="redis:latest")', "image=redis_image)")
    pipeline.deployment.configure(webuiServiceType="NodePort")
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: the preview was refused by policy; nothing was changed.")
    assert "Service webui: it is a LoadBalancer with no loadBalancerSourceRanges" in refused.stderr
    assert "Deployment redis, container redis: redis:latest has the tag latest" in refused.stderr
    assert refused.stderr.count("\n- ") == 2, refused.stderr
    assert not (pipeline.files / "plan.json").exists()
    assert "| mandatory | `dockercoins: no-latest` |" in pipeline.comment()


def test_a_finding_that_is_made_advisory_is_told_and_lets_the_change_through(pipeline: Pipeline) -> None:
    pipeline.deployment.configure(webuiServiceType="LoadBalancer")
    completed = pipeline.preview(*pipeline.configured({"no-open-load-balancer": "advisory"}))
    allowed = pipeline.preview("--policy-pack-config", str(PACK / "prod.json"))
    comment = pipeline.comment()
    pipeline.deployment.configure(webuiServiceType="NodePort")
    assert completed.returncode == 0, completed.stdout + completed.stderr
    assert "it is a LoadBalancer with no loadBalancerSourceRanges" in completed.stdout
    # What the configuration for production says of webui is no finding at all.
    assert allowed.returncode == 0, allowed.stdout + allowed.stderr
    assert "#### Policies" not in comment


def test_an_image_from_another_registry_and_without_a_digest_is_refused(pipeline: Pipeline) -> None:
    image = "images=images,"
    pipeline.edit("__main__.py", image, 'images={**images, "rng": "docker.io/somebody/rng:1"},')
    refused = pipeline.preview()
    pipeline.edit("__main__.py", 'images={**images, "rng": "docker.io/somebody/rng:1"},', image)
    assert refused.returncode == 1
    assert "Deployment rng, container rng: the image docker.io/somebody/rng:1 has no digest" in refused.stderr
    assert "the image docker.io/somebody/rng:1 is not from the stack's registry" in refused.stderr
    name = pipeline.deployment.name
    assert f"Accepted is what lies below localhost:5001/{name};" in refused.stderr


def test_a_policy_can_be_switched_off_and_set_by_configuration(pipeline: Pipeline) -> None:
    policies = {"all": "disabled", "required-tags": {"enforcementLevel": "mandatory", "required": ["cost-centre"]}}
    refused = pipeline.preview(*pipeline.configured(policies))
    assert refused.returncode == 1
    assert "it has the tags managed-by, project, stack, and not cost-centre" in refused.stderr
    assert {line.rpartition("(")[2] for line in refused.stderr.splitlines() if line.endswith(")")} == {
        "dockercoins: required-tags)"
    }


def test_a_setting_of_the_wrong_type_is_refused_by_name(pipeline: Pipeline) -> None:
    refused = pipeline.preview(*pipeline.configured({"container-resources": {"limits": "memory"}}))
    assert refused.returncode == 1
    assert "container-resources: limits: Invalid type. Expected: array, given: string" in refused.stderr
    assert "Traceback" not in refused.stderr
