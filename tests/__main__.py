"""Runs everything that is tested: ``python -m tests [stage ...]``.

The stages run in the order of :data:`STAGES`, cheap ones first; the platform is brought up before the first stage that
needs it, and taken down at the end if it was not up before. All stages run even if one fails. The exit code is 0 if
everything passed, 1 otherwise; the last line is ``<n> passed, <n> failed, <n> skipped``.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.environment import ROOT, Platform, end_with, interpreter, say


@dataclass(frozen=True)
class Stage:
    """One kind of test: the command of a linter, or a folder for pytest."""

    name: str
    commands: tuple[tuple[str, ...], ...] = ()
    folder: str | None = None
    needs_platform: bool = False
    at_once: int = 1
    """How many files are tested at the same time: more than one where tests wait more than they compute."""


@dataclass
class Tally:
    """How many tests or checks of a stage passed, failed and were skipped, and the seconds they took."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0


def _tracked(*patterns: str) -> tuple[str, ...]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return tuple(listed.stdout.split())


def _stages(python: Path) -> tuple[Stage, ...]:
    dockerfiles = _tracked("*Dockerfile")
    scripts = (".ci/run", "pipelines/post-receive", "pipelines/prepare", *_tracked("*.sh"))
    return (
        Stage(
            "lint",
            commands=(
                ("ruff", "check", "."),
                ("ruff", "format", "--check", "."),
                ("basedpyright", "--pythonpath", str(python)),
                ("hadolint", *dockerfiles),
                ("shellcheck", *scripts),
            ),
        ),
        Stage("unit", folder="tests/unit", at_once=2),
        Stage("manifests", folder="tests/manifests"),
        Stage("services", folder="tests/services", needs_platform=True),
        Stage("plugins", folder="tests/plugins", needs_platform=True, at_once=2),
        Stage("integration", folder="tests/integration", needs_platform=True),
        Stage("pipelines", folder="tests/pipelines", needs_platform=True),
        Stage("browser", folder="tests/browser", needs_platform=True),
        Stage("sandbox", folder="tests/sandbox", needs_platform=True),
    )


def _lint(stage: Stage, python: Path) -> Tally:
    tally = Tally()
    for program, *arguments in stage.commands:
        say(f"lint: {program}")
        completed = subprocess.run([str(python.parent / program), *arguments], cwd=ROOT, check=False)
        if completed.returncode == 0:
            tally.passed += 1
        else:
            tally.failed += 1
    return tally


def _pytest(stage: Stage, python: Path, environment: dict[str, str]) -> Tally:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        completed = subprocess.run(
            [
                *(str(python), "-m", "pytest", str(stage.folder), f"--junit-xml={report}", "--durations=5"),
                *(("--numprocesses", str(stage.at_once), "--dist", "loadfile") if stage.at_once > 1 else ()),
            ],
            cwd=ROOT,
            env=environment,
            check=False,
        )
        if not report.exists():
            return Tally(failed=1)
        tally = Tally()
        for suite in ET.parse(report).getroot().iter("testsuite"):  # noqa: S314 - pytest wrote it just now
            failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
            tally.failed += failed
            tally.skipped += int(suite.get("skipped", 0))
            tally.passed += int(suite.get("tests", 0)) - failed - int(suite.get("skipped", 0))
    if completed.returncode and not tally.failed:
        # No test failed, and yet it did not end well: a folder without tests, or one that cannot be collected.
        tally.failed += 1
    return tally


def _run(stage: Stage, python: Path, platform: Platform) -> Tally:
    say(f"=== {stage.name} ===")
    if stage.folder is None:
        return _lint(stage, python)
    try:
        environment = platform.up() if stage.needs_platform else dict(os.environ)
    except subprocess.CalledProcessError as error:
        say(f"{stage.name}: not run, since the platform did not come up ({error})")
        return Tally(failed=1)
    return _pytest(stage, python, environment)


def main(names: Sequence[str]) -> int:
    """Run the named stages, or all; print how many tests of each kind ran."""
    python = interpreter()
    stages = _stages(python)
    unknown = set(names) - {stage.name for stage in stages}
    if unknown:
        say(f"no such stage: {', '.join(sorted(unknown))}; there are {', '.join(stage.name for stage in stages)}")
        return 2
    platform = Platform()
    tallies: dict[str, Tally] = {}
    began = time.monotonic()
    try:
        for stage in stages:
            if not names or stage.name in names:
                start = time.monotonic()
                tallies[stage.name] = _run(stage, python, platform)
                tallies[stage.name].seconds = time.monotonic() - start
    finally:
        platform.down()
    total = Tally(seconds=time.monotonic() - began)
    say(f"\n{'kind':<12}{'passed':>8}{'failed':>8}{'skipped':>8}{'seconds':>9}")
    for name, tally in tallies.items():
        say(f"{name:<12}{tally.passed:>8}{tally.failed:>8}{tally.skipped:>8}{tally.seconds:>9.0f}")
        total.passed += tally.passed
        total.failed += tally.failed
        total.skipped += tally.skipped
    say(f"{'all':<12}{total.passed:>8}{total.failed:>8}{total.skipped:>8}{total.seconds:>9.0f}\n")
    say(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped")
    return 1 if total.failed else 0


if __name__ == "__main__":
    end_with(main)
