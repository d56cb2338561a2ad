"""What the tests of pull credentials share: an image that only a login gives, pods that pull it, their own AWS."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, cast

import boto3
import pytest
import urllib3

from sandbox import paths, toolchain
from sandbox.cluster import NETWORK, Cluster
from sandbox.docker import Docker
from sandbox.docker import find as find_docker
from sandbox.images import Image
from sandbox.progress import Step
from sandbox.settings import REGISTRY_USER, STACK, Settings
from sandbox.settings import read as read_settings
from tests.integration.deployment import until
from tests.integration.kubectl import kubectl, objects
from tests.plugins.engine_support import Project
from tests.plugins.kubernetes_support import PRELUDE

ROOT: Final = Path(__file__).resolve().parents[2]
_AWS_PORT: Final = 5000

# What keeps a pod within the `restricted` Pod Security Standard.
RESTRICTED_POD: Final[Mapping[str, Any]] = {
    "runAsNonRoot": True,
    "runAsUser": 10001,
    "seccompProfile": {"type": "RuntimeDefault"},
}
RESTRICTED_CONTAINER: Final[Mapping[str, Any]] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
}


@dataclass(frozen=True)
class Sandbox:
    """The platform that the tests run on."""

    settings: Settings
    docker: Docker
    cluster: Cluster

    @property
    def node(self) -> str:
        """The node's container."""
        return self.cluster.node_name

    @property
    def ecr_endpoint(self) -> str:
        """The ECR API, as the node and the pods reach it."""
        return f"http://{self.settings.ecr_container}:{_AWS_PORT}"

    def in_node(self, *command: str, stdin: str | None = None) -> str:
        """Run a command in the node."""
        return self.docker.output("exec", "--interactive", self.node, *command, stdin=stdin, timeout=120)


def sandbox() -> Sandbox:
    """The platform of the environment; the test fails where there is none."""
    if "KUBECONFIG" not in os.environ:
        pytest.fail("KUBECONFIG not set: these tests need the sandbox; run them with `make test`")
    search = os.environ["PATH"]
    docker = find_docker(search)
    kind = toolchain.on_path("kind", ["version"], toolchain.suitable_kind, search)
    kubectl = toolchain.on_path("kubectl", ["version", "--client"], toolchain.suitable_kubectl, search)
    assert docker
    assert kind
    assert kubectl
    settings = read_settings(ROOT / f"Pulumi.{STACK}.yaml")
    return Sandbox(settings, docker, Cluster(docker, paths.of_user(), settings, kind, kubectl))


def load_python(place: Sandbox) -> str:
    """The Python image, in the node, which may have nowhere to pull it from."""
    name = place.settings.python_image
    place.cluster.load(Step("python in the cluster"), Image(name, "on the machine"))
    return name


def restrict(namespace: str) -> None:
    """Let nothing into a namespace that is not within the `restricted` Pod Security Standard."""
    kubectl("--namespace", namespace, "label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")


@contextmanager
def private_image(place: Sandbox, folder: Path) -> Generator[str]:
    """An image in the registry, of a repository of its own; it is the registry's own image, which is always there.

    It prints its help and ends well.
    """
    settings = place.settings
    repository = f"pull-tests/{secrets.token_hex(4)}"
    name = f"{settings.registry_host}/{repository}:1"
    inspected = place.docker.inspect("container", settings.registry_container)
    assert inspected is not None
    login = urllib3.make_headers(basic_auth=f"{REGISTRY_USER}:{settings.registry_password}")["authorization"]
    config = folder / "docker"
    config.mkdir()
    auth = {"auth": login.removeprefix("Basic ")}
    (config / "config.json").write_text(json.dumps({"auths": {settings.registry_host: auth}}))
    place.docker.output("tag", str(inspected["Image"]), name)
    try:
        place.docker.output("--config", config, "push", name, timeout=300)
        yield name
    finally:
        place.docker.output("rmi", name)
        manifests = f"http://{settings.registry_host}/v2/{repository}/manifests"
        accept = "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.v2+json"
        headers = {"Authorization": login, "Accept": accept}
        digest = urllib3.request("HEAD", f"{manifests}/1", headers=headers).headers.get("Docker-Content-Digest")
        urllib3.request("DELETE", f"{manifests}/{digest}", headers=headers)


@dataclass(frozen=True)
class Pod:
    """A pod that pulls an image afresh, whatever the node has of it."""

    namespace: str
    name: str

    @classmethod
    def start(cls, namespace: str, image: str, pull_secret: str | None = None) -> Pod:
        """Create it."""
        name = f"pod-{secrets.token_hex(3)}"
        container = {
            "name": "main",
            "image": image,
            "imagePullPolicy": "Always",
            "args": ["--help"],
            "securityContext": RESTRICTED_CONTAINER,
        }
        spec: dict[str, Any] = {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "securityContext": RESTRICTED_POD,
            "containers": [container],
        }
        if pull_secret:
            spec["imagePullSecrets"] = [{"name": pull_secret}]
        manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
        kubectl("--namespace", namespace, "create", "--filename", "-", stdin=json.dumps(manifest))
        return cls(namespace, name)

    def runs(self, limit: float = 60) -> None:
        """Wait until it has run; fail with what keeps it from that."""
        until(lambda: self._status()["phase"] == "Succeeded", f"{self.name} to run: {self._waiting()}", limit)

    def refusal(self) -> str:
        """Wait until its image was refused, and give the words of the kubelet."""
        until(lambda: "ErrImagePull" in self._waiting() or "BackOff" in self._waiting(), f"{self.name} to be refused")
        events = objects(self.namespace, "events", "--field-selector", f"involvedObject.name={self.name}")
        return "\n".join([self._waiting(), *(event["message"] for event in events)])

    def _waiting(self) -> str:
        statuses: list[dict[str, Any]] = self._status().get("containerStatuses") or [{"state": {}}]
        waiting: dict[str, str] = statuses[0]["state"].get("waiting", {})
        return f"{waiting.get('reason', '')}: {waiting.get('message', '')}"

    def _status(self) -> dict[str, Any]:
        return json.loads(kubectl("--namespace", self.namespace, "get", "pod", self.name, "--output", "json"))["status"]


class _MakesClients(Protocol):
    def client(self, service_name: str, /, **options: object) -> object: ...


class _Iam(Protocol):
    def create_user(self, **options: object) -> object: ...

    def put_user_policy(self, **options: object) -> object: ...

    def create_access_key(self, **options: object) -> dict[str, dict[str, str]]: ...


@dataclass(frozen=True)
class Aws:
    """An AWS API of a test's own, in the nodes' network."""

    endpoint: str
    """Its address within the cluster."""
    key: tuple[str, str]
    """The access key of its user, id and secret."""


_POLICY: Final = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"}],
}


@contextmanager
def strict_aws(place: Sandbox, user: str) -> Generator[Aws]:
    """An AWS API (moto) that checks signatures and policies; the user may ask for a token."""
    settings = place.settings
    name = f"pull-tests-aws-{secrets.token_hex(4)}"
    image = place.docker.inspect("container", settings.ecr_container)
    assert image is not None
    # It begins to check after so many requests, which make the user.
    variables = ["--env", f"MOTO_ACCOUNT_ID={settings.account}", "--env", "INITIAL_NO_AUTH_ACTION_COUNT=3"]
    place.docker.output(
        *("run", "--detach", "--name", name, "--network", NETWORK, "--publish", f"127.0.0.1::{_AWS_PORT}", *variables),
        *(str(image["Config"]["Image"]), "-H", "0.0.0.0", "-p", str(_AWS_PORT)),  # noqa: S104 - on loopback only
    )
    try:
        published = place.docker.output("port", name, str(_AWS_PORT)).split()[0]
        until(lambda: _answers(f"http://{published}/moto-api/"), f"{name} to answer")
        yield Aws(f"http://{name}:{_AWS_PORT}", _with_key(f"http://{published}", user))
    finally:
        place.docker.output("rm", "--force", "--volumes", name)


def _with_key(address: str, user: str) -> tuple[str, str]:
    """Make a user who may do the one thing that renewing needs, and give its access key."""
    session = boto3.Session("admin", "admin", region_name="us-east-1")
    iam = cast("_Iam", cast("_MakesClients", session).client("iam", endpoint_url=address))
    iam.create_user(UserName=user)
    iam.put_user_policy(UserName=user, PolicyName="renew", PolicyDocument=json.dumps(_POLICY))
    key = iam.create_access_key(UserName=user)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def _answers(url: str) -> bool:
    with suppress(urllib3.exceptions.HTTPError):
        return urllib3.request("GET", url, timeout=2, retries=False).status == 200
    return False


PROGRAM: Final = (
    PRELUDE
    + """
from components.pull_secret import PullSecret
from components.pull_secret_refresh import RefreshedPullSecret, RefreshedPullSecretArgs
from components.registry import RegistryLogin

config = pulumi.Config()
login = RegistryLogin(os.environ["TEST_REGISTRY"], "AWS", config.require_secret("password"))
"""
)


def stack(place: Sandbox, folder: Path, namespace: str, program: str, **environment: str) -> Project:
    """A stack that declares pull secrets: ``program`` continues :data:`PROGRAM`, with the password in its settings."""
    project = Project.create(
        folder,
        PROGRAM + program,
        {"kubernetes": "4.34.2"},
        {
            "PYTHONPATH": str(ROOT),
            "PULUMI_HOME": os.environ["PULUMI_HOME"],
            "TEST_NAMESPACE": namespace,
            "TEST_PAUSE_IMAGE": "unused",
            "TEST_REGISTRY": place.settings.registry_host,
            "TEST_REGION": place.settings.region,
            **environment,
        },
    )
    project.set_config("password", place.settings.registry_password, secret=True)
    return project
