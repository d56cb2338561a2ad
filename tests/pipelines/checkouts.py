"""Checkouts of a developer's own: copies of this project that are edited, committed and pushed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.integration.deployment import ROOT

_IDENTITY = ("-c", "user.name=A developer", "-c", "user.email=developer@example.com")


def git(folder: Path, *arguments: str) -> str:
    """What git prints."""
    completed = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stderr
    return completed.stdout.strip()


def commit(folder: Path, message: str) -> None:
    """Commit everything."""
    git(folder, "add", "--all")
    git(folder, *_IDENTITY, "commit", "--quiet", "--message", message)


def copy_project(folder: Path) -> None:
    """Copy the files of this project as they are now, those that are not committed yet among them."""
    listed = git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def edit(path: Path, old: str, new: str) -> None:
    """Replace a text that has to be there."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
