"""Imports that are done in a thread, while the program waits for an answer anyway.

An SDK of Pulumi has hundreds of classes for the types of each resource: those of ``pulumi_kubernetes.core.v1`` alone
take a third of a second to import.
"""

from __future__ import annotations

import contextlib
import pkgutil
import threading
from collections.abc import Generator


@contextlib.contextmanager
def importing(*names: str) -> Generator[None]:
    """Import what is named, like ``"package.module:Class"``, beside the body, which should do nothing but wait.

    Naming something of the module matters: the SDKs import a module's content when the first name of it is asked for.
    At the end of the body all is there, or has failed; a failure shows where the program itself imports it.
    """
    thread = threading.Thread(target=_import, args=names, name="imports", daemon=True)
    thread.start()
    try:
        yield
    finally:
        # Two threads that import at once can each see a module of the other's that is only half there.
        thread.join()


def _import(*names: str) -> None:
    for name in names:
        with contextlib.suppress(Exception):
            pkgutil.resolve_name(name)
