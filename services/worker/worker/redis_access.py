"""How redis is reached, and what is said when it is not.

The same file stands in the folders of worker and webui; a test compares the copies.

Environment variables:

=======================  ==============  ===================================================================
``REDIS_HOST``           redis           where hashes are counted and coins kept
``REDIS_PORT``           6379            its port; ``tcp://host:port``, which Kubernetes sets for a Service
                                         named redis, is accepted too, and only its port is used
``REDIS_PASSWORD_FILE``  none            file that holds the password of redis
``REDIS_PASSWORD``       none            the password itself, where a file is not possible
=======================  ==============  ===================================================================
"""

import re
from dataclasses import dataclass, field
from typing import Literal

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, RedisError

from .runtime import Environment

FAILURES = (RedisError, OSError, TimeoutError)
"""What a command raises when redis does not do what it is told."""

AWAY = "redis does not answer"
REFUSED = "redis refuses the password"

_NO_PASSWORD = "it asks for one, and none is set: set REDIS_PASSWORD_FILE or REDIS_PASSWORD"  # noqa: S105 - no secret
_WRONG_PASSWORD = "REDIS_PASSWORD_FILE or REDIS_PASSWORD is not the one that redis has"  # noqa: S105 - no secret
# By their words, since out of a pipeline the client gives them another class. A password that is set where redis has
# none is no refusal: redis takes any then.
_REFUSALS = (
    (re.compile(r"NOAUTH|Authentication required|HELLO must be called with the client already auth"), _NO_PASSWORD),
    (re.compile(r"WRONGPASS|invalid username-password pair"), _WRONG_PASSWORD),
)


@dataclass(frozen=True)
class RedisSettings:
    """Where redis is."""

    host: str = "redis"
    port: int = 6379
    password: str | None = field(default=None, repr=False)

    @classmethod
    def read(cls, environment: Environment) -> "RedisSettings":
        """Read them; what is wrong stays in the environment's list."""
        link = re.fullmatch(r"tcp://.*:([0-9]{1,5})", environment.text("REDIS_PORT"))
        port = int(link[1]) if link else environment.integer("REDIS_PORT", 6379, 1, 65535)
        return cls(environment.host("REDIS_HOST", "redis"), port, environment.secret("REDIS_PASSWORD"))


@dataclass(frozen=True)
class Trouble:
    """Why redis cannot be used: one of AWAY and REFUSED, and the reason for people."""

    state: Literal["redis does not answer", "redis refuses the password"]
    reason: str

    @classmethod
    def of(cls, error: BaseException) -> "Trouble":
        """Tell one of FAILURES."""
        text = str(error) or type(error).__name__
        for pattern, reason in _REFUSALS:
            if pattern.search(text):
                return cls(REFUSED, reason)
        return cls(REFUSED if isinstance(error, AuthenticationError) else AWAY, text)

    def __str__(self) -> str:
        """Give both in one sentence."""
        return f"{self.state}: {self.reason}"


def connect(settings: RedisSettings, answer_seconds: float) -> "Redis":
    """Give a client that connects when it is first used, waits so long, and never repeats a command by itself."""
    return Redis(
        host=settings.host,
        port=settings.port,
        password=settings.password,
        socket_timeout=answer_seconds,
        socket_connect_timeout=answer_seconds,
        socket_keepalive=True,
        retry=Retry(NoBackoff(), 0),
    )
