"""The messages of the engine's protocol, as the SDK for Python has them, without the rest of the SDK.

`import pulumi.runtime.proto` runs all of the SDK first, which takes half of the time in which a plugin starts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pulumi.runtime.proto import engine_pb2, plugin_pb2, provider_pb2, status_pb2
else:
    import importlib.util
    from pathlib import Path

    # The generated modules name each other relative to their package, so they may be a package of another name. That
    # finds the SDK's folder without running it.
    (_sdk,) = importlib.util.find_spec("pulumi").submodule_search_locations
    __path__ = [str(Path(_sdk, "runtime", "proto"))]
    engine_pb2, plugin_pb2, provider_pb2, status_pb2 = (
        importlib.import_module(f"{__name__}.{name}_pb2") for name in ("engine", "plugin", "provider", "status")
    )

__all__ = ["engine_pb2", "plugin_pb2", "provider_pb2", "status_pb2"]
