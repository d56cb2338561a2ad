"""What the docker plugin reads: inputs, references, configurations, and what builders and registries say."""

from __future__ import annotations

import json
import os
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.plugins.docker import build_context, failures, platforms, references, spec
from sandbox.plugins.docker import client as client_module
from sandbox.plugins.docker import provider as provider_module
from sandbox.plugins.docker.build_output import Failed, Progress, instructions, read_failure, unread_caches
from sandbox.plugins.docker.builder import build_arguments
from sandbox.plugins.docker.client import Endpoint, client, find_docker
from sandbox.plugins.docker.logins import Login, LoginsError, parse_logins, with_logins
from sandbox.plugins.docker.provider import IMAGE, DockerProvider
from sandbox.plugins.protocol.engine_log import EngineLog, ResourceLog
from sandbox.plugins.protocol.provider import Cancelled, CheckRequest, CreateRequest, DiffRequest, ProviderError
from sandbox.plugins.protocol.values import UNKNOWN, Properties, Secret, unwrap

if TYPE_CHECKING:
    from collections.abc import Generator

NAME = "registry.example.com:5000/team/app:1"
INPUTS: Properties = {
    "build": {"context": "context", "platform": "linux/arm64", "contextDigest": "d", "args": {"A": "1"}},
    "imageName": NAME,
    "registry": {"server": "registry.example.com:5000", "username": "u", "password": Secret("p")},
}


@pytest.mark.parametrize(
    ("text", "registry", "path", "tag"),
    [
        (NAME, "registry.example.com:5000", "team/app", "1"),
        ("localhost/app", "localhost", "app", ""),
        ("localhost:5001/a/b/c:x-1.y", "localhost:5001", "a/b/c", "x-1.y"),
        ("team/app:1", "", "team/app", "1"),
        ("app", "", "app", ""),
        ("[::1]:5000/app", "[::1]:5000", "app", ""),
        ("Registry/app", "Registry", "app", ""),
    ],
)
def test_a_reference_is_read(text: str, registry: str, path: str, tag: str) -> None:
    reference = references.parse(text)
    assert (reference.registry, reference.path, reference.tag) == (registry, path, tag)


@pytest.mark.parametrize("text", ["", "Team", "a:", "a//b", "a b", "a@sha256:12", ":1", "-a", "team/App"])
def test_what_is_no_reference_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected registry/repository:tag"):
        references.parse(text)


def test_docker_hub_has_one_repository_under_many_names() -> None:
    names = ("redis", "docker.io/redis", "docker.io/library/redis", "index.docker.io/library/redis")
    assert {references.parse(name).canonical_repository for name in names} == {"docker.io/library/redis"}
    assert references.login_key("docker.io") == references.DOCKER_HUB_LOGIN
    assert references.login_key("https://registry.example.com/v2/") == "registry.example.com"


def test_an_image_is_read_from_its_inputs() -> None:
    image = spec.read(INPUTS)
    assert image.dockerfile == "context/Dockerfile"
    assert image.dockerfile_in_context == "Dockerfile"
    assert image.args == {"A": "1"}
    assert image.registry.has_login
    assert "'p'" not in repr(image)


BAD_INPUTS: dict[str, tuple[Properties, str, str]] = {
    "unknown input": ({"imageNam": "x"}, "imageNam", "accepted are build, buildOnPreview, imageName"),
    "unknown build input": ({"build": {"dockerFile": "x"}}, "build.dockerFile", "accepted are"),
    "legacy builder": ({"build": {"builderVersion": "BuilderV1"}}, "build.builderVersion", "only BuilderBuildKit"),
    "no name": ({"imageName": ""}, "imageName", "missing"),
    "a name without a registry": ({"imageName": "team/app:1"}, "imageName", "docker.io/team/app:1"),
    "a digest": ({"imageName": f"{NAME}@sha256:{'0' * 64}"}, "imageName", "a digest cannot be chosen"),
    "a number for text": ({"build": {"target": 5}}, "build.target", "expected text, received 5"),
    "a cache without images": ({"build": {"cacheFrom": {}}}, "build.cacheFrom", "an object with images"),
    "one image as a cache": ({"build": {"cacheFrom": {"images": NAME}}}, "build.cacheFrom.images", "a list of image"),
    "no list of hosts": ({"build": {"addHosts": "h:1"}}, "build.addHosts", "a list of host:ip"),
    "text for a flag": ({"skipPush": "yes"}, "skipPush", "expected true or false, received 'yes'"),
    "a build that is a text": ({"build": "."}, "build", "expected an object"),
}


@pytest.mark.parametrize(("change", "key", "reason"), BAD_INPUTS.values(), ids=list(BAD_INPUTS))
def test_bad_inputs_are_told_by_key(change: Properties, key: str, reason: str) -> None:
    found = {failure.property: failure.reason for failure in spec.failures({**INPUTS, **change})}
    assert list(found) == [key]
    assert reason in found[key]


def test_a_bad_password_is_told_without_its_value() -> None:
    (failure,) = spec.failures({**INPUTS, "registry": {"password": Secret(12345)}})
    assert failure.property == "registry.password"
    assert "12345" not in failure.reason


def test_unknown_inputs_pass_the_check() -> None:
    assert spec.failures({"imageName": UNKNOWN, "build": UNKNOWN, "registry": {"password": UNKNOWN}}) == []


DIFFS: dict[str, tuple[Properties, list[str]]] = {
    "nothing": ({}, []),
    "password": ({"registry": {"server": "registry.example.com:5000", "username": "u", "password": Secret("q")}}, []),
    "unknown password": (
        {"registry": {"server": "registry.example.com:5000", "username": "u", "password": UNKNOWN}},
        [],
    ),
    "server": ({"registry": {"server": "other", "username": "u", "password": Secret("p")}}, ["registry"]),
    "a server where there was none": ({"registry": {"server": "registry.example.com:5000", "new": "x"}}, []),
    "no registry": ({"registry": None}, ["registry"]),
    "name": ({"imageName": "registry.example.com:5000/team/app:2"}, ["imageName"]),
    "unknown name": ({"imageName": UNKNOWN}, ["imageName"]),
    "skipPush": ({"skipPush": True}, ["skipPush"]),
    "context": (
        {"build": {"context": "context", "platform": "linux/arm64", "contextDigest": "e", "args": {"A": "1"}}},
        ["build"],
    ),
    "platform, argument and target": (
        {
            "build": {
                "context": "context",
                "platform": "linux/amd64",
                "contextDigest": "d",
                "args": {"A": "2"},
                "target": "t",
            }
        },
        ["build"],
    ),
}


@pytest.mark.parametrize(("change", "paths"), DIFFS.values(), ids=list(DIFFS))
def test_what_is_a_change_is_an_update_in_place(change: Properties, paths: list[str]) -> None:
    provider = DockerProvider()
    request = DiffRequest(**_resource(), id=NAME, old_inputs=INPUTS, old_outputs={}, inputs={**INPUTS, **change})
    diff = provider.diff(request)
    assert [item.name for item in diff.changes] == paths
    assert diff.replaces == ()


def _resource() -> dict[str, Any]:
    urn = f"urn:pulumi:s::p::{IMAGE}::i"
    return {
        "urn": urn,
        "type": IMAGE,
        "name": "i",
        "log": ResourceLog(EngineLog(), urn),
        "cancelled": DockerProvider().cancelled,
    }


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a context in `app`."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "Dockerfile").write_text("FROM scratch\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("given", "dockerfile"),
    [
        ({"context": "app"}, "app/Dockerfile"),
        ({"context": "./app/../app"}, "app/Dockerfile"),
        ({"context": "app", "dockerfile": "./app/Dockerfile"}, "./app/Dockerfile"),
    ],
)
def test_a_check_writes_out_what_the_official_plugin_keeps_in_the_inputs(
    project: Path, given: Properties, dockerfile: str
) -> None:
    assert project.is_dir()
    result = DockerProvider().check(CheckRequest(**_resource(), inputs={"imageName": NAME, "build": given}))
    assert result.failures == ()
    build = result.inputs["build"]
    assert isinstance(build, dict)
    digest = build_context.digest(str(given["context"]), dockerfile)
    assert result.inputs == {
        "imageName": NAME,
        "buildOnPreview": False,
        "build": {
            "context": given["context"],
            "dockerfile": dockerfile,
            "platform": spec.host_platform(),
            "contextDigest": digest,
        },
    }


class _Builder:
    """Builds nothing, and gives an id all the same."""

    def __init__(self, *_: object) -> None:
        pass

    def build(self, _image: spec.ImageSpec) -> str:
        return "sha256:1"


@pytest.fixture
def no_builds(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_client(*_: object) -> nullcontext[SimpleNamespace]:
        return nullcontext(SimpleNamespace(environment={}))

    monkeypatch.setattr(provider_module, "client", no_client)
    monkeypatch.setattr(provider_module, "Builder", _Builder)


@pytest.mark.usefixtures("project", "no_builds")
def test_the_outputs_hold_what_the_official_plugin_compares_the_next_inputs_with() -> None:
    provider = DockerProvider()
    given: Properties = {
        "imageName": NAME,
        "build": {"context": "app", "args": {"A": Secret("hush")}},
        "registry": {"server": "registry.example.com:5000", "password": Secret("p")},
        "skipPush": True,
    }
    checked = provider.check(CheckRequest(**_resource(), inputs=given)).inputs
    outputs = provider.create(CreateRequest(**_resource(), inputs=checked)).outputs
    kept = outputs["__inputs"]
    assert isinstance(kept, Secret)
    # The official plugin gets and gives no secrets within: the engine takes them apart for it.
    assert kept.value == unwrap(checked)
    again = provider.check(CheckRequest(**_resource(), inputs=given)).inputs
    assert unwrap(again) == kept.value
    assert outputs["repoDigest"] == "sha256:1"


@pytest.mark.usefixtures("project", "no_builds")
def test_a_preview_builds_while_the_login_is_not_known_yet() -> None:
    provider = DockerProvider()
    given: Properties = {
        "imageName": NAME,
        "build": {"context": "app"},
        "registry": {"server": "registry.example.com:5000", "username": UNKNOWN, "password": UNKNOWN},
        "buildOnPreview": True,
    }
    checked = provider.check(CheckRequest(**_resource(), inputs=given)).inputs
    outputs = provider.create(CreateRequest(**_resource(), inputs=checked, preview=True)).outputs
    assert outputs["baseImageName"] == NAME
    assert outputs["repoDigest"] == UNKNOWN


def test_a_preview_that_does_not_build_shows_the_inputs_alone() -> None:
    inputs: Properties = {**INPUTS, "buildOnPreview": False}
    assert DockerProvider().create(CreateRequest(**_resource(), inputs=inputs, preview=True)).outputs == inputs


@pytest.mark.parametrize(
    "unknown",
    [
        {"imageName": UNKNOWN},
        {"build": UNKNOWN},
        {"build": {"context": UNKNOWN}},
        {"build": {"context": "app", "args": {"A": UNKNOWN}}},
    ],
)
def test_a_preview_does_not_build_what_it_does_not_know(unknown: Properties) -> None:
    inputs: Properties = {**INPUTS, "buildOnPreview": True, **unknown}
    assert DockerProvider().create(CreateRequest(**_resource(), inputs=inputs, preview=True)).outputs == inputs


def test_an_image_whose_login_is_not_known_yet_can_be_read_for_a_preview() -> None:
    image = spec.read({**INPUTS, "registry": {"server": "r.example.com", "username": "u", "password": UNKNOWN}})
    assert not image.registry.has_login
    assert spec.read({**INPUTS, "registry": UNKNOWN}).registry == spec.Registry()


def test_the_values_of_build_arguments_stay_off_the_command_line() -> None:
    image = spec.read({**INPUTS, "build": {"args": {"TOKEN": "hush", "PATH": "/x", "DOCKER_HOST": "y", "HOME": "/h"}}})
    options, variables = build_arguments(image, {"PATH": "/usr/bin", "HOME": "/h"})
    assert variables == {"TOKEN": "hush"}
    assert "hush" not in " ".join(options)
    # These would change docker itself, and HOME has the wanted value already.
    assert {"PATH=/x", "DOCKER_HOST=y", "HOME"} <= set(options)


def test_logins_come_before_those_of_the_machine() -> None:
    config = {"auths": {"a.example.com": {"auth": "old"}, "b.example.com": {"auth": "kept"}}, "credsStore": "desktop"}
    merged = with_logins(config, [Login("https://a.example.com/v2/", "u", "p"), Login("c.example.com", "", "")])
    assert merged["auths"] == {"a.example.com": {"auth": "dTpw"}, "b.example.com": {"auth": "kept"}}
    # The store is not asked for these two: "" means the file.
    assert merged["credHelpers"] == {"a.example.com": "", "c.example.com": ""}
    assert merged["credsStore"] == "desktop"


def test_the_providers_logins_arrive_as_json() -> None:
    text = json.dumps([{"address": "a.example.com", "username": "u", "password": "p"}])
    assert parse_logins(Secret(text)) == [Login("a.example.com", "u", "p")]
    with pytest.raises(LoginsError, match="configFile is not served"):
        parse_logins([{"address": "a", "configFile": "x"}])
    with pytest.raises(LoginsError, match="expected a list") as caught:
        parse_logins("hunter2")
    assert "hunter2" not in str(caught.value)


def test_a_provider_option_that_is_not_served_is_refused_by_name() -> None:
    result = DockerProvider().check_config({"sshOpts": "[]", "host": "ssh://x"}, {})
    assert [failure.reason.partition(":")[0] for failure in result.failures] == ["sshOpts"]


@pytest.fixture
def two_dockers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Path]:
    """Two folders on PATH, each with a docker: first one without buildx, then one that has BuildKit built in."""
    for folder, version in (("new", "28.2.2"), ("old", "20.10.24+dfsg1")):
        path = tmp_path / folder / "docker"
        path.parent.mkdir()
        path.write_text(
            f'#!/bin/sh\n[ "$1" = --version ] && echo "Docker version {version}, build x" && exit\nexit 1\n'
        )
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'new'}{os.pathsep}{tmp_path / 'old'}")
    monkeypatch.setattr(client_module, "_USUAL_FOLDERS", ())
    find_docker.cache_clear()
    yield tmp_path
    find_docker.cache_clear()


def test_a_docker_without_buildx_is_passed_over(two_dockers: Path) -> None:
    assert find_docker() == str(two_dockers / "old" / "docker")


def test_no_docker_that_builds_is_told_with_what_was_looked_at(two_dockers: Path) -> None:
    (two_dockers / "old" / "docker").unlink()
    with pytest.raises(ProviderError, match=r"new/docker \(28\.2\.2, without buildx\); install Docker Engine"):
        find_docker()


def test_dockers_configuration_is_private_and_gone_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own"
    (own / "contexts").mkdir(parents=True)
    (own / "config.json").write_text('{"currentContext": "far"}')
    monkeypatch.setenv("DOCKER_CONFIG", str(own))
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "hush")
    provider = DockerProvider()
    endpoint = Endpoint(host="tcp://h:1", ca="CA", cert="CERT", key="KEY")
    with client(endpoint, [Login("r", "u", "p")], provider.cancelled) as docker:
        folder = Path(docker.environment["DOCKER_CONFIG"])
        assert folder.stat().st_mode & 0o777 == 0o700
        assert json.loads((folder / "config.json").read_text())["currentContext"] == "far"
        assert (folder / "contexts").resolve() == own / "contexts"
        assert (folder / "key.pem").stat().st_mode & 0o777 == 0o600
        assert docker.environment["DOCKER_HOST"] == "tcp://h:1"
        assert docker.environment["DOCKER_CERT_PATH"] == str(folder)
        assert "PULUMI_CONFIG_PASSPHRASE" not in docker.environment
    assert not folder.exists()
    assert (own / "config.json").read_text() == '{"currentContext": "far"}'


def test_a_command_that_ignores_the_polite_end_is_ended(two_dockers: Path) -> None:
    path = two_dockers / "old" / "docker"
    ended = two_dockers / "ended-by-itself"
    path.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo "Docker version 20.10.24, build x" && exit\n'
        f"trap '' TERM\necho started\n/bin/sleep 20 >/dev/null 2>&1\n: > {ended}\n"
    )
    provider = DockerProvider()
    with (
        pytest.raises(Cancelled, match="docker build was stopped"),
        client(Endpoint(), [], provider.cancelled) as docker,
    ):
        docker.run(["build"], on_line=lambda _: provider.cancelled.set())
    assert not ended.exists()


FAILED_RUN = """\
#4 [1/2] FROM docker.io/library/redis:8-trixie
#4 DONE 0.0s

#5 [2/2] RUN echo hi &&     echo there 1 && false
#5 0.119 hi
#6 [other 1/9] RUN sleep 1
#6 0.1 noise
#5 0.119 there 1
#5 ERROR: executor failed running [/bin/sh -c echo hi &&     echo there ${V} && false]: exit code: 1
------
 > [2/2] RUN echo hi &&     echo there 1 && false:
------
executor failed running [/bin/sh -c echo hi &&     echo there ${V} && false]: exit code: 1
"""
DOCKERFILE = "FROM redis:8-trixie\n# a note\nARG V\nRUN echo hi && \\\n\n    echo there ${V} && false\n"


def test_a_failed_command_is_found_in_the_dockerfile() -> None:
    failed = read_failure(FAILED_RUN.splitlines(), DOCKERFILE)
    assert failed == Failed("exit code: 1", "RUN echo hi &&     echo there 1 && false", 4, tail=("hi", "there 1"))


def test_the_failure_of_a_buildx_is_read_too() -> None:
    output = """\
#5 [builder 2/2] RUN make
#5 0.2 no rule
#5 ERROR: process "/bin/sh -c make" did not complete successfully: exit code: 2
------
 > [builder 2/2] RUN make:
0.2 no rule
------
Dockerfile:7
--------------------
   7 | >>> RUN make
--------------------
ERROR: failed to solve: process "/bin/sh -c make" did not complete successfully: exit code: 2
"""
    failed = read_failure(output.splitlines(), "FROM x\n")
    assert failed == Failed("exit code: 2", "RUN make", 7, tail=("no rule",))


def test_a_base_image_that_is_missing_is_found_in_the_dockerfile() -> None:
    output = """\
#3 [internal] load metadata for docker.io/library/nosuchbase:1
#3 ERROR: failed to do request: Head "https://registry-1.docker.io/v2/library/nosuchbase/manifests/1": no such host
------
failed to solve with frontend dockerfile.v0: failed to create LLB definition: failed to do request: no such host
"""
    failed = read_failure(output.splitlines(), "FROM a\nFROM --platform=$BUILDPLATFORM nosuchbase:1 AS b\n")
    assert failed == Failed("failed to do request: no such host", "", 2, "nosuchbase:1")


def test_an_instruction_that_stands_twice_has_no_line() -> None:
    output = FAILED_RUN.splitlines()
    assert read_failure(output, DOCKERFILE + "RUN echo hi && echo there $V && false\n").line == 0


def test_continued_instructions_start_on_their_first_line() -> None:
    assert instructions("A 1\\\n# note\n 2\n\nB\nC \\") == [(1, "A 1 2"), (5, "B"), (6, "C")]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("#5 [2/2] RUN make", "[2/2] RUN make"),
        ("#5 0.119 hi", "hi"),
        ("#5 DONE 0.1s", ""),
        (f"#5 sha256:{'a' * 64}", ""),
        ("------", ""),
    ],
)
def test_progress_is_shown_without_its_numbers(line: str, text: str) -> None:
    assert Progress().shown(line) == text


def test_a_step_from_the_cache_is_shown_by_its_name() -> None:
    progress = Progress()
    lines = ["#5 [2/3] RUN make", "#6 [3/3] COPY a b", "#5 CACHED", "#7 CACHED", "#6 DONE 0.1s"]
    assert [progress.shown(line) for line in lines] == [
        "[2/3] RUN make",
        "[3/3] COPY a b",
        "CACHED [2/3] RUN make",
        "CACHED",
        "",
    ]


PUSH_FAILURES = {
    "login refused": (
        "unauthorized: authentication required",
        "registry registry.example.com:5000 refuses the login of user 'u', to push to team/app: unauthorized",
    ),
    "expired": (
        "denied: Your authorization token has expired. Reauthenticate and try again.",
        "refuses the login of user 'u'",
    ),
    "denied": ("denied: requested access to the resource is denied", "does not let user 'u' push to team/app"),
    "no repository": (
        "name unknown: The repository with name 'team/app' does not exist in the registry with id '1'",
        "there is no repository team/app in registry registry.example.com:5000",
    ),
    "immutable": (
        "tag invalid: The image tag '1' already exists in the 'team/app' repository and cannot be overwritten because "
        "the tag is immutable.",
        "the tag 1 exists in registry.example.com:5000/team/app with another content",
    ),
    "disk full": (
        "received unexpected HTTP status: 500: write /var/lib/registry: no space left on device",
        "no space left on device",
    ),
    "unreachable": (
        'Get "http://registry.example.com:5000/v2/": dial tcp 127.0.0.1:1: connect: connection refused',
        "registry registry.example.com:5000 cannot be reached",
    ),
    "no daemon": (
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
        "no Docker daemon answers at unix:///var/run/docker.sock; start it",
    ),
    "not our words": (
        "something new",
        "was built but not pushed: registry registry.example.com:5000 did not take it in team/app: something new",
    ),
}


@pytest.mark.parametrize(("said", "line"), PUSH_FAILURES.values(), ids=list(PUSH_FAILURES))
def test_a_failed_push_is_told_in_one_line(said: str, line: str) -> None:
    told = failures.push_failure(spec.read(INPUTS), f"The push refers to repository [x]\n{said}\n", "")
    assert line in told
    assert "\n" not in told


def test_a_base_image_for_other_platforms_is_named_with_those() -> None:
    there = ["linux/amd64", "linux/arm/v7"]
    assert failures.wrong_platform(spec.read(INPUTS), "base:1", 2, there) == (
        f"{NAME} was not built: the base image base:1 is not there for linux/arm64 (context/Dockerfile line 2): "
        "it is there for linux/amd64, linux/arm/v7; take a base image that is, or set another build.platform"
    )


def test_a_base_image_that_the_engine_has_for_another_platform_is_told_so() -> None:
    failed = Failed("no such host", line=1, base_image="base:1")
    told = failures.build_failure(spec.read(INPUTS), failed, "", "", "linux/amd64")
    assert told.endswith(
        "cannot be pulled (context/Dockerfile line 1): no such host; the engine has it for linux/amd64 only"
    )


CACHE_IMPORTS = """\
#4 importing cache manifest from localhost:1/a:cache
#5 importing cache manifest from b.example.com/b:cache
#4 sha256:0123
#6 importing cache manifest from c:cache
#4 ERROR: localhost:1/a:cache: not found
#6 DONE 0.0s
#5 ERROR: pulling from host b.example.com failed with status code [manifests cache]: 401 Unauthorized
#7 [2/2] RUN false
#7 ERROR: executor failed running [/bin/sh -c false]: exit code: 1
"""


def test_caches_that_could_not_be_read_are_found() -> None:
    assert unread_caches(CACHE_IMPORTS.splitlines()) == {
        "localhost:1/a:cache": "localhost:1/a:cache: not found",
        "b.example.com/b:cache": "pulling from host b.example.com failed with status code [manifests cache]: "
        "401 Unauthorized",
    }


BASES = """\
ARG PYTHON=python:3.13
FROM ${PYTHON} AS packages
FROM --platform=$BUILDPLATFORM docker.io/library/golang:1 AS tool
FROM --platform=$TARGETPLATFORM alpine
COPY --from=redis:8 /x /x
FROM scratch
FROM packages
"""


def test_the_base_images_that_have_to_be_for_the_target_are_found() -> None:
    names = ("python:3.13", "golang:1", "alpine:3", "redis:8", "alpine")
    lines = [f"#{number} [internal] load metadata for docker.io/library/{name}" for number, name in enumerate(names)]
    # A variable could be anything, so only what no other instruction names on purpose for another platform is left.
    found = platforms.base_images(lines, BASES)
    assert found == [f"docker.io/library/{name}" for name in ("python:3.13", "alpine:3", "redis:8", "alpine")]
    plain = platforms.base_images(lines, BASES.replace("${PYTHON}", "python:3.13"))
    assert plain == ["docker.io/library/python:3.13", "docker.io/library/alpine"]


def test_the_platforms_of_an_image_are_read() -> None:
    entries = [("linux", "amd64", ""), ("linux", "arm64", "v8"), ("unknown", "unknown", "")]
    index = {"manifests": [{"platform": {"os": o, "architecture": a, "variant": v}} for o, a, v in entries]}
    assert platforms.listed(json.dumps(index)) == ["linux/amd64", "linux/arm64/v8"]
    assert platforms.listed('{"schemaVersion": 2, "config": {}}') is None
    single = {"Descriptor": {"platform": {"os": "linux", "architecture": "amd64"}}}
    assert platforms.of_single(json.dumps(single)) == ["linux/amd64"]
    assert platforms.of_single("no such manifest") == []
    assert platforms.same("linux/arm64/v8", "linux/arm64")
    assert not platforms.same("linux/arm64", "linux/amd64")


@pytest.mark.parametrize("image", ["localhost/a", "localhost:5001/a:1", "127.0.0.1:5/a", "[::1]:5/a", "[::1]/a"])
def test_an_image_of_this_machines_registry_is_told_apart(image: str) -> None:
    assert references.is_local(image)
    assert not references.is_local(image.replace("localhost", "localhost.example.com").replace("1", "9"))


def test_a_full_disk_in_a_build_is_told_as_that() -> None:
    text = "#5 0.1 dd: error writing '/x': No space left on device"
    told = failures.build_failure(spec.read(INPUTS), Failed("exit code: 1", "RUN dd", 2), text, "")
    assert told == (
        f"{NAME} was not built: the disk of the Docker Engine is full (no space left on device); "
        "see what uses it: docker system df"
    )


def test_a_socket_that_refuses_the_user_is_told_as_that() -> None:
    text = "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock"
    assert "join the group docker" in failures.build_failure(spec.read(INPUTS), Failed(text), text, "")
