import pytest

from benchmarks.rounds import Figures, line, measure, ratio


def test_contenders_take_turns_in_who_begins() -> None:
    order: list[str] = []

    def note(name: str) -> float:
        order.append(name)
        return float(len(order))

    figures = measure({"a": lambda: note("a"), "b": lambda: note("b")}, 2, lambda _: None, "s")
    assert order == ["a", "b", "b", "a"]
    assert figures["a"].values == (1.0, 4.0)
    assert figures["b"].values == (2.0, 3.0)


def test_each_figure_is_told_when_it_is_there() -> None:
    told: list[str] = []
    measure({"a": lambda: 1234.5}, 1, told.append, "hashes/s")
    assert told == ["round 1 of 1: a: 1,234 hashes/s"]


def test_nothing_to_measure_is_refused() -> None:
    with pytest.raises(ValueError, match="0 rounds of 1 contenders"):
        measure({"a": lambda: 1.0}, 0, lambda _: None, "s")


def test_a_ratio_is_taken_round_by_round() -> None:
    # The second round met a busy machine: both took twice as long, and the ratio does not see it.
    seen = ratio(Figures("up", (2.0, 4.0, 2.2)), Figures("by hand", (1.0, 2.0, 1.0)))
    assert seen.values == (2.0, 2.0, 2.2)
    assert str(seen) == "2.00 (2.00 to 2.20)"


def test_figures_of_different_rounds_have_no_ratio() -> None:
    with pytest.raises(ValueError, match="zip"):
        ratio(Figures("up", (2.0, 4.0)), Figures("by hand", (1.0,)))


def test_a_line_through_points_tells_slope_start_and_fit() -> None:
    slope, start, explained = line([(10, 25), (30, 65), (100, 205)])
    assert (slope, start, explained) == pytest.approx((2.0, 5.0, 1.0))
