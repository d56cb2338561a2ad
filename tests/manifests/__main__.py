"""Writes the manifests of the stacks: ``python -m tests.manifests FOLDER``."""

import sys
from pathlib import Path

from tests.manifests.rendering import STACKS, objects, write

if len(sys.argv) != 2:
    sys.exit("usage: python -m tests.manifests FOLDER")
for stack in STACKS:
    write(objects(stack), Path(sys.argv[1]) / stack)
