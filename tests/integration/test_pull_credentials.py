"""Pods pull an image that is refused without credentials, in each of the ways that a cluster can have them."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.integration.deployment import until
from tests.integration.kubectl import kubectl, objects
from tests.integration.pull_support import (
    PROGRAM,
    Aws,
    Pod,
    Sandbox,
    load_python,
    private_image,
    restrict,
    sandbox,
    stack,
    strict_aws,
)
from tests.plugins.engine_support import Outcome, Project
from tests.plugins.kubernetes_support import temporary_namespace

EXPIRED = "a-token-that-has-ended"


@pytest.fixture(scope="module")
def place() -> Sandbox:
    return sandbox()


@pytest.fixture(scope="module")
def image(place: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    with private_image(place, Path(tmp_path_factory.mktemp("push"))) as name:
        yield name


@pytest.fixture
def namespace() -> Generator[str]:
    with temporary_namespace() as name:
        restrict(name)
        yield name


# --- static: a pull secret of given credentials ---


def test_a_pull_secret_lets_pods_pull_what_is_refused_without(
    place: Sandbox, image: str, namespace: str, tmp_path: Path
) -> None:
    assert "401 Unauthorized" in Pod.start(namespace, image).refusal()
    project = stack(
        place,
        tmp_path / "stack",
        namespace,
        """
secret = PullSecret("pull", namespace=namespace, login=login, provider=cluster)
pulumi.export("secret", secret.secret_name)
""",
    )
    up = project.up()
    assert up.succeeded, up.output
    Pod.start(namespace, image, project.outputs()["secret"]).runs()
    assert project.destroy().succeeded


# --- refresh: a pull secret that is renewed within the cluster ---

# The tests say when it is renewed. A run by the clock, at an hour that the default names, would come in between.
NOT_NOW = f"0 {(datetime.now(UTC).hour + 12) % 24} * * *"
REFRESHED = """
secret = RefreshedPullSecret(
    "pull",
    RefreshedPullSecretArgs(
        namespace=namespace, login=login, region=os.environ["TEST_REGION"], image=os.environ["TEST_PYTHON_IMAGE"],
        endpoint=os.environ["TEST_AWS"], schedule="{schedule}", {identity}
    ),
    provider=cluster,
)
pulumi.export("secret", secret.secret_name)
"""
WITH_KEY = REFRESHED.format(
    schedule=NOT_NOW, identity='access_key_id=config.require("keyId"), secret_access_key=config.require_secret("key")'
)
WITH_ROLE = REFRESHED.format(schedule=NOT_NOW, identity='role_arn="arn:aws:iam::123456789012:role/pull"')


@dataclass(frozen=True)
class Refreshed:
    """A stack with a pull secret whose access key was wrong at first, then the right one.

    ``failures`` are what the pods and Jobs of the wrong one said in their status and events.
    """

    project: Project
    namespace: str
    api: Aws
    wrong: Outcome
    good: Outcome
    failures: str

    @property
    def secret(self) -> dict[str, Any]:
        """The Secret as it is."""
        name = self.project.outputs()["secret"]
        return json.loads(kubectl("--namespace", self.namespace, "get", "secret", name, "--output", "json"))

    @property
    def name(self) -> str:
        """The Secret's name."""
        return self.secret["metadata"]["name"]

    @property
    def password(self) -> str:
        """The password that it holds."""
        config = json.loads(base64.b64decode(self.secret["data"][".dockerconfigjson"]))
        (entry,) = config["auths"].values()
        return entry["password"]

    def run_now(self) -> None:
        """Let the CronJob's work be done now, as a person does it by hand."""
        job = f"by-hand-{secrets.token_hex(3)}"
        kubectl("--namespace", self.namespace, "create", "job", job, "--from=cronjob/pull")
        kubectl("--namespace", self.namespace, "wait", f"job/{job}", "--for=condition=complete", "--timeout=90s")


@pytest.fixture(scope="module")
def refreshed(place: Sandbox, image: str, tmp_path_factory: pytest.TempPathFactory) -> Generator[Refreshed]:
    python = load_python(place)
    with temporary_namespace() as namespace, strict_aws(place, "puller") as api:
        restrict(namespace)
        folder = Path(tmp_path_factory.mktemp("refreshed")) / "stack"
        project = stack(place, folder, namespace, WITH_KEY, TEST_AWS=api.endpoint, TEST_PYTHON_IMAGE=python)

        def with_key(key_id: str, key: str) -> Outcome:
            project.set_config("keyId", key_id)
            project.set_config("key", key, secret=True)
            return project.up()

        wrong = with_key(api.key[0], "not-the-secret-of-this-key")
        failures = json.dumps([*objects(namespace, "pods"), *objects(namespace, "events")])
        # Renewing does not work, and pods can pull all the same, with the token of the update.
        (secret,) = [item for item in objects(namespace, "secrets") if item["type"].endswith("/dockerconfigjson")]
        Pod.start(namespace, image, secret["metadata"]["name"]).runs()
        good = with_key(*api.key)
        try:
            yield Refreshed(project, namespace, api, wrong, good, failures)
        finally:
            destroyed = project.destroy()
            assert destroyed.succeeded, destroyed.output


def test_a_wrong_access_key_fails_the_update_with_the_reason(refreshed: Refreshed) -> None:
    assert not refreshed.wrong.succeeded
    words = "Amazon ECR refused GetAuthorizationToken: SignatureDoesNotMatch: The request signature we calculated"
    assert words in refreshed.wrong.errors, refreshed.wrong.output
    assert "BackoffLimitExceeded" in refreshed.wrong.errors


def test_the_reason_is_in_the_status_of_the_pod_and_the_failure_in_the_events(refreshed: Refreshed) -> None:
    failures: list[dict[str, Any]] = json.loads(refreshed.failures)
    pods = [item for item in failures if item["kind"] == "Pod"]
    (status,) = [status for pod in pods for status in pod["status"]["containerStatuses"]]
    assert status["state"]["terminated"]["message"].startswith("Amazon ECR refused GetAuthorizationToken: Signature")
    reasons = {(item["involvedObject"]["kind"], item["reason"]) for item in failures if item["kind"] == "Event"}
    assert ("Job", "BackoffLimitExceeded") in reasons


def test_the_right_key_makes_the_first_run_again_and_pods_pull(refreshed: Refreshed, image: str) -> None:
    assert refreshed.good.succeeded, refreshed.good.output
    assert refreshed.good.ops()["pull-first-run"] == "replace"
    assert set(refreshed.secret["metadata"]["annotations"]) >= {"dockercoins/renewed", "dockercoins/expires"}
    (job,) = objects(refreshed.namespace, "jobs")
    assert job["status"]["succeeded"] == 1
    assert "401 Unauthorized" in Pod.start(refreshed.namespace, image).refusal()
    Pod.start(refreshed.namespace, image, refreshed.name).runs()


def test_an_expired_token_is_survived(refreshed: Refreshed, image: str, place: Sandbox) -> None:
    auth = base64.b64encode(f"AWS:{EXPIRED}".encode()).decode()
    ended = {"auths": {place.settings.registry_host: {"username": "AWS", "password": EXPIRED, "auth": auth}}}
    patch = {"data": {".dockerconfigjson": base64.b64encode(json.dumps(ended).encode()).decode()}}
    kubectl(
        "--namespace",
        refreshed.namespace,
        "patch",
        "secret",
        refreshed.name,
        "--type=merge",
        f"--patch={json.dumps(patch)}",
    )
    pod = Pod.start(refreshed.namespace, image, refreshed.name)
    assert "401 Unauthorized" in pod.refusal()
    refreshed.run_now()
    assert refreshed.password == place.settings.registry_password
    pod.runs(limit=120)


def test_the_service_account_can_do_nothing_but_renew_this_secret(refreshed: Refreshed) -> None:
    account = f"system:serviceaccount:{refreshed.namespace}:pull"

    def may(verb: str, what: str, *more: str) -> bool:
        return (
            kubectl(
                "--namespace", refreshed.namespace, "auth", "can-i", verb, what, f"--as={account}", *more, check=False
            ).strip()
            == "yes"
        )

    assert may("patch", f"secret/{refreshed.name}")
    for verb in ("get", "list", "watch", "create", "update", "delete"):
        assert not may(verb, f"secret/{refreshed.name}"), verb
    (other,) = [item for item in objects(refreshed.namespace, "secrets") if item["type"] == "Opaque"]
    for verb in ("get", "patch"):
        assert not may(verb, f"secret/{other['metadata']['name']}"), verb
        assert not may(verb, "secrets"), verb
        assert not may(verb, f"secret/{refreshed.name}", "--namespace=default"), verb
    for what in ("pods", "jobs.batch", "serviceaccounts", "configmaps"):
        assert not may("get", what), what
        assert not may("create", what), what


def test_no_secret_shows_anywhere_but_in_the_secrets(refreshed: Refreshed, place: Sandbox) -> None:
    outcomes = (refreshed.wrong, refreshed.good)
    shown = refreshed.project.state_text() + "".join(outcome.output for outcome in outcomes)
    specs = kubectl("--namespace", refreshed.namespace, "get", "pods,jobs,cronjobs,configmaps", "--output", "json")
    logs = "".join(
        kubectl("--namespace", refreshed.namespace, "logs", pod["metadata"]["name"], check=False)
        for pod in objects(refreshed.namespace, "pods")
    )
    assert "renewed: Secret" in logs
    for secret in (refreshed.api.key[1], place.settings.registry_password, EXPIRED):
        assert secret not in shown + specs + logs + refreshed.failures


@dataclass(frozen=True)
class ByRole:
    """A stack with a pull secret that a role renews; the token of its update had ended."""

    project: Project
    namespace: str
    up: Outcome

    @property
    def secret(self) -> str:
        """The Secret's name."""
        return self.project.outputs()["secret"]


@pytest.fixture(scope="module")
def by_role(place: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Generator[ByRole]:
    variables = {"TEST_PYTHON_IMAGE": load_python(place), "TEST_AWS": place.ecr_endpoint}
    with temporary_namespace() as namespace:
        restrict(namespace)
        folder = Path(tmp_path_factory.mktemp("by-role")) / "stack"
        project = stack(place, folder, namespace, WITH_ROLE, **variables)
        project.set_config("password", EXPIRED, secret=True)
        try:
            yield ByRole(project, namespace, project.up())
        finally:
            destroyed = project.destroy()
            assert destroyed.succeeded, destroyed.output


def test_a_role_is_assumed_by_the_identity_of_the_service_account(by_role: ByRole, image: str) -> None:
    assert by_role.up.succeeded, by_role.up.output
    Pod.start(by_role.namespace, image, by_role.secret).runs()
    (job,) = objects(by_role.namespace, "jobs")
    log = kubectl("--namespace", by_role.namespace, "logs", f"job/{job['metadata']['name']}")
    assert log.startswith(f"renewed: Secret {by_role.namespace}/{by_role.secret} logs in to ")


def test_what_the_cluster_renewed_is_no_drift_and_is_not_set_back(by_role: ByRole, image: str) -> None:
    # Each update comes with a token of its own.
    by_role.project.set_config("password", "the-token-of-a-later-update", secret=True)
    for outcome in (
        by_role.project.preview("--expect-no-changes"),
        by_role.project.up("--expect-no-changes"),
        by_role.project.refresh("--expect-no-changes"),
        by_role.project.preview("--refresh", "--expect-no-changes"),
        by_role.project.up("--expect-no-changes"),
    ):
        assert outcome.succeeded, outcome.output
    Pod.start(by_role.namespace, image, by_role.secret).runs()
    kept = by_role.project.state_text()
    for secret in (EXPIRED, "the-token-of-a-later-update", "123456789012-auth-token"):
        assert secret not in kept
        assert base64.b64encode(secret.encode()).decode() not in kept


def test_another_registry_gets_a_secret_of_its_own_and_a_first_run(by_role: ByRole) -> None:
    elsewhere = 'login = RegistryLogin("elsewhere.example", "AWS", config.require_secret("password"))\n'
    by_role.project.write(PROGRAM + elsewhere + WITH_ROLE)
    foreseen = by_role.project.preview()
    assert foreseen.succeeded, foreseen.output
    replaced = {step.type for step in foreseen.steps if "replace" in step.op}
    assert replaced == {"kubernetes:core/v1:Secret", "kubernetes:batch/v1:Job"}
    by_role.project.write(PROGRAM + WITH_ROLE)


def test_a_pull_secret_takes_all_that_renewed_it_with_it(by_role: ByRole) -> None:
    assert by_role.project.destroy().succeeded
    kinds = "secrets,cronjobs,jobs,pods,roles,rolebindings"
    left = [item for item in objects(by_role.namespace, kinds) if not item["metadata"]["name"].startswith("pod-")]
    assert left == []


# --- node: the nodes' own identity ---

CREDENTIAL_PROVIDER = """#!/bin/bash
# A kubelet credential provider: asks ECR for a token, and answers with it.
# https://kubernetes.io/docs/tasks/administer-cluster/kubelet-credential-provider/
set -euo pipefail
cat > /dev/null
token=$(curl --silent --fail --max-time 10 --data '{}' \\
    --header 'Content-Type: application/x-amz-json-1.1' \\
    --header 'X-Amz-Target: AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken' \\
    --header 'Authorization: AWS4-HMAC-SHA256 Credential=node/20260101/@REGION@/ecr/aws4_request' \\
    @ENDPOINT@/ | jq --raw-output '.authorizationData[0].authorizationToken' | base64 --decode)
jq --null-input --arg user "${token%%:*}" --arg password "${token#*:}" '{
    kind: "CredentialProviderResponse", apiVersion: "credentialprovider.kubelet.k8s.io/v1",
    cacheKeyType: "Image", cacheDuration: "0s",
    auth: {"@REGISTRY@": {username: $user, password: $password}}
}'
"""
_FOLDER = "/etc/kubernetes/credential-provider"
_FLAGS = "/etc/default/kubelet"


@contextmanager
def credential_provider(place: Sandbox, image: str) -> Generator[None]:
    """Let the node's kubelet ask ECR for credentials for an image; afterwards it is as it was."""
    plugin = CREDENTIAL_PROVIDER
    for word, value in (
        ("@REGION@", place.settings.region),
        ("@ENDPOINT@", place.ecr_endpoint),
        ("@REGISTRY@", place.settings.registry_host),
    ):
        plugin = plugin.replace(word, value)
    provider = {
        "name": "ecr",
        "matchImages": [image.rpartition(":")[0]],
        "defaultCacheDuration": "0s",
        "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
    }
    configuration = {
        "apiVersion": "kubelet.config.k8s.io/v1",
        "kind": "CredentialProviderConfig",
        "providers": [provider],
    }
    place.in_node("mkdir", "-p", f"{_FOLDER}/bin")
    place.in_node("cp", "/dev/stdin", f"{_FOLDER}/bin/ecr", stdin=plugin)
    place.in_node("chmod", "755", f"{_FOLDER}/bin/ecr")
    place.in_node("cp", "/dev/stdin", f"{_FOLDER}/config.json", stdin=json.dumps(configuration))
    flags = place.in_node("cat", _FLAGS)
    more = f"--image-credential-provider-config={_FOLDER}/config.json --image-credential-provider-bin-dir={_FOLDER}/bin"
    try:
        place.in_node("cp", "/dev/stdin", _FLAGS, stdin=f"{flags.rstrip()} {more}\n")
        _restart_kubelet(place)
        yield
    finally:
        place.in_node("cp", "/dev/stdin", _FLAGS, stdin=flags)
        place.in_node("rm", "-r", _FOLDER)
        _restart_kubelet(place)


def _restart_kubelet(place: Sandbox) -> None:
    place.in_node("systemctl", "restart", "kubelet")
    health = ("exec", place.node, "curl", "--silent", "--fail", "http://127.0.0.1:10248/healthz")
    until(lambda: place.docker.succeeds(*health), "the kubelet to be well")
    until(place.cluster.is_ready, "the node to be ready")


@pytest.mark.alone  # while the kubelet starts, every pod of the node counts as not ready
def test_the_nodes_own_identity_lets_pods_pull_without_a_secret(place: Sandbox, image: str, namespace: str) -> None:
    assert "401 Unauthorized" in Pod.start(namespace, image).refusal()
    with credential_provider(place, image):
        Pod.start(namespace, image).runs()
    assert "401 Unauthorized" in Pod.start(namespace, image).refusal()
