"""Cleans up after the plugin, however that ends: a process of its own that outlives it by a moment.

Run as `python keeper.py <folder>`. Lines on its standard input tell the process groups that run: `+4711` once one is
started, `-4711` once it has ended. At the end of the input, which also comes when the plugin is killed, it kills the
groups that are left and removes the folder, which holds credentials.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from contextlib import suppress


def main() -> None:
    """Keep watch until standard input ends."""
    running: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        if line.startswith("+"):
            running.add(group)
        else:
            running.discard(group)
    for group in running:
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
    shutil.rmtree(sys.argv[1], ignore_errors=True)


if __name__ == "__main__":
    # It has the terminal's signals to survive, which mean the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    main()
