"""How long each task took the last time that it had something to do: the base of every estimate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from . import files


class Durations:
    """Seconds for each task's name, kept in one small file. A file that cannot be read counts as empty."""

    def __init__(self, path: Path) -> None:
        """Read the file."""
        self._path = path
        try:
            document: Any = json.loads(path.read_text())
        except (OSError, ValueError):
            document = {}
        entries = cast("dict[str, object]", document) if isinstance(document, dict) else {}
        self._seconds = {name: float(value) for name, value in entries.items() if isinstance(value, int | float)}

    def of(self, name: str) -> float | None:
        """Seconds of the last time, if there was one."""
        return self._seconds.get(name)

    def record(self, name: str, seconds: float) -> None:
        """Remember this time."""
        self._seconds[name] = round(seconds, 1)
        files.write(self._path, json.dumps(self._seconds, indent=1, sort_keys=True) + "\n")
