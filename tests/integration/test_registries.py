"""One stack that moves between registries, and images from a cache, from digests and from another stack."""

import secrets
import shutil
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import urllib3
import yaml

from tests.integration.deployment import SANDBOX_REGISTRY, SERVICES, Deployment, create, until
from tests.integration.own_registry import OwnRegistry, docker, own_registry

USERNAME = "robot$dockercoins+pusher"
GONE = f"sha256:{'0' * 64}"


@pytest.fixture(scope="module")
def other_registry(tmp_path_factory: pytest.TempPathFactory) -> Generator[OwnRegistry]:
    """A registry with a login whose user has a name like those of Harbor's robots."""
    name = f"dockercoins-it-{secrets.token_hex(4)}"
    with own_registry(tmp_path_factory.mktemp("registry"), name, username=USERNAME, password="pa$$word") as registry:
        yield registry


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory, other_registry: OwnRegistry) -> Generator[Deployment]:
    """A stack of its own, destroyed when the tests of this file are done; the registry outlives it."""
    assert other_registry
    deployment = create(tmp_path_factory.mktemp("moving"))
    try:
        yield deployment
    finally:
        outcome = deployment.project.destroy()
        assert outcome.succeeded, outcome.output


def up(deployment: Deployment) -> None:
    outcome = deployment.project.up()
    assert outcome.succeeded, outcome.output


def running(deployment: Deployment) -> dict[str, str]:
    """The image that each service's one pod runs, once nothing else is left."""
    deployment.settle()
    pods = deployment.objects("pods").values()
    return {
        pod["metadata"]["labels"]["app.kubernetes.io/name"]: pod["spec"]["containers"][0]["image"]
        for pod in pods
        if pod["status"]["phase"] == "Running"
    }


def types(deployment: Deployment) -> set[str]:
    return {item["type"] for item in deployment.project.resources().values()}


def test_the_stack_moves_from_ecr_to_another_registry_to_given_digests_and_back(
    moving: Deployment, other_registry: OwnRegistry
) -> None:
    up(moving)
    in_ecr = running(moving)
    assert all(in_ecr[service].startswith(f"{SANDBOX_REGISTRY}/{moving.name}/{service}@") for service in SERVICES)
    ecr = {"kind": "ecr", "host": SANDBOX_REGISTRY, "prefix": moving.name}

    moving.configure(registry={"kind": "harbor", "host": other_registry.host, "project": "coins", "username": USERNAME})
    moving.project.set_config("registryPassword", other_registry.password, secret=True)
    moving.configure(pullCredentials=None)
    up(moving)
    there = running(moving)
    for service in SERVICES:
        assert there[service].startswith(f"{other_registry.host}/coins/{service}@sha256:")
    assert other_registry.repositories() == {f"coins/{service}" for service in SERVICES}
    assert not {typ for typ in types(moving) if typ.startswith("aws:")}, "nothing of ECR is left behind"
    assert len(_pull_secrets(moving)) == 1, "the pull secret of ECR is gone"

    digests = {service: there[service].partition("@")[2] for service in SERVICES}
    moving.configure(images={"source": "prebuilt", "digests": digests})
    up(moving)
    assert running(moving) == there
    assert not {typ for typ in types(moving) if typ.startswith("docker:")}
    assert moving.project.preview("--expect-no-changes").succeeded

    moving.configure(registry=ecr, images=None, pullCredentials="static")
    up(moving)
    back = running(moving)
    assert {name: image.rpartition("/")[2] for name, image in back.items()} == {
        name: image.rpartition("/")[2] for name, image in in_ecr.items()
    }, "equal content has an equal digest in every registry"
    assert len(_pull_secrets(moving)) == 1


def test_a_digest_that_is_gone_is_found_before_a_deployment_changes(moving: Deployment) -> None:
    before = _generations(moving)
    moving.configure(images={"source": "prebuilt", "digests": dict.fromkeys(SERVICES, GONE)})
    try:
        for outcome in (moving.project.preview(), moving.project.up()):
            assert not outcome.succeeded
            assert GONE in outcome.output
            assert SANDBOX_REGISTRY in outcome.output
            assert "Traceback" not in outcome.output
        assert _generations(moving) == before
    finally:
        moving.configure(images=None)


def test_a_login_that_the_registry_refuses_is_told_with_what_it_said(
    moving: Deployment, other_registry: OwnRegistry
) -> None:
    up(moving)
    before = _generations(moving)
    moving.configure(
        registry={"kind": "harbor", "host": other_registry.host, "project": "fresh", "username": USERNAME},
        pullCredentials=None,
    )
    moving.project.set_config("registryPassword", "wrong", secret=True)
    try:
        outcome = moving.project.up()
        assert not outcome.succeeded
        assert other_registry.host in outcome.output
        assert "fresh/" in outcome.output
        assert "unauthorized" in outcome.output.lower() or "authentication required" in outcome.output.lower()
        assert "Traceback" not in outcome.output
        assert _generations(moving) == before
    finally:
        moving.configure(
            registry={"kind": "ecr", "host": SANDBOX_REGISTRY, "prefix": moving.name}, pullCredentials="static"
        )


def test_prebuilt_images_need_neither_a_docker_engine_nor_its_plugin(
    moving: Deployment, other_registry: OwnRegistry, tmp_path: Path
) -> None:
    ecr = {"kind": "ecr", "host": SANDBOX_REGISTRY, "prefix": moving.name}
    moving.configure(
        registry={"kind": "harbor", "host": other_registry.host, "project": "coins", "username": USERNAME},
        pullCredentials=None,
    )
    moving.project.set_config("registryPassword", other_registry.password, secret=True)
    up(moving)
    digests = {service: image.partition("@")[2] for service, image in running(moving).items() if service in SERVICES}
    moving.configure(images={"source": "prebuilt", "digests": digests})
    up(moving)  # the images that were built here leave the state, which takes the plugin for the last time
    home = tmp_path / "home"
    for plugin in (Path(moving.project.environment["PULUMI_HOME"]) / "plugins").iterdir():
        if plugin.is_dir() and plugin.name.startswith("resource-kubernetes"):
            shutil.copytree(plugin, home / "plugins" / plugin.name, symlinks=True)
    without = {"PULUMI_HOME": str(home), "DOCKER_HOST": "unix:///nowhere.sock"}
    try:
        for command in (("up", "--yes", "--skip-preview"), ("preview", "--refresh", "--expect-no-changes")):
            _pulumi(moving, *command, "--stack", "test", **without)
    finally:
        moving.configure(images=None, registry=ecr, pullCredentials="static")


def test_another_stack_deploys_the_digests_that_this_one_has_built(moving: Deployment) -> None:
    up(moving)
    built = {service: image for service, image in running(moving).items() if service in SERVICES}
    namespace = f"{moving.name}-prod"
    _pulumi(moving, "stack", "init", "prod")
    document = yaml.safe_load((moving.folder / "Pulumi.prod.yaml").read_text())
    settings = yaml.safe_load((moving.folder / "Pulumi.test.yaml").read_text())["config"]
    settings["dockercoins:namespace"] = namespace
    settings["dockercoins:images"] = {"source": "stack", "stack": "test"}
    settings.pop("dockercoins:registryPassword", None)
    (moving.folder / "Pulumi.prod.yaml").write_text(yaml.safe_dump({**document, "config": settings}))
    try:
        output = _pulumi(moving, "up", "--stack", "prod", "--yes", "--skip-preview")
        assert "docker:index" not in output
        prod = Deployment(moving.project, namespace, {})
        until(lambda: {name: image for name, image in running(prod).items() if name in SERVICES} == built, "the pods")
    finally:
        _pulumi(moving, "destroy", "--stack", "prod", "--yes", "--skip-preview")
    assert moving.project.preview("--expect-no-changes").succeeded, "the stack that builds has lost nothing"


def test_a_pull_through_cache_serves_redis(moving: Deployment, tmp_path: Path) -> None:
    name = f"dockercoins-it-{secrets.token_hex(4)}"
    folders = tmp_path / "upstream", tmp_path / "cache"
    for folder in folders:
        folder.mkdir()
    with own_registry(folders[0], f"{name}-upstream", username="hub", password="word") as upstream:
        original = _redis_image(moving)
        pushed = f"{upstream.host}/library/{original.rpartition('/')[2]}"
        docker("tag", original, pushed)
        docker(
            "--config",
            str(tmp_path / "login"),
            "login",
            upstream.host,
            "--username",
            "hub",
            "--password-stdin",
            stdin="word",
        )
        docker("--config", str(tmp_path / "login"), "push", pushed)
        docker("rmi", pushed)
        proxied = (f"http://{name}-upstream:5000", "hub", "word")
        with own_registry(folders[1], f"{name}-cache", proxied=proxied) as cache:
            assert cache.repositories() == set()
            moving.configure(mirrors={"docker.io": cache.host})
            try:
                up(moving)
                assert running(moving)["redis"].startswith(f"{cache.host}/library/redis")
                assert cache.repositories() == {"library/redis"}
                assert "GET" in upstream.log()
            finally:
                moving.configure(mirrors=None)
                up(moving)


def test_a_build_on_a_machine_without_layers_takes_them_from_the_registry(moving: Deployment) -> None:
    moving.configure(buildCache="true")
    try:
        up(moving)
        for service in SERVICES:
            assert "cache" in _sandbox_tags(moving, service)
        assert moving.project.preview("--expect-no-changes").succeeded
    finally:
        moving.configure(buildCache=None)
        up(moving)


def _pulumi(deployment: Deployment, *arguments: str, **variables: str) -> str:
    completed = subprocess.run(
        ["pulumi", "--non-interactive", *arguments],
        cwd=deployment.folder,
        env={**deployment.project.environment, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return completed.stdout


def _redis_image(deployment: Deployment) -> str:
    settings = yaml.safe_load((deployment.folder / "Pulumi.test.yaml").read_text())["config"]
    return str(settings["dockercoins:redisImage"])


def _sandbox_tags(deployment: Deployment, service: str) -> set[str]:
    headers = urllib3.make_headers(basic_auth="AWS:123456789012-auth-token")
    url = f"http://{SANDBOX_REGISTRY}/v2/{deployment.name}/{service}/tags/list"
    return set(urllib3.request("GET", url, headers=headers, timeout=10).json()["tags"])


def _pull_secrets(deployment: Deployment) -> dict[str, Any]:
    found = deployment.objects("secrets")
    return {name: item for name, item in found.items() if item["type"] == "kubernetes.io/dockerconfigjson"}


def _generations(deployment: Deployment) -> dict[str, int]:
    return {name: item["metadata"]["generation"] for name, item in deployment.objects("deployments").items()}
