from pathlib import Path

from benchmarks.report import Finding, Result, at_least, at_most, details, load, save, table
from benchmarks.rounds import Figures


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
