"""Linters over the manifests of every stack: no finding but those that are accepted with a reason."""

from __future__ import annotations

import copy
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.manifests import tools
from tests.manifests.findings import LINTERS, Accepted, Finding, accepted, needless, unaccepted
from tests.manifests.rendering import STACKS, identity, objects, write
from tests.unit.recording import Record


@pytest.fixture(scope="module")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("manifests")
    for stack in STACKS:
        write(objects(stack), folder / stack)
    return folder


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    for program in (tools.KUBECONFORM, tools.KUBE_SCORE, tools.MISCONFIGURATIONS):
        tools.program(program)
    tools.schema_folder()


@pytest.fixture(scope="module")
def findings(manifests: Path) -> dict[str, list[Finding]]:
    with ThreadPoolExecutor() as pool:
        running = {name: pool.submit(linter, manifests) for name, linter in LINTERS.items()}
        return {name: future.result() for name, future in running.items()}


@pytest.mark.parametrize("tool", LINTERS)
def test_nothing_is_found_that_is_not_accepted(tool: str, findings: dict[str, list[Finding]]) -> None:
    assert [str(finding) for finding in unaccepted(findings[tool], accepted())] == []


def test_what_is_accepted_is_still_found(
    findings: dict[str, list[Finding]], capsys: pytest.CaptureFixture[str]
) -> None:
    found = [finding for each in findings.values() for finding in each]
    with capsys.disabled():
        print(f"\n{len(found)} findings in {len(STACKS)} stacks are accepted, of {len(accepted())} kinds")
    assert needless(found, accepted()) == []


def test_each_reason_says_something() -> None:
    assert [entry.check for entry in accepted() if len(entry.reason.split()) < 8] == []


def privileged(deployment: Record) -> None:
    deployment["spec"]["template"]["spec"]["containers"][0]["securityContext"] = {"privileged": True}


def misspelled(deployment: Record) -> None:
    deployment["spec"]["replica"] = 3


def unlimited(deployment: Record) -> None:
    del deployment["spec"]["template"]["spec"]["containers"][0]["resources"]


BROKEN: list[tuple[str, str, Callable[[Record], None]]] = [
    ("kubeconform", "statusInvalid", misspelled),
    ("kube-score", "container-resources", unlimited),
    ("checkov", "CKV_K8S_16", privileged),
    ("trivy", "KSV-0017", privileged),
]


@pytest.mark.parametrize(("tool", "check", "change"), BROKEN, ids=[f"{tool} {check}" for tool, check, _ in BROKEN])
def test_a_bad_manifest_is_found(tool: str, check: str, change: Callable[[Record], None], tmp_path: Path) -> None:
    documents = copy.deepcopy(objects("default"))
    (broken,) = (entry for entry in documents if identity(entry) == "Deployment/rng")
    change(broken)
    write(documents, tmp_path / "default")
    found = unaccepted(LINTERS[tool](tmp_path), accepted())
    assert (check, "Deployment/rng") in {(finding.check, finding.object) for finding in found}


def test_an_unknown_kind_is_found(tmp_path: Path) -> None:
    write([{"apiVersion": "apps/v2", "kind": "Deployment", "metadata": {"name": "rng"}}], tmp_path / "default")
    assert [finding.object for finding in LINTERS["kubeconform"](tmp_path)] == ["Deployment/rng"]


def test_an_acceptance_is_for_its_tool_check_and_objects_alone() -> None:
    finding = Finding("trivy", "KSV-1", "dev", "Deployment/rng", "")
    for tool, check, pattern, covered in (
        ("trivy", "KSV-1", "Deployment/*", True),
        ("trivy", "KSV-1", "Deployment/hasher", False),
        ("trivy", "KSV-2", "Deployment/*", False),
        ("checkov", "KSV-1", "Deployment/*", False),
    ):
        known = Accepted(tool, check, (pattern,), "since it is")
        assert (unaccepted([finding], [known]) == []) == covered
        assert (needless([finding], [known]) == []) == covered
