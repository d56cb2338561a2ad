"""The sandbox's language host, as the real engine uses it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugins.engine_support import Project

PROJECT = "name: plugins\nruntime: {name: python, options: {toolchain: pip, virtualenv: environment}}\n"


def _project(folder: Path, program: str, settings: str = "name: plugins\nruntime: python\n") -> Project:
    project = Project.create(folder, program, plugins={})
    (project.directory / "Pulumi.yaml").write_text(settings)
    return project


def _with_environment(project: Project, variables: dict[str, str] | None = None) -> Project:
    kept = {name: value for name, value in project.environment.items() if name != "PULUMI_PYTHON_CMD"}
    return Project(project.directory, kept | (variables or {}))


def test_a_program_runs_in_the_environment_that_its_project_names(tmp_path: Path) -> None:
    program = """
        import os, sys, pulumi
        pulumi.export("prefix", sys.prefix)
        pulumi.export("active", os.environ["VIRTUAL_ENV"])
        pulumi.export("first", os.environ["PATH"].split(os.pathsep)[0])
    """
    project = _project(tmp_path, program, PROJECT)
    environment = project.directory / "environment"
    environment.symlink_to(sys.prefix)
    # A variable that names another interpreter is for projects that name none.
    outcome = _with_environment(project, {"PULUMI_PYTHON_CMD": "no-such-python"}).up()
    assert outcome.succeeded, outcome.output
    assert project.outputs() == {
        "prefix": str(environment),
        "active": str(environment),
        "first": str(environment / "bin"),
    }


def test_a_missing_environment_is_told_with_the_command_that_makes_it(tmp_path: Path) -> None:
    project = _with_environment(_project(tmp_path, "import pulumi", PROJECT))
    outcome = project.preview()
    assert not outcome.succeeded
    assert f"there is no virtual environment in {project.directory / 'environment'}" in outcome.errors
    assert f"`pulumi install` in {project.directory} makes it" in outcome.errors
    subprocess.run(["pulumi", "install"], cwd=project.directory, env=dict(project.environment), check=True)
    assert (project.directory / "environment" / "bin" / "python").exists()


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("import os; os._exit(7)", "program exited with non-zero exit code: 7"),
        ("import os; os.kill(os.getpid(), 9)", "program exited unexpectedly: signal: killed"),
        ("import os; os.kill(os.getpid(), 2)", "program exited unexpectedly: signal: interrupt"),
    ],
)
def test_a_program_that_ends_without_a_word_is_told(tmp_path: Path, program: str, told: str) -> None:
    outcome = _project(tmp_path, program).preview()
    assert not outcome.succeeded
    assert told in outcome.errors
    assert "Traceback" not in outcome.output


def test_a_program_gets_its_settings_and_an_exception_is_told_once(tmp_path: Path) -> None:
    program = """
        import pulumi
        raise ValueError(f"colour is {pulumi.Config().require('colour')}")
    """
    project = _project(tmp_path, program)
    project.set_config("colour", "green")
    outcome = project.preview()
    assert not outcome.succeeded
    assert outcome.errors.count("ValueError: colour is green") == 1
    assert "an unhandled error occurred" not in outcome.errors


def test_a_policy_pack_that_cannot_start_ends_the_preview_and_says_why(tmp_path: Path) -> None:
    project = _project(tmp_path, "import pulumi")
    pack = tmp_path / "pack"
    pack.mkdir()
    (pack / "PulumiPolicy.yaml").write_text("runtime: python\nversion: 1.0.0\n")
    (pack / "__main__.py").write_text("import no_such_module\n")
    outcome = project.preview("--policy-pack", str(pack))
    assert not outcome.succeeded
    assert "No module named 'no_such_module'" in outcome.output
    assert "exit status 1" in outcome.output


def test_the_versions_of_python_and_of_its_packages_are_told(tmp_path: Path) -> None:
    project = _project(tmp_path, "import pulumi", PROJECT)
    (project.directory / "environment").symlink_to(sys.prefix)
    about = _with_environment(project).run("about").stdout_or_fail()
    interpreter = project.directory / "environment" / "bin" / "python"
    version = ".".join(map(str, sys.version_info[:3]))
    assert f"executable='{interpreter}' version='{version}'" in about
    assert re.search(r"^ruff\s+\d", about, re.MULTILINE)
