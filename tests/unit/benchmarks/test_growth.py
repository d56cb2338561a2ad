import pytest

from benchmarks.growth import AGAIN, ENGINE, FIRST, PROGRAM, Cost, Growth, bend


def test_growth_in_proportion_beside_a_fixed_part_has_no_bend() -> None:
    assert bend([(10, 25), (30, 65), (100, 205)]) == pytest.approx(1)


def test_growth_with_the_square_has_a_bend() -> None:
    assert bend([(10, 100), (30, 900), (100, 10_000)]) == pytest.approx(3.25)


def test_rounds_of_one_size_count_as_their_median() -> None:
    assert bend([(10, 24), (10, 25), (10, 90), (30, 65), (100, 205)]) == pytest.approx(1)


def test_the_shares_of_one_size_are_the_median_of_each_figure() -> None:
    costs = [Cost(2, 300, {ENGINE: used}, {PROGRAM: held}) for used, held in ((0.5, 80), (0.7, 90), (9, 85))]
    shares = Growth({AGAIN: [(10, cost) for cost in costs]}).shares()
    assert shares == [
        "10 microservices: preview, no change: engine 0.7 s of a processor, 0 MiB; "
        "program 0.0 s of a processor, 85 MiB; plugins 0.0 s of a processor, 0 MiB"
    ]


def test_figures_are_named_by_size_and_command() -> None:
    grown = Growth({FIRST: [(10, Cost(12, 700)), (10, Cost(14, 710))], AGAIN: [(10, Cost(2, 300))]})
    figures = grown.figures()
    assert {name: kept.values for name, kept in figures.items()} == {
        "10 microservices: up, first": (12, 14),
        "10 microservices: preview, no change": (2,),
    }
    assert grown.mebibytes(FIRST) == [(10, 700), (10, 710)]
    assert grown.seconds(AGAIN) == [(10, 2)]
