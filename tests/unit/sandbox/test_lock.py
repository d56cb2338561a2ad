import json
import multiprocessing
import os
import signal
from multiprocessing.synchronize import Event
from pathlib import Path

from sandbox import lock


def _hold(path: Path, held: Event) -> None:
    with lock.held(path, "sandbox up", lambda _owner, _seconds: None):
        held.set()
        signal.pause()


def test_the_lock_of_a_killed_process_is_taken_over_and_a_live_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    process = context.Process(target=_hold, args=(path, held))
    process.start()
    assert held.wait(30)
    owners: list[lock.Owner | None] = []

    def waiting(owner: lock.Owner | None, _seconds: float) -> None:
        owners.append(owner)
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join(10)

    with lock.held(path, "sandbox down", waiting):
        now = lock.owner(path)
        assert now is not None
        assert (now.pid, now.command) == (os.getpid(), "sandbox down")
    assert owners
    assert owners[0] is not None
    assert owners[0].pid == process.pid
    assert str(owners[0]).startswith(f"`sandbox up` (process {process.pid}, since ")


def test_nobody_is_named_once_the_lock_is_free_or_its_file_is_broken(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with lock.held(path, "sandbox up", lambda _owner, _seconds: None):
        pass
    assert lock.owner(path) is None
    path.write_text(json.dumps({"pid": "none"}))
    assert lock.owner(path) is None
