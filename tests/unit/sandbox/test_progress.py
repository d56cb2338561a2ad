from pathlib import Path

import pytest

from sandbox.durations import Durations
from sandbox.progress import Step, due, duration, status, summary


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (65, "1 min 05 s"), (3723, "62 min 03 s")]
)
def test_durations_read_like_people_write_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_status_tells_what_how_far_and_how_long() -> None:
    step = Step("kubernetes", estimate=660)
    step.work("compiling", 2000)
    step.worked = 100.0
    for _ in range(500):
        step.advance()
    assert status(step, 180.0) == "kubernetes: compiling 25 %, 1 min 20 s of about 11 min 00 s"


def test_a_status_promises_nothing_once_the_estimate_is_exceeded() -> None:
    step = Step("kubernetes", estimate=10)
    step.work("compiling")
    step.worked = 100.0
    assert status(step, 180.0) == "kubernetes: compiling, 1 min 20 s"


def test_a_share_never_exceeds_the_whole() -> None:
    step = Step("kind")
    step.work("compiling", 3)
    for _ in range(5):
        step.advance()
    assert (step.done, step.total) == (3, 3)


def test_a_summary_tells_the_outcome_and_only_the_time_that_something_was_done() -> None:
    found = Step("kind", outcome="0.33.0 on the machine", ended=20.0)
    built = Step("kind", outcome="0.33.0 built", worked=10.0, ended=20.0)
    assert summary(found) == "kind: 0.33.0 on the machine"
    assert summary(built) == "kind: 0.33.0 built (10 s)"


def test_a_log_mentions_new_steps_changed_ones_and_each_again_after_ten_seconds() -> None:
    new, recent, old, changed = Step("new"), Step("recent"), Step("old"), Step("changed")
    recent.reported, old.reported, changed.reported = 95.0, 60.0, 95.0
    changed.work("something else")
    assert due([new, recent, old, changed], 100.0) == [new, old, changed]


def test_durations_outlive_the_process_and_a_broken_file(tmp_path: Path) -> None:
    file = tmp_path / "durations.json"
    file.write_text("{ broken")
    Durations(file).record("kind", 12.34)
    assert Durations(file).of("kind") == 12.3
    assert Durations(file).of("pulumi") is None
