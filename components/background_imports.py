"""Imports that are done in a thread, while the program waits for an answer anyway.

An SDK of Pulumi has hundreds of classes for the types of each resource: those of ``pulumi_kubernetes.core.v1`` alone
take a third of a second to import.
"""

from __future__ import annotations

import contextlib
import pkgutil
import threading
from collections.abc import Generator, Sequence


@contextlib.contextmanager
def importing(*names: str) -> Generator[None]:
    """Import what is named, like ``"package.module:Class"``, beside the body, which should do nothing but wait.

    Naming something of the module matters: the SDKs import a module's content when the first name of it is asked for.
    At the end of the body all is there.

    Raises:
        Exception: whatever an import raised; what the body raises comes first.
    """
    failures: list[Exception] = []
    thread = threading.Thread(target=_import, args=(names, failures), name="imports", daemon=True)
    thread.start()
    try:
        yield
    finally:
        # Two threads that import at once can each see a module of the other's that is only half there.
        thread.join()
    # Told here, since a module of the SDKs that failed once stays half there, without a word, for whoever asks next.
    for failure in failures:
        raise failure


def _import(names: Sequence[str], failures: list[Exception]) -> None:
    try:
        for name in names:
            pkgutil.resolve_name(name)
    except Exception as error:  # raised again in the other thread
        failures.append(error)
