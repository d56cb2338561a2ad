"""The whole program, run as the engine runs it, against recording mocks."""

import runpy
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.runtime.proto import engine_pb2

from tests.unit.recording import DIGEST, Recorder, run
from tests.unit.stacks import ROOT, SERVICES, project, secret_keys, values

DEPLOYMENT = "kubernetes:apps/v1:Deployment"
SERVICE = "kubernetes:core/v1:Service"
IMAGE = "docker:index/image:Image"
DEBUG = pulumi.log.debug
SECRET_MARK = "1b47061264138c4ac30d75fd1eb44270"


@pytest.fixture(autouse=True)
def _in_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project(tmp_path))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))


def program(*, preview: bool = False, **settings: Any) -> Recorder:
    return run(
        lambda: runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__"),
        preview=preview,
        values=values(**settings),
        secret_keys=secret_keys(),
    )


@pytest.mark.parametrize("preview", [False, True])
def test_five_deployments_and_four_services_with_exact_names(preview: bool) -> None:
    recorder = program(preview=preview)
    deployments, services = recorder.of_type(DEPLOYMENT), recorder.of_type(SERVICE)
    assert {inputs["metadata"]["name"] for inputs in deployments.values()} == {"redis", *SERVICES}
    assert {inputs["metadata"]["name"] for inputs in services.values()} == {"redis", "hasher", "rng", "webui"}


def test_every_image_of_ours_is_deployed_by_the_digest_of_its_repository() -> None:
    deployments = program().of_type(DEPLOYMENT)
    for service in SERVICES:
        (container,) = deployments[service]["spec"]["template"]["spec"]["containers"]
        host = "111122223333.dkr.ecr.eu-west-1.amazonaws.com"
        assert container["image"] == f"{host}/dockercoins/{service}@{DIGEST}"


def test_names_of_images_are_known_at_preview_and_the_same_at_the_update() -> None:
    def names(recorder: Recorder) -> set[str]:
        return {inputs["imageName"] for inputs in recorder.of_type(IMAGE).values()}

    assert names(program(preview=True)) == names(program())
    assert len(names(program(preview=True))) == 4


def test_a_push_waits_for_its_own_repository_alone() -> None:
    recorder = program()
    for service in SERVICES:
        dependencies = list(recorder.request(IMAGE, service).dependencies)
        repositories = [urn for urn in dependencies if "ecr/repository:Repository" in urn]
        assert [urn.rpartition("::")[2] for urn in repositories] == [f"registry-{service}"]


def test_a_changed_service_changes_its_own_image_alone(tmp_path: Path) -> None:
    before = program().of_type(IMAGE)
    (tmp_path / "services" / "hasher" / "hasher.py").write_text("changed")
    after = program().of_type(IMAGE)
    assert [name for name in SERVICES if before[name]["imageName"] != after[name]["imageName"]] == ["hasher"]


def test_nothing_is_left_to_an_ambient_provider() -> None:
    recorder = program()
    custom = [record for record in recorder.resources if record.custom]
    for record in custom:
        if not record.typ.startswith("pulumi:providers:"):
            assert record.provider, f"{record.typ} {record.name} has no explicit provider"


def test_the_account_is_the_one_of_the_stack_or_none() -> None:
    provider = program().of_type("pulumi:providers:aws")["aws"]
    assert "111122223333" in str(provider["allowedAccountIds"])
    assert provider["region"] == "eu-west-1"
    assert "endpoints" not in provider


def test_an_endpoint_of_ones_own_serves_all_apis() -> None:
    provider = program(awsEndpoint="http://localhost:5002").of_type("pulumi:providers:aws")["aws"]
    assert str(provider["endpoints"]).count("http://localhost:5002") == 3


def test_the_cluster_is_the_named_one_and_its_credentials_are_secret() -> None:
    recorder = program()
    provider = recorder.of_type("pulumi:providers:kubernetes")["cluster"]
    assert provider["context"] == provider["clusterIdentifier"] == "test-context"
    assert SECRET_MARK in str(recorder.request("pulumi:providers:kubernetes", "cluster").object.fields["kubeconfig"])


def test_no_secret_goes_to_the_engine_in_the_open() -> None:
    recorder = program(pullCredentials="static", redisPassword="a-password-of-redis")
    for (typ, name), request in recorder.requests.items():
        for key, value in request.object.fields.items():
            text = str(value)
            if "a-token" in text or "PRIVATE+KEY=" in text or "a-password-of-redis" in text:
                assert SECRET_MARK in text, f"{typ} {name} shows a secret in {key}"
    assert "a-password-of-redis" in str(recorder.of_type("kubernetes:core/v1:Secret")["redis-password"])
    for secret in ("a-token", "a-password-of-redis"):
        assert secret not in str(recorder.outputs)


def test_the_namespace_refuses_pods_that_are_not_restricted_and_tells_those_who_try() -> None:
    labels = program().of_type("kubernetes:core/v1:Namespace")["namespace"]["metadata"]["labels"]
    for mode in ("enforce", "audit", "warn"):
        assert labels[f"pod-security.kubernetes.io/{mode}"] == "restricted"
        assert labels[f"pod-security.kubernetes.io/{mode}-version"] == "v1.34"


def test_what_a_stack_says_of_the_application_reaches_it() -> None:
    recorder = program(
        autoscale={"hasher": {"min": 2, "max": 4}},
        redisStorage="2Gi",
        redisStorageClass="fast",
        webuiIngress={"host": "coins.example.com", "clusterIssuer": "letsencrypt"},
        webuiFrom=["ingress-nginx"],
        metrics={"scrape": "podMonitor"},
        otlpEndpoint="http://collector.watch:4318",
        logLevel="debug",
    )
    assert recorder.outputs["webui_url"] == "https://coins.example.com/"
    assert set(recorder.of_type("kubernetes:autoscaling/v2:HorizontalPodAutoscaler")) == {"hasher"}
    claim = recorder.of_type("kubernetes:core/v1:PersistentVolumeClaim")["redis"]
    assert claim["spec"]["storageClassName"] == "fast"
    assert set(recorder.of_type("kubernetes:monitoring.coreos.com/v1:PodMonitor")) == {"dockercoins"}
    policies = recorder.of_type("kubernetes:networking.k8s.io/v1:NetworkPolicy")
    assert "ingress-nginx" in str(policies["webui"]["spec"]["ingress"])
    (container,) = recorder.of_type(DEPLOYMENT)["rng"]["spec"]["template"]["spec"]["containers"]
    told = {entry["name"]: entry["value"] for entry in container["env"]}
    assert (told["LOG_LEVEL"], told["OTEL_EXPORTER_OTLP_ENDPOINT"]) == ("debug", "http://collector.watch:4318")
    # The version is the tag, which is made from the content.
    image = recorder.of_type(IMAGE)["rng"]["imageName"]
    assert told["SERVICE_VERSION"] == image.rpartition(":")[2]
    labels = recorder.of_type(DEPLOYMENT)["redis"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/version"] == "8.10.1-trixie"
    assert program(networkPolicies="false").of_type("kubernetes:networking.k8s.io/v1:NetworkPolicy") == {}


@pytest.mark.parametrize(("how", "secrets"), [("node", 0), ("static", 1)])
def test_a_pull_secret_is_made_only_where_pods_need_one(how: str, secrets: int) -> None:
    recorder = program(pullCredentials=how)
    assert len(recorder.of_type("kubernetes:core/v1:Secret")) == secrets
    spec = recorder.of_type(DEPLOYMENT)["rng"]["spec"]["template"]["spec"]
    assert ("imagePullSecrets" in spec) == bool(secrets)


def test_the_outputs_say_what_runs_and_where() -> None:
    outputs: dict[str, Any] = program(webuiServiceType="NodePort", webuiNodePort="30080").outputs
    assert set(outputs) == {"webui_url", "images", "registry", "namespace", "cluster"}
    assert outputs["webui_url"] == "http://localhost:30080/"
    assert set(outputs["images"]) == set(SERVICES)
    assert all(DIGEST in reference for reference in outputs["images"].values())
    assert outputs["registry"] == "111122223333.dkr.ecr.eu-west-1.amazonaws.com"
    assert outputs["namespace"] == "dockercoins-test"
    assert outputs["cluster"] == {"context": "test-context", "server": "https://test-cluster:6443"}


def test_a_mistake_in_the_stack_ends_before_any_resource() -> None:
    recorder = Recorder()
    with pytest.raises(pulumi.RunError, match="awsAccount"):
        run(
            lambda: runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__"),
            values=values(awsAccount="12"),
            recorder=recorder,
        )
    assert recorder.resources == []
    assert recorder.calls == []


@pytest.mark.parametrize("asked", [False, True])
def test_debug_messages_are_sent_only_where_they_are_asked_for(asked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    def log(_: object, severity: engine_pb2.LogSeverity.ValueType, message: str, *__: object) -> None:
        if severity == engine_pb2.DEBUG:
            told.append(message)

    monkeypatch.setattr(pulumi.log, "debug", DEBUG)  # an earlier run of the program took it away
    monkeypatch.setattr("pulumi.log._log", log)
    if asked:
        monkeypatch.setenv("DOCKERCOINS_DEBUG", "1")
    program()
    assert any(IMAGE in message for message in told) is asked
