"""The index of an image for several platforms: what is in it, and how a registry gives its parts and takes it."""

import json
from collections.abc import Callable, Generator
from typing import Any

import pytest
import urllib3

from components.image_index import (
    INDEX,
    MANIFEST_LIST,
    ImageIndexError,
    image_index,
    platform_suffix,
    push_index,
    read_index,
)
from components.registry_api import Manifest, Outcome, RegistryApi, RegistryError, Repository
from tests.registry_server import RegistryServer, Reply, Request, error, serve
from tests.unit.manifest_registry import DOCKER_IMAGE, OCI_IMAGE, ManifestRegistry, image_manifest

PATH = "coins/rng"
PLATFORMS = ("linux/amd64", "linux/arm64")
TAG = "0123456789abcdef0123"


def images(media_type: str = DOCKER_IMAGE) -> dict[str, Manifest]:
    return {platform: Manifest(media_type, image_manifest(media_type, platform)) for platform in PLATFORMS}


def entries(index: Manifest) -> list[dict[str, Any]]:
    return json.loads(index.content)["manifests"]


# --- The format ---


@pytest.mark.parametrize(("parts", "whole"), [(DOCKER_IMAGE, MANIFEST_LIST), (OCI_IMAGE, INDEX)])
def test_an_index_names_each_image_with_its_platform_in_the_format_of_the_images(parts: str, whole: str) -> None:
    given = images(parts)
    index = image_index(given)
    document = json.loads(index.content)
    assert index.media_type == document["mediaType"] == whole
    assert document["schemaVersion"] == 2
    assert document["manifests"] == [
        {
            "mediaType": parts,
            "digest": given[f"linux/{architecture}"].digest,
            "size": len(given[f"linux/{architecture}"].content),
            "platform": {"os": "linux", "architecture": architecture},
        }
        for architecture in ("amd64", "arm64")
    ]


def test_images_in_two_formats_make_an_oci_index() -> None:
    mixed = {"linux/amd64": images(DOCKER_IMAGE)["linux/amd64"], "linux/arm64": images(OCI_IMAGE)["linux/arm64"]}
    assert image_index(mixed).media_type == INDEX


def test_the_same_images_make_the_same_bytes_in_any_order() -> None:
    given = images()
    assert image_index(given) == image_index(dict(reversed(given.items())))
    assert image_index(given).digest != image_index(dict(zip(PLATFORMS, reversed(given.values()), strict=True))).digest


def test_a_variant_is_told() -> None:
    index = image_index({"linux/arm/v7": images()["linux/arm64"], "linux/amd64": images()["linux/amd64"]})
    assert {"os": "linux", "architecture": "arm", "variant": "v7"} in [entry["platform"] for entry in entries(index)]


@pytest.mark.parametrize(
    ("platform", "suffix"), [("linux/amd64", "amd64"), ("linux/arm64", "arm64"), ("linux/arm/v7", "arm-v7")]
)
def test_a_platform_has_a_suffix_for_tags(platform: str, suffix: str) -> None:
    assert platform_suffix(platform) == suffix


def with_attestation(architecture: str, variant: str = "") -> Manifest:
    """What BuildKit pushes for one platform where it attests how it built."""
    image = f"sha256:{architecture:f>64}"
    platform = {"os": "linux", "architecture": architecture, **({"variant": variant} if variant else {})}
    document = {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [
            {"mediaType": OCI_IMAGE, "digest": image, "size": 10, "platform": platform},
            {
                "mediaType": OCI_IMAGE,
                "digest": f"sha256:{architecture:e>64}",
                "size": 11,
                "platform": {"os": "unknown", "architecture": "unknown"},
                "annotations": {
                    "vnd.docker.reference.digest": image,
                    "vnd.docker.reference.type": "attestation-manifest",
                },
            },
            {"mediaType": OCI_IMAGE, "digest": f"sha256:{'d' * 64}", "size": 12, "platform": {"os": "windows"}},
        ],
    }
    return Manifest(INDEX, json.dumps(document).encode())


def test_of_an_image_that_is_an_index_the_image_and_its_attestation_are_named() -> None:
    index = image_index({"linux/amd64": with_attestation("amd64"), "linux/arm64": with_attestation("arm64", "v8")})
    assert index.media_type == INDEX
    assert [entry["size"] for entry in entries(index)] == [10, 11, 10, 11]
    assert [entry["platform"]["architecture"] for entry in entries(index)] == ["amd64", "unknown", "arm64", "unknown"]


def test_an_index_for_another_platform_is_no_image_for_this_one() -> None:
    with pytest.raises(ImageIndexError, match="is an index without an image for linux/arm64"):
        image_index({"linux/amd64": with_attestation("amd64"), "linux/arm64": with_attestation("amd64")})


def test_something_else_than_an_image_is_named() -> None:
    chart = Manifest("application/vnd.example+json", b"{}")
    with pytest.raises(ImageIndexError, match=r"for linux/amd64, is no image but 'application/vnd.example\+json'"):
        image_index({"linux/amd64": chart})


# --- The registry ---


@pytest.fixture
def registry() -> ManifestRegistry:
    return ManifestRegistry(PATH)


@pytest.fixture
def server(registry: ManifestRegistry) -> Generator[RegistryServer]:
    with serve(registry.answer) as running:
        yield running


def repository(server: RegistryServer, username: str = "", password: str = "", **more: Any) -> Repository:
    api = RegistryApi(server.host, username, password, retries=urllib3.Retry(0), **more)
    return api.repository(PATH, push=True)


def pushed(registry: ManifestRegistry, media_type: str = DOCKER_IMAGE) -> dict[str, str]:
    """The images in the registry, by platform to digest."""
    return {
        platform: registry.add(manifest.media_type, manifest.content)
        for platform, manifest in images(media_type).items()
    }


def put(server: RegistryServer) -> list[str]:
    return [asked for asked in server.asked() if asked.startswith("PUT")]


@pytest.mark.parametrize("media_type", [DOCKER_IMAGE, OCI_IMAGE])
def test_an_index_is_pushed_once(registry: ManifestRegistry, server: RegistryServer, media_type: str) -> None:
    index = read_index(repository(server), pushed(registry, media_type))
    assert index == image_index(images(media_type))
    assert push_index(repository(server), TAG, index)
    assert registry.manifests[TAG] == registry.manifests[index.digest] == (index.media_type, index.content)
    assert not push_index(repository(server), TAG, index)
    assert put(server) == [f"PUT /v2/{PATH}/manifests/{TAG}"]


def test_an_immutable_tag_that_names_the_index_is_left_alone(
    registry: ManifestRegistry, server: RegistryServer
) -> None:
    index = read_index(repository(server), pushed(registry))
    registry.add(index.media_type, index.content, TAG)
    registry.immutable = True
    assert not push_index(repository(server), TAG, index)
    assert put(server) == []


def test_an_immutable_tag_that_names_something_else_is_told(registry: ManifestRegistry, server: RegistryServer) -> None:
    index = read_index(repository(server), pushed(registry))
    other = registry.add(DOCKER_IMAGE, image_manifest(DOCKER_IMAGE, "other"), TAG)
    registry.immutable = True
    with pytest.raises(RegistryError) as raised:
        push_index(repository(server), TAG, index)
    assert str(raised.value) == (
        f"registry {server.host} does not take {PATH}:{TAG}: HTTP 400 Bad Request, TAG_INVALID: The image tag '{TAG}' "
        f"already exists, and the tag is immutable. (the tag names {other}, not {index.digest})"
    )


def test_a_mutable_tag_is_moved(registry: ManifestRegistry, server: RegistryServer) -> None:
    index = read_index(repository(server), pushed(registry))
    registry.add(DOCKER_IMAGE, image_manifest(DOCKER_IMAGE, "other"), TAG)
    assert push_index(repository(server), TAG, index)
    assert registry.manifests[TAG][1] == index.content


def test_two_updates_that_push_the_same_at_once_both_succeed(registry: ManifestRegistry) -> None:
    index = image_index(images())

    def answer(request: Request) -> Reply:
        if request.method == "PUT":
            registry.add(index.media_type, index.content, TAG)
            registry.immutable = True
        return registry.answer(request)

    pushed(registry)
    with serve(answer) as server:
        assert not push_index(repository(server), TAG, index)


def test_an_image_that_is_gone_is_named(registry: ManifestRegistry, server: RegistryServer) -> None:
    digests = pushed(registry)
    del registry.manifests[digests["linux/arm64"]]
    with pytest.raises(RegistryError) as raised:
        read_index(repository(server), digests)
    assert raised.value.outcome is Outcome.MISSING
    assert str(raised.value) == (
        f"registry {server.host} has no image {digests['linux/arm64']} in the repository {PATH}: "
        "HTTP 404 Not Found, MANIFEST_UNKNOWN: manifest unknown"
    )


def test_content_that_does_not_have_its_digest_is_refused(registry: ManifestRegistry, server: RegistryServer) -> None:
    digests = pushed(registry)
    registry.manifests[digests["linux/amd64"]] = (DOCKER_IMAGE, b"{}")
    with pytest.raises(RegistryError, match="with something else"):
        read_index(repository(server), digests)


def test_a_registry_that_took_something_else_is_told(registry: ManifestRegistry) -> None:
    other = f"sha256:{'0' * 64}"

    def answer(request: Request) -> Reply:
        return (
            Reply(201, headers={"Docker-Content-Digest": other})
            if request.method == "PUT"
            else registry.answer(request)
        )

    with (
        serve(answer) as server,
        pytest.raises(RegistryError, match=f"took {PATH}:{TAG} for {other}, and it is sha256:"),
    ):
        push_index(repository(server), TAG, image_index(images()))


def test_a_registry_that_does_not_tell_what_it_took_is_asked(registry: ManifestRegistry) -> None:
    index = image_index(images())
    keeps = [True]

    def answer(request: Request) -> Reply:
        if request.method != "PUT":
            return registry.answer(request)
        if keeps[0]:
            registry.answer(request)
        return Reply(201)

    pushed(registry)
    with serve(answer) as server:
        assert push_index(repository(server), TAG, index)
    registry.manifests.clear()
    keeps[0] = False
    with serve(answer) as server, pytest.raises(RegistryError, match="has no image"):
        push_index(repository(server), TAG, index)


@pytest.mark.parametrize(
    ("reply", "outcome", "told"),
    [
        (
            error(401, "UNAUTHORIZED", "no"),
            Outcome.REFUSED,
            f"asks for a login by no scheme, to take {PATH}:{TAG}: HTTP",
        ),
        (error(403, "DENIED", "read only"), Outcome.REFUSED, f"does not let user 'me' push {PATH}:{TAG}: HTTP 403"),
        (
            error(404, "NAME_UNKNOWN", "none"),
            Outcome.MISSING,
            f"has no repository {PATH} to take {PATH}:{TAG}: HTTP 404",
        ),
        (error(413, "SIZE", "too big"), Outcome.UNREACHABLE, f"does not take {PATH}:{TAG}: HTTP 413"),
    ],
)
def test_a_push_that_is_refused_is_told_with_what_the_registry_said(
    registry: ManifestRegistry, reply: Reply, outcome: Outcome, told: str
) -> None:
    def answer(request: Request) -> Reply:
        return reply if request.method == "PUT" else registry.answer(request)

    with serve(answer) as server, pytest.raises(RegistryError) as raised:
        push_index(repository(server, "me", "pa55"), TAG, image_index(images()))
    assert raised.value.outcome is outcome
    assert f"registry {server.host} {told}" in str(raised.value)


# --- Logins ---


def test_a_push_logs_in_once(registry: ManifestRegistry, server: RegistryServer) -> None:
    registry.user, registry.password = "robot$ci", "pa55"
    there = repository(server, "robot$ci", "pa55")
    assert push_index(there, TAG, read_index(there, pushed(registry)))
    asked = [(request.method, "authorization" in request.headers) for request in server.requests]
    assert asked == [("GET", False), ("GET", True), ("GET", True), ("HEAD", True), ("GET", True), ("PUT", True)]


def bearer(
    registry: ManifestRegistry, realm: Callable[[], str], granted: list[str], *, open_door: bool = False
) -> Callable[[Request], Reply]:
    """A registry that sends to a token service, and for a request to read asks for nothing but a pull."""

    def answer(request: Request) -> Reply:
        if request.headers.get("authorization") in granted or (open_door and request.path == "/v2/"):
            return registry.answer(request)
        asked = f'Bearer realm="{realm()}",service="here"'
        if request.path != "/v2/":
            asked += f',scope="repository:{PATH}:pull"'
        return error(401, "UNAUTHORIZED", "a token is needed", WWW_Authenticate=asked)

    return answer


@pytest.mark.parametrize("open_door", [False, True])
@pytest.mark.parametrize("push", [False, True])
def test_a_token_is_asked_for_a_push_only_where_something_may_be_pushed(
    registry: ManifestRegistry, push: bool, open_door: bool
) -> None:
    digests = pushed(registry)
    with (
        serve(lambda _: Reply(200, {"token": "t0k3n"})) as tokens,
        serve(bearer(registry, lambda: f"http://{tokens.host}/token", ["Bearer t0k3n"], open_door=open_door)) as server,
    ):
        read_index(RegistryApi(server.host, "me", "pa55").repository(PATH, push=push), digests)
        scopes = [request.query["scope"] for request in tokens.requests]
    assert scopes == [f"repository:{PATH}:{'pull,push' if push else 'pull'}"]


def test_an_identity_token_is_shown_to_the_token_service_alone(registry: ManifestRegistry) -> None:
    digests = pushed(registry)
    with (
        serve(lambda _: Reply(200, {"access_token": "t0k3n"})) as tokens,
        serve(bearer(registry, lambda: f"http://{tokens.host}/token", ["Bearer t0k3n"])) as server,
    ):
        read_index(repository(server, identity_token="1dent1ty"), digests)
        (request,) = tokens.requests
        assert request.method == "POST"
        form = dict(part.split("=") for part in request.body.decode().split("&"))
        assert form["grant_type"] == "refresh_token"
        assert form["refresh_token"] == "1dent1ty"
        assert form["service"] == "here"
        assert "1dent1ty" not in str(server.requests)


def test_an_identity_token_does_not_follow_a_redirect_to_another_host(registry: ManifestRegistry) -> None:
    digests = pushed(registry)
    with serve(lambda _: Reply(200, {"access_token": "t0k3n"})) as other:
        moved = Reply(307, headers={"Location": f"http://{other.host}/token"})
        with (
            serve(lambda _: moved) as tokens,
            serve(bearer(registry, lambda: f"http://{tokens.host}/token", [])) as server,
            pytest.raises(RegistryError, match="it is for the token service") as raised,
        ):
            read_index(repository(server, identity_token="1dent1ty"), digests)
        assert other.requests == []
    assert "1dent1ty" not in str(raised.value)


def test_an_identity_token_that_is_refused_is_told_without_it(registry: ManifestRegistry) -> None:
    digests = pushed(registry)
    refusal = Reply(401, {"details": "1dent1ty has expired"})
    with (
        serve(lambda _: refusal) as tokens,
        serve(bearer(registry, lambda: f"http://{tokens.host}/token", [])) as server,
        pytest.raises(RegistryError) as raised,
    ):
        read_index(repository(server, identity_token="1dent1ty"), digests)
    assert "to the identity token of docker's login: its token service" in str(raised.value)
    assert "*** has expired" in str(raised.value)
