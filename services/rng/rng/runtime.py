"""What a DockerCoins service needs around its own work: settings, logs, health, and a clean end.

The same file stands in the folder of each of the four services, because each is built from its own folder alone; a
test compares the copies.

Environment variables that every service reads (one that is empty counts as not set):

=================  =========  ==============================================================================
``PORT``           8080       TCP port to listen on, 1 to 65535
``HOST``           all        address to listen on; not set: every address of the machine, IPv4 and IPv6
``LOG_LEVEL``      info       ``debug``, ``info``, ``warning`` or ``error``
``DRAIN_SECONDS``  0          after SIGTERM, go on listening for so long (readiness says 503), 0 to 600
``GRACE_SECONDS``  10         after that, the most to wait for requests and work in flight, 0 to 600
=================  =========  ==============================================================================

Health, on the same port: ``GET /healthz`` answers 200 as long as the event loop serves; ``GET /readyz`` answers 200, or
503 with ``{"status": "not ready", "reason": …}`` while the service drains or lacks something that it needs.

Exit status: 0 after a clean end, 1 when the work failed or the port cannot be had, 2 when a setting is wrong.
"""

import asyncio
import json
import logging
import math
import re
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlsplit

import uvloop
from aiohttp import hdrs, web

Work = Callable[[asyncio.Event], Coroutine[Any, Any, None]]
Obstacle = Callable[[], Awaitable[str | None]]

LOG_LEVELS = ("debug", "info", "warning", "error")
_STANDARD_FIELDS = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "taskName"}
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

    @classmethod
    def read(cls, environment: Environment) -> "ServerSettings":
        """Read them; what is wrong stays in the environment's list."""
        return cls(
            port=environment.integer("PORT", 8080, 1, 65535),
            host=environment.host("HOST", "::") if environment.text("HOST") else None,
            log_level=environment.choice("LOG_LEVEL", "info", LOG_LEVELS),
            drain_seconds=environment.seconds("DRAIN_SECONDS", 0.0, 600.0),
            grace_seconds=environment.seconds("GRACE_SECONDS", 10.0, 600.0),
        )


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON: time, level, service, event, and the fields given as ``extra``."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """Give the line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "service": self._service,
            "event": record.getMessage(),
        }
        line.update((key, value) for key, value in record.__dict__.items() if key not in _STANDARD_FIELDS)
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def start(
    service: str,
    variables: Mapping[str, str],
    read: Callable[[Environment], tuple[ServerSettings, SettingsT]],
    run: Callable[[ServerSettings, SettingsT], Coroutine[Any, Any, int]],
) -> NoReturn:
    """Read the settings, set up the log, run the service, and exit with its status."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines(service))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    environment = Environment(variables)
    settings, own_settings = read(environment)
    try:
        environment.check()
    except SettingsError as error:
        _log.error("settings refused", extra={"problems": error.problems})
        sys.exit(2)
    logging.getLogger().setLevel(settings.log_level.upper())
    sys.exit(uvloop.run(run(settings, own_settings)))


async def no_obstacle() -> str | None:
    """Say that a service which needs nothing else is always ready."""
    return None


async def serve(
    app: web.Application, settings: ServerSettings, *, obstacle: Obstacle = no_obstacle, work: Work | None = None
) -> int:
    """Serve until SIGTERM or SIGINT, then drain; give the exit status.

    Args:
        app: what to serve; the health endpoints are added to it.
        settings: where to listen, how to end.
        obstacle: says why the service is not ready, or None.
        work: runs beside the server. When the event that it is given is set, it has to finish what is in flight and
            return; one that returns or raises earlier ends the service with status 1.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    _add_health(app, stop, obstacle)
    # A request whose client has gone is not worth finishing: it would hold up those that queue behind it.
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=settings.grace_seconds)
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.host, settings.port, backlog=1024).start()
    except OSError as error:
        await runner.cleanup()
        _log.error("cannot listen", extra={"port": settings.port, "reason": error.strerror or str(error)})
        return 1
    _log.info("started", extra={"port": settings.port})
    job = asyncio.create_task(_run(work or _wait, stop))
    await stop.wait()
    _log.info("draining", extra={"seconds": settings.drain_seconds, "grace_seconds": settings.grace_seconds})
    clean = True
    try:
        async with asyncio.timeout(settings.drain_seconds + settings.grace_seconds):
            clean, _ = await asyncio.gather(job, asyncio.sleep(settings.drain_seconds))
            await runner.cleanup()
    except TimeoutError:
        _log.warning("the grace period is over: what was in flight is cut")
        clean = False
    _log.info("stopped", extra={"clean": clean})
    return 0 if clean else 1


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


def _add_health(app: web.Application, stop: asyncio.Event, obstacle: Obstacle) -> None:
    async def live(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def ready(_: web.Request) -> web.Response:
        reason = "draining" if stop.is_set() else await obstacle()
        if reason is None:
            return web.json_response({"status": "ready"})
        return web.json_response({"status": "not ready", "reason": reason}, status=503)

    async def close_while_draining(_: web.Request, response: web.StreamResponse) -> None:
        # A client that keeps its connection has to look for another server now.
        if stop.is_set():
            response.force_close()
            response.headers[hdrs.CONNECTION] = "close"

    app.router.add_get("/healthz", live)
    app.router.add_get("/readyz", ready)
    app.on_response_prepare.append(close_while_draining)
