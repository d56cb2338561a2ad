"""An image for one platform and for several, declared by a program, with a registry that answers over its API."""

import base64
import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pulumi
import pulumi_docker as docker
import pytest

from components.image_index import INDEX, MANIFEST_LIST
from components.registry import RegistryLogin, cache_tags
from components.service_image import ServiceImage, ServiceImageArgs
from tests.registry_server import RegistryServer, Reply, Request, error, serve
from tests.unit.manifest_registry import DOCKER_IMAGE, OCI_IMAGE, ManifestRegistry, digest_of, image_manifest
from tests.unit.recording import DIGEST, Recorder, run
from tests.unit.stacks import project

IMAGE = "docker:index/image:Image"
BOTH = ("linux/amd64", "linux/arm64")
USER, PASSWORD = "robot$ci", "pa55"


@pytest.fixture(autouse=True)
def _in_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project(tmp_path))


@pytest.fixture
def registry() -> ManifestRegistry:
    return ManifestRegistry("coins/rng", USER, PASSWORD)


@pytest.fixture
def server(registry: ManifestRegistry) -> Generator[RegistryServer]:
    with serve(registry.answer) as running:
        yield running


def builds(registry: ManifestRegistry, media_type: str = DOCKER_IMAGE, **more: Any) -> Recorder:
    """An engine whose builds for both platforms are in the registry."""
    digests = {
        f"rng-{architecture}": registry.add(media_type, image_manifest(media_type, architecture))
        for architecture in ("amd64", "arm64")
    }
    return Recorder(digests=digests, **more)


def declare(
    server: RegistryServer,
    recorder: Recorder,
    *,
    preview: bool = False,
    password: str | None = PASSWORD,
    **changes: Any,
) -> tuple[Recorder, ServiceImage]:
    """Run a program with one image; its output ``reference`` is what is to be deployed."""
    images: list[ServiceImage] = []

    def program() -> None:
        arguments: dict[str, Any] = {
            "context": "./services/rng",
            "repository": f"{server.host}/coins/rng",
            "platforms": BOTH,
            "login": RegistryLogin(server.host, USER, pulumi.Output.secret(password)) if password else None,
            **changes,
        }
        image = ServiceImage("rng", ServiceImageArgs(**arguments), provider=docker.Provider("docker"))
        images.append(image)
        pulumi.export("reference", image.reference)

    return run(program, preview=preview, recorder=recorder), images[0]


def pushes(server: RegistryServer) -> list[str]:
    return [asked for asked in server.asked() if asked.startswith(("PUT", "POST", "PATCH", "DELETE"))]


# --- What is declared ---


@pytest.mark.parametrize("platform", BOTH)
def test_one_platform_is_one_image_under_the_tag_and_the_registry_is_not_asked(
    server: RegistryServer, platform: str
) -> None:
    recorder, image = declare(server, Recorder(), platforms=[platform])
    ((name, inputs),) = recorder.of_type(IMAGE).items()
    assert name == "rng"
    assert inputs["imageName"] == image.name
    assert inputs["build"]["platform"] == platform
    assert recorder.outputs["reference"] == f"{server.host}/coins/rng@{DIGEST}"
    assert server.requests == []


def test_the_tag_of_one_platform_is_the_one_that_it_has_always_had(server: RegistryServer) -> None:
    context = Path("services/rng")
    (context / "Dockerfile").write_text("FROM scratch\n")
    _, image = declare(server, Recorder(), platforms=["linux/amd64"], build_args={"PYTHON_IMAGE": "python:3"})
    assert image.tag == "ec77b3e5f3181601e202"


def test_two_platforms_are_an_image_each(registry: ManifestRegistry, server: RegistryServer) -> None:
    recorder, image = declare(server, builds(registry), build_args={"PYTHON_IMAGE": "python:3"})
    images = recorder.of_type(IMAGE)
    assert set(images) == {"rng-amd64", "rng-arm64"}
    for architecture in ("amd64", "arm64"):
        inputs = images[f"rng-{architecture}"]
        assert inputs["imageName"] == f"{image.name}-{architecture}"
        assert inputs["build"] == {
            "context": "./services/rng",
            "dockerfile": "./services/rng/Dockerfile",
            "platform": f"linux/{architecture}",
            "args": {"PYTHON_IMAGE": "python:3"},
            "builderVersion": "BuilderBuildKit",
        }
        assert inputs["registry"] == {"server": server.host, "username": USER, "password": PASSWORD}


def test_the_tag_tells_the_platforms_and_not_their_order(registry: ManifestRegistry, server: RegistryServer) -> None:
    tags = {
        platforms: declare(server, builds(registry), platforms=platforms)[1].tag
        for platforms in (BOTH, BOTH[::-1], BOTH[:1], BOTH[1:])
    }
    assert tags[BOTH] == tags[BOTH[::-1]]
    assert len(set(tags.values())) == 3


def test_each_platform_has_a_build_cache_of_its_own(registry: ManifestRegistry, server: RegistryServer) -> None:
    recorder, _ = declare(server, builds(registry), cache=True)
    images = recorder.of_type(IMAGE)
    assert set(images) == {"rng-amd64", "rng-arm64", "rng-cache-amd64", "rng-cache-arm64"}
    for architecture in ("amd64", "arm64"):
        cached = f"{server.host}/coins/rng:cache-{architecture}"
        assert images[f"rng-cache-{architecture}"]["imageName"] == cached
        for name in (f"rng-{architecture}", f"rng-cache-{architecture}"):
            assert images[name]["build"]["cacheFrom"] == {"images": [cached]}
            assert images[name]["build"]["platform"] == f"linux/{architecture}"


def test_the_tags_of_caches_may_move_and_no_others() -> None:
    assert cache_tags(["linux/arm64"]) == ["cache"]
    assert cache_tags(BOTH) == ["cache*"]


@pytest.mark.parametrize("platforms", [(), ("linux/amd64", "linux/amd64")])
def test_an_image_for_nothing_or_twice_for_the_same_is_refused(platforms: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="one or more platforms, each named once"):
        ServiceImageArgs("./services/rng", "r.example/rng", platforms)


# --- The index ---


@pytest.mark.parametrize(("parts", "whole"), [(DOCKER_IMAGE, MANIFEST_LIST), (OCI_IMAGE, INDEX)])
def test_an_update_pushes_the_index_once_and_deploys_its_digest(
    registry: ManifestRegistry, server: RegistryServer, parts: str, whole: str
) -> None:
    recorder, image = declare(server, builds(registry, parts))
    media_type, content = registry.manifests[image.tag]
    assert media_type == whole
    assert [entry["platform"]["architecture"] for entry in json.loads(content)["manifests"]] == ["amd64", "arm64"]
    assert recorder.outputs["reference"] == f"{server.host}/coins/rng@{digest_of(content)}"
    again, _ = declare(server, builds(registry, parts))
    assert again.outputs["reference"] == recorder.outputs["reference"]
    assert pushes(server) == [f"PUT /v2/coins/rng/manifests/{image.tag}"]


def test_the_index_is_deployed_from_where_nodes_pull(registry: ManifestRegistry, server: RegistryServer) -> None:
    recorder, image = declare(server, builds(registry), pull_repository="pull.example/coins/rng")
    digest = digest_of(registry.manifests[image.tag][1])
    assert recorder.outputs["reference"] == f"pull.example/coins/rng@{digest}"


def test_the_reference_is_no_secret_though_the_password_is(registry: ManifestRegistry, server: RegistryServer) -> None:
    secret: list[bool] = []

    def program() -> None:
        login = RegistryLogin(server.host, USER, pulumi.Output.secret(PASSWORD))
        arguments = ServiceImageArgs("./services/rng", f"{server.host}/coins/rng", BOTH, login)
        image = ServiceImage("rng", arguments, provider=docker.Provider("docker"))

        async def look() -> None:
            secret.append(await image.reference.is_secret())

        pulumi.export("looked", pulumi.Output.from_input(look()))

    run(program, recorder=builds(registry))
    assert secret == [False]


def test_a_preview_knows_the_digest_of_images_that_are_there_and_pushes_nothing(
    registry: ManifestRegistry, server: RegistryServer
) -> None:
    before, _ = declare(server, builds(registry, pushed_before=True), preview=True)
    assert pushes(server) == []
    after, _ = declare(server, builds(registry))
    assert before.outputs["reference"] == after.outputs["reference"]


@pytest.mark.parametrize("changes", [{}, {"local_image_id": True}])
def test_a_preview_of_new_images_does_not_know_the_digest_and_asks_nothing(
    registry: ManifestRegistry, server: RegistryServer, changes: dict[str, Any]
) -> None:
    recorder, _ = declare(server, builds(registry, **changes), preview=True)
    assert "sha256" not in str(recorder.outputs)
    assert server.requests == []


def test_a_preview_without_the_images_in_the_registry_does_not_know_the_digest(
    registry: ManifestRegistry, server: RegistryServer
) -> None:
    engine = builds(registry, pushed_before=True)
    registry.manifests.clear()
    recorder, _ = declare(server, engine, preview=True)
    assert "sha256" not in str(recorder.outputs)


@pytest.mark.parametrize(("preview", "actions"), [(True, "pull"), (False, "pull,push")])
def test_a_preview_needs_no_right_to_push(registry: ManifestRegistry, preview: bool, actions: str) -> None:
    registry.user = ""

    def answer(request: Request) -> Reply:
        if request.headers.get("authorization") == "Bearer t0k3n":
            return registry.answer(request)
        asked = f'Bearer realm="http://{tokens.host}/token"'
        return error(401, "UNAUTHORIZED", "a token is needed", WWW_Authenticate=asked)

    with serve(lambda _: Reply(200, {"token": "t0k3n"})) as tokens, serve(answer) as server:
        recorder, _ = declare(server, builds(registry, pushed_before=True), preview=preview)
        assert "sha256" in str(recorder.outputs)
        assert {request.query["scope"] for request in tokens.requests} == {f"repository:coins/rng:{actions}"}


def test_an_image_that_is_gone_ends_the_update(registry: ManifestRegistry, server: RegistryServer) -> None:
    engine = builds(registry)
    del registry.manifests[engine.digests["rng-arm64"]]
    with pytest.raises(pulumi.RunError) as raised:
        declare(server, engine)
    assert str(raised.value) == (
        f"the image of rng for linux/amd64, linux/arm64 was not put together: registry {server.host} has no image "
        f"{engine.digests['rng-arm64']} in the repository coins/rng: HTTP 404 Not Found, MANIFEST_UNKNOWN: manifest "
        "unknown; another `rebuild` builds and pushes it again"
    )


def test_a_push_without_the_right_ends_the_update_without_the_password(registry: ManifestRegistry) -> None:
    def answer(request: Request) -> Reply:
        if request.method == "PUT":
            return error(403, "DENIED", f"{PASSWORD} may only read")
        return registry.answer(request)

    with serve(answer) as server, pytest.raises(pulumi.RunError) as raised:
        declare(server, builds(registry))
    assert f"registry {server.host} does not let user '{USER}' push coins/rng:" in str(raised.value)
    assert "HTTP 403 Forbidden, DENIED: *** may only read" in str(raised.value)


def test_an_image_without_a_digest_ends_the_update(registry: ManifestRegistry, server: RegistryServer) -> None:
    with pytest.raises(pulumi.RunError, match="the image of rng has no digest in the registry"):
        declare(server, builds(registry, local_image_id=True))


# --- Without a login of the program ---


def test_the_login_of_docker_reads_and_pushes(
    registry: ManifestRegistry, server: RegistryServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {server.host: {"auth": auth}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    recorder, image = declare(server, builds(registry), password=None)
    assert image.tag in registry.manifests
    assert "registry" not in recorder.of_type(IMAGE)["rng-amd64"]


def test_a_docker_without_a_login_ends_the_update(
    registry: ManifestRegistry, server: RegistryServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "nothing"))
    with pytest.raises(pulumi.RunError, match=rf"registry {server.host} asks for a login and there is none"):
        declare(server, builds(registry), password=None)


@pytest.mark.parametrize("preview", [False, True])
def test_a_login_of_docker_that_cannot_be_read_ends_an_update_and_no_preview(
    registry: ManifestRegistry,
    server: RegistryServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    preview: bool,
) -> None:
    (tmp_path / "config.json").write_text("{")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    engine = builds(registry, pushed_before=True)
    if preview:
        assert "sha256" not in str(declare(server, engine, preview=True, password=None)[0].outputs)
        return
    with pytest.raises(pulumi.RunError, match=r"was not put together: the configuration of docker, .*config\.json"):
        declare(server, engine, password=None)
