"""The settings of webui: those of ``runtime`` and ``redis_access``, and none beside them."""

from .redis_access import RedisSettings
from .runtime import Environment, ServerSettings

__all__ = ["RedisSettings", "read_settings"]


def read_settings(environment: Environment) -> tuple[ServerSettings, RedisSettings]:
    """Read the settings of the server and those of redis."""
    return ServerSettings.read(environment), RedisSettings.read(environment)
