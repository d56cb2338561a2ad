import re

import pytest

from pipelines.delivering import Steps, deliver
from pipelines.errors import ChangedError, StepError
from pipelines.markdown import unfolded


class Recorded:
    """Steps that note when they run; those that are named fail with an error of that kind."""

    def __init__(self, **failing: StepError) -> None:
        self.ran: list[str] = []
        self.told: list[str] = []
        self._failing = failing

    def run(self, *, check: bool = True) -> None:
        checks = (lambda: self._step("check")) if check else None
        names = ("preview", "apply", "verify", "roll_back")
        others = {name: (lambda name=name: self._step(name)) for name in names}
        deliver("dev", Steps(checks, **others), self.told.append)

    def rows(self) -> list[tuple[str, str]]:
        """Step and result of each row of the timeline, which is told last."""
        head, *rows = self.told[-1].strip().splitlines()
        assert head.split() == ["step", "began", "at", "seconds", "result"]
        found = [re.fullmatch(r"(\S.*?) +(?:\d\d:\d\d:\d\d +\d+\.\d|- +-)  (.+)", row) for row in rows]
        return [(row[1], row[2]) for row in found if row]

    def _step(self, name: str) -> None:
        self.ran.append(name)
        if name in self._failing:
            raise self._failing[name]


def test_a_delivery_runs_all_steps_in_order_announces_each_and_tells_their_times() -> None:
    steps = Recorded()
    steps.run()
    assert steps.ran == ["check", "preview", "apply", "verify"]
    announced = [line for line in steps.told if re.match(r"=== \w+ing .*\(\d\d:\d\d:\d\d UTC\)", line)]
    assert [line.split()[1] for line in announced] == ["checking", "previewing", "applying", "verifying"]
    assert steps.rows() == [(name, "done") for name in steps.ran]


@pytest.mark.parametrize("failing", ["check", "preview", "apply"])
def test_what_fails_before_anything_is_changed_leaves_the_stack_as_it_was(failing: str) -> None:
    steps = Recorded(**{failing: StepError("no such thing")})
    with pytest.raises(StepError) as failed:
        steps.run()
    assert steps.ran[-1] == failing
    assert str(failed.value) == (
        f"the delivery to dev ended at `{failing}`: no such thing\ndev is as it was: nothing was changed"
    )
    results = dict(steps.rows())
    assert results[failing] == "failed"
    assert list(results.values()).count("not run") == 3 - list(results).index(failing)


def test_a_version_that_does_not_work_is_rolled_back() -> None:
    steps = Recorded(verify=StepError("no answer"))
    with pytest.raises(ChangedError, match=r"ended at `verify`: no answer\nIt was rolled back") as failed:
        steps.run()
    assert steps.ran == ["check", "preview", "apply", "verify", "roll_back"]
    assert steps.rows()[3:] == [("verify", "failed"), ("roll back", "done")]
    assert "as it was" not in str(failed.value)


def test_an_update_that_stops_midway_is_rolled_back_without_being_verified() -> None:
    steps = Recorded(apply=ChangedError("the pods crash"))
    with pytest.raises(ChangedError, match=r"ended at `apply`: the pods crash\nIt was rolled back"):
        steps.run()
    assert steps.ran == ["check", "preview", "apply", "roll_back"]
    assert steps.rows()[2:] == [("apply", "failed"), ("roll back", "done"), ("verify", "not run")]


def test_a_way_back_that_fails_too_is_said_beside_the_first_failure() -> None:
    steps = Recorded(verify=StepError("no answer"), roll_back=StepError("nothing to go back to"))
    with pytest.raises(ChangedError) as failed:
        steps.run()
    assert "no answer\nIt was not rolled back to something that works: nothing to go back to" in str(failed.value)
    assert steps.rows()[-1] == ("roll back", "failed")


def test_what_is_not_checked_is_said_to_be_so() -> None:
    steps = Recorded()
    steps.run(check=False)
    assert steps.ran == ["preview", "apply", "verify"]
    assert steps.rows()[0] == ("check", "not run")


def test_a_comment_is_told_on_a_terminal_without_its_folded_parts() -> None:
    text = "<!-- hidden -->\n### Title\n\nOne.\n\n<details><summary>2 files</summary>\n\n- a\n\n</details>\n\nTwo.\n"
    assert unfolded(text) == "### Title\n\nOne.\n\nTwo."
