"""The worker's settings.

Environment variables, beside those of ``runtime`` and ``redis_access``:

=======================  ==============  ===================================================================
``RNG_URL``              http://rng      where random bytes come from
``HASHER_URL``           http://hasher   where they are hashed
``DELAY_SECONDS``        0               sleep so long for each unit, 0 to 60
``CONCURRENCY``          32              units in flight, 1 to 1024
``BUFFER_UNITS``         200000          most units held in memory while redis is away, 1 to 10,000,000; a
                                         thousand take about 20 kB. When they are reached, mining pauses
``REQUEST_SECONDS``      30              longest wait for an answer of rng or hasher, 0.1 to 600
=======================  ==============  ===================================================================

The course's worker is ``DELAY_SECONDS=0.1`` with ``CONCURRENCY=1``.
"""

from dataclasses import dataclass

from .redis_access import RedisSettings
from .runtime import Environment, ServerSettings


@dataclass(frozen=True)
class Settings:
    """Where the worker gets what it needs, and how fast it goes."""

    rng_url: str
    hasher_url: str
    redis: RedisSettings
    delay_seconds: float = 0.0
    concurrency: int = 32
    buffer_units: int = 200_000
    request_seconds: float = 30.0


def read_settings(environment: Environment) -> tuple[ServerSettings, Settings]:
    """Read the settings of the health server and those of the worker."""
    request_seconds = environment.seconds("REQUEST_SECONDS", 30.0, 600.0)
    if request_seconds < 0.1:  # noqa: PLR2004 - the bound that the table above states
        environment.refuse("REQUEST_SECONDS", str(request_seconds), "seconds from 0.1 to 600")
    return ServerSettings.read(environment), Settings(
        rng_url=environment.url("RNG_URL", "http://rng"),
        hasher_url=environment.url("HASHER_URL", "http://hasher"),
        redis=RedisSettings.read(environment),
        delay_seconds=environment.seconds("DELAY_SECONDS", 0.0, 60.0),
        concurrency=environment.integer("CONCURRENCY", 32, 1, 1024),
        buffer_units=environment.integer("BUFFER_UNITS", 200_000, 1, 10_000_000),
        request_seconds=request_seconds,
    )
