from collections.abc import Iterator
from pathlib import Path

import pytest

from .place import Place, make


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A sandbox of the tests' own, taken down at the end."""
    made = make(Path(tmp_path_factory.mktemp("place")))
    try:
        yield made
    finally:
        made.run("down")
