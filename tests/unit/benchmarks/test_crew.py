import time

import pytest

from benchmarks.crew import Crew, speed


class _Clock:
    """Time that passes only where somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    clock = _Clock()
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(time, "sleep", clock.sleep)
    return clock


def test_a_crew_is_told_in_words() -> None:
    assert str(Crew(1, 2, 4)) == "4 workers, 1 rng, 2 hashers"


def test_the_speed_is_that_of_whole_writes_and_not_of_the_moment_of_asking(clock: _Clock) -> None:
    # 100 hashes written at each full second: asked for 3.5 s, it is still 100 a second, and not 300 / 3.5.
    assert speed(lambda: int(clock.now + 1e-6) * 100, 3.5) == pytest.approx(100, rel=0.01)


def test_the_start_is_not_counted(clock: _Clock) -> None:
    assert speed(lambda: int(max(0, clock.now - 101.5)) * 100, 2) == pytest.approx(100, rel=0.01)


def test_nobody_who_mines_is_an_error_and_no_endless_wait(clock: _Clock) -> None:
    with pytest.raises(TimeoutError, match="nobody mined for 30 s; the count stays at 7"):
        speed(lambda: 7, 1)
    assert clock.now < 140
