"""The log: one line for each record, as JSON or as text, with the id of the request that it belongs to.

A request id is made where a unit of work begins, travels in the header ``X-Request-ID``, and stands as ``request_id``
in every line that is logged meanwhile: who looks for one id finds the lines of all services that had a part in it.
"""

import itertools
import json
import logging
import re
import secrets
import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime

FORMATS = ("json", "text")
request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

Fields = Callable[[], Mapping[str, object]]

_STANDARD_FIELDS = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "taskName"}
_LONGEST_ID = 64
_LOGGED = "-log"


class RequestIds:
    """Makes request ids, and decides of which requests a line is logged.

    That is decided where a unit of work begins, and the id says it by its end, so that all services log the same ones.

    Args:
        every: one in so many is logged, the first and then each time; 0 logs none, also of those that others began.
    """

    def __init__(self, every: int) -> None:
        self._every = every
        self._process = secrets.token_hex(6)
        self._numbers = itertools.count()

    def new(self) -> str:
        """Give an id that no other process gives: twelve random hex digits of this one, and a number."""
        number = next(self._numbers)
        if self._every and number % self._every == 0:
            return f"{self._process}-{number:x}{_LOGGED}"
        return f"{self._process}-{number:x}"

    def accepted(self, value: str | None) -> str:
        """Give the id that a client sent, or a new one where it sent none or one that is not fit to be sent on."""
        return value if value and len(value) <= _LONGEST_ID and value.isascii() else self.new()

    def logged(self, request: str) -> bool:
        """Give whether a line is to be logged of the request."""
        return self._every > 0 and request.endswith(_LOGGED)


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON: ts, level, service, msg, request_id, and the fields given as ``extra``."""

    def __init__(self, service: str, more: Fields = dict) -> None:
        super().__init__()
        self._service = service
        self._more = more

    def format(self, record: logging.LogRecord) -> str:
        """Give the line."""
        line: dict[str, object] = {
            "ts": _timestamp(record),
            "level": record.levelname.lower(),
            "service": self._service,
            "msg": record.getMessage(),
        }
        line.update(_fields(record, self._more))
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class TextLines(logging.Formatter):
    """Formats a record for people: time, level, service, message, and ``name=value`` for each field."""

    def __init__(self, service: str, more: Fields = dict) -> None:
        super().__init__()
        self._service = service
        self._more = more

    def format(self, record: logging.LogRecord) -> str:
        """Give the line; a traceback follows on lines of its own."""
        message = " ".join(record.getMessage().splitlines())
        fields = [f"{name}={_plain(value)}" for name, value in _fields(record, self._more).items()]
        line = " ".join([_timestamp(record), f"{record.levelname:<7}", self._service, message, *fields])
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def set_up(service: str, form: str = "json", level: str = "info", more: Fields = dict) -> None:
    """Send the log of this process to its standard output.

    Args:
        service: what each line names as its origin.
        form: one of FORMATS.
        level: the least that is logged, as ``logging`` names it in lower case.
        more: gives further fields for the line that is being logged.
    """
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter((TextLines if form == "text" else JsonLines)(service, more))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def _timestamp(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _fields(record: logging.LogRecord, more: Fields) -> dict[str, object]:
    request = request_id.get()
    fields: dict[str, object] = {} if request is None else {"request_id": request}
    fields |= more()
    fields |= {key: value for key, value in record.__dict__.items() if key not in _STANDARD_FIELDS}
    return fields


def _plain(value: object) -> str:
    text = str(value)
    return text if re.fullmatch(r"[^\s\"=]+", text) else json.dumps(text, ensure_ascii=False)
