"""Whether the end of a `pulumi up` says what runs: updates of all Deployments at once, of which one crashes or none."""

from __future__ import annotations

from collections.abc import Generator
from itertools import count
from pathlib import Path

import pytest

from pipelines import deployed
from pipelines.errors import StepError
from tests.integration.deployment import SERVICES, Deployment, create, until
from tests.plugins.engine_support import Outcome

REASON = "no licence to run"
_ROUNDS = 2


class Versions:
    """The application, of which hasher has a version that works and one that ends at once."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.works = self._deployed()
        dockerfile = deployment.folder / "services" / "hasher" / "Dockerfile"
        crash = f"import sys; sys.exit('{REASON}')"
        dockerfile.write_text(f'{dockerfile.read_text()}\nENTRYPOINT ["python3", "-c", "{crash}"]\n')
        assert not deployment.project.up().succeeded
        self.crashes = self._deployed()
        self._numbers = count(1)

    def up(self, images: dict[str, str]) -> Outcome:
        """Deploy these images, in an update that changes every Deployment."""
        number = next(self._numbers)
        self.deployment.configure(
            images={"source": "prebuilt", "digests": images},
            logLevel=("debug", "info")[number % 2],
            rolloutSeconds=str(200 + number),
        )
        return self.deployment.project.up()

    def _deployed(self) -> dict[str, str]:
        deployments = self.deployment.objects("deployments")
        return {
            service: deployments[service]["spec"]["template"]["spec"]["containers"][0]["image"] for service in SERVICES
        }


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Generator[Versions]:
    deployment = create(Path(tmp_path_factory.mktemp("rollouts")))
    try:
        first = deployment.project.up()
        assert first.succeeded, first.output
        yield Versions(deployment)
    finally:
        outcome = deployment.project.destroy()
        assert outcome.succeeded, outcome.output


@pytest.fixture
def crashing(versions: Versions) -> Versions:
    """The application as an update left it of which hasher crashes."""
    deployments = versions.deployment.objects("deployments")
    (container,) = deployments["hasher"]["spec"]["template"]["spec"]["containers"]
    if container["image"] != versions.crashes["hasher"]:
        assert versions.up(versions.works).succeeded
        assert not versions.up(versions.crashes).succeeded
    return versions


def changed(outcome: Outcome) -> set[str]:
    return {step.name for step in outcome.steps if step.type.endswith(":Deployment") and step.op == "update"}


@pytest.mark.parametrize("number", range(_ROUNDS))
def test_an_update_of_all_deployments_fails_with_the_last_line_of_the_one_that_crashes(
    versions: Versions, number: int
) -> None:
    del number
    good = versions.up(versions.works)
    assert good.succeeded, good.output
    assert changed(good) == {"redis", *SERVICES}

    bad = versions.up(versions.crashes)
    assert not bad.succeeded, bad.output
    assert changed(bad) == {"redis", *SERVICES}
    assert f"{versions.deployment.name}/hasher is not rolled out" in bad.errors, bad.output
    assert REASON in bad.errors, bad.output
    assert "Traceback" not in bad.output


def test_the_same_update_again_fails_too_although_nothing_changes(crashing: Versions) -> None:
    again = crashing.deployment.project.up()
    assert not again.succeeded
    assert changed(again) == set()
    assert REASON in again.errors, again.output


def test_what_crashes_is_neither_exported_nor_verified_while_the_version_before_answers(crashing: Versions) -> None:
    outputs = crashing.deployment.project.outputs()
    assert outputs["images"] == crashing.works
    until(lambda: crashing.deployment.page()["hashes"] > 0, "the version before to answer")
    with pytest.raises(StepError, match=REASON):
        deployed.check(outputs, crashing.deployment.project.environment, limit=60, tell=print)


def test_an_update_that_was_undone_by_hand_is_not_verified(versions: Versions) -> None:
    assert versions.up(versions.works).succeeded
    outputs = versions.deployment.project.outputs()
    deployed.check(outputs, versions.deployment.project.environment, limit=60, tell=print)
    outputs["images"] = {**outputs["images"], "hasher": versions.crashes["hasher"]}
    with pytest.raises(StepError, match=r"hasher runs .* and not .*an update failed, or somebody changed it"):
        deployed.check(outputs, versions.deployment.project.environment, limit=60, tell=print)


def test_nothing_is_left_waiting_when_a_deployment_is_gone(versions: Versions) -> None:
    assert versions.up(versions.works).succeeded
    versions.deployment.kubectl("delete", "deployment/rng")
    gone = versions.deployment.project.up()
    assert not gone.succeeded
    assert (
        "rng is not rolled out: it does not exist on the cluster; `pulumi up --refresh` makes it again" in gone.errors
    )
    assert versions.deployment.project.up("--refresh").succeeded
