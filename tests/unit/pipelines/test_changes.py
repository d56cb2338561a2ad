import pytest

from pipelines.changes import Rollout, shown, understand
from pipelines.events import SECRET_MARK, UNKNOWN
from tests.unit.pipelines.streams import made, recorded, step

DEPLOYMENT = "kubernetes:apps/v1:Deployment"
IMAGE = "docker:index/image:Image"


def _pod(image: str, level: str = "info") -> dict[str, object]:
    container = {"image": image, "env": [{"name": "LOG_LEVEL", "value": level}]}
    return {"spec": {"replicas": 2, "template": {"spec": {"containers": [container]}}}}


def test_one_changed_service_builds_one_image_and_rolls_one_deployment() -> None:
    changes = understand(recorded("one_service"))
    assert [(image.name, image.context, [cause.what for cause in image.causes]) for image in changes.images] == [
        ("webui", "services/webui", ["content"])
    ]
    assert [(rollout.name, rollout.rolls, rollout.causes) for rollout in changes.rollouts] == [
        ("webui", "yes", ("a new image",))
    ]


def test_more_replicas_roll_nothing() -> None:
    changes = understand(recorded("one_setting"))
    assert changes.images == ()
    assert changes.rollouts == (Rollout("worker", "update", "no", (), 1, 10),)


def test_another_registry_rolls_everything_that_comes_from_it_and_builds_nothing_new() -> None:
    changes = understand(recorded("new_registry"))
    assert {image.name: image.has_new_content for image in changes.images} == dict.fromkeys(
        ("hasher", "rng", "webui", "worker"), False
    )
    assert all(rollout.rolls == "yes" for rollout in changes.rollouts)
    assert {rollout.causes for rollout in changes.rollouts} == {("its image comes from another repository",)}
    assert changes.count("delete") == 9


def test_components_are_no_resources_that_somebody_could_look_at() -> None:
    assert all(not step.type.startswith("dockercoins:") for step in understand(recorded("new_registry")).steps)


def test_an_image_that_is_built_again_from_equal_content_may_leave_the_pods_alone() -> None:
    image = {"imageName": "r/web:1", "build": {"context": "./services/web"}}
    before, after = {**image, "buildOnPreview": False}, {**image, "buildOnPreview": True}
    path = "spec.template.spec.containers[0].image"
    run = made(
        step("update", IMAGE, "web", before, after, ["buildOnPreview"]),
        step("update", DEPLOYMENT, "web", _pod("r/web@sha256:1"), _pod(UNKNOWN), [path]),
    )
    (rollout,) = understand(run).rollouts
    assert (rollout.rolls, rollout.causes) == ("maybe", ("an image built again from equal content",))


def test_a_variable_is_told_by_its_name_with_both_values() -> None:
    path = "spec.template.spec.containers[0].env[0].value"
    (rollout,) = understand(made(step("update", DEPLOYMENT, "web", _pod("i"), _pod("i", "debug"), [path]))).rollouts
    assert (rollout.rolls, rollout.causes) == ("yes", ("LOG_LEVEL: info → debug",))


def test_a_build_argument_is_told_with_both_values() -> None:
    def image(base: str) -> dict[str, object]:
        return {"imageName": f"r/web:{base[-1]}", "build": {"args": {"PYTHON_IMAGE": base}, "context": "./web"}}

    run = made(step("update", IMAGE, "web", image("p:1"), image("p:2"), ["build.args.PYTHON_IMAGE", "imageName"]))
    (changed,) = understand(run).images
    ((what, before, after),) = [(cause.what, cause.before, cause.after) for cause in changed.causes]
    assert (what, before, after) == ("build argument PYTHON_IMAGE", "p:1", "p:2")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({SECRET_MARK: "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "hunter2"}, "a secret"),
        ([{"deep": {SECRET_MARK: "x", "value": "hunter2"}}], "a secret"),
        ("[secret]", "a secret"),
        (UNKNOWN, "known after the update"),
        (None, "nothing"),
        (True, "true"),
        (10.0, "10"),
        (["a", 1], "[a, 1]"),
        ({"a": 1, "b": 2}, "{a, b}"),
    ],
)
def test_a_value_is_shown_as_a_reviewer_may_see_it(value: object, text: str) -> None:
    assert shown(value) == text
