"""What a refreshed pull secret declares."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
import pytest

from components import pull_secret_renewal
from components.pull_secret_refresh import RefreshedPullSecret, RefreshedPullSecretArgs
from components.registry import RegistryLogin
from tests.unit.recording import Recorder, run

SECRET = "kubernetes:core/v1:Secret"
ACCOUNT = "kubernetes:core/v1:ServiceAccount"
CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
ROLE = "kubernetes:rbac.authorization.k8s.io/v1:Role"
BINDING = "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding"
CRON_JOB = "kubernetes:batch/v1:CronJob"
JOB = "kubernetes:batch/v1:Job"

HOST = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
ROLE_ARN = "arn:aws:iam::123456789012:role/pull"
SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"
"""How the engine marks a secret (``sdk/python/lib/pulumi/runtime/rpc.py``)."""


def arguments(**changes: Any) -> RefreshedPullSecretArgs:
    given: dict[str, Any] = {
        "namespace": "shop",
        "login": RegistryLogin(HOST, "AWS", "a-token"),
        "region": "eu-west-1",
        "image": "python:3.13-slim",
        "role_arn": ROLE_ARN,
        **changes,
    }
    return RefreshedPullSecretArgs(**{key: value for key, value in given.items() if value is not None})


def declared(*, preview: bool = False, **changes: Any) -> Recorder:
    def program() -> None:
        cluster = kubernetes.Provider("cluster", kubeconfig="{}")
        secret = RefreshedPullSecret("pull", arguments(**changes), provider=cluster)
        pulumi.export("name", secret.secret_name)

    return run(program, preview=preview)


def with_key() -> Recorder:
    return declared(role_arn=None, access_key_id="AKIAEXAMPLE", secret_access_key="very-secret")


def job(recorder: Recorder) -> dict[str, Any]:
    return recorder.of_type(JOB)["pull-first-run"]["spec"]


def later_job(recorder: Recorder) -> dict[str, Any]:
    return recorder.of_type(CRON_JOB)["pull"]["spec"]["jobTemplate"]["spec"]


def container(spec: dict[str, Any]) -> dict[str, Any]:
    (only,) = spec["template"]["spec"]["containers"]
    return only


def environment(spec: dict[str, Any]) -> dict[str, Any]:
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container(spec)["env"]}


def test_it_reaches_aws_and_the_cluster_from_a_namespace_that_nobody_else_may_leave() -> None:
    recorder = declared()
    spec = recorder.of_type("kubernetes:networking.k8s.io/v1:NetworkPolicy")["pull"]["spec"]
    assert spec["egress"] == [{}]
    assert "ingress" not in spec
    labels = job(recorder)["template"]["metadata"]["labels"]
    assert spec["podSelector"]["matchLabels"] == labels == later_job(recorder)["template"]["metadata"]["labels"]
    dependencies = list(recorder.request(JOB, "pull-first-run").dependencies)
    assert [urn for urn in dependencies if urn.endswith("NetworkPolicy::pull")]


@pytest.mark.parametrize("preview", [False, True])
def test_pods_can_pull_at_once_with_the_token_of_the_update(preview: bool) -> None:
    recorder = declared(preview=preview)
    secret = recorder.of_type(SECRET)["pull"]
    assert secret["type"] == "kubernetes.io/dockerconfigjson"
    config = json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))
    assert config["auths"][HOST]["password"] == "a-token"
    assert SECRET_SIGNATURE in str(recorder.request(SECRET, "pull").object.fields["data"])
    assert recorder.outputs["name"] == "pull-0a1b2c3"


def test_its_content_is_left_to_the_cluster_and_made_anew_for_another_registry() -> None:
    request = declared().request(SECRET, "pull")
    assert list(request.ignoreChanges) == ["data"]
    assert list(request.replaceOnChanges) == ['metadata.annotations["dockercoins/registry"]']
    assert declared().of_type(SECRET)["pull"]["metadata"]["annotations"] == {"dockercoins/registry": HOST}


def test_the_service_account_may_patch_this_one_secret_and_no_more() -> None:
    recorder = declared()
    (role,) = recorder.of_type(ROLE).values()
    assert role["rules"] == [
        {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["pull-0a1b2c3"], "verbs": ["patch"]}
    ]
    (binding,) = recorder.of_type(BINDING).values()
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "pull", "namespace": "shop"}]
    assert binding["roleRef"]["name"] == "pull-0a1b2c3"
    account = recorder.of_type(ACCOUNT)["pull"]
    assert account["metadata"]["name"] == "pull", "a trust policy in AWS names it"
    assert account["automountServiceAccountToken"] is False
    for spec in (job(recorder), later_job(recorder)):
        assert spec["template"]["spec"]["serviceAccountName"] == "pull"


def test_it_is_renewed_long_before_its_token_ends_by_one_run_at_a_time() -> None:
    spec = declared().of_type(CRON_JOB)["pull"]["spec"]
    assert spec["schedule"] == "0 */4 * * *"
    assert spec["timeZone"] == "UTC"
    assert spec["concurrencyPolicy"] == "Forbid"
    assert spec["startingDeadlineSeconds"] == 3600
    assert (spec["successfulJobsHistoryLimit"], spec["failedJobsHistoryLimit"]) == (1, 3)
    assert declared(schedule="15 * * * *").of_type(CRON_JOB)["pull"]["spec"]["schedule"] == "15 * * * *"


def test_the_first_run_fails_soon_and_is_made_again_by_the_next_update() -> None:
    recorder = declared()
    first = recorder.of_type(JOB)["pull-first-run"]
    assert first["metadata"]["annotations"] == {"pulumi.com/replaceUnready": "true"}
    assert first["spec"]["backoffLimit"] == 0
    assert first["spec"]["activeDeadlineSeconds"] == 300
    assert int(environment(first["spec"])["RETRY_SECONDS"]) < 300
    assert "ttlSecondsAfterFinished" not in first["spec"], "a Job that removes itself is drift"
    assert "name" not in first["metadata"], "what it runs with could not change"
    dependencies = list(recorder.request(JOB, "pull-first-run").dependencies)
    assert any(urn.endswith("RoleBinding::pull") for urn in dependencies)


def test_a_later_run_is_patient_and_bounded() -> None:
    spec = later_job(declared())
    pods = spec["backoffLimit"] + 1
    assert pods * int(environment(spec)["RETRY_SECONDS"]) < spec["activeDeadlineSeconds"] < 4 * 3600


def test_a_pod_that_had_to_leave_its_node_is_no_failure() -> None:
    for spec in (job(declared()), later_job(declared())):
        (rule,) = spec["podFailurePolicy"]["rules"]
        assert rule == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
        assert spec["template"]["spec"]["restartPolicy"] == "Never"


def test_its_pods_meet_the_restricted_standard() -> None:
    recorder = declared()
    for spec in (job(recorder), later_job(recorder)):
        pod, only = spec["template"]["spec"], container(spec)
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert only["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert only["resources"]["requests"]["memory"] == only["resources"]["limits"]["memory"]
        assert all(mount["readOnly"] for mount in only["volumeMounts"])


def test_the_program_comes_from_a_config_map_and_runs_where_it_is_mounted() -> None:
    recorder = declared()
    data = recorder.of_type(CONFIG_MAP)["pull-program"]["data"]
    sources = {path.name: path.read_text() for path in Path(pull_secret_renewal.__file__).parent.glob("*.py")}
    assert data == sources
    only, pod = container(job(recorder)), job(recorder)["template"]["spec"]
    assert only["command"] == ["python3", "-B", "-m", "pull_secret_renewal"]
    mount = next(mount for mount in only["volumeMounts"] if mount["name"] == "program")
    assert mount["mountPath"] == f"{only['workingDir']}/pull_secret_renewal"
    volume = next(volume for volume in pod["volumes"] if volume["name"] == "program")
    assert volume["configMap"]["name"] == "pull-program-0a1b2c3"


def test_a_role_is_assumed_by_a_token_that_is_for_aws_alone() -> None:
    recorder = declared()
    for spec in (job(recorder), later_job(recorder)):
        values = environment(spec)
        assert values["AWS_ROLE_ARN"] == ROLE_ARN
        volume = next(volume for volume in spec["template"]["spec"]["volumes"] if volume["name"] == "identity")
        (source,) = volume["projected"]["sources"]
        assert source["serviceAccountToken"]["audience"] == "sts.amazonaws.com"
        mount = next(mount for mount in container(spec)["volumeMounts"] if mount["name"] == "identity")
        assert values["AWS_WEB_IDENTITY_TOKEN_FILE"] == f"{mount['mountPath']}/{source['serviceAccountToken']['path']}"
        assert "AWS_ACCESS_KEY_ID" not in values
    assert set(recorder.of_type(SECRET)) == {"pull"}


def test_an_access_key_is_in_a_secret_of_its_own_and_nowhere_else() -> None:
    recorder = with_key()
    assert recorder.of_type(SECRET)["pull-access-key"]["stringData"] == {
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "very-secret",
    }
    assert SECRET_SIGNATURE in str(recorder.request(SECRET, "pull-access-key").object.fields["stringData"])
    for spec in (job(recorder), later_job(recorder)):
        reference = environment(spec)["AWS_SECRET_ACCESS_KEY"]["secretKeyRef"]
        assert reference == {"name": "pull-access-key-0a1b2c3", "key": "AWS_SECRET_ACCESS_KEY"}
        assert "AWS_ROLE_ARN" not in environment(spec)
        assert "very-secret" not in json.dumps(spec)
    assert "very-secret" not in json.dumps(recorder.of_type(CONFIG_MAP))


def test_without_either_the_pods_are_what_eks_makes_of_their_service_account() -> None:
    recorder = declared(role_arn=None)
    values = environment(job(recorder))
    assert {name for name in values if name.startswith("AWS_")} == {"AWS_REGION"}
    assert set(recorder.of_type(SECRET)) == {"pull"}


def test_they_know_what_to_renew_and_whom_to_ask() -> None:
    recorder = declared(endpoint="http://ecr.test:5000")
    for spec in (job(recorder), later_job(recorder)):
        values = environment(spec)
        assert values["SECRET_NAMESPACE"] == "shop"
        assert values["SECRET_NAME"] == "pull-0a1b2c3"
        assert values["REGISTRY_SERVER"] == HOST
        assert values["AWS_REGION"] == "eu-west-1"
        assert values["AWS_ENDPOINT_URL"] == "http://ecr.test:5000"
        assert container(spec)["image"] == "python:3.13-slim"
    assert "AWS_ENDPOINT_URL" not in environment(job(declared()))


def test_their_image_may_need_credentials_of_its_own() -> None:
    assert "imagePullSecrets" not in job(declared())["template"]["spec"]
    recorder = declared(image_pull_secret="mirror")
    for spec in (job(recorder), later_job(recorder)):
        assert spec["template"]["spec"]["imagePullSecrets"] == [{"name": "mirror"}]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"role_arn": None, "access_key_id": "AKIAEXAMPLE"}, "secret_access_key is missing"),
        ({"role_arn": None, "secret_access_key": "s"}, "access_key_id is missing"),
        ({"access_key_id": "AKIAEXAMPLE", "secret_access_key": "s"}, "role_arn and access_key_id are both given"),
    ],
)
def test_an_identity_is_whole_and_one(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        arguments(**changes)
