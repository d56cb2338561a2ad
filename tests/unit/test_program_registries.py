"""The whole program with each registry that people ship through, and with images from each source."""

import base64
import json
import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components import image_source
from components.image_reference import parse
from components.registries import DOCKER_HUB_SERVER, KNOWN_REGISTRIES
from components.registry_api import Answer, Outcome
from tests.unit.recording import DIGEST, Recorder, run
from tests.unit.stacks import ROOT, SERVICES, project, secret_keys, values

DEPLOYMENT = "kubernetes:apps/v1:Deployment"
SECRET = "kubernetes:core/v1:Secret"
IMAGE = "docker:index/image:Image"
PASSWORD = "the $ecret-wörd"

# kind: what the user says, the host and path of hasher's image, the user, the key of the credentials.
ROWS: dict[str, tuple[dict[str, str], str, str, str]] = {
    "dockerhub": ({"namespace": "mycompany"}, "docker.io/mycompany/hasher", "me", DOCKER_HUB_SERVER),
    "quay": ({"organization": "mycompany"}, "quay.io/mycompany/hasher", "mycompany+robot", "quay.io"),
    "gitlab": (
        {"project": "group/sub/project"},
        "registry.gitlab.com/group/sub/project/hasher",
        "gitlab-ci-token",
        "registry.gitlab.com",
    ),
    "ghcr": ({"owner": "my-company"}, "ghcr.io/my-company/hasher", "me", "ghcr.io"),
    "acr": ({"name": "mycompany"}, "mycompany.azurecr.io/hasher", "11111111-2222", "mycompany.azurecr.io"),
    "google": (
        {"location": "europe-west1", "project": "my-project", "repository": "coins"},
        "europe-west1-docker.pkg.dev/my-project/coins/hasher",
        "_json_key",
        "europe-west1-docker.pkg.dev",
    ),
    "gcr": ({"project": "my-project"}, "gcr.io/my-project/hasher", "oauth2accesstoken", "gcr.io"),
    "msr": ({"host": "msr.example", "organization": "coins"}, "msr.example/coins/hasher", "me", "msr.example"),
    "artifactory": (
        {"host": "my.jfrog.io", "repository": "docker-local"},
        "my.jfrog.io/docker-local/hasher",
        "me",
        "my.jfrog.io",
    ),
    "harbor": (
        {"host": "harbor.example", "project": "coins"},
        "harbor.example/coins/hasher",
        "robot$coins+pusher",
        "harbor.example",
    ),
    "portus": ({"host": "portus.example", "namespace": "coins"}, "portus.example/coins/hasher", "me", "portus.example"),
    "openshift": (
        {
            "host": "route.apps.example",
            "project": "coins",
            "pullHost": "image-registry.openshift-image-registry.svc:5000",
        },
        "route.apps.example/coins/hasher",
        "builder",
        "image-registry.openshift-image-registry.svc:5000",
    ),
    "kraken": (
        {"host": "proxy.example:8081", "pullHost": "localhost:8081"},
        "proxy.example:8081/hasher",
        "me",
        "localhost:8081",
    ),
    "distribution": ({"host": "localhost:5001"}, "localhost:5001/hasher", "me", "localhost:5001"),
    "generic": ({"host": "r.example:5000", "path": "a/b"}, "r.example:5000/a/b/hasher", "me", "r.example:5000"),
}


@pytest.fixture(autouse=True)
def _in_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project(tmp_path))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))


def program(*, preview: bool = False, recorder: Recorder | None = None, **settings: Any) -> Recorder:
    return run(
        lambda: runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__"),
        preview=preview,
        values=values(**settings),
        secret_keys=secret_keys(),
        recorder=recorder,
    )


def with_registry(kind: str, **settings: Any) -> Recorder:
    said, _, username, _ = ROWS[kind]
    registry = {"kind": kind, "username": username, **said}
    return program(registry=registry, registryPassword=PASSWORD, awsAccount="", awsRegion="", **settings)


def container(recorder: Recorder, service: str) -> dict[str, Any]:
    (only,) = recorder.of_type(DEPLOYMENT)[service]["spec"]["template"]["spec"]["containers"]
    return only


def types(recorder: Recorder) -> set[str]:
    return {record.typ for record in recorder.resources}


def pull_config(recorder: Recorder) -> dict[str, Any]:
    (secret,) = recorder.of_type(SECRET).values()
    assert secret["type"] == "kubernetes.io/dockerconfigjson"
    return json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))["auths"]


def test_every_kind_of_registry_is_here() -> None:
    assert set(ROWS) | {"ecr"} == set(KNOWN_REGISTRIES)


@pytest.mark.parametrize("kind", ROWS)
def test_images_are_pushed_under_the_names_of_the_registry_by_its_user(kind: str) -> None:
    _, repository, username, _ = ROWS[kind]
    image = with_registry(kind).of_type(IMAGE)["hasher"]
    name, _, tag = image["imageName"].rpartition(":")
    assert name == repository
    assert len(tag) == 20
    assert image["registry"] == {"server": repository.partition("/")[0], "username": username, "password": PASSWORD}


@pytest.mark.parametrize("kind", ROWS)
def test_pods_run_the_digest_at_the_pull_host_with_a_pull_secret_for_it(kind: str) -> None:
    said, repository, username, server = ROWS[kind]
    recorder = with_registry(kind)
    host, _, path = repository.partition("/")
    for service in SERVICES:
        deployed = f"{said.get('pullHost', host)}/{path.removesuffix('hasher')}{service}@{DIGEST}"
        assert container(recorder, service)["image"] == deployed
        assert recorder.of_type(DEPLOYMENT)[service]["spec"]["template"]["spec"]["imagePullSecrets"]
    auth = base64.b64encode(f"{username}:{PASSWORD}".encode()).decode()
    assert pull_config(recorder) == {server: {"username": username, "password": PASSWORD, "auth": auth}}


@pytest.mark.parametrize("kind", ROWS)
def test_nothing_of_amazon_is_declared_for_another_registry(kind: str) -> None:
    recorder = with_registry(kind)
    assert not {typ for typ in types(recorder) if "aws" in typ}
    assert recorder.calls == []


def test_ecr_provisions_what_it_pushes_to_and_pulls_by_the_node() -> None:
    recorder = program()
    host = "111122223333.dkr.ecr.eu-west-1.amazonaws.com"
    repositories = {inputs["name"] for inputs in recorder.of_type("aws:ecr/repository:Repository").values()}
    assert repositories == {f"dockercoins/{service}" for service in SERVICES}
    assert container(recorder, "hasher")["image"] == f"{host}/dockercoins/hasher@{DIGEST}"
    assert recorder.of_type(SECRET) == {}
    assert recorder.of_type(IMAGE)["hasher"]["registry"] == {"server": host, "username": "AWS", "password": "a-token"}


def test_a_pull_secret_of_ecr_holds_its_token() -> None:
    config = pull_config(program(pullCredentials="static"))
    assert config["111122223333.dkr.ecr.eu-west-1.amazonaws.com"]["password"] == "a-token"


def test_a_pull_secret_that_refreshes_itself_starts_with_ecrs_token_and_has_a_job_and_a_schedule() -> None:
    role = "arn:aws:iam::111122223333:role/puller"
    recorder = program(pullCredentials="refresh", refresh={"role": role, "schedule": "0 */6 * * *"})
    assert pull_config(recorder)["111122223333.dkr.ecr.eu-west-1.amazonaws.com"]["password"] == "a-token"
    (schedule,) = recorder.of_type("kubernetes:batch/v1:CronJob").values()
    assert schedule["spec"]["schedule"] == "0 */6 * * *"
    assert role in json.dumps(schedule)
    assert len(recorder.of_type("kubernetes:batch/v1:Job")) == 1
    assert recorder.of_type(DEPLOYMENT)["rng"]["spec"]["template"]["spec"]["imagePullSecrets"]


def test_an_access_key_for_the_refresh_goes_to_the_engine_as_a_secret() -> None:
    refresh = {"accessKeyId": "AKIAIOSFODNN7EXAMPLE"}
    recorder = program(pullCredentials="refresh", refresh=refresh, refreshSecretAccessKey="the-secret-key")
    for (typ, name), request in recorder.requests.items():
        for key, value in request.object.fields.items():
            shown = "the-secret-key" in str(value) and "1b47061264138c4ac30d75fd1eb44270" not in str(value)
            assert not shown, f"{typ} {name} shows the key in {key}"


def test_nodes_log_in_as_a_reader_where_one_is_given() -> None:
    registry = {"kind": "generic", "host": "r.example", "username": "writer", "pullUsername": "reader"}
    recorder = program(registry=registry, registryPassword="w", registryPullPassword="r")
    assert pull_config(recorder)["r.example"]["username"] == "reader"
    assert recorder.of_type(IMAGE)["rng"]["registry"]["username"] == "writer"


def test_without_a_password_this_machines_login_pushes_and_nodes_pull_by_themselves() -> None:
    recorder = program(registry={"kind": "generic", "host": "r.example"})
    assert "registry" not in recorder.of_type(IMAGE)["rng"]
    assert recorder.of_type(SECRET) == {}


def test_credentials_of_another_account_end_the_program_before_anything_else_is_declared() -> None:
    recorder = Recorder(account="999988887777")
    with pytest.raises(
        pulumi.RunError, match=r"those of account 999988887777 .*, and this stack ships to account 1111"
    ):
        program(recorder=recorder)
    assert [typ for typ in types(recorder) if not typ.startswith("pulumi:")] == []


def test_credentials_that_do_not_work_are_told_with_what_aws_said() -> None:
    with pytest.raises(
        pulumi.RunError, match=r"do not work for account 111122223333 in eu-west-1.*the token is expired"
    ):
        program(recorder=Recorder(account="the token is expired"))


def test_redis_comes_through_a_mirror() -> None:
    recorder = program(mirrors={"docker.io": "harbor.example/hub"}, redisImage="redis:8-trixie")
    assert container(recorder, "redis")["image"] == "harbor.example/hub/library/redis:8-trixie"


def test_redis_comes_through_ecrs_cache_of_docker_hub() -> None:
    secret = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:ecr-pullthroughcache/hub-AbCdEf"
    recorder = program(pullThroughCache={"docker-hub": secret}, redisImage="redis:8-trixie")
    host = "111122223333.dkr.ecr.eu-west-1.amazonaws.com"
    assert container(recorder, "redis")["image"] == f"{host}/docker-hub/library/redis:8-trixie"
    (rule,) = recorder.of_type("aws:ecr/pullThroughCacheRule:PullThroughCacheRule").values()
    assert rule["credentialArn"] == secret
    assert any("pullThroughCacheRule" in urn for urn in recorder.request(DEPLOYMENT, "redis").dependencies)


def test_what_ecr_offers_is_declared_as_the_settings_say() -> None:
    recorder = program(
        mayPull=["222233334444"],
        replicateTo=["eu-central-1"],
        imageScanning="enhanced",
        untaggedDays="3",
        buildCache="true",
    )
    assert len(recorder.of_type("aws:ecr/repositoryPolicy:RepositoryPolicy")) == 4
    assert len(recorder.of_type("aws:ecr/replicationConfiguration:ReplicationConfiguration")) == 1
    assert len(recorder.of_type("aws:ecr/registryScanningConfiguration:RegistryScanningConfiguration")) == 1
    repository = recorder.of_type("aws:ecr/repository:Repository")["registry-rng"]
    assert repository["imageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"


def test_a_build_cache_is_one_more_tag_that_builds_read_from() -> None:
    images = program(buildCache="true").of_type(IMAGE)
    assert set(images) == {name for service in SERVICES for name in (service, f"{service}-cache")}
    repository = images["rng"]["imageName"].rpartition(":")[0]
    assert images["rng-cache"]["imageName"] == f"{repository}:cache"
    for name in ("rng", "rng-cache"):
        assert images[name]["build"]["cacheFrom"] == {"images": [f"{repository}:cache"]}
        assert images[name]["build"]["args"]["BUILDKIT_INLINE_CACHE"] == "1"


def test_two_platforms_are_two_images_of_each_service_and_one_to_those_who_count() -> None:
    both = ["linux/amd64", "linux/arm64"]
    recorder = program(preview=True, platforms=both, buildCache="true", keepImages="10")
    images = recorder.of_type(IMAGE)
    assert set(images) == {
        f"{service}{cache}-{architecture}"
        for service in SERVICES
        for cache in ("", "-cache")
        for architecture in ("amd64", "arm64")
    }
    repository = recorder.of_type("aws:ecr/repository:Repository")["registry-rng"]
    assert [entry["filter"] for entry in repository["imageTagMutabilityExclusionFilters"]] == ["cache*"]
    policies = recorder.of_type("aws:ecr/lifecyclePolicy:LifecyclePolicy")
    (*_, last) = json.loads(policies["registry-rng"]["policy"])["rules"]
    assert last["selection"]["countNumber"] == 30
    assert not any(DIGEST in str(inputs) for inputs in recorder.of_type(DEPLOYMENT).values())


def test_a_rebuild_is_another_tag_of_equal_content() -> None:
    def names(**settings: Any) -> set[str]:
        return {inputs["imageName"] for inputs in program(**settings).of_type(IMAGE).values()}

    assert names(rebuild="1") == names(rebuild="1")
    assert not names(rebuild="1") & names(rebuild="2")
    assert not names(rebuild="1") & names()


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answer], list[tuple[str, str, str, str]]]:
    """Lets the registry answer as it is told, and gives what it was asked: host, user, path, digest."""

    def let(answer: Answer) -> list[tuple[str, str, str, str]]:
        asked: list[tuple[str, str, str, str]] = []

        def find(reference: str, username: str = "", password: str = "") -> Answer:
            del password
            image = parse(reference)
            asked.append((image.host, username, image.path, image.digest or ""))
            return answer

        monkeypatch.setattr(image_source, "find_image", find)
        return asked

    return let


PREBUILT = {"source": "prebuilt", "digests": dict.fromkeys(SERVICES, DIGEST)}


@pytest.mark.parametrize("preview", [False, True])
def test_prebuilt_images_need_no_docker_and_are_looked_up_in_the_registry(
    answers: Callable[[Answer], list[tuple[str, str, str, str]]], preview: bool
) -> None:
    asked = answers(Answer(Outcome.PRESENT))
    registry = {"kind": "harbor", "host": "h.example", "project": "coins", "username": "robot$a"}
    recorder = program(preview=preview, registry=registry, registryPassword="w", images=PREBUILT)
    assert not {typ for typ in types(recorder) if "docker:" in typ or "aws" in typ}
    for service in SERVICES:
        assert container(recorder, service)["image"] == f"h.example/coins/{service}@{DIGEST}"
    assert sorted(asked) == sorted(("h.example", "robot$a", f"coins/{service}", DIGEST) for service in SERVICES)
    assert recorder.outputs["images"]["rng"] == f"h.example/coins/rng@{DIGEST}"


def test_a_stack_imports_no_sdk_that_it_does_not_use() -> None:
    code = """
import sys
from components import image_source
from components.registry_api import Answer, Outcome
from tests.unit.test_program_registries import PREBUILT, program

image_source.find_image = lambda *_: Answer(Outcome.PRESENT)
program(preview=True, registry={"kind": "generic", "host": "h.example"}, images=PREBUILT)
print([name for name in ("kubernetes", "pulumi_aws", "pulumi_docker", "pulumi_kubernetes") if name in sys.modules])
"""
    # In a process of its own: in this one, other tests have imported them.
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "['pulumi_kubernetes']"


def test_prebuilt_images_of_ecr_declare_no_repository(answers: Callable[[Answer], Any]) -> None:
    answers(Answer(Outcome.PRESENT))
    recorder = program(images=PREBUILT)
    assert {typ for typ in types(recorder) if typ.startswith("aws:")} == set()


def test_a_digest_that_is_gone_ends_the_program_before_any_deployment_changes(answers: Callable[[Answer], Any]) -> None:
    answers(Answer(Outcome.MISSING, "registry h.example has no such digest"))
    recorder = Recorder()
    with pytest.raises(pulumi.RunError, match="has no such digest"):
        program(registry={"kind": "generic", "host": "h.example"}, images=PREBUILT, recorder=recorder)
    assert recorder.of_type(DEPLOYMENT) == {}


def test_a_registry_that_cannot_be_asked_from_here_is_a_warning(answers: Callable[[Answer], Any]) -> None:
    answers(Answer(Outcome.UNREACHABLE, "registry h.example does not answer"))
    recorder = program(registry={"kind": "generic", "host": "h.example"}, images=PREBUILT)
    assert container(recorder, "rng")["image"].endswith(DIGEST)


def test_the_password_of_one_registry_is_not_sent_to_another(answers: Callable[[Answer], Any]) -> None:
    asked = answers(Answer(Outcome.PRESENT))
    digests = {**dict.fromkeys(SERVICES, DIGEST), "rng": f"quay.io/other/rng@{DIGEST}"}
    registry = {"kind": "generic", "host": "h.example", "username": "me"}
    program(registry=registry, registryPassword="w", images={"source": "prebuilt", "digests": digests})
    assert ("quay.io", "", "other/rng", DIGEST) in asked


def test_images_of_another_stack_are_deployed_as_they_are(answers: Callable[[Answer], Any]) -> None:
    answers(Answer(Outcome.PRESENT))
    images = {service: f"r.example/dev/{service}@{DIGEST}" for service in SERVICES}
    recorder = program(
        registry={"kind": "generic", "host": "r.example"},
        images={"source": "stack", "stack": "org/dockercoins/dev"},
        recorder=Recorder(stacks={"org/dockercoins/dev": {"images": images}}),
    )
    for service in SERVICES:
        assert container(recorder, service)["image"] == images[service]


@pytest.mark.parametrize("given", [{}, {"images": {"rng": "r.example/rng:latest"}}])
def test_a_stack_without_images_is_named(answers: Callable[[Answer], Any], given: dict[str, Any]) -> None:
    answers(Answer(Outcome.PRESENT))
    with pytest.raises(pulumi.RunError, match="the stack 'dev' has no image of"):
        program(
            registry={"kind": "generic", "host": "r.example"},
            images={"source": "stack", "stack": "dev"},
            recorder=Recorder(stacks={"dev": given}),
        )
