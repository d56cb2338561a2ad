"""Metrics for Prometheus.

Names and units follow https://prometheus.io/docs/practices/naming/. All are named ``dockercoins_…`` and labelled with
``component``, the service that tells them, except those of the process and of Python (``process_…``, ``python_…``).
What is counted anyway is read when Prometheus asks, so that counting it costs nothing more.
"""

import platform
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from aiohttp import web
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds of the buckets of a duration: from a request within a machine to the patience of a client."""

_BOUNDS = (*map(str, SECONDS), "+Inf")

Values = Callable[[], Mapping[str, float] | float | None]

_COMPONENT = "component"


class Histogram:
    """Durations of one kind, in the buckets of SECONDS.

    That of ``prometheus_client`` locks twice for each duration, which costs several times as much and protects nothing
    in a program that does its work in one thread.
    """

    __slots__ = ("counts", "sum")

    def __init__(self) -> None:
        self.counts = [0] * (len(SECONDS) + 1)
        self.sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count a duration."""
        self.counts[bisect_left(SECONDS, seconds)] += 1
        self.sum += seconds


class Metrics:
    """The metrics of one service."""

    def __init__(self, component: str, version: str) -> None:
        self.registry = CollectorRegistry()
        self._component = component
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        build = {"version": version, "python_version": platform.python_version()}
        self.registry.register(_Info(component, "dockercoins_build_info", "1, labelled with what runs.", build))

    def histogram(self, name: str, text: str, labels: Sequence[str] = ()) -> Callable[..., Histogram]:
        """Make a histogram of seconds; what is given back makes the one for values of the labels, once for each."""
        family = _Histograms(self._component, name, text, tuple(labels))
        self.registry.register(family)
        return family.labelled

    def counter(self, name: str, text: str, read: Values, label: str | None = None) -> None:
        """Tell what ``read`` gives, which never falls: a number, or one for each value of the label."""
        self.registry.register(_Reading(self._component, CounterMetricFamily, name, text, read, label))

    def gauge(self, name: str, text: str, read: Values, label: str | None = None) -> None:
        """Tell what ``read`` gives now: a number, one for each value of the label, or None while it is not known."""
        self.registry.register(_Reading(self._component, GaugeMetricFamily, name, text, read, label))

    async def tell(self, request: web.Request) -> web.Response:
        """Answer Prometheus in the format that it asks for."""
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(self.registry), headers={"Content-Type": content_type})


@dataclass(eq=False)
class _Info(Collector):
    """A metric that is always 1, and says what it does by its labels."""

    component: str
    name: str
    text: str
    labels: Mapping[str, str]

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Give the metric."""
        family = GaugeMetricFamily(self.name, self.text, labels=(_COMPONENT, *self.labels))
        family.add_metric((self.component, *self.labels.values()), 1)
        yield family


@dataclass(eq=False)
class _Histograms(Collector):
    """A histogram for each combination of values of its labels."""

    component: str
    name: str
    text: str
    labels: tuple[str, ...]
    children: dict[tuple[str, ...], Histogram] = field(default_factory=dict[tuple[str, ...], Histogram])

    def labelled(self, *values: str) -> Histogram:
        """Give the histogram for these values."""
        if len(values) != len(self.labels):
            raise ValueError(f"{self.name} has the labels {self.labels}, not {len(values)} of them")
        return self.children.setdefault(values, Histogram())

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """Give the metric."""
        family = HistogramMetricFamily(self.name, self.text, labels=(_COMPONENT, *self.labels))
        for values, histogram in self.children.items():
            totals = accumulate(histogram.counts)
            buckets = list(zip(_BOUNDS, totals, strict=True))
            family.add_metric((self.component, *values), buckets, histogram.sum)
        yield family


@dataclass(eq=False)
class _Reading(Collector):
    """One metric whose values are read when they are asked for."""

    component: str
    family: type[CounterMetricFamily | GaugeMetricFamily]
    name: str
    text: str
    read: Values
    label: str | None

    def collect(self) -> Iterable[CounterMetricFamily | GaugeMetricFamily]:
        """Give the metric."""
        names = (_COMPONENT, self.label) if self.label else (_COMPONENT,)
        family = self.family(self.name, self.text, labels=names)
        values = self.read()
        if isinstance(values, Mapping):
            for label, value in values.items():
                family.add_metric((self.component, label), value)
        elif values is not None:
            family.add_metric((self.component,), values)
        yield family
