"""The benchmarks of deploying, in small: each part of them runs, and gives figures."""

from benchmarks import deploying, growth
from benchmarks.timeline import START


def test_microservices_are_brought_up_and_previewed_by_both_programs() -> None:
    told: list[str] = []
    grown = growth.grow((1,), 1, told.append)
    assert set(grown) == set(growth.PROGRAMS)
    for growth_of_one in grown.values():
        for command, sizes in ((growth.FIRST, [1]), (growth.AGAIN, [1, 1, 1])):
            assert [size for size, _ in growth_of_one.costs[command]] == sizes
            for _, cost in growth_of_one.costs[command]:
                assert cost.seconds > 0
                assert 0 < max(cost.held.values()) < cost.mebibytes
                assert all(cost.processor[kind] > 0 for kind in (growth.ENGINE, growth.PROGRAM, growth.PLUGINS))
    assert len(told) == 8


def test_a_changed_line_is_brought_to_run_in_all_ways() -> None:
    figures, seen = deploying.change_to_running(1, lambda _: None)
    assert set(figures) == {deploying.PULUMI, deploying.BY_HAND, deploying.PROGRAM}
    names = [span.name for span in seen.spans]
    assert names[0] == START
    assert {"Image webui", "Deployment webui"} <= set(names)
    assert [span.name for span in seen.chain if span.name.endswith(" webui")] == ["Image webui", "Deployment webui"]
