import sys
from collections.abc import Generator
from pathlib import Path

import psutil
import pytest

from sandbox.background import Background

SLEEPS = [sys.executable, "-c", "import helper; helper.sleep()"]


@pytest.fixture
def background(tmp_path: Path) -> Generator[Background]:
    (tmp_path / "helper.py").write_text(
        "import time\ndef sleep():\n    print('begun', flush=True)\n    time.sleep(600)\n"
    )
    process = Background(tmp_path / "record.json")
    yield process
    process.end()


def start(background: Background, subject: str = "one") -> int:
    folder = background.record.parent
    background.start(SLEEPS, subject, log=folder / "log", folder=folder)
    return int(background.record.read_text().partition('"pid": ')[2].partition(",")[0])


def test_it_runs_until_it_is_ended(background: Background) -> None:
    assert not background.running()
    pid = start(background)
    assert background.running()
    assert background.end()
    assert not background.running()
    assert not psutil.pid_exists(pid)
    assert not background.end()


def test_it_is_known_by_what_it_works_on(background: Background) -> None:
    start(background, "the cluster")
    assert background.works_on("the cluster")
    assert not background.works_on("another cluster")


def test_another_process_of_the_same_number_is_left_alone(background: Background) -> None:
    pid = start(background)
    text = background.record.read_text()
    created = psutil.Process(pid).create_time()
    background.record.write_text(text.replace(str(created), str(created - 100)))
    assert not background.running()
    assert not background.end()
    assert psutil.pid_exists(pid)
    background.record.write_text(text)


def test_a_record_that_cannot_be_read_is_none(background: Background) -> None:
    background.record.write_text("{")
    assert not background.running()
    assert not background.end()
    assert not background.record.exists()
