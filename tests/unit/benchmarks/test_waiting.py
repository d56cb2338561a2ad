import pytest

from benchmarks.waiting import wait


def test_it_ends_when_the_condition_holds() -> None:
    answers = [False, False, True]
    wait(lambda: answers.pop(0), "the third answer", every=0)
    assert answers == []


def test_it_says_what_it_waited_for_in_vain() -> None:
    with pytest.raises(TimeoutError, match="waited 0 s for a pod"):
        wait(lambda: False, "a pod", limit=0, every=0)
