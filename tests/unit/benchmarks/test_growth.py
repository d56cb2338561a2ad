from benchmarks.growth import AGAIN, ENGINE, FIRST, PROGRAM, Cost, Growth


def test_the_shares_of_one_size_are_the_median_of_each_figure() -> None:
    costs = [Cost(2, 300, {ENGINE: used}, {PROGRAM: held}) for used, held in ((0.5, 80), (0.7, 90), (9, 85))]
    shares = Growth({AGAIN: [(10, cost) for cost in costs]}).shares("plain")
    assert shares == [
        "10 microservices, plain: preview, no change: engine 0.7 s of a processor, 0 MiB; "
        "program 0.0 s of a processor, 85 MiB; plugins 0.0 s of a processor, 0 MiB"
    ]


def test_figures_are_named_by_size_and_command() -> None:
    grown = Growth({FIRST: [(10, Cost(12, 700)), (10, Cost(14, 710))], AGAIN: [(10, Cost(2, 300))]})
    figures = grown.figures("plain")
    assert {name: kept.values for name, kept in figures.items()} == {
        "10 microservices, plain: up, first": (12, 14),
        "10 microservices, plain: preview, no change": (2,),
    }
    assert grown.mebibytes(FIRST) == [(10, 700), (10, 710)]
    assert grown.seconds(AGAIN) == [(10, 2)]
