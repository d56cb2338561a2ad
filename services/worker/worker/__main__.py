"""Starts the service: ``python3 -m worker``."""

import os

from . import runtime
from .app import read_settings, run

if __name__ == "__main__":
    runtime.start("worker", os.environ, read_settings, run)
