"""What a DockerCoins service needs around its own work: settings, health, metrics, and a clean end.

The same file stands in the folder of each of the four services, because each is built from its own folder alone, and so
do ``logs``, ``metrics``, ``observation`` and ``tracing``; a test compares the copies.

Environment variables that every service reads (one that is empty counts as not set):

======================  =========  =========================================================================
``PORT``                8080       TCP port to listen on, 1 to 65535
``METRICS_PORT``        ``PORT``   TCP port for ``GET /metrics`` alone, where not everybody who may call the
                                   service may read its metrics
``HOST``                all        address to listen on; not set: every address of the machine, IPv4 and IPv6
``LOG_LEVEL``           info       ``debug``, ``info``, ``warning`` or ``error``; with ``debug``, each request
                                   and each unit of work is logged
``LOG_FORMAT``          json       ``json`` or ``text``
``LOG_REQUESTS_EVERY``  1000       log one in so many requests as ``info``, and the same ones in all services;
                                   0 logs none
``SERVICE_VERSION``     unknown    what metrics and traces name as the version
``DRAIN_SECONDS``       0          after SIGTERM, go on listening for so long (readiness says 503), 0 to 600
``GRACE_SECONDS``       10         after that, the most to wait for requests and work in flight, 0 to 600
======================  =========  =========================================================================

``OTEL_EXPORTER_OTLP_ENDPOINT`` and its kin turn on traces; see the module ``tracing``.

Beside its own work, a service answers ``GET /healthz`` with 200 as long as the event loop serves; ``GET /readyz`` with
200, or with 503 and ``{"status": "not ready", "reason": …}`` while it drains or lacks something that it needs; and
``GET /metrics`` with what the module ``metrics`` says.

Exit status: 0 after a clean end, 1 when the work failed or the port cannot be had, 2 when a setting is wrong.
"""

import asyncio
import logging
import math
import re
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlsplit

import uvloop
from aiohttp import web

from . import logs, tracing
from .metrics import Metrics
from .observation import Observer

Work = Callable[[asyncio.Event], Coroutine[Any, Any, None]]
Obstacle = Callable[[], Awaitable[str | None]]
Detail = Callable[[], Mapping[str, object]]

LOG_LEVELS = ("debug", "info", "warning", "error")
_LAST_SPANS_SECONDS = 3.0
_STATE_PATHS = frozenset(("/healthz", "/readyz", "/metrics"))
_log = logging.getLogger(__name__)
SettingsT = TypeVar("SettingsT")


class SettingsError(Exception):
    """Wrong settings; ``problems`` has one sentence for each: name, value received, what is accepted."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Environment:
    """Reads settings from environment variables and collects what is wrong with them."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self._problems: list[str] = []

    def text(self, name: str, default: str = "") -> str:
        """Give the variable without surrounding blanks, or the default where it is not set."""
        return self._variables.get(name, "").strip() or default

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        """Give an integer between low and high."""
        value = self.text(name, str(default))
        if re.fullmatch(r"[+-]?[0-9]{1,18}", value) and low <= int(value) <= high:
            return int(value)
        self.refuse(name, value, f"an integer from {low} to {high}")
        return default

    def seconds(self, name: str, default: float, high: float) -> float:
        """Give a duration in seconds, from 0 to high."""
        value = self.text(name, str(default))
        with suppress(ValueError):
            number = float(value)
            if math.isfinite(number) and 0 <= number <= high:
                return number
        self.refuse(name, value, f"seconds from 0 to {high:g}, such as 0.1")
        return default

    def fraction(self, name: str, default: float) -> float:
        """Give a number from 0 to 1."""
        value = self.text(name, str(default))
        with suppress(ValueError):
            number = float(value)
            if 0 <= number <= 1:
                return number
        self.refuse(name, value, "a number from 0 to 1, such as 0.01")
        return default

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        """Give one of the choices; upper and lower case are the same."""
        value = self.text(name, default)
        if value.lower() in choices:
            return value.lower()
        self.refuse(name, value, "one of " + ", ".join(choices))
        return default

    def host(self, name: str, default: str) -> str:
        """Give a host name or an IP address."""
        value = self.text(name, default)
        if re.fullmatch(r"[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]+(%[A-Za-z0-9._-]+)?", value):
            return value
        self.refuse(name, value, "a host name or an IP address, without scheme or port")
        return default

    def url(self, name: str, default: str) -> str:
        """Give the address of an HTTP server, without a slash at its end."""
        value = self.text(name, default)
        with suppress(ValueError):
            parts = urlsplit(value)
            _ = parts.port  # raises for one that is not a number up to 65535
            plain = not (parts.query or parts.fragment or parts.username or parts.password)
            if parts.scheme in {"http", "https"} and parts.hostname and plain:
                return value.rstrip("/")
        shown = re.sub(r"//[^/]*@", "//***@", value)
        self.refuse(name, shown, "http://host[:port][/path] or https://…, without user, query and fragment")
        return default

    def secret(self, name: str) -> str | None:
        """Give a secret from the variable, or better from the file that ``<name>_FILE`` names; no error shows it."""
        file_name = f"{name}_FILE"
        value, path = self.text(name), self.text(file_name)
        if value and path:
            self.refuse(name, "(a secret)", f"only one of {name} and {file_name}")
        if not path:
            return value or None
        try:
            content = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            self.refuse(file_name, path, f"a readable text file ({type(error).__name__})")
            return None
        if not content:
            self.refuse(file_name, path, "a file that is not empty")
        return content or None

    def refuse(self, name: str, value: str, accepted: str) -> None:
        """Note that a variable's value is not accepted."""
        self._problems.append(f"environment variable {name} is {value!r}: accepted is {accepted}")

    def check(self) -> None:
        """Raise SettingsError with everything that was refused."""
        if self._problems:
            raise SettingsError(self._problems)


@dataclass(frozen=True)
class ServerSettings:
    """The settings that every service has; the module's text says what they mean."""

    port: int = 8080
    host: str | None = None
    log_level: str = "info"
    drain_seconds: float = 0.0
    grace_seconds: float = 10.0
    log_format: str = "json"
    log_requests_every: int = 1000
    metrics_port: int | None = None
    version: str = "unknown"
    traces: bool = False

    @classmethod
    def read(cls, environment: Environment) -> "ServerSettings":
        """Read them; what is wrong stays in the environment's list."""
        port = environment.integer("PORT", 8080, 1, 65535)
        metrics_port = environment.integer("METRICS_PORT", port, 1, 65535) if environment.text("METRICS_PORT") else None
        return cls(
            port=port,
            host=environment.host("HOST", "::") if environment.text("HOST") else None,
            log_level=environment.choice("LOG_LEVEL", "info", LOG_LEVELS),
            drain_seconds=environment.seconds("DRAIN_SECONDS", 0.0, 600.0),
            grace_seconds=environment.seconds("GRACE_SECONDS", 10.0, 600.0),
            log_format=environment.choice("LOG_FORMAT", "json", logs.FORMATS),
            log_requests_every=environment.integer("LOG_REQUESTS_EVERY", 1000, 0, 1_000_000_000),
            metrics_port=metrics_port if metrics_port != port else None,
            version=environment.text("SERVICE_VERSION", "unknown"),
            traces=tracing.wanted(environment),
        )


class Telemetry:
    """How a service tells what it does: its metrics, its traces, and the ids of requests."""

    def __init__(self, service: str, settings: ServerSettings) -> None:
        self.metrics = Metrics(service, settings.version)
        self.tracer = tracing.start(service, settings.version) if settings.traces else tracing.Tracer()
        self.ids = logs.RequestIds(settings.log_requests_every)


def start(
    service: str,
    variables: Mapping[str, str],
    read: Callable[[Environment], tuple[ServerSettings, SettingsT]],
    run: Callable[[Telemetry, ServerSettings, SettingsT], Coroutine[Any, Any, int]],
) -> NoReturn:
    """Read the settings, set up the log, run the service, and exit with its status."""
    environment = Environment(variables)
    settings, own_settings = read(environment)
    try:
        environment.check()
    except SettingsError as error:
        logs.set_up(service, settings.log_format)
        _log.error("settings refused", extra={"problems": error.problems})
        sys.exit(2)
    telemetry = Telemetry(service, settings)
    logs.set_up(service, settings.log_format, settings.log_level, telemetry.tracer.ids)
    status = uvloop.run(run(telemetry, settings, own_settings))
    telemetry.tracer.close(_LAST_SPANS_SECONDS)
    sys.exit(status)


async def no_obstacle() -> str | None:
    """Say that a service which needs nothing else is always ready."""
    return None


def no_detail() -> Mapping[str, object]:
    """Say that a service has no more to tell about its readiness."""
    return {}


async def serve(
    app: web.Application,
    settings: ServerSettings,
    telemetry: Telemetry,
    *,
    obstacle: Obstacle = no_obstacle,
    detail: Detail = no_detail,
    work: Work | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT, then drain; give the exit status.

    Args:
        app: what to serve; health and metrics are added to it.
        settings: where to listen, how to end.
        telemetry: what is told about the requests.
        obstacle: says why the service is not ready, or None.
        detail: says what else ``/readyz`` tells.
        work: runs beside the server. When the event that it is given is set, it has to finish what is in flight and
            return; one that returns or raises earlier ends the service with status 1.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    _add_health(app, stop, obstacle, detail)
    metrics_app = app if settings.metrics_port is None else web.Application()
    metrics_app.router.add_get("/metrics", telemetry.metrics.tell)
    Observer(telemetry.metrics, telemetry.tracer, telemetry.ids, ignore=_STATE_PATHS).watch(app, stop)
    listeners = [(app, settings.port)]
    if settings.metrics_port is not None:
        listeners.append((metrics_app, settings.metrics_port))
    runners: list[web.AppRunner] = []
    for served, port in listeners:
        # A request whose client has gone is not worth finishing: it would hold up those that queue behind it.
        runner = web.AppRunner(
            served, access_log=None, handler_cancellation=True, shutdown_timeout=settings.grace_seconds
        )
        runners.append(runner)
        await runner.setup()
        try:
            await web.TCPSite(runner, settings.host, port, backlog=1024).start()
        except OSError as error:
            await _clean_up(runners)
            _log.error("cannot listen", extra={"port": port, "reason": error.strerror or str(error)})
            return 1
    _log.info("started", extra={"port": settings.port, "version": settings.version})
    job = asyncio.create_task(_run(work or _wait, stop))
    await stop.wait()
    _log.info("draining", extra={"seconds": settings.drain_seconds, "grace_seconds": settings.grace_seconds})
    clean = True
    try:
        async with asyncio.timeout(settings.drain_seconds + settings.grace_seconds):
            clean, _ = await asyncio.gather(job, asyncio.sleep(settings.drain_seconds))
            await _clean_up(runners)
    except TimeoutError:
        _log.warning("the grace period is over: what was in flight is cut")
        clean = False
    _log.info("stopped", extra={"clean": clean})
    return 0 if clean else 1


async def _clean_up(runners: list[web.AppRunner]) -> None:
    for runner in runners:
        await runner.cleanup()


async def _wait(stop: asyncio.Event) -> None:
    await stop.wait()


async def _run(work: Work, stop: asyncio.Event) -> bool:
    """Do the work; say whether it ended as it should."""
    try:
        await work(stop)
    except Exception:
        _log.exception("the work failed")
        return False
    else:
        return stop.is_set()
    finally:
        stop.set()


def _add_health(app: web.Application, stop: asyncio.Event, obstacle: Obstacle, detail: Detail) -> None:
    async def live(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def ready(_: web.Request) -> web.Response:
        reason = "draining" if stop.is_set() else await obstacle()
        if reason is None:
            return web.json_response({"status": "ready", **detail()})
        return web.json_response({"status": "not ready", "reason": reason, **detail()}, status=503)

    app.router.add_get("/healthz", live)
    app.router.add_get("/readyz", ready)
