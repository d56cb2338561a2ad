"""Messages to the engine's display (`pulumirpc.Engine.Log`).

A message belongs to a resource (by its URN) or to the whole run. A status is shown beside the resource while it is
being worked on, and leaves no trace in the log; the others stay.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from .transport import Channel

_Severity: TypeAlias = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
_SEND_TIMEOUT: Final = 5.0  # seconds; a message that the engine does not take is dropped, never waited for


class EngineLog:
    """Sends messages to the engine at an address such as `127.0.0.1:40123`. Without an address it sends nothing."""

    def __init__(self, address: str | None = None) -> None:
        """Connect lazily: the first message opens the channel."""
        self._address = address
        self._channel: Channel | None = None
        self._lock = threading.Lock()

    def attach(self, address: str) -> None:
        """Use another engine address from now on."""
        with self._lock:
            if address != self._address:
                self._close()
                self._address = address

    def close(self) -> None:
        """Close the channel."""
        with self._lock:
            self._close()

    def debug(self, message: str, urn: str = "") -> None:
        """A message that is shown with `pulumi --debug` only."""
        self._send("DEBUG", message, urn)

    def info(self, message: str, urn: str = "") -> None:
        """A message for the run's log."""
        self._send("INFO", message, urn)

    def warning(self, message: str, urn: str = "") -> None:
        """A warning; the operation goes on."""
        self._send("WARNING", message, urn)

    def error(self, message: str, urn: str = "") -> None:
        """An error; the engine lets the whole run fail."""
        self._send("ERROR", message, urn)

    def status(self, message: str, urn: str = "") -> None:
        """What is happening now, shown beside the resource until the next status."""
        self._send("INFO", message, urn, ephemeral=True)

    def warning_status(self, message: str, urn: str = "") -> None:
        """A status that is shown as a warning."""
        self._send("WARNING", message, urn, ephemeral=True)

    def _close(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def _send(self, severity: _Severity, message: str, urn: str, *, ephemeral: bool = False) -> None:
        # Here, so that the pure parts of the package import without gRPC.
        from google.protobuf import empty_pb2  # noqa: PLC0415

        from .messages import engine_pb2  # noqa: PLC0415
        from .transport import Channel, Unreachable  # noqa: PLC0415

        with self._lock:
            if self._address is None:
                return
            if self._channel is None:
                self._channel = Channel(self._address)
            channel = self._channel
        request = engine_pb2.LogRequest(
            severity=engine_pb2.LogSeverity.Value(severity), message=message, urn=urn, ephemeral=ephemeral
        )
        with contextlib.suppress(Unreachable):  # the engine is going away: nobody is left to read it
            channel.call("/pulumirpc.Engine/Log", request, empty_pb2.Empty, _SEND_TIMEOUT)


@dataclass(frozen=True)
class ResourceLog:
    """`EngineLog` for one resource."""

    engine: EngineLog
    urn: str

    def debug(self, message: str) -> None:
        """A message that is shown with `pulumi --debug` only."""
        self.engine.debug(message, self.urn)

    def info(self, message: str) -> None:
        """A message that stays in the run's log."""
        self.engine.info(message, self.urn)

    def warning(self, message: str) -> None:
        """A warning that stays in the run's log."""
        self.engine.warning(message, self.urn)

    def status(self, message: str) -> None:
        """What is happening now, shown beside the resource until the next status."""
        self.engine.status(message, self.urn)

    def warning_status(self, message: str) -> None:
        """A status that is shown as a warning."""
        self.engine.warning_status(message, self.urn)
