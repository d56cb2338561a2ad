"""The files of GitHub Actions, GitLab CI and Renovate, as actionlint, shellcheck and their schemas judge them."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from sandbox.toolchain import Program
from tests.integration.deployment import ROOT
from tests.manifests.tools import environment, program

ACTIONLINT: Final = Program(
    "actionlint", "github.com/rhysd/actionlint/cmd/actionlint", module=Path(__file__).parent / "linters"
)
SHELLCHECK: Final = str(Path(sys.executable).parent / "shellcheck")


def _findings(folder: Path) -> str:
    workflows = sorted(str(file) for file in (folder / ".github" / "workflows").glob("*.yml"))
    assert workflows
    completed = subprocess.run(
        [str(program(ACTIONLINT)), "-shellcheck", SHELLCHECK, "-pyflakes=", *workflows],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return completed.stdout + completed.stderr


def test_actionlint_accepts_the_workflows() -> None:
    assert _findings(ROOT) == ""


def test_actionlint_would_find_a_misspelt_variable_and_a_careless_command(tmp_path: Path) -> None:
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    text = (ROOT / ".github" / "workflows" / "deploy.yml").read_text()
    (folder / "deploy.yml").write_text(
        text.replace("${{ vars.AWS_REGION }}", "${{ var.AWS_REGION }}").replace(
            '"$GITHUB_STEP_SUMMARY"', "$NOWHERE/*.md"
        )
    )
    found = _findings(tmp_path)
    assert 'undefined variable "var"' in found
    assert "SC2086" in found


SCHEMAS: Final = {
    ".gitlab-ci.yml": "vendor.gitlab-ci",
    "renovate.json": "vendor.renovate",
    **{
        str(file.relative_to(ROOT)): "vendor.github-workflows"
        for file in sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    },
}
"""Each file, and the schema for it that check-jsonschema brings along: nothing is asked of another host."""


def _held_to_schema(file: Path, schema: str) -> subprocess.CompletedProcess[str]:
    # GitLab's own tag for what is taken from another job; its values are not what the schema is about.
    options = ["--data-transform", "gitlab-ci"] if schema == "vendor.gitlab-ci" else []
    return subprocess.run(
        [
            str(environment("check_jsonschema", Path(__file__).parent) / "check-jsonschema"),
            *("--builtin-schema", schema, "--output-format", "json", *options, str(file)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(("file", "schema"), SCHEMAS.items(), ids=list(SCHEMAS))
def test_the_schema_of_its_host_accepts_a_file(file: str, schema: str) -> None:
    judged = _held_to_schema(ROOT / file, schema)
    assert judged.returncode == 0, judged.stdout + judged.stderr


@pytest.mark.parametrize(
    ("file", "right", "wrong", "found"),
    [
        (".gitlab-ci.yml", "  resource_group: stack-dev\n", "  resource_group: [stack-dev]\n", "$.dev"),
        (".gitlab-ci.yml", "      when: manual\n", "      when: by hand\n", "$.prod"),
        (".github/workflows/deploy.yml", "timeout-minutes: 60", "timeout-minute: 60", "$.jobs.dev"),
        ("renovate.json", '"customType": "regex"', '"customType": "regexp"', "$.customManagers[0]"),
        (".github/workflows/drift.yml", "runs-on: ubuntu-24.04", "runs-on: 24.04", "$.jobs.drift"),
    ],
)
def test_the_schema_refuses_a_broken_file_and_says_where(
    file: str, right: str, wrong: str, found: str, tmp_path: Path
) -> None:
    text = (ROOT / file).read_text()
    assert right in text
    broken = tmp_path / Path(file).name
    broken.write_text(text.replace(right, wrong, 1))
    judged = _held_to_schema(broken, SCHEMAS[file])
    assert judged.returncode == 1
    assert found in judged.stdout


def test_renovate_finds_each_pin_that_no_manager_of_its_own_knows() -> None:
    for manager in json.loads((ROOT / "renovate.json").read_text())["customManagers"]:
        (file,) = (pattern.strip("/").removeprefix("^").removesuffix("$") for pattern in manager["managerFilePatterns"])
        text = (ROOT / file.replace("\\", "")).read_text()
        for pattern in manager["matchStrings"]:
            found = re.findall(pattern.replace("(?<", "(?P<"), text)
            assert found, pattern
