"""The debug messages of Pulumi's SDK, five for each resource, which nobody reads unless something is looked into.

Each of them is a call of the engine that the program waits for, also where the engine then drops it, because it runs
without ``--debug``; the program is not told which it is. For a preview without a change they are a sixth of the time
with 20 microservices of four resources each, and with 100 a third of what the program itself takes
(https://github.com/pulumi/pulumi/issues/7292).
"""

from __future__ import annotations

import pulumi


def withhold() -> None:
    """Let ``pulumi.log.debug`` send nothing from now on: neither the SDK's messages nor the program's own."""
    pulumi.log.debug = _nothing


def _nothing(
    msg: str, resource: pulumi.Resource | None = None, stream_id: int | None = None, ephemeral: bool | None = None
) -> None:
    del msg, resource, stream_id, ephemeral
