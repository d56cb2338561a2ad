"""A single microservice: what a platform team looks at before it lets one run."""

from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
import pytest

from components.microservice import (
    Autoscale,
    CommandChecks,
    HttpChecks,
    Listener,
    Microservice,
    MicroserviceArgs,
)
from tests.unit.recording import DIGEST, Recorder, run

ACCOUNT = "kubernetes:core/v1:ServiceAccount"
AUTOSCALER = "kubernetes:autoscaling/v2:HorizontalPodAutoscaler"
BUDGET = "kubernetes:policy/v1:PodDisruptionBudget"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
SERVICE = "kubernetes:core/v1:Service"


def cluster() -> kubernetes.Provider:
    return kubernetes.Provider("cluster", kubeconfig="{}")


def microservice(**changes: Any) -> Microservice:
    arguments: dict[str, Any] = {
        "namespace": "ns",
        "image": f"r.example/coins/rng@{DIGEST}",
        "checks": HttpChecks(port=8080),
        "listener": Listener(8080, 80),
        **changes,
    }
    return Microservice("rng", MicroserviceArgs(**arguments), provider=cluster())


def pod(recorder: Recorder, name: str = "rng") -> dict[str, Any]:
    return recorder.of_type(DEPLOYMENT)[name]["spec"]["template"]["spec"]


def container(recorder: Recorder, name: str = "rng") -> dict[str, Any]:
    (only,) = pod(recorder, name)["containers"]
    return only


def test_a_microservice_bears_its_own_name_and_its_service_finds_its_pods() -> None:
    recorder = run(microservice)
    deployment, service = recorder.of_type(DEPLOYMENT)["rng"], recorder.of_type(SERVICE)["rng"]
    assert deployment["metadata"]["name"] == service["metadata"]["name"] == "rng"
    assert deployment["metadata"]["namespace"] == service["metadata"]["namespace"] == "ns"
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
    (port,) = service["spec"]["ports"]
    (container_port,) = container(recorder, "rng")["ports"]
    assert port["port"] == 80
    assert port["name"] == port["appProtocol"] == container_port["name"] == "http"
    # Not by name: pods from before a port was renamed go on being called.
    assert port["targetPort"] == container_port["containerPort"] == 8080


def test_without_a_listener_there_is_no_service_and_no_port() -> None:
    recorder = run(lambda: microservice(listener=None))
    assert recorder.of_type(SERVICE) == {}
    assert "ports" not in container(recorder, "rng")


def test_pods_meet_the_restricted_standard() -> None:
    recorder = run(microservice)
    spec, only = pod(recorder, "rng"), container(recorder, "rng")
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert only["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_the_old_version_serves_until_the_new_one_is_ready() -> None:
    strategy = run(microservice).of_type(DEPLOYMENT)["rng"]["spec"]["strategy"]
    assert strategy == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}


def test_a_stopped_pod_drains_within_its_grace_period() -> None:
    recorder = run(lambda: microservice(drain_seconds=4, grace_seconds=20))
    assert container(recorder, "rng")["lifecycle"]["preStop"] == {"sleep": {"seconds": 4}}
    assert pod(recorder, "rng")["terminationGracePeriodSeconds"] == 20


def test_http_checks_ask_their_paths() -> None:
    only = container(run(microservice), "rng")
    assert only["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": 8080}
    assert only["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": 8080}
    assert only["startupProbe"]["httpGet"] == {"path": "/healthz", "port": 8080}


def test_command_checks_run_their_commands() -> None:
    only = container(run(lambda: microservice(checks=CommandChecks(["alive"], ["ready"]))), "rng")
    assert only["livenessProbe"]["exec"] == {"command": ["alive"]}
    assert only["readinessProbe"]["exec"] == {"command": ["ready"]}


def test_memory_that_is_asked_for_is_the_limit() -> None:
    resources = container(run(lambda: microservice(memory="64Mi")), "rng")["resources"]
    assert resources["requests"]["memory"] == resources["limits"]["memory"] == "64Mi"


def test_a_rollout_has_the_time_that_it_was_given() -> None:
    recorder = run(lambda: microservice(rollout_seconds=42))
    assert recorder.of_type(DEPLOYMENT)["rng"]["spec"]["progressDeadlineSeconds"] == 42
    timeouts = recorder.request(DEPLOYMENT, "rng").customTimeouts
    assert (timeouts.create, timeouts.update) == ("42s", "42s")


@pytest.mark.parametrize(
    ("service_type", "awaited"), [("ClusterIP", False), ("NodePort", False), ("LoadBalancer", True)]
)
def test_only_an_address_from_outside_is_waited_for(service_type: str, awaited: bool) -> None:
    service = run(lambda: microservice(listener=Listener(8080, 80, service_type))).of_type(SERVICE)["rng"]
    skipped = service["metadata"].get("annotations", {}).get("pulumi.com/skipAwait")
    assert skipped == (None if awaited else "true")


def test_writable_folders_are_volumes_and_all_else_is_read_only() -> None:
    recorder = run(lambda: microservice(writable=["/data", "/tmp"]))  # noqa: S108 - a path within a container
    assert [volume["name"] for volume in pod(recorder, "rng")["volumes"]] == ["writable-0", "writable-1"]
    mounts = container(recorder, "rng")["volumeMounts"]
    assert [mount["mountPath"] for mount in mounts] == ["/data", "/tmp"]  # noqa: S108 - as above


def test_options_of_the_caller_reach_the_component_and_not_its_children() -> None:
    def program() -> None:
        arguments = MicroserviceArgs(namespace="ns", image="i", checks=HttpChecks(1))
        options = pulumi.ResourceOptions(protect=True, aliases=[pulumi.Alias(name="old")])
        Microservice("rng", arguments, provider=cluster(), opts=options)

    recorder = run(program)
    assert len(recorder.request("dockercoins:kubernetes:Microservice", "rng").aliases) == 1
    assert [alias.spec.name for alias in recorder.request(DEPLOYMENT, "rng").aliases if alias.spec.name == "old"] == []


def test_someone_else_s_program_declares_a_service_in_five_lines() -> None:
    def program() -> None:
        shop = kubernetes.Provider("shop", context="shop")
        image = f"registry.example/team/shop@{DIGEST}"
        service = Microservice("shop", MicroserviceArgs("shop", image, Listener(3000, 80)), provider=shop)
        pulumi.export("service", service.service and service.service.metadata.name)

    recorder = run(program)
    only = container(recorder, "shop")
    assert recorder.outputs["service"] == "shop"
    assert only["image"].endswith(DIGEST)
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        assert only[probe]["tcpSocket"] == {"port": 3000}


def test_what_nobody_calls_has_no_checks_but_those_that_it_is_given() -> None:
    only = container(run(lambda: microservice(listener=None, checks=None)))
    assert not {"livenessProbe", "readinessProbe", "startupProbe"} & set(only)


def test_each_has_an_account_of_its_own_without_a_token() -> None:
    recorder = run(microservice)
    account = recorder.of_type(ACCOUNT)["rng"]
    assert account["metadata"]["name"] == pod(recorder)["serviceAccountName"] == "rng"
    assert account["automountServiceAccountToken"] is False
    assert pod(recorder)["automountServiceAccountToken"] is False


def test_the_recommended_labels_are_on_all_of_it_and_the_selector_stays_the_name_alone() -> None:
    recorder = run(
        lambda: microservice(part_of="coins", component="backend", version="1.2.3", autoscale=Autoscale(2, 3))
    )
    labels = {
        "app.kubernetes.io/name": "rng",
        "app.kubernetes.io/instance": "ns",
        "app.kubernetes.io/version": "1.2.3",
        "app.kubernetes.io/component": "backend",
        "app.kubernetes.io/part-of": "coins",
        "app.kubernetes.io/managed-by": "pulumi",
    }
    for kind in (ACCOUNT, AUTOSCALER, BUDGET, DEPLOYMENT, SERVICE):
        assert recorder.of_type(kind)["rng"]["metadata"]["labels"] == labels, kind
    spec = recorder.of_type(DEPLOYMENT)["rng"]["spec"]
    assert spec["template"]["metadata"]["labels"] == labels
    # It cannot be changed where a Deployment is there already.
    assert spec["selector"] == {"matchLabels": {"app.kubernetes.io/name": "rng"}}
    assert recorder.of_type(SERVICE)["rng"]["spec"]["selector"] == {"app.kubernetes.io/name": "rng"}
    assert "app.kubernetes.io/version" not in run(microservice).of_type(SERVICE)["rng"]["metadata"]["labels"]


def test_what_is_asked_for_is_limited() -> None:
    resources = container(run(lambda: microservice(cpu="50m", memory="64Mi", disk="1Gi")))["resources"]
    assert resources["requests"] == {"cpu": "50m", "memory": "64Mi", "ephemeral-storage": "1Gi"}
    assert resources["limits"] == {"cpu": "1", "memory": "64Mi", "ephemeral-storage": "1Gi"}


def test_pods_spread_over_nodes_and_zones_where_they_can() -> None:
    constraints = pod(run(microservice))["topologySpreadConstraints"]
    assert [entry["topologyKey"] for entry in constraints] == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
    for entry in constraints:
        assert entry["maxSkew"] == 1
        assert entry["whenUnsatisfiable"] == "ScheduleAnyway"
        assert entry["labelSelector"] == {"matchLabels": {"app.kubernetes.io/name": "rng"}}
        assert entry["matchLabelKeys"] == ["pod-template-hash"]


@pytest.mark.parametrize(
    ("changes", "protected"),
    [
        ({"replicas": 0}, False),
        ({"replicas": 1}, False),
        ({"replicas": 2}, True),
        ({"autoscale": Autoscale(1, 5)}, False),
        ({"autoscale": Autoscale(2, 5)}, True),
    ],
)
def test_where_one_pod_can_be_spared_no_more_than_one_is_taken_away(changes: dict[str, Any], protected: bool) -> None:
    budgets = run(lambda: microservice(**changes)).of_type(BUDGET)
    assert bool(budgets) is protected
    for budget in budgets.values():
        assert budget["spec"]["maxUnavailable"] == 1
        assert budget["spec"]["selector"] == {"matchLabels": {"app.kubernetes.io/name": "rng"}}
        assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_an_autoscaler_owns_the_number_of_pods() -> None:
    recorder = run(lambda: microservice(replicas=7, autoscale=Autoscale(2, 9, 60)))
    assert "replicas" not in recorder.of_type(DEPLOYMENT)["rng"]["spec"]
    assert list(recorder.request(DEPLOYMENT, "rng").ignoreChanges) == ["spec.replicas"]
    spec = recorder.of_type(AUTOSCALER)["rng"]["spec"]
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "rng"}
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 9)
    (metric,) = spec["metrics"]
    assert metric["resource"] == {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}


def test_without_an_autoscaler_the_program_owns_it() -> None:
    recorder = run(lambda: microservice(replicas=7))
    assert recorder.of_type(AUTOSCALER) == {}
    assert recorder.of_type(DEPLOYMENT)["rng"]["spec"]["replicas"] == 7
    assert list(recorder.request(DEPLOYMENT, "rng").ignoreChanges) == []
    annotations = recorder.of_type(DEPLOYMENT)["rng"]["metadata"]["annotations"]
    assert annotations == {"pulumi.com/patchForce": "true"}


@pytest.mark.parametrize(("least", "most"), [(0, 3), (4, 3)])
def test_bounds_of_an_autoscaler_that_no_number_meets_are_refused(least: int, most: int) -> None:
    with pytest.raises(ValueError, match=f"from {least} to {most} pods"):
        Autoscale(least, most)


def test_folders_that_outlive_a_pod_are_claims_and_two_pods_never_share_one() -> None:
    recorder = run(lambda: microservice(claims={"/data": "coins"}))
    (volume,) = pod(recorder)["volumes"]
    (mount,) = container(recorder)["volumeMounts"]
    assert volume["persistentVolumeClaim"] == {"claimName": "coins"}
    assert (mount["name"], mount["mountPath"]) == (volume["name"], "/data")
    assert recorder.of_type(DEPLOYMENT)["rng"]["spec"]["strategy"] == {"type": "Recreate"}
    with pytest.raises(ValueError, match="claims are for one pod"):
        MicroserviceArgs("ns", "i", claims={"/data": "coins"}, replicas=2)
    with pytest.raises(ValueError, match="claims are for one pod"):
        MicroserviceArgs("ns", "i", claims={"/data": "coins"}, autoscale=Autoscale(1, 2))


def test_secrets_are_files_that_the_container_may_only_read() -> None:
    recorder = run(lambda: microservice(secrets={"/run/secrets/redis": "redis-auth"}))
    (volume,) = pod(recorder)["volumes"]
    (mount,) = container(recorder)["volumeMounts"]
    assert volume["secret"] == {"secretName": "redis-auth", "defaultMode": 0o440}
    assert mount == {"name": volume["name"], "mountPath": "/run/secrets/redis", "readOnly": True}


def test_a_port_for_metrics_stands_beside_the_one_that_is_called() -> None:
    recorder = run(lambda: microservice(metrics_port=9090, annotations={"prometheus.io/scrape": "true"}))
    names = {port["name"]: port["containerPort"] for port in container(recorder)["ports"]}
    assert names == {"http": 8080, "metrics": 9090}
    assert [port["name"] for port in recorder.of_type(SERVICE)["rng"]["spec"]["ports"]] == ["http"]
    template = recorder.of_type(DEPLOYMENT)["rng"]["spec"]["template"]
    assert template["metadata"]["annotations"] == {"prometheus.io/scrape": "true"}


def test_what_nobody_calls_is_stopped_at_once() -> None:
    assert "lifecycle" not in container(run(lambda: microservice(listener=None, drain_seconds=0)))


def test_a_grace_period_that_ends_before_the_container_is_told_to_stop_is_refused() -> None:
    with pytest.raises(ValueError, match="grace_seconds=5 must be more than drain_seconds=5"):
        MicroserviceArgs("ns", "i", drain_seconds=5, grace_seconds=5)
