"""Whether a CronJob's schedule is one: the rules of ``github.com/robfig/cron``, by which the API server checks it."""

from __future__ import annotations

import re
from typing import Final

SCHEDULE_RULE: Final = "a schedule in cron's five fields (minute, hour, day, month, weekday from 0 to 6), or @daily"

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: Final[tuple[tuple[range, dict[str, int]], ...]] = (
    (range(60), {}),
    (range(24), {}),
    (range(1, 32), {}),
    (range(1, 13), {name: number for number, name in enumerate(_MONTHS, 1)}),
    (range(7), {name: number for number, name in enumerate(_DAYS)}),
)
_NAMED: Final = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_EVERY: Final = re.compile(r"@every [-+]?(0|(([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)")
_NUMBER: Final = re.compile(r"\+?[0-9]{1,9}")


def is_schedule(text: str) -> bool:
    """Whether the API server takes a text as the ``schedule`` of a CronJob."""
    if text.startswith("@"):
        return text in _NAMED or _EVERY.fullmatch(text) is not None
    fields = text.split()
    return len(fields) == len(_FIELDS) and all(
        _is_range(part, within, names)
        for field, (within, names) in zip(fields, _FIELDS, strict=True)
        for part in field.split(",")
        if part
    )


def _is_range(text: str, within: range, names: dict[str, int]) -> bool:
    bounds, *steps = text.split("/")
    first, *others = bounds.split("-")
    if first in ("*", "?"):
        start, end = within[0], within[-1]
    elif len(others) > 1:
        return False
    else:
        start = _number(first, names)
        end = _number(others[0], names) if others else within[-1] if steps else start
    step = _number(steps[0], {}) if steps else 1
    return len(steps) <= 1 and bool(step) and start in within and end in within and (start or 0) <= (end or 0)


def _number(text: str, names: dict[str, int]) -> int | None:
    if text.lower() in names:
        return names[text.lower()]
    return int(text) if _NUMBER.fullmatch(text) else None
