"""What the command of the benchmarks refuses before it measures anything."""

import pytest

from benchmarks.command import main
from tests.integration.deployment import NEEDED


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["minning"], "no such benchmark: minning; there are change, first,"),
        (["mining", "--rounds", "0"], "--rounds is 0; at least 1 is needed"),
        (["mining", "--rounds", "two"], "argument --rounds: invalid int value: 'two'"),
    ],
)
def test_what_it_cannot_do_is_said_in_one_line(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert told in capsys.readouterr().err.splitlines()[-1]


def test_outside_the_sandbox_it_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in NEEDED:
        monkeypatch.setenv(name, "set")
    monkeypatch.delenv("KUBECONFIG")
    with pytest.raises(SystemExit) as ended:
        main(["mining"])
    assert ended.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert "KUBECONFIG not set" in last
    assert "make bench" in last
