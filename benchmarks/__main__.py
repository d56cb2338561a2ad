"""Brings up what the benchmarks need, and runs them: ``python -m benchmarks [name ...] [--rounds N]``."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from tests.environment import ROOT, Platform, end_with, interpreter


def main(arguments: Sequence[str]) -> int:
    """Run benchmarks on the platform, which is taken down again unless it was up before."""
    python = interpreter()
    platform = Platform()
    try:
        environment = platform.up()
        command = [str(python), "-m", "benchmarks.command", *arguments]
        return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    except subprocess.CalledProcessError:
        return 1
    finally:
        platform.down()


if __name__ == "__main__":
    end_with(main)
