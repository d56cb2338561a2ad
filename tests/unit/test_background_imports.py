"""What is imported while the program waits."""

import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest

from components.background_imports import importing

LIMIT = 30.0  # seconds


@pytest.fixture(name="folder")
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return tmp_path


def test_a_module_is_imported_while_the_body_still_waits(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    imported = threading.Event()
    told = ModuleType("told_by_the_import")
    vars(told)["imported"] = imported
    monkeypatch.setitem(sys.modules, told.__name__, told)
    (folder / "wanted_later.py").write_text(
        "from told_by_the_import import imported\nimported.set()\nclass Wanted: ...\n"
    )
    with importing("wanted_later:Wanted"):
        assert imported.wait(LIMIT)


def test_a_lazy_package_of_the_sdk_has_its_content_afterwards() -> None:
    with importing("pulumi_kubernetes.storage.v1:StorageClass"):
        pass
    assert "pulumi_kubernetes.storage.v1.StorageClass" in sys.modules


def test_an_import_that_fails_is_told_at_the_end_of_the_body(folder: Path) -> None:
    (folder / "broken_to_import.py").write_text("1 / 0\n")
    reached = False
    with pytest.raises(ZeroDivisionError), importing("broken_to_import:Resource"):
        reached = True
    assert reached


def test_an_error_of_the_body_comes_first(folder: Path) -> None:
    (folder / "broken_too.py").write_text("1 / 0\n")
    with pytest.raises(LookupError, match="no account"), importing("broken_too:Resource"):
        raise LookupError("no account")
