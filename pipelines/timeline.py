"""What ran when, how long it took and how it ended: the table that a delivery ends with."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Row:
    """One step: when it began, its seconds and its result; a step that never began has its result alone."""

    step: str
    result: str
    began: datetime | None = None
    seconds: float = 0


@dataclass
class Timeline:
    """Announces steps as they begin and end, and keeps their times."""

    tell: Tell
    rows: list[Row] = field(default_factory=list[Row])

    @contextmanager
    def step(self, name: str, doing: str) -> Generator[None]:
        """Time what the block does; it has failed if it raises. ``doing`` is announced: ``previewing dev``."""
        began = datetime.now(UTC)
        start = time.monotonic()
        self.tell(f"=== {doing} ({began:%H:%M:%S} UTC)")
        result = "failed"
        try:
            yield
            result = "done"
        finally:
            seconds = time.monotonic() - start
            self.rows.append(Row(name, result, began, seconds))
            self.tell(f"=== {name}: {result} after {seconds:.1f} s")

    def left_out(self, name: str) -> None:
        """Note a step that is not run."""
        self.rows.append(Row(name, "not run"))

    def table(self, names: Sequence[str]) -> str:
        """All steps, those among ``names`` that were not come to as well; times are UTC."""
        known = {row.step for row in self.rows}
        rows = [*self.rows, *(Row(name, "not run") for name in names if name not in known)]
        width = max(len(row.step) for row in rows)
        lines = [f"{'step':<{width}}  began at  seconds  result"]
        lines += [
            f"{row.step:<{width}}  {row.began:%H:%M:%S}  {row.seconds:7.1f}  {row.result}"
            if row.began
            else f"{row.step:<{width}}  {'-':>8}  {'-':>7}  {row.result}"
            for row in rows
        ]
        return "\n".join(lines)
