"""The workflows of GitHub Actions, as actionlint and shellcheck judge them."""

import subprocess
import sys
from pathlib import Path
from typing import Final

from sandbox.toolchain import Program
from tests.integration.deployment import ROOT
from tests.manifests.tools import program

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
