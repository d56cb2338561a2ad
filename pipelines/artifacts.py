"""The files that one step leaves for the next: a folder for each stack, which a pipeline hands on as an artifact."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pipelines.errors import StepError
from pipelines.events import Json


@dataclass(frozen=True)
class Artifacts:
    """The files of one stack in ``folder``."""

    folder: Path

    @property
    def events(self) -> Path:
        """The engine's events of the last command."""
        return self.folder / "events.jsonl"

    @property
    def plan(self) -> Path:
        """What was previewed, for an update to be held to. Secrets in it are encrypted as they are in the state."""
        return self.folder / "plan.json"

    @property
    def summary(self) -> Path:
        """What was previewed, for machines."""
        return self.folder / "summary.json"

    @property
    def comment(self) -> Path:
        """What was previewed, for a reviewer."""
        return self.folder / "comment.md"

    @property
    def good(self) -> Path:
        """The images that ran before the last update: what a rollback brings back."""
        return self.folder / "good.json"

    @property
    def verified(self) -> Path:
        """The images of the last update that was verified: what is promoted."""
        return self.folder / "verified.json"


def write(file: Path, document: Json) -> None:
    """Write JSON, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.part")
    part.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n")
    part.replace(file)


def read(file: Path, made_by: str) -> Json:
    """Read JSON that the step ``made_by`` has written.

    Raises:
        StepError: the file is not there, or is none of that step's.
    """
    try:
        document: object = json.loads(file.read_text())
    except FileNotFoundError:
        raise StepError(f"there is no {file}: run `{made_by}` first, or hand its files on as an artifact") from None
    except ValueError:
        raise StepError(f"{file} is no JSON: run `{made_by}` again") from None
    if not isinstance(document, dict):
        raise StepError(f"{file} is not what `{made_by}` writes: run it again")
    return cast("Json", document)
