"""Runs the commands that are measured."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence


def run(command: Sequence[str], environment: Mapping[str, str] | None = None, *, stdin: str | None = None) -> str:
    """What a command prints.

    Raises:
        RuntimeError: it failed; the message has what it said.
    """
    completed = subprocess.run(
        command,
        env=dict(environment if environment is not None else os.environ),
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    if completed.returncode:
        raise RuntimeError(f"{' '.join(command[:3])} failed ({completed.returncode}): {completed.stderr.strip()}")
    return completed.stdout
