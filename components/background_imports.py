"""Imports that are done in a thread, while the program waits for an answer anyway.

An SDK of Pulumi has hundreds of classes for the types of each resource: those of ``pulumi_kubernetes.core.v1`` alone
take a third of a second to import.
"""

from __future__ import annotations

import contextlib
import pkgutil
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor


@contextlib.contextmanager
def importing(*names: str) -> Generator[None]:
    """Import what is named, like ``"package.module:Class"``, beside the body, which should do nothing but wait.

    Naming something of the module matters: the SDKs import a module's content when the first name of it is asked for.
    At the end of the body all is there.

    Raises:
        Exception: whatever an import raised; what the body raises comes first.
    """
    # Its end is waited for even where the body fails: two threads that import at once can each see a module of the
    # other's that is only half there.
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="imports") as pool:
        imported = pool.submit(_import, names)
        yield
    # Told here, since a module of the SDKs that failed once stays half there, without a word, for whoever asks next.
    imported.result()


def _import(names: Sequence[str]) -> None:
    for name in names:
        pkgutil.resolve_name(name)
