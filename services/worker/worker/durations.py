"""How long something takes, told in two ways: to Prometheus, and as a mean in the worker's heartbeat."""

from .metrics import Histogram


class Durations:
    """Takes the durations of one kind of work."""

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram
        self._seconds, self._count = 0.0, 0
        self._last_ms: float | None = None

    def add(self, seconds: float) -> None:
        """Take one."""
        self._histogram.observe(seconds)
        self._seconds += seconds
        self._count += 1

    def mean_ms(self) -> float | None:
        """Give the mean since the last call in milliseconds, or the last known; None before any."""
        if self._count:
            self._last_ms = round(self._seconds / self._count * 1000, 3)
            self._seconds, self._count = 0.0, 0
        return self._last_ms
