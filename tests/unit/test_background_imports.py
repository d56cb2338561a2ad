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


def test_an_import_that_fails_is_left_to_the_program_and_the_next_is_done(folder: Path) -> None:
    (folder / "broken_to_import.py").write_text("1 / 0\n")
    (folder / "sound_to_import.py").write_text("class Resource: ...\n")
    with importing("missing_to_import:Resource", "broken_to_import:Resource", "sound_to_import:Resource"):
        pass
    assert "sound_to_import" in sys.modules
    with pytest.raises(ZeroDivisionError):
        __import__("broken_to_import")


def test_an_error_of_the_body_comes_out() -> None:
    with pytest.raises(LookupError, match="no account"), importing("json:loads"):
        raise LookupError("no account")
