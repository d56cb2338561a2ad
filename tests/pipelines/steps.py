"""The steps of a pipeline as a build system runs them: one process for each."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.deployment import ROOT
from tests.pipelines.checkouts import edit
from tests.plugins.engine_support import Project


@dataclass(frozen=True)
class Steps:
    """A project with a stack, and the folder that steps hand files on in."""

    project: Project
    files: Path

    def step(self, *arguments: str, without: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        """Run one step; standard error comes apart from the output."""
        environment = {**self.project.environment, "PYTHONPATH": str(ROOT), **variables}
        environment.pop(without, None)
        name, *rest = arguments
        return subprocess.run(
            [sys.executable, "-m", "pipelines", name, "--stack", self.project.stack, "--files", str(self.files), *rest],
            cwd=self.project.directory,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def succeed(self, *arguments: str, **variables: str) -> str:
        completed = self.step(*arguments, **variables)
        assert completed.returncode == 0, completed.stdout + completed.stderr
        return completed.stdout

    def read(self, name: str) -> dict[str, Any]:
        return json.loads((self.files / name).read_text())

    def edit(self, file: str, old: str, new: str) -> None:
        """Change the program."""
        edit(self.project.directory / file, old, new)
