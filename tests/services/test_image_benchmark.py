"""The benchmark of the images in small: one image, built warm, and what is in it."""

import json
import os
import subprocess
from collections.abc import Generator

import pytest

from benchmarks import images

from .harness import SERVICES, docker

NAME = "rng"

pytestmark = pytest.mark.docker


def _ask(*arguments: str) -> str:
    client = docker()
    assert client
    done = subprocess.run([client, *arguments], capture_output=True, text=True, check=False, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def shop() -> Generator[images.Workshop]:
    client = docker()
    if client is None or subprocess.run([client, "info"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no Docker Engine")
    with images.workshop() as shop:
        shop.build(NAME)
        yield shop


def test_sizes_are_those_that_the_engine_tells(shop: images.Workshop) -> None:
    if "containerd" in _ask("info", "--format", "{{json .DriverStatus}}"):
        pytest.skip("containerd's store counts compressed layers too")
    contents = shop.contents([NAME])
    for image, layers in ((shop.tags[0], contents.images[NAME]), (shop.python_image, contents.base)):
        (told,) = json.loads(_ask("image", "inspect", image))
        assert sum(layer.size for layer in layers) == told["Size"]
        assert [layer.digest for layer in layers] == told["RootFS"]["Layers"]
    assert contents.images[NAME][: len(contents.base)] == contents.base
    assert all(0 < layer.compressed < layer.size for layer in contents.added(NAME) if layer.size)


def test_a_changed_line_gives_another_layer_of_code_and_leaves_the_service_as_it_was(shop: images.Workshop) -> None:
    assert shop.changed(NAME) > 0
    before, after = (json.loads(_ask("image", "inspect", tag))[0]["RootFS"]["Layers"] for tag in shop.tags[:2])
    assert before[:-1] == after[:-1]
    assert before[-1] != after[-1]
    copied, original = (folder / NAME / NAME / "__init__.py" for folder in (shop.folder, SERVICES))
    assert copied.read_text() == original.read_text()


def test_a_build_without_a_cache_installs_again_and_leaves_the_layers_of_others_in_the_cache(
    shop: images.Workshop,
) -> None:
    assert shop.cold(NAME) > 0
    cold = shop.tags[-1]
    warm = shop.build(NAME)
    first, cold_layers, warm_layers = (
        json.loads(_ask("image", "inspect", tag))[0]["RootFS"]["Layers"] for tag in (shop.tags[0], cold, warm)
    )
    # The last two are what was installed and the service's code.
    assert not set(cold_layers[-2:]) & set(first)
    assert warm_layers == first


def test_its_images_are_gone_afterwards() -> None:
    with images.workshop() as shop:
        tag = shop.build(NAME)
        assert _ask("image", "ls", "--quiet", tag)
    assert not _ask("image", "ls", "--quiet", tag)
    assert not shop.folder.exists()
