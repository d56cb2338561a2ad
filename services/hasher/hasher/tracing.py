"""Traces of OpenTelemetry, sent over OTLP/HTTP where an endpoint is set.

Where none is set, nothing of OpenTelemetry is loaded, and :class:`Tracer` does nothing. The settings are those of
OpenTelemetry, https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/; attributes are named
as https://opentelemetry.io/docs/specs/semconv/ says. The trace goes on from service to service in the header
``traceparent``, https://www.w3.org/TR/trace-context/.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Generator, Mapping, MutableMapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import SpanKind

    from .runtime import Environment

Attributes = Mapping[str, str | int | float]
Kind = Literal["internal", "client", "server"]

_PROTOCOL = "http/protobuf"
_SAMPLERS = (
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
)
_NOTHING = nullcontext()
_SERVER_ERROR = 500


def wanted(environment: Environment) -> bool:
    """Read whether traces are to be sent; what is wrong with their settings stays in the environment's list."""
    endpoints = [
        environment.url(name, "")
        for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
        if environment.text(name)
    ]
    disabled = environment.text("OTEL_SDK_DISABLED").lower() == "true"
    if not endpoints or disabled or environment.text("OTEL_TRACES_EXPORTER", "otlp") == "none":
        return False
    for name in ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"):
        environment.choice(name, _PROTOCOL, (_PROTOCOL,))
    environment.choice("OTEL_TRACES_SAMPLER", _SAMPLERS[0], _SAMPLERS)
    environment.fraction("OTEL_TRACES_SAMPLER_ARG", 1.0)
    return True


class Tracer:
    """Makes no spans: what a service has where no endpoint is set."""

    enabled = False

    def span(
        self, name: str, kind: Kind, attributes: Attributes, parent: Mapping[str, str] | None = None
    ) -> AbstractContextManager[None]:
        """Give a span to be in; ``parent`` are the headers of a request that may carry one."""
        del name, kind, attributes, parent
        return _NOTHING

    def annotate(self, status: int) -> None:
        """Note the status of the answer in the span that is current."""

    def inject(self, headers: MutableMapping[str, str]) -> None:
        """Add the headers by which the next service goes on with the trace."""

    def here(self) -> object | None:
        """Give the place in the trace, for :meth:`afterwards`; None where nothing is recorded."""
        return None

    def afterwards(self, name: str, places: list[object], start: int, end: int, attributes: Attributes) -> None:
        """Add a client's span with known times (nanoseconds since the epoch) to each of the places."""

    def ids(self) -> Mapping[str, object]:
        """Give the fields that lead from a line of the log to the trace."""
        return {}

    def close(self, seconds: float) -> None:
        """Send what is left, for so long at most."""


def start(service: str, version: str) -> Tracer:
    """Give a tracer that sends its spans to the endpoint that is set."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    name = os.environ.get("OTEL_SERVICE_NAME", "").strip() or service
    resource = Resource.create({"service.name": name, "service.version": version})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return _OpenTelemetry(provider)


class _OpenTelemetry(Tracer):
    """Makes spans, and sends them beside the work."""

    enabled = True

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry import trace  # noqa: PLC0415
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

        self._trace = trace
        self._provider = provider
        self._tracer = provider.get_tracer("dockercoins")
        self._propagator = TraceContextTextMapPropagator()
        self._kinds: dict[Kind, SpanKind] = {
            "internal": trace.SpanKind.INTERNAL,
            "client": trace.SpanKind.CLIENT,
            "server": trace.SpanKind.SERVER,
        }

    @contextmanager
    def span(
        self, name: str, kind: Kind, attributes: Attributes, parent: Mapping[str, str] | None = None
    ) -> Generator[None]:
        context: Context | None = None if parent is None else self._propagator.extract(parent)
        with self._tracer.start_as_current_span(name, context, self._kinds[kind], attributes):
            yield

    def annotate(self, status: int) -> None:
        span = self._trace.get_current_span()
        span.set_attribute("http.response.status_code", status)
        if status >= _SERVER_ERROR:
            span.set_status(self._trace.StatusCode.ERROR)

    def inject(self, headers: MutableMapping[str, str]) -> None:
        self._propagator.inject(headers)

    def here(self) -> object | None:
        span = self._trace.get_current_span()
        return self._trace.set_span_in_context(span) if span.is_recording() else None

    def afterwards(self, name: str, places: list[object], start: int, end: int, attributes: Attributes) -> None:
        for place in places:
            context: Context = place  # pyright: ignore[reportAssignmentType] - what here() gave
            span = self._tracer.start_span(name, context, self._kinds["client"], attributes, start_time=start)
            span.end(end)

    def ids(self) -> Mapping[str, object]:
        context = self._trace.get_current_span().get_span_context()
        if not context.is_valid:
            return {}
        return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}

    def close(self, seconds: float) -> None:
        # The SDK's own shutdown waits for a collector that is away longer than a pod has to end.
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(seconds)
