from __future__ import annotations

from typing import Any

import pytest

from tests.unit.policy.judging import UNKNOWN, found

SERVICE = "kubernetes:core/v1:Service"
INGRESS = "kubernetes:networking.k8s.io/v1:Ingress"


def _service(annotations: Any = None, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "web", "namespace": "shop", "annotations": annotations or {}}, "spec": spec}


@pytest.mark.parametrize(
    "service",
    [
        _service(type="ClusterIP"),
        _service(type="NodePort"),
        _service(type="LoadBalancer", loadBalancerSourceRanges=["192.0.2.0/24"]),
        _service(type="LoadBalancer", loadBalancerSourceRanges=UNKNOWN),
        _service(type="LoadBalancer", loadBalancerSourceRanges=[UNKNOWN]),
        _service(type=UNKNOWN),
        _service({"service.beta.kubernetes.io/aws-load-balancer-scheme": "internal"}, type="LoadBalancer"),
        _service({"networking.gke.io/load-balancer-type": "Internal"}, type="LoadBalancer"),
        _service({"dockercoins/open-to-the-world": "yes"}, type="LoadBalancer", externalIPs=["192.0.2.1"]),
        _service({"dockercoins/open-to-the-world": UNKNOWN}, type="LoadBalancer"),
    ],
)
def test_a_service_that_is_closed_or_says_that_it_is_open_is_accepted(service: dict[str, Any]) -> None:
    assert found("no-open-load-balancer", SERVICE, service) == []


@pytest.mark.parametrize(
    ("service", "told"),
    [
        (_service(type="LoadBalancer"), "it is a LoadBalancer with no loadBalancerSourceRanges"),
        (
            _service(type="LoadBalancer", loadBalancerSourceRanges=["192.0.2.0/24", "0.0.0.0/0"]),
            "it is a LoadBalancer with loadBalancerSourceRanges with 0.0.0.0/0",
        ),
        (
            _service({"service.beta.kubernetes.io/aws-load-balancer-scheme": "internet-facing"}, type="LoadBalancer"),
            "it is a LoadBalancer with no loadBalancerSourceRanges",
        ),
        (_service({"dockercoins/open-to-the-world": "no"}, type="LoadBalancer"), "it is a LoadBalancer"),
        (_service(externalIPs=["192.0.2.1"]), "it has externalIPs"),
    ],
)
def test_a_service_that_is_open_without_a_word_is_told_with_how_to_say_so(service: dict[str, Any], told: str) -> None:
    (message,) = found("no-open-load-balancer", SERVICE, service)
    assert message.startswith(f"Service web: {told}")
    assert 'the annotation dockercoins/open-to-the-world: "yes", or by its name in the setting `open`' in message


def test_open_services_can_be_named_in_the_settings() -> None:
    service = _service(type="LoadBalancer")
    assert found("no-open-load-balancer", SERVICE, service, open=["web"]) == []
    assert found("no-open-load-balancer", SERVICE, service, open=["shop/web"]) == []
    assert len(found("no-open-load-balancer", SERVICE, service, open=["other/web"])) == 1


def _ingress(tls: Any = None, *hosts: Any) -> dict[str, Any]:
    spec = {"rules": [{"host": host} if host else {} for host in hosts]}
    return {"metadata": {"name": "web"}, "spec": {**spec, **({} if tls is None else {"tls": tls})}}


@pytest.mark.parametrize(
    "ingress",
    [
        _ingress([{"hosts": ["a.example"], "secretName": "a"}], "a.example"),
        _ingress([{"hosts": ["*.example"]}], "a.example"),
        _ingress([{}], "a.example", None),
        _ingress(UNKNOWN, "a.example"),
        _ingress(None, UNKNOWN),
    ],
)
def test_hosts_with_tls_are_accepted(ingress: dict[str, Any]) -> None:
    assert found("ingress-over-tls", INGRESS, ingress) == []


@pytest.mark.parametrize(
    ("ingress", "host"),
    [
        (_ingress(None, "a.example"), "a.example"),
        (_ingress([{"hosts": ["b.example"]}], "b.example", "a.example"), "a.example"),
        (_ingress([{"hosts": ["*.example"]}], "a.b.example"), "a.b.example"),
        (_ingress(None, None), "every host"),
    ],
)
def test_a_host_without_tls_is_told(ingress: dict[str, Any], host: str) -> None:
    (message,) = found("ingress-over-tls", INGRESS, ingress)
    assert message.startswith(f"Ingress web: {host} is served without TLS. Accepted is an entry of spec.tls")
    assert found("ingress-over-tls", INGRESS, ingress, plain=[host]) == []
