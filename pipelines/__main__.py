"""``python -m pipelines <step>``; see :mod:`pipelines.cli`."""

import sys

from pipelines import cli

if __name__ == "__main__":
    sys.exit(cli.main(sys.argv[1:]))
