"""The step ``check``: lint and test. It needs neither the stack nor the program's packages."""

from __future__ import annotations

import subprocess
import sys

from pipelines.errors import StepError

NONE = "none"
"""In place of stages: nothing is checked, since something else has done so."""


def check(stages: str) -> None:
    """Run stages of ``make test``.

    Raises:
        StepError: one of them failed.
    """
    sys.stdout.flush()
    try:
        completed = subprocess.run(["make", "test", f"STAGES={stages}"], check=False)
    except FileNotFoundError:
        raise StepError("make is not on PATH; `python3 -m tests` runs the same") from None
    if completed.returncode:
        raise StepError(f"the checks failed ({stages}); nothing was previewed, built or deployed")
