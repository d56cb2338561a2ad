import math

import pytest

from benchmarks.attendance import Attendance, together


def _lesson(latencies: tuple[float, ...], failures: dict[str, int], browsers: int = 5) -> Attendance:
    return Attendance(browsers, 2.0, latencies, failures, browsers, 0.5)


def test_a_percentile_is_a_latency_that_so_many_answers_did_not_exceed() -> None:
    lesson = _lesson(tuple(float(number) for number in range(200, 0, -1)), {})
    assert [lesson.percentile(percent) for percent in (50, 90, 99, 100)] == [100, 180, 198, 200]
    assert _lesson((7.0,), {}).percentile(1) == 7
    assert math.isnan(_lesson((), {}).percentile(50))


def test_a_lesson_is_told_in_one_line() -> None:
    assert str(_lesson((1.0, 2.0, 3.0, 4.0), {"answered 503": 2, "TimeoutError": 1})) == (
        "5 browsers: p50 2.0, p90 4.0, p99 4.0, longest 4.0 ms; failures: 2 answered 503, 1 TimeoutError; "
        "2 requests a second on 5 connections; the browsers took 0.25 of a processor"
    )
    assert "failures: none" in str(_lesson((1.0,), {}))


def test_lessons_of_one_class_are_one_long_lesson() -> None:
    whole = together([_lesson((1.0, 9.0), {"TimeoutError": 1}), _lesson((2.0,), {"TimeoutError": 2})])
    assert whole == Attendance(5, 4.0, (1.0, 9.0, 2.0), {"TimeoutError": 3}, 5, 1.0)
    assert whole.failed == 3
    assert whole.per_second == 0.75


def test_lessons_of_different_classes_are_not_mixed() -> None:
    with pytest.raises(ValueError, match=r"\[5, 6\] browsers"):
        together([_lesson((1.0,), {}), _lesson((1.0,), {}, browsers=6)])
    with pytest.raises(ValueError, match=r"\[\] browsers"):
        together([])
