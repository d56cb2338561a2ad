from __future__ import annotations

from typing import Any

import pytest
from pulumi_policy import PolicyResource

from tests.unit.policy.judging import UNKNOWN, deployment, found, found_in_stack, resource

DEPLOYMENT = "kubernetes:apps/v1:Deployment"
BUILD = "docker:index/image:Image"
DIGEST = "sha256:" + "0" * 64
REGISTRY = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/shop"


def _image(policy: str, image: str, **settings: Any) -> list[str]:
    return found(policy, DEPLOYMENT, deployment({"image": image}), **settings)


@pytest.mark.parametrize(
    "image",
    [
        f"{REGISTRY}/page@{DIGEST}",
        f"{REGISTRY}/page:1@{DIGEST}",
        "redis:8",
        "docker.io/library/redis:8",
        f"{REGISTRY.partition('/')[0]}/docker-hub/library/redis:8",
        UNKNOWN,
    ],
)
def test_an_own_image_by_digest_and_any_image_of_others_are_accepted(image: str) -> None:
    assert _image("own-images-by-digest", image) == []


@pytest.mark.parametrize("image", [f"{REGISTRY}/page:1", "page", "localhost:5001/page:1", "a/mylibrary/redis:8"])
def test_an_own_image_without_a_digest_is_told_with_what_is_accepted(image: str) -> None:
    (message,) = _image("own-images-by-digest", image)
    assert message.startswith(f"Deployment web, container page: the image {image} has no digest. Accepted is name@sha")


def test_whose_images_need_no_digest_can_be_set() -> None:
    assert _image("own-images-by-digest", "quay.io/team/tool:1", others=["team/tool"]) == []
    assert _image("own-images-by-digest", "redis:8", others=["team/tool"]) != []


@pytest.mark.parametrize(
    ("type_", "properties"),
    [
        ("kubernetes:core/v1:Pod", {"spec": {"containers": [{"image": "page:1"}]}}),
        ("kubernetes:batch/v1:Job", {"spec": {"template": {"spec": {"initContainers": [{"image": "page:1"}]}}}}),
        (
            "kubernetes:batch/v1:CronJob",
            {"spec": {"jobTemplate": {"spec": {"template": {"spec": {"containers": [{"image": "page:1"}]}}}}}},
        ),
        ("kubernetes:apps/v1:StatefulSet", deployment({"image": "page:1"})),
        ("kubernetes:apps/v1:DaemonSet", deployment({"image": "page:1"})),
    ],
)
def test_every_kind_of_workload_is_looked_at(type_: str, properties: dict[str, Any]) -> None:
    assert len(found("own-images-by-digest", type_, properties)) == 1
    assert len(found("own-images-by-digest", f"x{type_}", properties)) == 0


@pytest.mark.parametrize("image", ["redis:8", f"redis@{DIGEST}", UNKNOWN, "page"])
def test_an_image_of_others_with_a_tag_or_a_digest_is_accepted(image: str) -> None:
    assert _image("other-images-pinned", image) == []


def test_an_image_of_others_that_nothing_pins_is_told() -> None:
    (message,) = _image("other-images-pinned", "docker.io/redis")
    assert "docker.io/redis has neither a tag nor a digest. Accepted is name:tag or name@sha256" in message


@pytest.mark.parametrize("image", ["redis:8", "localhost:5000/latest", "latest", f"page@{DIGEST}", UNKNOWN])
def test_what_is_not_called_latest_is_accepted(image: str) -> None:
    assert _image("no-latest", image) == []
    assert found("no-latest", BUILD, {"imageName": image}) == []


def test_latest_is_told_of_containers_and_of_builds() -> None:
    (message,) = _image("no-latest", f"redis:latest@{DIGEST}")
    assert message.startswith(f"Deployment web, container page: redis:latest@{DIGEST} has the tag latest")
    (message,) = found("no-latest", BUILD, {"imageName": f"{REGISTRY}/page:latest"}, name="page")
    assert message.startswith(f"Image page: {REGISTRY}/page:latest has the tag latest")
    assert len(found("no-latest", "docker-build:index:Image", {"tags": ["a/b:latest", "a/b:1"]})) == 1


def _uses(name: str, image: str) -> PolicyResource:
    return resource(DEPLOYMENT, name, deployment({"image": image}))


BUILT = resource(BUILD, "page", {"imageName": f"{REGISTRY}/page:1"})
KNOWN = "images-from-known-registries"


def test_images_from_where_the_stack_pushes_to_and_those_of_others_from_known_places_are_accepted() -> None:
    cached = f"{REGISTRY.partition('/')[0]}/docker-hub/library/redis:8"
    uses = [_uses("a", f"{REGISTRY}/page@{DIGEST}"), _uses("b", "redis:8"), _uses("c", cached), _uses("d", UNKNOWN)]
    assert found_in_stack(KNOWN, BUILT, *uses) == {}


@pytest.mark.parametrize(
    "image",
    [
        "docker.io/somebody/page",
        f"{REGISTRY}s/page",
        f"{REGISTRY.replace('1111', '9999')}/page",
        f"{REGISTRY.partition('/')[0]}/other/page",
    ],
)
def test_an_own_image_from_elsewhere_is_told_with_the_registry_of_the_stack(image: str) -> None:
    messages = found_in_stack(KNOWN, BUILT, _uses("a", f"{image}@{DIGEST}"))
    assert f"the image {image}@{DIGEST} is not from the stack's registry" in messages["a"]
    assert f"what lies below {REGISTRY};" in messages["a"]


def test_an_image_of_others_from_an_unknown_place_is_told() -> None:
    messages = found_in_stack(KNOWN, BUILT, _uses("a", "evil.example/library/redis:8"), _uses("b", "redis:8"))
    assert list(messages) == ["a"]
    assert "is of another place than 111122223333.dkr.ecr.eu-west-1.amazonaws.com or docker.io" in messages["a"]


def test_the_places_can_be_set() -> None:
    uses = [_uses("a", f"pull.example/shop/page@{DIGEST}"), _uses("b", "harbor.example/hub/library/redis:8")]
    assert len(found_in_stack(KNOWN, BUILT, *uses)) == 2
    settings = {"registries": ["pull.example/shop"], "places": ["harbor.example/hub"]}
    assert found_in_stack(KNOWN, BUILT, *uses, **settings) == {}
    assert list(found_in_stack(KNOWN, BUILT, _uses("c", f"{REGISTRY}/page@{DIGEST}"), **settings)) == ["c"]


def test_a_stack_that_builds_nothing_takes_its_images_from_one_place() -> None:
    same = [_uses("a", f"{REGISTRY}/page@{DIGEST}"), _uses("b", f"{REGISTRY}/shelf@{DIGEST}")]
    assert found_in_stack(KNOWN, *same) == {}
    assert list(found_in_stack(KNOWN, *same, _uses("c", f"z.example/shop/till@{DIGEST}"))) == ["c"]
    assert found_in_stack(KNOWN, resource(BUILD, "page", {"imageName": UNKNOWN}), *same) == {}
