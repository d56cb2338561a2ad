import base64
import json
from pathlib import Path
from typing import Any

import pulumi
import pulumi_docker as docker
import pulumi_kubernetes as kubernetes
import pytest

from components.pull_secret import PullSecret
from components.registry import RegistryLogin
from components.service_image import ServiceImage, ServiceImageArgs
from tests.unit.recording import DIGEST, Recorder, run
from tests.unit.stacks import project

IMAGE = "docker:index/image:Image"
SECRET = "kubernetes:core/v1:Secret"


@pytest.fixture(autouse=True)
def _in_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project(tmp_path))


def image(**changes: Any) -> ServiceImage:
    login = RegistryLogin("r.example", "user", pulumi.Output.secret("word"))
    arguments: dict[str, Any] = {
        "context": "./services/rng",
        "repository": "r.example/coins/rng",
        "platforms": ["linux/arm64"],
        "login": login,
        **changes,
    }
    return ServiceImage("rng", ServiceImageArgs(**arguments), provider=docker.Provider("docker"))


def cluster() -> kubernetes.Provider:
    return kubernetes.Provider("cluster", kubeconfig="{}")


# --- ServiceImage ---


def test_an_image_is_named_by_its_content_and_deployed_by_its_digest() -> None:
    names: list[str] = []

    def program() -> None:
        built = image()
        names.append(built.name)
        pulumi.export("reference", built.reference)

    recorder = run(program)
    inputs = recorder.of_type(IMAGE)["rng"]
    assert inputs["imageName"] == names[0]
    assert names[0].startswith("r.example/coins/rng:")
    assert recorder.outputs["reference"] == f"r.example/coins/rng@{DIGEST}"


def test_the_build_says_its_platform_context_arguments_and_builder() -> None:
    inputs = run(lambda: image(build_args={"PYTHON_IMAGE": "python:3"})).of_type(IMAGE)["rng"]
    assert inputs["build"] == {
        "context": "./services/rng",
        "dockerfile": "./services/rng/Dockerfile",
        "platform": "linux/arm64",
        "args": {"PYTHON_IMAGE": "python:3"},
        "builderVersion": "BuilderBuildKit",
    }
    assert inputs["skipPush"] is False
    assert inputs["buildOnPreview"] is False


def test_the_name_is_the_same_at_preview() -> None:
    names = [run(image, preview=preview).of_type(IMAGE)["rng"]["imageName"] for preview in (False, True)]
    assert names[0] == names[1]


def test_a_preview_that_built_without_a_push_shows_no_reference_that_no_node_can_pull() -> None:
    recorder = run(
        lambda: pulumi.export("reference", image().reference), preview=True, recorder=Recorder(local_image_id=True)
    )
    assert DIGEST not in str(recorder.outputs)


def test_an_image_without_a_digest_in_the_registry_is_not_deployed() -> None:
    with pytest.raises(pulumi.RunError, match="the image of rng has no digest in the registry"):
        run(lambda: pulumi.export("reference", image().reference), recorder=Recorder(local_image_id=True))


def test_the_password_of_the_push_is_a_secret_and_the_provider_has_none() -> None:
    recorder = run(image)
    assert "word" in str(recorder.of_type(IMAGE)["rng"]["registry"])
    registry_input = recorder.request(IMAGE, "rng").object.fields["registry"]
    assert "1b47061264138c4ac30d75fd1eb44270" in str(registry_input)
    assert recorder.of_type("pulumi:providers:docker")["docker"].get("registryAuth") is None


# --- PullSecret ---


def test_a_pull_secret_lets_in_to_its_registry_and_is_secret() -> None:
    def program() -> None:
        login = RegistryLogin("r.example:5000", "robot$ci", pulumi.Output.secret("pass:word"))
        secret = PullSecret("pull", namespace="ns", login=login, provider=cluster())
        pulumi.export("name", secret.secret_name)

    recorder = run(program)
    inputs = recorder.of_type(SECRET)["pull"]
    assert inputs["type"] == "kubernetes.io/dockerconfigjson"
    assert inputs["metadata"] == {"namespace": "ns"}
    config = json.loads(base64.b64decode(inputs["data"][".dockerconfigjson"]))
    entry = config["auths"]["r.example:5000"]
    assert (entry["username"], entry["password"]) == ("robot$ci", "pass:word")
    assert base64.b64decode(entry["auth"]) == b"robot$ci:pass:word"
    assert "1b47061264138c4ac30d75fd1eb44270" in str(recorder.request(SECRET, "pull").object.fields["data"])
    assert recorder.outputs["name"] == "pull-0a1b2c3"
