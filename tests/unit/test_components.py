import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pulumi_docker as docker
import pulumi_kubernetes as kubernetes
import pytest

from components.dockercoins import DockerCoins, DockerCoinsArgs
from components.pull_secret import PullSecret
from components.registry import RegistryLogin
from components.service_image import ServiceImage, ServiceImageArgs
from tests.unit.recording import DIGEST, Recorder, run
from tests.unit.stacks import project

IMAGE = "docker:index/image:Image"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
SERVICE = "kubernetes:core/v1:Service"
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


def application(**changes: Any) -> DockerCoins:
    arguments: dict[str, Any] = {
        "namespace": "ns",
        "images": {name: f"r.example/{name}@{DIGEST}" for name in ("hasher", "rng", "webui", "worker")},
        "redis_image": "redis:8",
        "profile": "teaching",
        **changes,
    }
    return DockerCoins("dockercoins", DockerCoinsArgs(**arguments), provider=cluster())


def pod(recorder: Recorder, name: str) -> dict[str, Any]:
    return recorder.of_type(DEPLOYMENT)[name]["spec"]["template"]["spec"]


def container(recorder: Recorder, name: str) -> dict[str, Any]:
    (only,) = pod(recorder, name)["containers"]
    return only


def environment(recorder: Recorder, name: str) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in container(recorder, name).get("env", [])}


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


# --- DockerCoins ---


@pytest.mark.parametrize("preview", [False, True])
def test_the_application_is_five_deployments_and_four_services(preview: bool) -> None:
    recorder = run(application, preview=preview)
    assert set(recorder.of_type(DEPLOYMENT)) == {"redis", "hasher", "rng", "webui", "worker"}
    ports = {name: inputs["spec"]["ports"][0]["port"] for name, inputs in recorder.of_type(SERVICE).items()}
    assert ports == {"redis": 6379, "hasher": 80, "rng": 80, "webui": 80}


def test_the_teaching_profile_has_the_delays_of_the_course_and_the_full_one_none() -> None:
    teaching = run(application)
    assert environment(teaching, "rng") == {"DELAY_SECONDS": "0.1", "CONCURRENCY": "1"}
    assert environment(teaching, "hasher") == {"DELAY_SECONDS": "0.1"}
    assert environment(teaching, "worker") == {"DELAY_SECONDS": "0.1", "CONCURRENCY": "1"}
    full = run(lambda: application(profile="full"))
    assert [environment(full, name) for name in ("rng", "hasher", "worker", "webui")] == [{}, {}, {}, {}]


def test_replicas_are_those_asked_for_and_redis_is_one() -> None:
    recorder = run(lambda: application(replicas={"worker": 10, "webui": 0}))
    replicas = {name: inputs["spec"]["replicas"] for name, inputs in recorder.of_type(DEPLOYMENT).items()}
    assert replicas == {"redis": 1, "hasher": 1, "rng": 1, "webui": 0, "worker": 10}


def test_all_images_are_pulled_with_the_secret_since_redis_may_come_through_the_same_registry() -> None:
    recorder = run(lambda: application(pull_secret="pull"))
    for name in ("hasher", "rng", "webui", "worker"):
        assert container(recorder, name)["image"] == f"r.example/{name}@{DIGEST}"
    for name in ("redis", "hasher", "rng", "webui", "worker"):
        assert pod(recorder, name)["imagePullSecrets"] == [{"name": "pull"}]
    assert container(recorder, "redis")["image"] == "redis:8"


def load_balancer(address: dict[str, str]) -> Callable[[Recorder], Recorder]:
    def give(recorder: Recorder) -> Recorder:
        original = recorder.new_resource

        def new_resource(args: Any) -> tuple[str | None, dict[str, Any]]:
            identity, state = original(args)
            if args.typ == SERVICE:
                state["status"] = {"loadBalancer": {"ingress": [address]}}
            return identity, state

        recorder.new_resource = new_resource  # pyright: ignore[reportAttributeAccessIssue] - one answer more
        return recorder

    return give


@pytest.mark.parametrize(
    ("arguments", "address", "url"),
    [
        ({}, {}, "http://localhost:8080/"),
        ({"webui_service_type": "NodePort", "webui_node_port": 30080}, {}, "http://localhost:30080/"),
        (
            {"webui_service_type": "NodePort", "webui_node_port": 30081, "webui_node_address": "node.lan"},
            {},
            "http://node.lan:30081/",
        ),
        ({"webui_service_type": "LoadBalancer"}, {"hostname": "lb.example"}, "http://lb.example/"),
        ({"webui_service_type": "LoadBalancer"}, {"ip": "192.0.2.7"}, "http://192.0.2.7/"),
    ],
)
def test_the_page_is_where_its_service_says(arguments: dict[str, Any], address: dict[str, str], url: str) -> None:
    recorder = load_balancer(address)(Recorder())
    run(lambda: pulumi.export("url", application(**arguments).webui_url), recorder=recorder)
    assert recorder.outputs["url"] == url


def test_a_port_forward_is_told_only_where_it_is_needed() -> None:
    commands: list[bool] = []
    run(lambda: commands.append(application().port_forward is not None))
    run(lambda: commands.append(application(webui_service_type="NodePort").port_forward is not None))
    assert commands == [True, False]
