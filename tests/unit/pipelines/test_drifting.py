from components.registry_api import Outcome
from pipelines.drifting import Report, differing, find_in_registry
from tests.unit.pipelines.streams import made, recorded, step

DEPLOYMENT = "kubernetes:apps/v1:Deployment"


def test_a_stack_as_it_was_left_has_a_clean_report() -> None:
    report = Report(differing(recorded("nothing")), {}, {})
    assert report.is_clean
    assert "`dev` is as it was left" in report.text("dev")


def test_each_difference_is_told_with_what_to_do() -> None:
    run = made(
        step("update", DEPLOYMENT, "rng", {"spec": {"replicas": 2}}, {"spec": {"replicas": 1}}, ["spec.replicas"]),
        step("create", "kubernetes:core/v1:Service", "redis", None, {"a": 1}),
    )
    report = Report(differing(run), {"webui": "registry r has no image sha256:ab"}, {"worker": "registry r is away"})
    text = report.text("dev")
    assert not report.is_clean
    assert "- Deployment `rng`:\n  - `spec.replicas`: `2` → `1`" in text
    assert "- Service `redis` has gone, and would be made again" in text
    assert "- `webui`: registry r has no image sha256:ab" in text
    assert "- `worker`: registry r is away" in text


def test_a_registry_that_could_not_be_asked_is_no_clean_report() -> None:
    assert not Report((), {}, {"worker": "registry r is away"}).is_clean


def test_what_is_no_reference_by_digest_is_told() -> None:
    find = find_in_registry({"REGISTRY_USERNAME": "u", "REGISTRY_PASSWORD": "p"})
    assert find("localhost:5001/web:1").outcome is Outcome.UNREACHABLE
    assert "has no digest" in find("localhost:5001/web:1").problem
    assert "not an image reference" in find("Not A Reference").problem
