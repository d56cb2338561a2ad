"""`python -m sandbox <command>`; see `cli`."""

from __future__ import annotations

import sys

from sandbox import bootstrap

if __name__ == "__main__":
    bootstrap.enter()
    from sandbox import cli

    sys.exit(cli.main(sys.argv[1:]))
