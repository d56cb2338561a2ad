import pytest

from benchmarks.growth import AGAIN, FIRST, Cost, Growth, bend


def test_growth_in_proportion_beside_a_fixed_part_has_no_bend() -> None:
    assert bend([(10, 25), (30, 65), (100, 205)]) == pytest.approx(1)


def test_growth_with_the_square_has_a_bend() -> None:
    assert bend([(10, 100), (30, 900), (100, 10_000)]) == pytest.approx(3.25)


def test_rounds_of_one_size_count_as_their_mean() -> None:
    assert bend([(10, 20), (10, 30), (30, 65), (100, 205)]) == pytest.approx(1)


def test_figures_are_named_by_size_and_command() -> None:
    grown = Growth({FIRST: [(10, Cost(12, 700)), (10, Cost(14, 710))], AGAIN: [(10, Cost(2, 300))]})
    figures = grown.figures()
    assert {name: kept.values for name, kept in figures.items()} == {
        "10 microservices: up, first": (12, 14),
        "10 microservices: preview, no change": (2,),
    }
    assert grown.mebibytes(FIRST) == [(10, 700), (10, 710)]
    assert grown.seconds(AGAIN) == [(10, 2)]
