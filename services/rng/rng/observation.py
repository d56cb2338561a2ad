"""Watches over the requests that a service answers: their count, duration and status, their log, their trace."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from time import perf_counter

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware
from multidict import istr

from .logs import RequestIds, request_id
from .metrics import Histogram, Metrics
from .tracing import Tracer

REQUEST_ID = istr("X-Request-ID")

_CLIENT_GONE = 499  # the status by which nginx made it known that a client has gone before its answer
_SERVER_ERROR = 500
_METHODS = frozenset(("GET", "HEAD", "POST"))
_OTHER = "_OTHER"  # as https://opentelemetry.io/docs/specs/semconv/http/http-spans/ names it
_log = logging.getLogger(__name__)


class Observer:
    """Watches over all requests but those that ask how the service is.

    Its metric has few combinations of labels, whatever clients send: a path that is not served is told as ``unknown``,
    a method that no service knows as ``_OTHER``.
    """

    def __init__(self, metrics: Metrics, tracer: Tracer, ids: RequestIds, *, ignore: frozenset[str]) -> None:
        self._in_flight = 0
        self._ignore = ignore
        self._ids = ids
        self._tracer = tracer
        self._durations = metrics.histogram(
            "dockercoins_http_request_duration_seconds",
            "Time from the head of a request to its answer; a status of 499 is a client that went away.",
            ("method", "route", "status"),
        )
        metrics.gauge(
            "dockercoins_http_requests_in_flight", "Requests that are being answered.", lambda: self._in_flight
        )

    def watch(self, app: web.Application, stop: asyncio.Event) -> None:
        """Watch over the requests of an application that is not started yet, and has all its routes.

        From the stop on, each answer closes its connection: its client has to look for another server.
        """
        ignored = frozenset(resource for resource in app.router.resources() if resource.canonical in self._ignore)
        app.middlewares.insert(0, self._observing(ignored, stop))
        if self._tracer.enabled:
            app.middlewares.insert(0, self._tracing(ignored))

    def _observing(self, ignored: Collection[object], stop: asyncio.Event) -> Middleware:
        ids = self._ids
        known: dict[tuple[str, web.AbstractResource | None, int], Histogram] = {}
        verbose = _log.isEnabledFor(logging.DEBUG)

        def close_if_stopped(response: web.StreamResponse) -> web.StreamResponse:
            if stop.is_set():
                response.force_close()
                response.headers[hdrs.CONNECTION] = "close"
            return response

        # All of it stands in one function, since it is run for each request: a call more costs as much as the rest.
        @web.middleware
        async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
            resource = request.match_info.route.resource
            if resource in ignored:
                return close_if_stopped(await handler(request))
            given = ids.accepted(request.headers.get(REQUEST_ID))
            request_id.set(given)
            self._in_flight += 1
            status = _SERVER_ERROR
            begin = perf_counter()
            try:
                response = await handler(request)
                status = response.status
            except web.HTTPException as answer:
                status = answer.status
                answer.headers[REQUEST_ID] = given
                close_if_stopped(answer)
                raise
            except asyncio.CancelledError:
                status = _CLIENT_GONE
                raise
            finally:
                seconds = perf_counter() - begin
                self._in_flight -= 1
                duration = known.get((request.method, resource, status))
                if duration is None:
                    method = request.method if request.method in _METHODS else _OTHER
                    duration = known[method, resource, status] = self._durations(method, _route(request), str(status))
                duration.observe(seconds)
                if status >= _SERVER_ERROR or verbose or ids.logged(given):
                    _tell(request, status, seconds, ids.logged(given))
            response.headers[REQUEST_ID] = given
            return close_if_stopped(response) if stop.is_set() else response

        return observe

    def _tracing(self, ignored: Collection[object]) -> Middleware:
        @web.middleware
        async def trace(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.match_info.route.resource in ignored:
                return await handler(request)
            return await self._trace(request, handler)

        return trace

    async def _trace(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        method, route = request.method if request.method in _METHODS else _OTHER, _route(request)
        attributes = {"http.request.method": method, "http.route": route, "url.scheme": request.scheme}
        refusal: web.HTTPException | None = None
        response: web.StreamResponse
        with self._tracer.span(f"{method} {route}", "server", attributes, request.headers):
            try:
                response = await handler(request)
            except web.HTTPException as answer:
                response = refusal = answer  # an answer like any other, not a failure of the span
            self._tracer.annotate(response.status)
        if refusal is not None:
            raise refusal
        return response


def _tell(request: web.Request, status: int, seconds: float, chosen: bool) -> None:
    level = logging.WARNING if status >= _SERVER_ERROR else logging.INFO if chosen else logging.DEBUG
    fields = {"method": request.method, "route": _route(request), "status": status, "ms": round(seconds * 1000, 3)}
    _log.log(level, "request", extra=fields)


def _route(request: web.Request) -> str:
    """Give the pattern of the path that the request asks for, not the path itself; ``unknown`` if none is served."""
    resource = request.match_info.route.resource
    return "unknown" if resource is None else resource.canonical
