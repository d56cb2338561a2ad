"""Runs everything that is tested: ``python -m tests [stage ...]``.

What needs no platform runs first, while the platform comes up. Then the stages that need it run beside each other,
file by file, and after them the tests that need the platform for themselves (``pytest.mark.alone``). The platform is
taken down at the end if it was not up before. Everything runs even if something fails. The exit code is 0 if everything
passed, 1 otherwise; the last line is ``<n> passed, <n> failed, <n> skipped``.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.environment import ROOT, Platform, end_with, interpreter, say

LINT: Final = "lint"
OFFLINE: Final = ("manifests", "unit")
PLATFORM: Final = ("sandbox", "integration", "pipelines", "browser", "plugins", "services")
"""Those whose files take longest come first, so that no long one is left at the end."""
STAGES: Final = (LINT, *OFFLINE, *PLATFORM)
PROCESSORS: Final = os.cpu_count() or 1
AT_ONCE_ON_PLATFORM: Final = min(PROCESSORS + 1, 6)
"""How many files are tested at the same time there, where a test waits more than it computes."""
NO_TESTS: Final = 5
"""The exit code of pytest if it has nothing to run: https://docs.pytest.org/en/stable/reference/exit-codes.html"""


@dataclass
class Tally:
    """How many tests or checks passed, failed and were skipped, and the sum of the seconds that they took."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0

    def add(self, other: Tally) -> None:
        """Count what another one has counted."""
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.seconds += other.seconds


Tallies = dict[str, Tally]


def _tracked(*patterns: str) -> tuple[str, ...]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return tuple(listed.stdout.split())


def _linters(python: Path) -> tuple[tuple[str, ...], ...]:
    return (
        ("ruff", "check", "."),
        ("ruff", "format", "--check", "."),
        ("basedpyright", "--pythonpath", str(python)),
        ("hadolint", *_tracked("*Dockerfile")),
        ("shellcheck", ".ci/run", "pipelines/post-receive", "pipelines/prepare", *_tracked("*.sh")),
    )


def _lint(python: Path) -> Tally:
    tally = Tally()
    for program, *arguments in _linters(python):
        began = time.monotonic()
        completed = subprocess.run(
            [str(python.parent / program), *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        say(f"lint: {program}\n{completed.stdout.rstrip()}")
        failed = completed.returncode != 0
        tally.add(Tally(not failed, failed, seconds=time.monotonic() - began))
    return tally


def _pytest(python: Path, names: Sequence[str], environment: Mapping[str, str], *options: str) -> Tallies:
    """Run the tests in the folders of some stages; one that ends badly without a failed test counts as a failure."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [str(python), "-m", "pytest", *(f"tests/{name}" for name in names), f"--junit-xml={report}", *options]
        completed = subprocess.run(command, cwd=ROOT, env=dict(environment), check=False)
        tallies = {name: Tally() for name in names}
        cases = list(ET.parse(report).getroot().iter("testcase")) if report.exists() else []  # noqa: S314 - pytest's
    for case in cases:
        failed = case.find("failure") is not None or case.find("error") is not None
        skipped = not failed and case.find("skipped") is not None
        stage = case.get("classname", "").split(".")[1]
        seconds = float(case.get("time", 0))
        tallies[stage].add(Tally(not failed and not skipped, failed, skipped, seconds))
    if completed.returncode not in (0, NO_TESTS) and not any(tally.failed for tally in tallies.values()):
        tallies[names[0]].failed += 1
    return tallies


def _beside_each_other(processes: int) -> tuple[str, ...]:
    return ("--numprocesses", str(processes), "--dist", "loadscope", "--no-loadscope-reorder", "--durations=25")


def _on_platform(python: Path, names: Sequence[str], coming: Future[dict[str, str]]) -> Tallies:
    try:
        environment = coming.result()
    except subprocess.CalledProcessError as error:
        say(f"{', '.join(names)}: not run, since the platform did not come up ({error})")
        return {name: Tally(failed=1) for name in names}
    say(f"=== {', '.join(names)} ===")
    tallies = _pytest(python, names, environment, *_beside_each_other(AT_ONCE_ON_PLATFORM), "-m", "not alone")
    say("=== what needs the platform for itself ===")
    for name, tally in _pytest(python, names, environment, "-m", "alone").items():
        tallies[name].add(tally)
    return tallies


def _run(python: Path, names: Sequence[str], platform: Platform) -> Tallies:
    tallies: Tallies = {}
    offline = [name for name in OFFLINE if name in names]
    on_platform = [name for name in PLATFORM if name in names]
    with ThreadPoolExecutor() as beside:
        linted = beside.submit(_lint, python) if LINT in names else None
        coming = beside.submit(platform.up) if on_platform else None
        if offline:
            say(f"=== {', '.join(offline)} ===")
            tallies |= _pytest(python, offline, os.environ, *_beside_each_other(PROCESSORS))
        if linted:
            tallies |= {LINT: linted.result()}
        if coming:
            tallies |= _on_platform(python, on_platform, coming)
    return {name: tallies[name] for name in STAGES if name in tallies}


def _say_tallies(tallies: Tallies, seconds: float) -> Tally:
    total = Tally()
    say(f"\n{'stage':<12}{'passed':>8}{'failed':>8}{'skipped':>8}{'seconds of tests':>18}")
    for name, tally in tallies.items():
        say(f"{name:<12}{tally.passed:>8}{tally.failed:>8}{tally.skipped:>8}{tally.seconds:>18.0f}")
        total.add(tally)
    say(f"{'all':<12}{total.passed:>8}{total.failed:>8}{total.skipped:>8}{total.seconds:>18.0f}")
    minutes, rest = divmod(round(seconds), 60)
    say(f"in {minutes} min {rest:02} s\n")
    say(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped")
    return total


def main(names: Sequence[str]) -> int:
    """Run the named stages, or all; print how many tests of each ran."""
    unknown = set(names) - set(STAGES)
    if unknown:
        say(f"no such stage: {', '.join(sorted(unknown))}; there are {', '.join(STAGES)}")
        return 2
    platform = Platform()
    began = time.monotonic()
    try:
        tallies = _run(interpreter(), names or STAGES, platform)
    finally:
        platform.down()
    return 1 if _say_tallies(tallies, time.monotonic() - began).failed else 0


if __name__ == "__main__":
    end_with(main)
