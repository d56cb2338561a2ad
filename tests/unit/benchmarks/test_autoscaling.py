from pathlib import Path

from benchmarks.autoscaling import SERVICES, SETTINGS, Sample, is_over, plot, rate


def _sample(seconds: float, wanted: int, ready: int) -> Sample:
    return Sample(seconds, {"worker": wanted, "rng": 1}, {"worker": ready, "rng": 1}, 100 * ready)


def test_the_rate_is_that_of_the_last_seconds() -> None:
    counts = [(second, 10 * second if second <= 10 else 100 + 50 * (second - 10)) for second in map(float, range(21))]
    counts = [(second, int(count)) for second, count in counts]
    assert rate(counts[:11], window=6) == 10
    assert rate(counts, window=6) == 50
    assert rate(counts[:14], window=6) == 30  # three seconds of either


def test_the_first_seconds_have_a_rate_as_soon_as_there_are_two_counts() -> None:
    assert rate([]) == 0
    assert rate([(5.0, 70)]) == 0
    assert rate([(5.0, 70), (5.0, 70)]) == 0
    assert rate([(5.0, 70), (7.0, 90)]) == 10


def test_it_is_not_over_before_a_pod_was_added() -> None:
    samples = [_sample(0, 1, 0), *(_sample(float(second), 1, 1) for second in range(2, 100, 2))]
    assert not is_over([], 60, 180)
    assert not is_over(samples, 60, 180)


def test_it_is_over_when_nothing_has_changed_for_a_while_after_pods_were_added() -> None:
    samples = [_sample(0, 1, 1), _sample(20, 3, 1), _sample(24, 3, 3)]
    assert not is_over([*samples, _sample(82, 3, 3)], 60, 180)
    assert is_over([*samples, _sample(84, 3, 3)], 60, 180)


def test_a_pod_that_is_wanted_or_has_gone_is_a_change_too() -> None:
    samples = [_sample(0, 1, 1), _sample(20, 2, 2)]
    assert not is_over([*samples, _sample(70, 3, 2), _sample(84, 3, 2)], 60, 180)
    assert not is_over([*samples, _sample(70, 2, 1), _sample(84, 2, 1)], 60, 180)


def test_it_is_over_at_the_limit_in_any_case() -> None:
    assert not is_over([_sample(0, 1, 1), _sample(179, 1, 1)], 60, 180)
    assert is_over([_sample(0, 1, 1), _sample(180, 1, 1)], 60, 180)


def test_all_that_is_scaled_begins_at_one_and_may_grow() -> None:
    assert set(SETTINGS) == set(SERVICES)
    assert all(one["min"] == 1 < one["max"] for one in SETTINGS.values())


def test_equal_samples_give_an_equal_plot_that_names_all_it_shows(tmp_path: Path) -> None:
    samples = [_sample(0, 1, 1), _sample(2, 2, 1), _sample(4, 2, 2)]
    for name in ("one", "two"):
        plot(samples, tmp_path / name, title="Pods")
    plot([*samples, _sample(6, 3, 3)], tmp_path / "other")
    text = (tmp_path / "one").read_text()
    assert text == (tmp_path / "two").read_text() != (tmp_path / "other").read_text()
    for shown in ("worker pods", "rng pods", "hashes a second", "ready pods"):
        assert f">{shown}<" in text
