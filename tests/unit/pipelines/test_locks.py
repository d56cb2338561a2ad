"""Whose a lock is, and what is said about it to whom."""

import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pipelines import locks
from pipelines.locks import Here, Lock, Standing

SINCE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OWN = Lock("s3://b/.pulumi/locks/organization/shop/dev/1.json?region=r", "ada", "workstation", 4711, SINCE)
TEXT = "\n".join(
    [
        "error: the stack is currently locked by 2 lock(s). Either wait for the other process(es) to end or delete …",
        f"  {OWN.url}: created by ada@workstation (pid 4711) at 2026-01-02T03:04:05Z",
        "  file:///a%20b/.pulumi/locks/organization/shop/dev/2.json: "
        "created by eve@x.org@runner (pid 7) at 2026-01-02T05:04:05+02:00",
        "",
    ]
)


def _here(started: datetime | None = None, host: str = OWN.host) -> Here:
    return Here(OWN.user, host, lambda _: started)


def test_all_locks_of_a_message_are_read() -> None:
    first, second = locks.read(TEXT)
    assert first == OWN
    assert first.stack == "dev"
    assert (second.user, second.host, second.pid, second.stack) == ("eve@x.org", "runner", 7, "dev")
    assert second.since == SINCE
    assert locks.read("error: x: created by ada@workstation (pid 4711) at 2026-01-02T03:04:05Z") == []


def test_only_the_own_lock_of_a_process_that_is_gone_is_stale() -> None:
    assert locks.standing(OWN, _here()) is Standing.STALE
    assert locks.standing(OWN, replace(_here(), user="eve")) is Standing.ANOTHERS
    assert locks.standing(OWN, _here(host="laptop")) is Standing.ANOTHERS
    assert locks.standing(OWN, _here(SINCE - timedelta(minutes=1))) is Standing.RUNNING


def test_a_process_that_got_the_number_later_is_not_the_one_that_made_the_lock() -> None:
    assert locks.standing(OWN, _here(SINCE + timedelta(minutes=1))) is Standing.STALE
    assert locks.standing(OWN, _here(SINCE + timedelta(seconds=1))) is Standing.RUNNING


def test_where_other_processes_may_be_hidden_no_lock_is_stale() -> None:
    assert locks.standing(OWN, replace(_here(), sees_processes=False)) is Standing.UNSEEN


@pytest.mark.parametrize("host", ["localhost", "localhost.localdomain"])
def test_a_name_that_many_machines_have_is_nobodys(host: str) -> None:
    lock = Lock(OWN.url, OWN.user, host, OWN.pid, SINCE)
    assert locks.standing(lock, _here(host=host)) is Standing.ANOTHERS


def test_what_is_told_names_holder_time_and_the_command_for_who_may_clear_it() -> None:
    assert locks.told([OWN], _here()) == (
        "- ada@workstation (process 4711) since 2026-01-02T03:04:05+00:00: "
        "that is you, here, and process 4711 is gone: the lock is stale. "
        "Clear it: python -m pipelines unlock --stack dev\n"
        "  s3://b/.pulumi/locks/organization/shop/dev/1.json?region=r"
    )
    assert "`kill -INT 4711`" in locks.told([OWN], _here(SINCE))
    assert "unlock" not in locks.told([OWN], replace(_here(), sees_processes=False))


def test_a_running_process_is_found_with_the_time_of_its_start_and_one_that_ended_is_not() -> None:
    here = locks.here()
    before = here.started(os.getpid())
    assert before is not None
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        started = here.started(child.pid)
        assert started is not None
        assert started >= before
        child.communicate(b"\n")
    assert here.started(child.pid) is None
