"""Which files of a build context differ from another commit, as git tells."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

from pipelines.errors import StepError


def changed_files(base: str, folders: Iterable[str], root: Path) -> dict[str, list[str]]:
    """Folder to its files that differ since ``base`` and this checkout parted, as ``M name``.

    The letters are those of ``git diff --name-status``: added, modified, deleted, renamed.

    Raises:
        StepError: git does not know ``base``.
    """
    found: dict[str, list[str]] = {}
    for folder in folders:
        arguments = [
            "diff",
            "--name-status",
            "--merge-base",
            "--relative",
            "--no-renames",
            "-z",
            "--end-of-options",
            base,
        ]
        completed = subprocess.run(
            ["git", "-C", str(root / folder), *arguments], capture_output=True, text=True, check=False
        )
        if completed.returncode:
            why = completed.stderr.strip().partition("\n")[0]
            raise StepError(
                f"git cannot compare with {base!r}: {why}\nName a commit or branch that was "
                "fetched with its history (`fetch-depth: 0` on GitHub, `GIT_DEPTH: 0` on GitLab)"
            )
        parts = iter(completed.stdout.split("\0"))
        found[folder] = [f"{status} {name}" for status, name in zip(parts, parts, strict=False) if name]
    return found


def commit(root: Path) -> str:
    """The commit that is checked out; empty where there is none, as in a copy without git."""
    completed = subprocess.run(
        ["git", "-C", str(root), "rev-parse", "--verify", "HEAD"], capture_output=True, text=True, check=False
    )
    return completed.stdout.strip()
