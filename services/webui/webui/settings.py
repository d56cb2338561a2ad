"""The settings of webui.

Environment variables, beside those of ``runtime``:

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

from .runtime import Environment, ServerSettings


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


def read_settings(environment: Environment) -> tuple[ServerSettings, RedisSettings]:
    """Read the settings of the server and those of redis."""
    return ServerSettings.read(environment), RedisSettings.read(environment)
