import pytest

from pipelines.events import SECRET_MARK, UNKNOWN, Difference, EventsError, at, read
from tests.unit.pipelines.streams import made, recorded, said, step

DEPLOYMENT = "kubernetes:apps/v1:Deployment"


def test_a_real_preview_without_a_change_has_only_steps_that_leave_things_as_they_are() -> None:
    run = recorded("nothing")
    assert run.finished
    assert run.changes == ()
    assert run.errors == ()
    assert len(run.steps) > 40


def test_a_real_change_of_a_setting_is_told_with_both_values() -> None:
    (created, updated) = recorded("one_setting").changes
    assert (created.operation, created.kind, created.name) == ("create", "PodDisruptionBudget", "worker")
    assert (updated.operation, updated.kind, updated.name) == ("update", "Deployment", "worker")
    assert updated.differences == (Difference("spec.replicas", 1, 10),)


def test_a_property_that_is_named_as_a_whole_is_told_by_what_differs_in_it() -> None:
    # So does the docker plugin, and says that its inputs are outputs, which they are not.
    before = {"build": {"context": "a", "args": {"X": "1", "Y.Z": "1"}}}
    after = {"build": {"context": "a", "args": {"X": "1", "Y.Z": "2"}, "target": "t"}}
    update = step("update", "docker:index/image:Image", "web", before, after, ["build"])
    update["resourcePreEvent"]["metadata"]["detailedDiff"] = {"build": {"diffKind": "update", "inputDiff": False}}
    (only,) = made(update).changes
    assert only.differences == (Difference('build.args["Y.Z"]', "1", "2"), Difference("build.target", None, "t"))


def test_the_outputs_of_the_stack_are_those_before_and_after() -> None:
    run = recorded("one_service")
    assert str(at(run.outputs_before, "images.webui")).startswith("localhost:5001/shop/webui@sha256:")
    assert at(run.outputs_after, "images.webui") == UNKNOWN
    assert at(run.outputs_after, "images.rng") == at(run.outputs_before, "images.rng")


def test_the_steps_of_a_replacement_are_one() -> None:
    run = made(
        step("create-replacement", DEPLOYMENT, "web", {"a": 1}, {"a": 2}, ["a"], keys=["a"]),
        step("replace", DEPLOYMENT, "web", {"a": 1}, {"a": 2}, ["a"], keys=["a"]),
        step("delete-replaced", DEPLOYMENT, "web", {"a": 1}),
    )
    (only,) = run.changes
    assert only.operation == "replace"
    assert only.forced_by == ("a",)
    assert only.differences == (Difference("a", 1, 2),)


def test_a_deletion_before_the_replacement_does_not_hide_what_forces_it() -> None:
    run = made(
        step("delete-replaced", DEPLOYMENT, "web", {"a": 1}),
        step("replace", DEPLOYMENT, "web", {"a": 1}, {"a": 2}, ["a"], keys=["a"]),
    )
    assert [found.forced_by for found in run.changes] == [("a",)]


def test_messages_come_without_markup_and_those_of_plugins_that_end_are_left_out() -> None:
    run = made(said("error", "no such image", "web"), said("info", "building"), finished=True)
    assert [(message.severity, message.text, message.resource) for message in run.messages] == [
        ("error", "no such image", "web")
    ]
    late = ['{"summaryEvent": {"result": "succeeded"}}', '{"diagnosticEvent": {"severity": "error", "message": "bye"}}']
    assert read(late).messages == ()


def test_a_run_without_an_end_has_not_finished() -> None:
    assert not made(said("error", "refused"), finished=False).finished
    assert not read(['{"summaryEvent": {"result": "failed"}}']).finished


@pytest.mark.parametrize("line", ["Previewing update (dev):", "[1]", '{"cut": "of'])
def test_what_is_no_event_is_refused_with_its_line(line: str) -> None:
    with pytest.raises(EventsError, match="line 2 is no event of Pulumi's engine: "):
        read(["{}", line])


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.containers[1].image", "b"),
        ('labels["app.kubernetes.io/name"]', "web"),
        ("spec.containers[7].image", None),
        ("spec.missing.deeper", None),
        ("later.deeper", UNKNOWN),
        ("hidden.deeper", {SECRET_MARK: "x"}),
    ],
)
def test_a_property_is_found_by_its_path(path: str, value: object) -> None:
    values = {
        "spec": {"containers": [{"image": "a"}, {"image": "b"}]},
        "labels": {"app.kubernetes.io/name": "web"},
        "later": UNKNOWN,
        "hidden": {SECRET_MARK: "x"},
    }
    assert at(values, path) == value
