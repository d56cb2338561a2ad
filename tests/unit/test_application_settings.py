"""What a stack says of the application: what is read, and what is refused with which words."""

from pathlib import Path
from typing import Any

import pytest

from application_settings import ApplicationSettings
from components.microservice import Autoscale
from components.network_policies import Peer
from components.web_access import IngressAccess, RouteAccess
from configuration import Configuration, SettingsError
from settings import read_settings
from tests.unit.stacks import project, secret_keys, values


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return project(tmp_path)


def read(folder: Path, *, plain: bool = False, **settings: Any) -> ApplicationSettings:
    return read_settings(
        Configuration(values(**settings), () if plain else secret_keys()),
        project="dockercoins",
        stack="test",
        root=folder,
        environment={"KUBECONFIG": str(folder / "kubeconfig")},
        home=folder,
    ).application


def mistake(folder: Path, *, plain: bool = False, **settings: Any) -> tuple[str, str]:
    """The key and the text of the one mistake that there is."""
    with pytest.raises(SettingsError) as caught:
        read(folder, plain=plain, **settings)
    (only,) = caught.value.mistakes
    return only.key.removeprefix("dockercoins:"), str(only)


def test_nothing_is_scaled_opened_kept_or_told_unless_a_stack_says_so(folder: Path) -> None:
    settings = read(folder)
    assert settings.autoscale == {}
    assert settings.webui_access is None
    assert settings.webui_from == ()
    assert settings.network_policies
    assert (settings.redis.storage, settings.redis.storage_class, settings.redis.password) == (None, None, None)
    assert settings.observability.scrape == "none"
    assert settings.observability.otlp_endpoint is None
    assert settings.observability.log_level == "info"


def test_autoscalers_are_read_with_their_defaults(folder: Path) -> None:
    settings = read(folder, autoscale={"hasher": {"max": 5}, "rng": {"min": 2, "max": 2, "cpu": 60}})
    assert settings.autoscale == {"hasher": Autoscale(1, 5, 80), "rng": Autoscale(2, 2, 60)}


@pytest.mark.parametrize(
    ("autoscale", "key", "accepted"),
    [
        ({"webui": {"max": 5}}, "autoscale.webui", "one of hasher, rng, worker"),
        ({"hasher": {}}, "autoscale.hasher", "a mapping"),
        ({"hasher": {"min": 2}}, "autoscale.hasher.max", "a whole number from 1 to 10000"),
        ({"hasher": {"max": 5, "min": 0}}, "autoscale.hasher.min", "a whole number from 1 to 10000, or nothing"),
        ({"hasher": {"max": 5, "cpu": "half"}}, "autoscale.hasher.cpu", "a whole number from 1 to 1000, or nothing"),
        ({"hasher": {"max": 2, "min": 3}}, "autoscale.hasher.max", "dockercoins:autoscale.hasher.min, which is 3"),
        (
            {"hasher": {"max": 2, "most": 3}},
            "autoscale.hasher.most",
            "one of autoscale.hasher.cpu, autoscale.hasher.max",
        ),
        ("high", "autoscale", "a mapping"),
    ],
)
def test_an_autoscaler_that_cannot_be_is_told(folder: Path, autoscale: Any, key: str, accepted: str) -> None:
    found, message = mistake(folder, autoscale=autoscale)
    assert found == key
    assert accepted in message


@pytest.mark.parametrize("replicas", ["1", "3"])
def test_a_fixed_number_beside_an_autoscaler_is_refused_with_both_keys(folder: Path, replicas: str) -> None:
    key, message = mistake(folder, autoscale={"hasher": {"max": 5}}, hasherReplicas=replicas)
    assert key == "hasherReplicas"
    assert "dockercoins:autoscale.hasher" in message
    assert "pulumi config rm dockercoins:hasherReplicas" in message
    assert read(folder, autoscale={"hasher": {"max": 5}}, rngReplicas=replicas).replicas["rng"] == int(replicas)


@pytest.mark.parametrize(("profile", "memory"), [("teaching", "256Mi"), ("full", "1Gi")])
def test_the_memory_of_redis_follows_the_profile_unless_it_is_said(folder: Path, profile: str, memory: str) -> None:
    assert read(folder, profile=profile).redis.memory == memory
    assert read(folder, profile=profile, redisMemory="512Mi").redis.memory == "512Mi"


def test_a_volume_is_of_the_clusters_default_class_unless_one_is_named(folder: Path) -> None:
    assert read(folder, redisStorage="1Gi").redis.storage_class is None
    assert read(folder, redisStorage="1Gi", redisStorageClass="fast").redis.storage_class == "fast"


def test_a_class_without_a_size_is_refused(folder: Path) -> None:
    found, message = mistake(folder, redisStorageClass="fast")
    assert found == "redisStorage"
    assert "dockercoins:redisStorageClass" in message


@pytest.mark.parametrize("value", ["1GB", "0Gi", "1.5Gi", "-1Gi", "much"])
@pytest.mark.parametrize("key", ["redisMemory", "redisStorage"])
def test_a_size_that_is_none_is_told(folder: Path, key: str, value: str) -> None:
    given: dict[str, Any] = {key: value}
    if key == "redisStorage":
        given["redisStorageClass"] = "fast"
    found, message = mistake(folder, **given)
    assert found == key
    assert "a number with Mi, Gi or Ti" in message


def test_a_password_of_redis_must_be_a_secret_and_is_never_shown(folder: Path) -> None:
    settings = read(folder, redisPassword="correct-horse-battery")
    assert settings.redis.password == "correct-horse-battery"
    assert "correct-horse" not in repr(settings)
    key, message = mistake(folder, plain=True, redisPassword="correct-horse-battery")
    assert key == "redisPassword"
    assert "pulumi config set --secret dockercoins:redisPassword" in message
    assert "correct-horse" not in message


@pytest.mark.parametrize(
    "password", ["short", "with a blank in it", "tab\tin-the-middle", "gr\u00fc\u00dfe-aus-bern", "x" * 129]
)
def test_a_password_that_redis_or_its_clients_would_read_otherwise_is_refused(folder: Path, password: str) -> None:
    key, message = mistake(folder, redisPassword=password)
    assert key == "redisPassword"
    assert "12 to 128 visible ASCII characters" in message
    assert password not in message


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"host": "coins.example.com"}, IngressAccess("coins.example.com")),
        ({"host": "coins.example.com", "tls": True}, IngressAccess("coins.example.com", tls=True)),
        (
            {"host": "coins.example.com", "class": "nginx", "tlsSecret": "coins-tls", "annotations": {"a/b.c": "d"}},
            IngressAccess("coins.example.com", "nginx", tls=True, tls_secret="coins-tls", annotations={"a/b.c": "d"}),
        ),
        (
            {"host": "coins.example.com", "clusterIssuer": "letsencrypt"},
            IngressAccess("coins.example.com", tls=True, tls_secret="webui-tls", cluster_issuer="letsencrypt"),
        ),
    ],
)
def test_an_ingress_is_read(folder: Path, said: dict[str, Any], expected: IngressAccess) -> None:
    assert read(folder, webuiIngress=said).webui_access == expected


def test_a_route_is_read(folder: Path) -> None:
    said = {"host": "coins.example.com", "gateway": "web", "namespace": "gateways"}
    assert read(folder, webuiRoute=said).webui_access == RouteAccess("coins.example.com", "web", "gateways")
    plain = read(folder, webuiRoute={**said, "section": "http", "tls": "false"}).webui_access
    assert plain == RouteAccess("coins.example.com", "web", "gateways", "http", https=False)


GATEWAY = {"gateway": "web", "namespace": "gateways"}


@pytest.mark.parametrize(
    ("settings", "key", "words"),
    [
        ({"webuiIngress": {"class": "nginx"}}, "webuiIngress.host", "since dockercoins:webuiIngress is to lead there"),
        ({"webuiIngress": {"host": "localhost"}}, "webuiIngress.host", "the host's full name"),
        ({"webuiIngress": {"host": "192.0.2.10"}}, "webuiIngress.host", "the host's full name"),
        (
            {"webuiIngress": {"host": "a.example.com", "annotations": {"a b": "c"}}},
            'webuiIngress.annotations["a b"]',
            "a name of at most 63 letters",
        ),
        ({"webuiIngress": {"host": "a.example.com", "class": "a" * 254}}, "webuiIngress.class", "an ingress class"),
        (
            {"metrics": {"scrape": "podMonitor", "labels": {"release": "not this"}}},
            "metrics.labels.release",
            "a value of at most 63 letters",
        ),
        (
            {"metrics": {"scrape": "podMonitor", "labels": {"a/b/c": "x"}}},
            'metrics.labels["a/b/c"]',
            "a name of at most 63 letters",
        ),
        ({"webuiIngress": {"host": "http://coins.example.com"}}, "webuiIngress.host", "the host's full name"),
        (
            {"webuiIngress": {"host": "a.example.com", "hosts": "b"}},
            "webuiIngress.hosts",
            "one of webuiIngress.annotations, webuiIngress.class",
        ),
        (
            {"webuiIngress": {"host": "a.example.com", "tls": "false", "tlsSecret": "t"}},
            "webuiIngress.tls",
            "dockercoins:webuiIngress.tlsSecret is about TLS",
        ),
        (
            {"webuiIngress": {"host": "a.example.com"}, "webuiServiceType": "LoadBalancer"},
            "webuiServiceType",
            "ClusterIP, since dockercoins:webuiIngress leads to webui",
        ),
        (
            {"webuiRoute": {"host": "a.example.com", **GATEWAY}, "webuiServiceType": "NodePort"},
            "webuiServiceType",
            "ClusterIP, since dockercoins:webuiRoute leads to webui",
        ),
        ({"webuiRoute": GATEWAY}, "webuiRoute.host", "since dockercoins:webuiRoute is to lead there"),
        ({"webuiRoute": {"host": "a.example.com", "gateway": "w"}}, "webuiRoute.namespace", "of that Gateway"),
        (
            {"webuiRoute": {"host": "a.example.com", **GATEWAY}, "webuiIngress": {"host": "b.example.com"}},
            "webuiRoute",
            "nothing, since dockercoins:webuiIngress leads to webui already",
        ),
        ({"webuiFrom": ["192.0.2.0/33"]}, "webuiFrom[0]", "a range of addresses such as 192.0.2.0/24"),
        ({"webuiFrom": ["192.0.2.1/24"]}, "webuiFrom[0]", "a range of addresses such as 192.0.2.0/24"),
        ({"webuiFrom": ["Ingress"]}, "webuiFrom[0]", "the name of a namespace"),
        ({"networkPolicies": "on"}, "networkPolicies", "true or false"),
        ({"metrics": {"scrape": "serviceMonitor"}}, "metrics.scrape", "none, annotations or podMonitor"),
        ({"metrics": {"labels": {"release": "p"}}}, "metrics.scrape", "dockercoins:metrics.labels are those of"),
        ({"metrics": {"namespace": "Watch"}}, "metrics.namespace", "the name of a namespace"),
        ({"otlpEndpoint": "collector:4318"}, "otlpEndpoint", "http:// or https:// address"),
        ({"logLevel": "verbose"}, "logLevel", "debug, info, warning or error"),
    ],
)
def test_what_cannot_be_used_or_contradicts_is_told(
    folder: Path, settings: dict[str, Any], key: str, words: str
) -> None:
    found, message = mistake(folder, **settings)
    assert found == key
    assert words in message
    assert "to set it: pulumi config" in message


def test_who_may_see_the_page_are_ranges_and_namespaces(folder: Path) -> None:
    said = read(folder, webuiFrom=["192.0.2.0/24", "2001:db8::/32", "ingress-nginx"]).webui_from
    assert said == (
        Peer(addresses="192.0.2.0/24"),
        Peer(addresses="2001:db8::/32"),
        Peer(namespace="ingress-nginx"),
    )


def test_how_metrics_and_traces_are_collected_is_read(folder: Path) -> None:
    told = read(
        folder,
        metrics={"scrape": "podMonitor", "namespace": "watch", "labels": {"release": "prometheus"}},
        otlpEndpoint="http://collector.watch:4318",
        logLevel="warning",
    ).observability
    assert (told.scrape, told.namespace, told.monitor_labels) == ("podMonitor", "watch", {"release": "prometheus"})
    assert (told.otlp_endpoint, told.log_level) == ("http://collector.watch:4318", "warning")
