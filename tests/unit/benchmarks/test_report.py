from pathlib import Path

import matplotlib as mpl
import pytest

from benchmarks.report import ORDER, Finding, Result, at_least, at_most, details, load, plot, plot_growth, save, table
from benchmarks.rounds import Figures
from benchmarks.suite import BENCHMARKS


def _result() -> Result:
    figures = {name: Figures(name, values) for name, values in (("up", (2.0, 3.0)), ("by hand", (1.0, 2.0)))}
    findings = [
        at_most("Change to running", 1.3, 1.75, "1.75"),
        at_least("Hashes a second", 4000, 5000, "5,000"),
        Finding("The same, simply", "", "12.00", None),
    ]
    return Result("From a change", "s", figures, findings, ["a note"])


def test_the_table_says_which_aims_are_met() -> None:
    assert table([_result()]).splitlines()[2:] == [
        "| Change to running | at most 1.3 | 1.75 | ✗ |",
        "| Hashes a second | at least 4,000 | 5,000 | ✓ |",
        "| The same, simply |  | 12.00 |  |",
    ]


def test_the_details_have_median_and_spread() -> None:
    assert details(_result()).splitlines() == [
        "From a change (s; median, lowest, highest)",
        "  up             2.50        2.00        3.00",
        "  by hand        1.50        1.00        2.00",
        "  a note",
    ]


def test_a_result_is_kept_with_its_machine_and_a_plot(tmp_path: Path) -> None:
    save("change", _result(), {"processor": "2 x something"}, tmp_path / "results")
    assert load("change", tmp_path / "results") == _result()
    assert "2 x something" in (tmp_path / "results" / "change.json").read_text()
    assert "<svg" in (tmp_path / "results" / "change.svg").read_text()


def test_pictures_are_drawn_beside_the_plot_and_are_no_part_of_the_record(tmp_path: Path) -> None:
    result = _result()
    result.pictures["timeline"] = lambda file: file.write_text("drawn")
    save("first", result, {}, tmp_path)
    assert (tmp_path / "first-timeline.svg").read_text() == "drawn"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["first-timeline.svg", "first.json", "first.svg"]
    assert "pictures" not in (tmp_path / "first.json").read_text()
    assert list(result.pictures) == ["timeline"]
    assert load("first", tmp_path).pictures == {}


def test_equal_figures_give_an_equal_plot_whatever_the_settings_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plot(_result(), tmp_path / "one.svg")
    monkeypatch.setitem(mpl.rcParams, "font.size", 20.0)
    plot(_result(), tmp_path / "two.svg")
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    assert mpl.rcParams["font.size"] == 20.0


def test_each_bar_has_its_number_and_its_spread(tmp_path: Path) -> None:
    figures = {name: Figures(name, values) for name, values in (("warm", (0.31, 0.25, 0.4)), ("cold", (7736.0,)))}
    plot(Result("Build time", "s", figures), tmp_path / "plot.svg")
    text = (tmp_path / "plot.svg").read_text()
    assert ">0.31 (0.25 to 0.40)<" in text
    assert ">7,736<" in text


def test_growth_is_drawn_with_the_line_that_fits_each_series(tmp_path: Path) -> None:
    series = {"up": [(10.0, 25.0), (30.0, 65.0), (100.0, 205.0)], "one size": [(10.0, 3.0), (10.0, 4.0)]}
    for name in ("one", "two"):
        plot_growth(series, tmp_path / f"{name}.svg", "microservices", "seconds", "Growth")
    text = (tmp_path / "one.svg").read_text()
    assert text == (tmp_path / "two.svg").read_text()
    for shown in ("up: 2.00 each + 5.00 (R² 1.000)", "one size", "microservices", "seconds", "Growth", "100"):
        assert f">{shown}<" in text


def test_every_benchmark_has_its_place_among_those_that_are_shown() -> None:
    assert tuple(BENCHMARKS) == ORDER
