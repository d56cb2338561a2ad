"""The application as a whole: its parts, how they are wired, what the network lets through, how it is reached."""

import json
from collections.abc import Callable
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
import pytest

from components.dockercoins import BUILT_SERVICES, CALLS, DockerCoins, DockerCoinsArgs
from components.microservice import Autoscale
from components.network_policies import Peer
from components.observability import ObservabilityArgs
from components.redis import RedisArgs, configuration_file, max_memory
from components.web_access import IngressAccess, RouteAccess
from tests.unit.recording import DIGEST, Recorder, run

AUTOSCALER = "kubernetes:autoscaling/v2:HorizontalPodAutoscaler"
CLAIM = "kubernetes:core/v1:PersistentVolumeClaim"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
INGRESS = "kubernetes:networking.k8s.io/v1:Ingress"
MONITOR = "kubernetes:monitoring.coreos.com/v1:PodMonitor"
POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
ROUTE = "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute"
SECRET = "kubernetes:core/v1:Secret"
SERVICE = "kubernetes:core/v1:Service"
SECRET_MARK = "1b47061264138c4ac30d75fd1eb44270"
ALL = (*BUILT_SERVICES, "redis")


def application(**changes: Any) -> DockerCoins:
    arguments: dict[str, Any] = {
        "namespace": "ns",
        "images": {name: f"r.example/{name}@{DIGEST}" for name in BUILT_SERVICES},
        "redis": RedisArgs("redis:8"),
        "profile": "teaching",
        **changes,
    }
    return DockerCoins(
        "dockercoins", DockerCoinsArgs(**arguments), provider=kubernetes.Provider("cluster", kubeconfig="{}")
    )


def pod(recorder: Recorder, name: str) -> dict[str, Any]:
    return recorder.of_type(DEPLOYMENT)[name]["spec"]["template"]["spec"]


def container(recorder: Recorder, name: str) -> dict[str, Any]:
    (only,) = pod(recorder, name)["containers"]
    return only


def environment(recorder: Recorder, name: str) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in container(recorder, name).get("env", [])}


@pytest.mark.parametrize("preview", [False, True])
def test_the_application_is_five_deployments_and_four_services(preview: bool) -> None:
    recorder = run(application, preview=preview)
    assert set(recorder.of_type(DEPLOYMENT)) == {"redis", "hasher", "rng", "webui", "worker"}
    ports = {name: inputs["spec"]["ports"][0]["port"] for name, inputs in recorder.of_type(SERVICE).items()}
    assert ports == {"redis": 6379, "hasher": 80, "rng": 80, "webui": 80}


def test_the_teaching_profile_has_the_delays_of_the_course_and_the_full_one_none() -> None:
    delays = {"rng": ("0.1", "1"), "hasher": ("0.1", None), "worker": ("0.1", "1"), "webui": (None, None)}
    teaching, full = run(application), run(lambda: application(profile="full"))
    for service, expected in delays.items():
        told = environment(teaching, service)
        assert (told.get("DELAY_SECONDS"), told.get("CONCURRENCY")) == expected
        assert not {"DELAY_SECONDS", "CONCURRENCY"} & set(environment(full, service))


def test_who_calls_another_is_told_where_it_is() -> None:
    recorder = run(application)
    worker = environment(recorder, "worker")
    assert (worker["RNG_URL"], worker["HASHER_URL"], worker["REDIS_HOST"]) == (
        "http://rng:80",
        "http://hasher:80",
        "redis",
    )
    assert environment(recorder, "webui")["REDIS_HOST"] == "redis"
    for called in ("rng", "hasher"):
        assert not [name for name in environment(recorder, called) if name.endswith(("_URL", "_HOST"))]


def test_a_server_has_stopped_before_its_pod_is_killed() -> None:
    recorder = run(application)
    for name in BUILT_SERVICES:
        told = environment(recorder, name)
        left_alone = (
            container(recorder, name).get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        )
        assert bool(left_alone) is (name != "worker")
        needed = left_alone + int(told["DRAIN_SECONDS"]) + int(told["GRACE_SECONDS"])
        last_traces = 3
        assert needed + last_traces <= pod(recorder, name)["terminationGracePeriodSeconds"]


def test_each_has_its_role_and_the_version_that_is_known() -> None:
    recorder = run(lambda: application(versions={"rng": "c-0123", "redis": "8.10.1-trixie"}))
    labels = {name: inputs["metadata"]["labels"] for name, inputs in recorder.of_type(DEPLOYMENT).items()}
    assert {name: told["app.kubernetes.io/component"] for name, told in labels.items()} == {
        "hasher": "backend",
        "rng": "backend",
        "webui": "frontend",
        "worker": "worker",
        "redis": "database",
    }
    assert labels["rng"]["app.kubernetes.io/version"] == environment(recorder, "rng")["SERVICE_VERSION"] == "c-0123"
    assert labels["redis"]["app.kubernetes.io/version"] == "8.10.1-trixie"
    assert "SERVICE_VERSION" not in environment(recorder, "worker")


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
        ({"webui_access": IngressAccess("coins.example")}, {}, "http://coins.example/"),
        ({"webui_access": IngressAccess("coins.example", tls=True)}, {}, "https://coins.example/"),
        ({"webui_access": RouteAccess("coins.example", "web", "gateways")}, {}, "https://coins.example/"),
        ({"webui_access": RouteAccess("coins.example", "web", "gateways", https=False)}, {}, "http://coins.example/"),
    ],
)
def test_the_page_is_where_its_service_says(arguments: dict[str, Any], address: dict[str, str], url: str) -> None:
    recorder = load_balancer(address)(Recorder())
    run(lambda: pulumi.export("url", application(**arguments).webui_url), recorder=recorder)
    assert recorder.outputs["url"] == url


@pytest.mark.parametrize(
    ("service_type", "version", "known"),
    [("NodePort", None, False), ("NodePort", "7", True), ("LoadBalancer", None, False), ("LoadBalancer", "7", True)],
)
def test_a_preview_does_not_know_an_address_that_the_cluster_has_yet_to_assign(
    service_type: str, version: str | None, known: bool
) -> None:
    recorder = Recorder()
    original = recorder.new_resource

    def new_resource(args: Any) -> tuple[str | None, dict[str, Any]]:
        identity, state = original(args)
        if args.typ == SERVICE:
            state["metadata"]["resourceVersion"] = version
            state["spec"]["ports"][0]["nodePort"] = 31671
            state["status"] = {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}] if version else []}}
        return identity, state

    recorder.new_resource = new_resource  # pyright: ignore[reportAttributeAccessIssue] - one answer more
    run(
        lambda: pulumi.export("url", application(webui_service_type=service_type).webui_url),
        preview=True,
        recorder=recorder,
    )
    assert (recorder.outputs["url"] in ("http://localhost:31671/", "http://192.0.2.7/")) is known


def test_a_port_forward_is_told_only_where_it_is_needed() -> None:
    commands: list[bool] = []
    run(lambda: commands.append(application().port_forward is not None))
    run(lambda: commands.append(application(webui_service_type="NodePort").port_forward is not None))
    run(lambda: commands.append(application(webui_access=IngressAccess("coins.example")).port_forward is not None))
    assert commands == [True, False, False]


# --- The network ---


def rules(recorder: Recorder, service: str, direction: str) -> list[dict[str, Any]]:
    return recorder.of_type(POLICY)[service]["spec"].get(direction, [])


def called_by(recorder: Recorder, caller: str, direction: str = "egress") -> set[tuple[str, int]]:
    """Who is at the other end of a service's rules, as far as it is a service of the same namespace."""
    side = "to" if direction == "egress" else "from"
    return {
        (peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"], port["port"])
        for rule in rules(recorder, caller, direction)
        for peer in rule.get(side, [])
        for port in rule["ports"]
        if "podSelector" in peer and "namespaceSelector" not in peer
    }


def test_all_is_denied_at_first() -> None:
    denying = run(application).of_type(POLICY)["default-deny"]
    assert denying["metadata"]["namespace"] == "ns"
    assert denying["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_the_network_lets_through_the_calls_that_the_services_are_wired_by_and_no_others() -> None:
    recorder = run(application)
    ports = {"rng": 8080, "hasher": 8080, "redis": 6379}
    expected = {(call.caller, call.called, ports[call.called]) for call in CALLS}
    assert expected == {
        ("worker", "rng", 8080),
        ("worker", "hasher", 8080),
        ("worker", "redis", 6379),
        ("webui", "redis", 6379),
    }
    outgoing = {(caller, *called) for caller in ALL for called in called_by(recorder, caller)}
    incoming = {(caller, called, port) for called in ALL for caller, port in called_by(recorder, called, "ingress")}
    assert outgoing == incoming == expected


def test_who_calls_by_name_may_ask_for_it_and_the_others_may_call_nobody() -> None:
    recorder = run(application)
    for caller in ("worker", "webui"):
        (dns,) = [rule for rule in rules(recorder, caller, "egress") if rule["ports"][0]["port"] == 53]
        assert {port["protocol"] for port in dns["ports"]} == {"UDP", "TCP"}
        assert dns["to"][0] == {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
            "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
        }
    for called in ("rng", "hasher", "redis"):
        assert rules(recorder, called, "egress") == []


@pytest.mark.parametrize(
    ("changes", "peers"),
    [
        ({}, None),
        ({"webui_service_type": "NodePort"}, "anybody"),
        ({"webui_service_type": "LoadBalancer"}, "anybody"),
        ({"webui_access": IngressAccess("coins.example")}, "anybody"),
        ({"webui_access": RouteAccess("coins.example", "web", "gateways")}, "anybody"),
        (
            {"webui_from": [Peer(addresses="192.0.2.0/24"), Peer(namespace="ingress")]},
            [
                {"ipBlock": {"cidr": "192.0.2.0/24"}},
                {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}},
            ],
        ),
    ],
)
def test_the_page_is_seen_by_those_who_may(changes: dict[str, Any], peers: object) -> None:
    incoming = rules(run(lambda: application(**changes)), "webui", "ingress")
    if peers is None:
        assert incoming == []
        return
    (rule,) = incoming
    assert rule["ports"] == [{"port": 8080, "protocol": "TCP"}]
    assert rule.get("from", "anybody") == peers


def test_no_pod_runs_before_the_network_is_closed() -> None:
    recorder = run(application)
    for name in ALL:
        dependencies = list(recorder.request(DEPLOYMENT, name).dependencies)
        assert [urn for urn in dependencies if urn.endswith("NetworkPolicy::default-deny")]
        assert [urn for urn in dependencies if urn.endswith(f"NetworkPolicy::{name}")]


def test_the_network_can_be_left_open() -> None:
    assert run(lambda: application(network_policies=False)).of_type(POLICY) == {}


def test_the_pods_that_prove_to_an_authority_whose_host_it_is_can_be_asked() -> None:
    access = IngressAccess("coins.example", tls=True, tls_secret="t", cluster_issuer="letsencrypt")
    spec = run(lambda: application(webui_access=access)).of_type(POLICY)["certificate-solver"]["spec"]
    assert spec["podSelector"]["matchLabels"] == {"acme.cert-manager.io/http01-solver": "true"}
    assert spec["ingress"] == [{"ports": [{"port": 8089, "protocol": "TCP"}]}]
    assert "egress" not in spec


# --- Scaling ---


def test_a_scaled_service_has_an_autoscaler_and_asks_for_cpu_that_a_percentage_says_something_of() -> None:
    recorder = run(lambda: application(autoscale={"hasher": Autoscale(2, 6, 50)}, replicas={"worker": 3}))
    assert set(recorder.of_type(AUTOSCALER)) == {"hasher"}
    assert "replicas" not in recorder.of_type(DEPLOYMENT)["hasher"]["spec"]
    assert recorder.of_type(DEPLOYMENT)["worker"]["spec"]["replicas"] == 3
    assert container(recorder, "hasher")["resources"]["requests"]["cpu"] == "100m"
    assert container(recorder, "rng")["resources"]["requests"]["cpu"] == "25m"


# --- Redis ---


def arguments_of_redis(recorder: Recorder) -> dict[str, str]:
    command = container(recorder, "redis")["command"]
    start = next(index for index, word in enumerate(command) if word.startswith("--"))
    return dict(zip(command[start::2], command[start + 1 :: 2], strict=True))


def test_redis_refuses_writes_before_it_is_killed_for_its_memory_and_never_throws_a_coin_away() -> None:
    for changes in ({}, {"storage": "1Gi", "storage_class": "fast"}):
        recorder = run(lambda changes=changes: application(redis=RedisArgs("redis:8", memory="256Mi", **changes)))
        told = arguments_of_redis(recorder)
        assert told["--maxmemory-policy"] == "noeviction"
        limit = 256 * 1024**2
        assert container(recorder, "redis")["resources"]["limits"]["memory"] == "256Mi"
        # While it rewrites its file, what changes stands in memory twice.
        assert int(told["--maxmemory"]) * (2 if changes else 1) <= limit * (1 if changes else 0.75)


def test_coins_are_in_memory_alone_unless_a_volume_is_asked_for() -> None:
    recorder = run(application)
    assert recorder.of_type(CLAIM) == {}
    assert arguments_of_redis(recorder)["--appendonly"] == "no"
    assert recorder.of_type(DEPLOYMENT)["redis"]["spec"]["strategy"]["type"] == "RollingUpdate"
    assert "emptyDir" in pod(recorder, "redis")["volumes"][0]


def test_coins_outlive_their_pod_in_a_volume() -> None:
    recorder = run(lambda: application(redis=RedisArgs("redis:8", storage="2Gi", storage_class="fast")))
    claim = recorder.of_type(CLAIM)["redis"]["spec"]
    assert claim["resources"] == {"requests": {"storage": "2Gi"}}
    assert (claim["storageClassName"], claim["accessModes"]) == ("fast", ["ReadWriteOnce"])
    (volume,) = pod(recorder, "redis")["volumes"]
    assert volume["persistentVolumeClaim"] == {"claimName": "redis"}
    told = arguments_of_redis(recorder)
    assert (told["--appendonly"], told["--appendfsync"], told["--dir"]) == ("yes", "everysec", "/data")
    assert recorder.of_type(DEPLOYMENT)["redis"]["spec"]["strategy"] == {"type": "Recreate"}


def test_a_storage_class_is_looked_up_before_a_volume_is_claimed_of_it() -> None:
    recorder = run(lambda: application(redis=RedisArgs("redis:8", storage="2Gi", storage_class="fast")))
    dependencies = list(recorder.request(CLAIM, "redis").dependencies)
    assert [urn for urn in dependencies if urn.endswith("StorageClass::redisStorageClass")]


def test_a_password_is_a_secret_that_only_redis_and_those_who_call_it_read() -> None:
    password = 'quote"and\\slash-of-it'
    recorder = run(lambda: application(redis=RedisArgs("redis:8", password=password)))
    (secret,) = recorder.of_type(SECRET).values()
    assert secret["stringData"]["password"] == password
    assert secret["stringData"]["redis.conf"] == configuration_file(password)
    assert SECRET_MARK in str(recorder.request(SECRET, "redis-password").object.fields["stringData"])
    assert list(recorder.request(SECRET, "redis-password").replaceOnChanges) == ["stringData", "data"]
    for name in ALL:
        mounts = [entry["mountPath"] for entry in container(recorder, name).get("volumeMounts", [])]
        reads = name in ("redis", "worker", "webui")
        assert ("/run/secrets/redis" in mounts) is reads, name
        told = environment(recorder, name).get("REDIS_PASSWORD_FILE")
        assert told == ("/run/secrets/redis/password" if name in ("worker", "webui") else None)
    assert container(recorder, "redis")["command"][:2] == ["redis-server", "/run/secrets/redis/redis.conf"]
    assert password not in json.dumps([recorder.of_type(DEPLOYMENT), recorder.of_type(SERVICE)])
    readiness = container(recorder, "redis")["readinessProbe"]["exec"]["command"][-1]
    assert 'REDISCLI_AUTH="$(cat /run/secrets/redis/password)" redis-cli ping' in readiness


def test_a_password_is_quoted_as_redis_reads_it() -> None:
    assert configuration_file('a"b\\c') == 'requirepass "a\\"b\\\\c"\n'


@pytest.mark.parametrize("memory", ["256", "1.5Gi", "256M", ""])
def test_a_memory_that_is_no_size_is_refused(memory: str) -> None:
    with pytest.raises(ValueError, match="is not a number with Ki, Mi, Gi or Ti"):
        max_memory(memory, with_file=False)


# --- The page, from outside ---


def test_an_ingress_leads_to_the_page() -> None:
    access = IngressAccess("coins.example", "nginx", tls=True, tls_secret="coins-tls", cluster_issuer="letsencrypt")
    recorder = run(lambda: application(webui_access=access))
    ingress = recorder.of_type(INGRESS)["webui"]
    assert ingress["metadata"]["annotations"] == {
        "pulumi.com/skipAwait": "true",
        "cert-manager.io/cluster-issuer": "letsencrypt",
    }
    assert ingress["spec"]["ingressClassName"] == "nginx"
    assert ingress["spec"]["tls"] == [{"hosts": ["coins.example"], "secretName": "coins-tls"}]
    (rule,) = ingress["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    service = recorder.of_type(SERVICE)["webui"]
    assert rule["host"] == "coins.example"
    assert path["backend"]["service"] == {"name": "webui", "port": {"name": service["spec"]["ports"][0]["name"]}}
    dependencies = list(recorder.request(INGRESS, "webui").dependencies)
    assert [urn for urn in dependencies if urn.endswith("IngressClass::webuiIngressClass")]


def test_an_ingress_without_tls_names_no_certificate() -> None:
    spec = run(lambda: application(webui_access=IngressAccess("coins.example"))).of_type(INGRESS)["webui"]["spec"]
    assert "tls" not in spec
    assert "ingressClassName" not in spec


def test_a_route_hangs_on_its_gateway() -> None:
    access = RouteAccess("coins.example", "web", "gateways", "https")
    recorder = run(lambda: application(webui_access=access))
    spec = recorder.of_type(ROUTE)["webui"]["spec"]
    assert spec["parentRefs"] == [{"name": "web", "namespace": "gateways", "sectionName": "https"}]
    assert spec["hostnames"] == ["coins.example"]
    assert spec["rules"] == [{"backendRefs": [{"name": "webui", "port": 80}]}]
    dependencies = list(recorder.request(ROUTE, "webui").dependencies)
    assert [urn for urn in dependencies if urn.endswith("Gateway::webuiGateway")]


# --- What is told about it ---


def test_metrics_have_a_port_of_their_own_that_nobody_reads_unless_somebody_is_to() -> None:
    recorder = run(application)
    for name in BUILT_SERVICES:
        ports = {port["name"]: port["containerPort"] for port in container(recorder, name)["ports"]}
        assert ports["metrics"] == int(environment(recorder, name)["METRICS_PORT"]) == 9090
        assert not [rule for rule in rules(recorder, name, "ingress") if rule["ports"][0]["port"] == 9090]
        template = recorder.of_type(DEPLOYMENT)[name]["spec"]["template"]
        assert "annotations" not in template["metadata"]


@pytest.mark.parametrize("scrape", ["annotations", "podMonitor"])
def test_prometheus_finds_the_metrics_and_may_read_them(scrape: str) -> None:
    observability = ObservabilityArgs(scrape=scrape, namespace="watch", monitor_labels={"release": "p"})  # pyright: ignore[reportArgumentType] - a parameter of this test
    recorder = run(lambda: application(observability=observability))
    for name in BUILT_SERVICES:
        (rule,) = [rule for rule in rules(recorder, name, "ingress") if rule["ports"][0]["port"] == 9090]
        assert rule["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "watch"}}}]
        annotations = recorder.of_type(DEPLOYMENT)[name]["spec"]["template"]["metadata"].get("annotations")
        told = {"prometheus.io/scrape": "true", "prometheus.io/port": "9090", "prometheus.io/path": "/metrics"}
        assert annotations == (told if scrape == "annotations" else None)
    monitors = recorder.of_type(MONITOR)
    assert set(monitors) == ({"dockercoins"} if scrape == "podMonitor" else set())
    for monitor in monitors.values():
        assert monitor["metadata"]["labels"]["release"] == "p"
        assert monitor["spec"]["selector"] == {"matchLabels": {"app.kubernetes.io/part-of": "dockercoins"}}
        assert monitor["spec"]["podMetricsEndpoints"][0]["port"] == "metrics"
        labels = recorder.of_type(DEPLOYMENT)["worker"]["spec"]["template"]["metadata"]["labels"]
        assert labels["app.kubernetes.io/part-of"] == "dockercoins"


@pytest.mark.parametrize(
    ("endpoint", "port", "peers"),
    [
        (
            "http://collector.watch:4318",
            4318,
            [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "watch"}}}],
        ),
        (
            "http://collector.watch.svc.cluster.local:4318",
            4318,
            [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "watch"}}}],
        ),
        ("http://192.0.2.9:4318", 4318, [{"ipBlock": {"cidr": "192.0.2.9/32"}}]),
        ("http://[2001:db8::9]:4318", 4318, [{"ipBlock": {"cidr": "2001:db8::9/128"}}]),
        ("https://otlp.example.com/v1", 443, None),
        ("https://example.com./v1", 443, None),
    ],
)
def test_traces_go_where_they_are_to_go_and_the_network_lets_them(endpoint: str, port: int, peers: object) -> None:
    recorder = run(lambda: application(observability=ObservabilityArgs(otlp_endpoint=endpoint, log_level="debug")))
    for name in BUILT_SERVICES:
        told = environment(recorder, name)
        assert (told["OTEL_EXPORTER_OTLP_ENDPOINT"], told["LOG_LEVEL"]) == (endpoint, "debug")
        assert told["OTEL_RESOURCE_ATTRIBUTES"] == "service.namespace=ns"
        (rule,) = [rule for rule in rules(recorder, name, "egress") if rule["ports"][0]["port"] == port]
        assert rule.get("to") == peers
        assert [rule for rule in rules(recorder, name, "egress") if rule["ports"][0]["port"] == 53]
    assert rules(recorder, "redis", "egress") == []
