"""Images by the docker plugin: through Pulumi's engine, a real Docker Engine and a real registry."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .docker_support import (
    BASE_IMAGE,
    PASSWORD,
    PLUGINS,
    PRELUDE,
    Process,
    docker_builds,
    environment,
    processes,
    registry,
    write_context,
)
from .engine_support import Project, wait_until

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
SCRATCH = "FROM scratch\nCOPY . /\n"
IMAGE = """
image = docker.Image("image", image_name=f"{REPOSITORY}:1", build=build(), registry=login())
pulumi.export("digest", image.repo_digest)
"""

NewProject = Callable[..., Project]


@pytest.fixture
def new_project(tmp_path: Path, repository: str) -> NewProject:
    """Makes a project with this program and a build context in the folder `context`."""

    def make(program: str, files: dict[str, str] | None = None, **more: str) -> Project:
        project = Project.create(tmp_path, PRELUDE + program, PLUGINS, {**environment(repository), **more})
        # What is in the image is of this test alone, so that no cache of another run answers.
        write_context(project.directory / "context", {"Dockerfile": SCRATCH, "who": repository, **(files or {})})
        return project

    return make


def test_an_image_is_built_pushed_and_known_by_the_registrys_digest(new_project: NewProject, repository: str) -> None:
    project = new_project(IMAGE)
    outcome = project.up()
    assert outcome.succeeded, outcome.output
    name = f"{registry().host}/{repository}"
    digest = registry().manifest_digest(repository, "1")
    assert digest is not None
    assert project.outputs()["digest"] == f"{name}@{digest}"
    state = project.resources()["image"]
    assert state["id"] == f"{name}:1"
    outputs = state["outputs"]
    # A secret, with all inputs in it: what the official plugin compares with next time.
    assert "ciphertext" in outputs.pop("__inputs")
    assert outputs == {
        "baseImageName": f"{name}:1",
        "context": "context",
        "dockerfile": "Dockerfile",
        "imageName": f"{name}:1",
        "platform": "linux/amd64",
        "registryServer": registry().host,
        "repoDigest": f"{name}@{digest}",
    }
    statuses = "".join(outcome.statuses("image"))
    assert "COPY . /" in statuses
    assert "Pushed" in statuses

    again = project.up()
    assert again.ops() == {"image": "same"}
    assert not again.statuses("image")


def test_a_changed_file_of_the_context_builds_and_pushes_again(new_project: NewProject, repository: str) -> None:
    project = new_project(IMAGE)
    assert project.up().succeeded
    before = registry().manifest_digest(repository, "1")
    (project.directory / "context" / "who").write_text(f"changed {repository}")

    preview = project.preview()
    assert preview.ops() == {"image": "update"}
    assert list(preview.step("image").detail) == ["build"]
    assert preview.produced("image")["imageName"] == f"{registry().host}/{repository}:1"
    assert "repoDigest" not in preview.produced("image")
    assert registry().manifest_digest(repository, "1") == before

    assert project.up().ops() == {"image": "update"}
    after = registry().manifest_digest(repository, "1")
    assert after != before
    assert project.outputs()["digest"].endswith(f"@{after}")


def test_another_password_is_no_change(new_project: NewProject) -> None:
    project = new_project(IMAGE)
    assert project.up().succeeded
    project.write(PRELUDE + IMAGE.replace("login()", "login('another token', 'somebody')"))
    assert project.up().ops() == {"image": "same"}


def test_a_preview_with_build_on_preview_finds_a_broken_dockerfile_and_pushes_nothing(
    new_project: NewProject, repository: str
) -> None:
    asked = IMAGE.replace("registry=login()", "registry=login(), build_on_preview=True")
    project = new_project(asked)
    good = project.preview()
    assert good.succeeded, good.output
    assert any("COPY" in line for line in good.statuses("image"))
    assert good.produced("image")["repoDigest"] == UNKNOWN
    assert registry().tags(repository) == []

    (project.directory / "context" / "Dockerfile").write_text("FROM scratch\nCOPY nothing /\n")
    broken = project.preview()
    assert not broken.succeeded
    assert "context/Dockerfile line 2: COPY nothing /" in broken.errors
    # Not asked for, it is not built: the preview passes.
    project.write(PRELUDE + IMAGE)
    assert project.preview().succeeded


def test_a_name_that_is_not_known_yet_is_not_built_in_a_preview(new_project: NewProject, repository: str) -> None:
    project = new_project(
        """
        first = docker.Image("first", image_name=f"{REPOSITORY}:1", build=build(), registry=login())
        tag = first.repo_digest.apply(lambda digest: digest[-12:])
        docker.Image(
            "second", image_name=pulumi.Output.concat(REPOSITORY, ":", tag), build=build(), registry=login(),
            build_on_preview=True,
        )
        """.replace("\n        ", "\n")
    )
    preview = project.preview()
    assert preview.succeeded, preview.output
    assert preview.ops() == {"first": "create", "second": "create"}
    assert not preview.statuses("second")
    outputs = preview.produced("second")
    assert outputs["imageName"] == UNKNOWN
    assert "repoDigest" not in outputs

    assert project.up().succeeded
    digest = registry().manifest_digest(repository, "1")
    assert digest is not None
    assert sorted(registry().tags(repository)) == sorted(["1", digest[-12:]])


def test_a_failed_step_tells_the_line_of_the_dockerfile_and_what_it_printed(new_project: NewProject) -> None:
    dockerfile = f"FROM {BASE_IMAGE}\n\nRUN echo first && \\\n    echo the compiler said no && exit 7\n"
    outcome = new_project(IMAGE, {"Dockerfile": dockerfile}).up()
    assert not outcome.succeeded
    first, *rest = [line.strip() for line in outcome.errors.splitlines() if "was not built" in line or "    " in line]
    assert "context/Dockerfile line 3: RUN echo first" in first
    assert first.endswith("exit code: 7")
    assert "the compiler said no" in rest


def test_a_syntax_error_tells_its_line(new_project: NewProject) -> None:
    outcome = new_project(IMAGE, {"Dockerfile": "FROM scratch\n\nCOPPY . /\n"}).up()
    assert "context/Dockerfile line 3: dockerfile parse error" in outcome.errors
    assert "unknown instruction: COPPY" in outcome.errors


def test_a_base_image_that_cannot_be_pulled_is_named(new_project: NewProject) -> None:
    missing = f"{registry().host}/plugin-tests/there-is-none:1"
    outcome = new_project(IMAGE, {"Dockerfile": f"# the base\nFROM {missing}\nCOPY . /\n"}).up()
    assert f"the base image {missing} for linux/amd64 cannot be pulled (context/Dockerfile line 2)" in outcome.errors


def test_the_platform_that_is_asked_for_is_built(new_project: NewProject, repository: str) -> None:
    project = new_project(IMAGE.replace("build()", "build(platform='linux/arm64')"))
    outcome = project.up()
    assert outcome.succeeded, outcome.output
    config = registry().image_config(repository, "1")
    assert (config["os"], config["architecture"]) == ("linux", "arm64")
    assert project.resources()["image"]["outputs"]["platform"] == "linux/arm64"


BASE_FOR_AMD64 = """
base = docker.Image("base", image_name=f"{REPOSITORY}/base:1", build=build("base"), registry=login())
pulumi.export("base", base.repo_digest)
image = docker.Image(
    "image", image_name=f"{REPOSITORY}:1", build=build(platform="linux/arm64", args={"BASE": base.repo_digest}),
    registry=login(),
)
"""


@pytest.mark.parametrize("lists", [False, True], ids=["of one platform", "that lists its platforms"])
def test_a_base_image_that_is_not_there_for_the_platform_is_refused(
    new_project: NewProject, repository: str, lists: bool
) -> None:
    program = BASE_FOR_AMD64
    project = new_project(program, {"Dockerfile": "ARG BASE\n\nFROM ${BASE}\nCOPY who /\n"})
    write_context(project.directory / "base", {"Dockerfile": SCRATCH, "who": f"base of {repository}"})
    if lists:
        project.write(PRELUDE + program.partition("image =")[0])
        assert project.up().succeeded
        index = registry().put_index(f"{repository}/base", "index", {"linux/amd64": "1"})
        name = f"{registry().host}/{repository}/base@{index}"
        project.write(PRELUDE + program.replace('"BASE": base.repo_digest', f'"BASE": "{name}"'))
    outcome = project.up()
    assert not outcome.succeeded
    assert (
        f"the base image {registry().host}/{repository}/base is not there for linux/arm64 (context/Dockerfile line 3): "
        "it is there for linux/amd64; take a base image that is, or set another build.platform"
    ) in outcome.errors
    assert registry().tags(repository) == []


def test_a_base_image_for_the_building_machine_need_not_be_there_for_the_platform(
    new_project: NewProject, repository: str
) -> None:
    dockerfile = "ARG BASE\nFROM --platform=linux/amd64 ${BASE} AS tools\nFROM scratch\nCOPY --from=tools who /\n"
    project = new_project(BASE_FOR_AMD64, {"Dockerfile": dockerfile})
    write_context(project.directory / "base", {"Dockerfile": SCRATCH, "who": f"base of {repository}"})
    outcome = project.up()
    assert outcome.succeeded, outcome.output
    assert registry().image_config(repository, "1")["architecture"] == "arm64"


def test_a_refused_login_names_registry_and_user_and_never_the_password(new_project: NewProject) -> None:
    outcome = new_project(IMAGE.replace("login()", "login('wrong-and-secret', 'mallory')")).up()
    assert not outcome.succeeded
    assert f"registry {registry().host} refuses the login of user 'mallory'" in outcome.errors
    assert "wrong-and-secret" not in outcome.output


def test_a_push_without_any_login_tells_how_to_give_one(
    new_project: NewProject, tmp_path: Path, repository: str
) -> None:
    empty = tmp_path / "no-docker-config"
    outcome = new_project(IMAGE.replace(", registry=login()", ""), DOCKER_CONFIG=str(empty)).up()
    assert f"registry {registry().host} asks for a login to push to {repository} and there is none" in outcome.errors


def test_the_machines_own_docker_login_is_used_when_the_program_brings_none(
    new_project: NewProject, tmp_path: Path, repository: str
) -> None:
    own = tmp_path / "docker-config"
    own.mkdir()
    login = subprocess.run(
        ["docker", "login", registry().host, "--username", "AWS", "--password-stdin"],
        input=PASSWORD,
        env={**os.environ, "DOCKER_CONFIG": str(own)},
        text=True,
        capture_output=True,
        check=False,
    )
    assert login.returncode == 0, login.stderr
    before = (own / "config.json").read_bytes()
    outcome = new_project(IMAGE.replace(", registry=login()", ""), DOCKER_CONFIG=str(own)).up()
    assert outcome.succeeded, outcome.output
    assert registry().tags(repository) == ["1"]
    assert (own / "config.json").read_bytes() == before


def test_an_image_that_is_not_pushed_is_known_by_its_local_id(new_project: NewProject, repository: str) -> None:
    project = new_project(
        """
local = docker.Image("image", image_name=f"{REPOSITORY}:local", build=build(), skip_push=True)
pulumi.export("digest", local.repo_digest)
"""
    )
    assert project.up().succeeded
    assert project.outputs()["digest"].startswith("sha256:")
    assert registry().tags(repository) == []


def test_a_secret_build_argument_reaches_the_build_and_stays_a_secret(new_project: NewProject) -> None:
    project = new_project(
        IMAGE.replace("build=build()", "build=build(args={'TOKEN': pulumi.Output.secret('s3cr3t-argument')})"),
        {"Dockerfile": f'FROM {BASE_IMAGE}\nARG TOKEN\nRUN test "$TOKEN" = "s3cr3t-$(echo argument)"\n'},
    )
    outcome = project.up()
    assert outcome.succeeded, outcome.output
    assert "s3cr3t-argument" not in project.state_text()


def test_credentials_are_in_no_state_output_log_argument_or_environment(
    new_project: NewProject, repository: str
) -> None:
    project = new_project(
        IMAGE.replace(
            "login()", "docker.RegistryArgs(server=REGISTRY, username='AWS', password=os.environ['TEST_PASSWORD'])"
        ),
        {"Dockerfile": long_build(repository)},
    )
    with project.started("up") as up:
        build = wait_for_build(repository)
        assert PASSWORD not in build.arguments
        # The variable by which this test hands the password to the program is the test's own.
        assert PASSWORD not in "".join(value for name, value in build.environment.items() if name != "TEST_PASSWORD")
        config = Path(build.environment["DOCKER_CONFIG"])
        assert stat.S_IMODE(config.stat().st_mode) == 0o700
        assert stat.S_IMODE((config / "config.json").stat().st_mode) == 0o600
        up.send_signal(signal.SIGINT)
        output, _ = up.communicate(timeout=60)
    assert PASSWORD not in output
    assert not config.exists()

    (project.directory / "context" / "Dockerfile").write_text(SCRATCH)
    outcome = project.up()
    assert outcome.succeeded, outcome.output
    # Given in plain, and a secret all the same.
    assert PASSWORD not in project.state_text()
    assert PASSWORD not in outcome.output


def test_a_cancelled_build_leaves_no_process_and_no_image(new_project: NewProject, repository: str) -> None:
    project = new_project(IMAGE, {"Dockerfile": long_build(repository)})
    with project.started("up") as up:
        wait_for_build(repository)
        up.send_signal(signal.SIGINT)
        output, _ = up.communicate(timeout=60)
    assert up.returncode != 0
    assert "cancel" in output
    # The client's, and the step's own in the engine.
    wait_until(lambda: not list(processes(repository)), "the build's processes to end", 10)
    assert "image" not in project.resources()
    assert registry().tags(repository) == []


@pytest.mark.parametrize("victim", ["the engine", "the plugin"])
def test_a_kill_takes_the_build_and_the_credentials_with_it(
    new_project: NewProject, repository: str, victim: str
) -> None:
    project = new_project(IMAGE, {"Dockerfile": long_build(repository)})
    with project.started("up") as up:
        build = wait_for_build(repository)
        config = Path(build.environment["DOCKER_CONFIG"])
        os.kill(up.pid if victim == "the engine" else build.parent, signal.SIGKILL)
        wait_until(lambda: not list(processes(repository)), "the build's processes to end", 20)
        wait_until(lambda: not config.exists(), "the credentials to be removed", 5)


def test_two_images_are_built_at_the_same_time(new_project: NewProject, repository: str) -> None:
    project = new_project(
        """
for name in ("one", "two"):
    docker.Image(name, image_name=f"{REPOSITORY}/{name}:1", build=build(args={"NAME": name}), registry=login())
""",
        {"Dockerfile": f"FROM {BASE_IMAGE}\nARG NAME\nCOPY who /\nRUN echo $NAME > /name\n"},
    )
    outcome = project.up()
    assert outcome.succeeded, outcome.output
    digests = {registry().manifest_digest(f"{repository}/{name}", "1") for name in ("one", "two")}
    assert len(digests) == 2
    assert None not in digests


def test_refresh_keeps_an_image_and_destroy_leaves_it_in_the_registry(new_project: NewProject, repository: str) -> None:
    project = new_project(IMAGE)
    assert project.up().succeeded
    assert project.refresh("--expect-no-changes").succeeded
    destroyed = project.destroy()
    assert destroyed.ops() == {"image": "delete"}
    assert registry().tags(repository) == ["1"]


def test_an_import_is_refused_with_the_way_to_go(new_project: NewProject, repository: str) -> None:
    outcome = new_project("").import_("docker:index/image:Image", "image", f"{registry().host}/{repository}:1")
    assert not outcome.succeeded
    assert "an image cannot be imported" in outcome.errors


def test_refresh_and_destroy_need_no_docker_engine(new_project: NewProject) -> None:
    project = new_project(IMAGE)
    assert project.up().succeeded
    project.write(
        PRELUDE
        + IMAGE.replace("registry=login()", "registry=login(), opts=pulumi.ResourceOptions(provider=nowhere)").replace(
            "\nimage =", "nowhere = docker.Provider('nowhere', host='unix:///nowhere/docker.sock')\nimage =", 1
        )
    )
    assert project.up().ops() == {"image": "same"}
    assert project.refresh().succeeded
    (project.directory / "context" / "who").write_text("changed")
    changed = project.up()
    assert "no Docker daemon answers at unix:///nowhere/docker.sock; start it" in changed.errors
    assert project.destroy().succeeded


def test_a_missing_context_is_told_by_its_key_before_anything_is_built(new_project: NewProject) -> None:
    outcome = new_project(IMAGE.replace("build()", "build('no-such-folder')")).up()
    assert "build.context: there is no folder 'no-such-folder'" in outcome.errors
    assert not outcome.statuses("image")


def test_a_type_that_is_not_served_is_refused_by_name(new_project: NewProject) -> None:
    outcome = new_project('docker.Network("network")').preview()
    assert not outcome.succeeded
    assert "docker:index/network:Network is not served by this stand-in for the docker plugin" in outcome.errors


def long_build(repository: str) -> str:
    """A Dockerfile with a step that takes minutes, and whose process can be told by the repository's name."""
    return f"FROM {BASE_IMAGE}\nCOPY who /\nRUN sleep 300 && echo {repository}\n"


def wait_for_build(repository: str) -> Process:
    """The `docker build` of this test, once its long step runs in the engine."""
    wait_until(lambda: any("sleep 300" in item.arguments for item in processes(repository)), "the step to run", 60)
    return docker_builds(repository)[0]
