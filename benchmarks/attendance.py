"""What a class that looks at the page has met with: how long answers took, and how many never came."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_HALF: Final = 50
_MOST: Final = 90
_ALMOST_ALL: Final = 99


@dataclass(frozen=True)
class Attendance:
    """The answers that browsers got which ask once a second each.

    Attributes:
        browsers: how many there were.
        seconds: from the moment that the first request was due to the last answer.
        latencies: of each request that was answered, in milliseconds, from the moment that it was due: a browser whose
            answer is late sends its next request late, and a server that stalls would otherwise look fast.
        failures: what went wrong, and how often.
        connections: how many were made; one for each browser where none was lost.
        processor: seconds of processor that the browsers themselves took.
    """

    browsers: int
    seconds: float
    latencies: tuple[float, ...]
    failures: dict[str, int]
    connections: int
    processor: float

    @property
    def failed(self) -> int:
        """How many requests were not answered as they should be."""
        return sum(self.failures.values())

    @property
    def per_second(self) -> float:
        """Requests a second that were answered."""
        return len(self.latencies) / self.seconds

    @property
    def cores(self) -> float:
        """How many processors the browsers kept busy, which the server could not have."""
        return self.processor / self.seconds

    def percentile(self, percent: float) -> float:
        """The lowest latency, in milliseconds, that so many per cent of the answers did not exceed; NaN without any."""
        if not self.latencies:
            return math.nan
        return sorted(self.latencies)[max(0, math.ceil(percent / 100 * len(self.latencies)) - 1)]

    def __str__(self) -> str:
        """Latencies, failures and pace, in one line."""
        steps = (f"p{percent} {self.percentile(percent):.1f}" for percent in (_HALF, _MOST, _ALMOST_ALL))
        failures = ", ".join(f"{count} {what}" for what, count in self.failures.items()) or "none"
        return (
            f"{self.browsers} browsers: {', '.join(steps)}, longest {self.percentile(100):.1f} ms; "
            f"failures: {failures}; {self.per_second:.0f} requests a second on {self.connections} connections; "
            f"the browsers took {self.cores:.2f} of a processor"
        )


def together(lessons: Sequence[Attendance]) -> Attendance:
    """Several lessons of one class as if they had been one.

    Raises:
        ValueError: there is none, or the classes had not the same size.
    """
    sizes = {lesson.browsers for lesson in lessons}
    if len(sizes) != 1:
        raise ValueError(f"lessons of classes of {sorted(sizes)} browsers are not those of one class")
    failures: Counter[str] = Counter()
    for lesson in lessons:
        failures.update(lesson.failures)
    return Attendance(
        browsers=sizes.pop(),
        seconds=sum(lesson.seconds for lesson in lessons),
        latencies=tuple(latency for lesson in lessons for latency in lesson.latencies),
        failures=dict(failures),
        connections=max(lesson.connections for lesson in lessons),
        processor=sum(lesson.processor for lesson in lessons),
    )
