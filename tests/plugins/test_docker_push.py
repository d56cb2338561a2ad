"""Pushes that a registry refuses: by a real Docker Engine, to servers that answer as the registries people use."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from sandbox.plugins.docker.builder import Builder
from sandbox.plugins.docker.client import Client, Endpoint, client
from sandbox.plugins.docker.logins import Login
from sandbox.plugins.docker.spec import ImageSpec, Registry
from sandbox.plugins.protocol.engine_log import EngineLog, ResourceLog
from sandbox.plugins.protocol.provider import ProviderError
from tests.registry_server import Reply, Request, error

from .docker_support import write_context
from .push_registry import push_registry

PASSWORD = "a-password-of-the-pushs-own"

PAGE = b"<html>\r\n<head><title>413 Request Entity Too Large</title></head>\r\n<body>nginx</body>\r\n</html>\r\n"
ECR_RIGHT = (
    "User: arn:aws:iam::1:user/u is not authorized to perform: ecr:InitiateLayerUpload on resource: "
    "arn:aws:ecr:us-east-1:1:repository/app because no identity-based policy allows it"
)
ECR_REPOSITORY = "The repository with name 'team/app' does not exist in the registry with id '123456789012'"
ECR_TAG = (
    "The image tag '1' already exists in the 'team/app' repository and cannot be overwritten because the tag is "
    "immutable."
)
HARBOR_QUOTA = (
    "adding 3.2 MiB of storage resource, which when updated to current usage of 10.0 MiB will exceed the configured "
    "upper limit of 10.0 MiB."
)

# What comes at which stage of a push; what is told after `registry <host>` or in its place; what the registry said.
REFUSALS: dict[str, tuple[str, Reply, str, str]] = {
    "a wrong login": (
        "every",
        error(401, "UNAUTHORIZED", "authentication required", WWW_Authenticate='Basic realm="here"'),
        "registry {host} refuses the login of user 'robot$ci', to push to team/app: ",
        "authentication required",
    ),
    "no right, at Docker Hub": (
        "upload",
        error(403, "DENIED", "requested access to the resource is denied"),
        "registry {host} does not let user 'robot$ci' push to team/app: ",
        "denied: requested access to the resource is denied",
    ),
    "no right, at Harbor": (
        "upload",
        error(401, "UNAUTHORIZED", "unauthorized to access repository: team/app, action: push"),
        "registry {host} does not let user 'robot$ci' push to team/app: ",
        "unauthorized to access repository: team/app, action: push",
    ),
    "no right, at ECR": (
        "upload",
        error(403, "DENIED", ECR_RIGHT),
        "registry {host} does not let user 'robot$ci' push to team/app: ",
        ECR_RIGHT,
    ),
    "no right, at GitHub": (
        "upload",
        error(403, "DENIED", "permission_denied: write_package"),
        "registry {host} does not let user 'robot$ci' push to team/app: ",
        "permission_denied: write_package",
    ),
    "an expired token": (
        "upload",
        error(403, "DENIED", "Your authorization token has expired. Reauthenticate and try again."),
        "registry {host} refuses the login of user 'robot$ci', to push to team/app: ",
        "Your authorization token has expired.",
    ),
    "an immutable tag, at ECR": (
        "manifest",
        error(400, "TAG_INVALID", ECR_TAG),
        "the tag 1 exists in {host}/team/app with another content, and tags there are immutable: ",
        ECR_TAG,
    ),
    "an immutable tag, at Harbor": (
        "manifest",
        error(412, "PRECONDITION", "Failed to process request due to 'app:1' configured as immutable."),
        "the tag 1 exists in {host}/team/app with another content, and tags there are immutable: ",
        "configured as immutable.",
    ),
    "no repository": (
        "upload",
        error(404, "NAME_UNKNOWN", ECR_REPOSITORY),
        "there is no repository team/app in registry {host}: ",
        ECR_REPOSITORY,
    ),
    "a full project": (
        "manifest",
        error(403, "DENIED", HARBOR_QUOTA),
        "registry {host} has no room for it in team/app: ",
        HARBOR_QUOTA,
    ),
    "too many images": (
        "manifest",
        error(403, "LIMIT_EXCEEDED", "The maximum number of images in the repository was reached"),
        "registry {host} has no room for it in team/app: ",
        "The maximum number of images in the repository was reached",
    ),
    "a layer too large for a proxy": (
        "layer",
        Reply(413, PAGE, {"Content-Type": "text/html"}),
        "registry {host}, or a proxy before it, takes no layer of that size for team/app: ",
        "HTTP 413 Request Entity Too Large (a page, no registry's error)",
    ),
    "too many requests": (
        "upload",
        error(429, "TOOMANYREQUESTS", "Rate exceeded"),
        "registry {host} takes no more requests for team/app now: ",
        "toomanyrequests: Rate exceeded",
    ),
    "something else": (
        "manifest",
        error(400, "MANIFEST_INVALID", "the scanner found something"),
        "registry {host} did not take it in team/app: ",
        "the scanner found something",
    ),
}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """An image of the tests' own."""
    name = f"dockercoins-test-push:{secrets.token_hex(6)}"
    folder = write_context(
        tmp_path_factory.mktemp("context"), {"Dockerfile": "FROM scratch\nCOPY who /\n", "who": secrets.token_hex()}
    )
    with client(Endpoint(), [], threading.Event()) as docker:
        built = docker.run(["build", "--tag", name, str(folder)])
        assert built.exit_code == 0, built.text
        yield name
        docker.run(["image", "rm", name])


def push(image: str, host: str, *, login: bool = True) -> str:
    """Push the image to a server, as the plugin does."""
    registry = Registry(host, "robot$ci", PASSWORD) if login else Registry(host)
    spec = ImageSpec(f"{host}/team/app:1", ".", "Dockerfile", "linux/amd64", registry=registry)
    logins = [Login(host, registry.username, registry.password)] if login else []
    with client(Endpoint(), logins, threading.Event()) as docker, tagged(docker, image, spec.name):
        return Builder(docker, ResourceLog(EngineLog(), ""), "").push(spec)


class tagged:  # noqa: N801 - a block's head
    """Gives an image a name for a block."""

    def __init__(self, docker: Client, image: str, name: str) -> None:
        self._docker, self._image, self._name = docker, image, name

    def __enter__(self) -> None:
        assert self._docker.run(["image", "tag", self._image, self._name]).exit_code == 0

    def __exit__(self, *_: object) -> None:
        self._docker.run(["image", "rm", self._name])


def always(reply: Reply) -> Callable[[Request], Reply]:
    return lambda _: reply


def test_a_push_that_is_taken_gives_the_digest(image: str) -> None:
    with push_registry({}) as server:
        repository, _, digest = push(image, server.host).partition("@")
        assert repository == f"{server.host}/team/app"
        assert digest.startswith("sha256:")
        assert server.asked()[-1] == "PUT /v2/team/app/manifests/1"


@pytest.mark.parametrize(("stage", "reply", "told", "said"), REFUSALS.values(), ids=list(REFUSALS))
def test_a_refused_push_names_registry_and_repository_and_what_the_registry_said(
    image: str, stage: str, reply: Reply, told: str, said: str
) -> None:
    with push_registry({stage: always(reply)}) as server:
        with pytest.raises(ProviderError) as caught:
            push(image, server.host)
        message = str(caught.value)
        assert message.startswith(f"{server.host}/team/app:1 was built but not pushed: ")
        assert told.format(host=server.host) in message
        assert said in message
        assert "\n" not in message
        assert PASSWORD not in message


def test_a_registry_that_asks_for_a_login_where_there_is_none_is_told(
    image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    asking = error(401, "UNAUTHORIZED", "authentication required", WWW_Authenticate='Basic realm="here"')
    with push_registry({"every": always(asking)}) as server:
        with pytest.raises(ProviderError) as caught:
            push(image, server.host, login=False)
        assert f"registry {server.host} asks for a login to push to team/app and there is none" in str(caught.value)
