"""The settings of what runs: how much of it, how it is reached, what it keeps, and what it tells.

Read by ``settings.py``, which reads the rest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Final, cast

from components.dockercoins import AUTOSCALED_SERVICES, BUILT_SERVICES, Profile
from components.image_reference import ReferenceFormatError, parse
from components.kubernetes_names import is_host, is_label, is_label_value, is_qualified_name, is_subdomain
from components.microservice import Autoscale
from components.network_policies import Peer
from components.observability import ObservabilityArgs, Scrape
from components.redis import RedisArgs
from components.web_access import IngressAccess, RouteAccess
from configuration import Reader, matches

SCALED_SERVICES: Final = BUILT_SERVICES
"""The services whose number of pods is a setting; redis holds the coins, so there is one of it."""

_NODE_PORTS: Final = range(30000, 32768)
_REPLICAS: Final = range(10_001)
_AUTOSCALED: Final = range(1, 10_001)
_CPU_PERCENT: Final = range(1, 1001)
_SECONDS: Final = range(10, 3601)
_TEACHING_MEMORY: Final = "256Mi"
_FULL_MEMORY: Final = "1Gi"
_PASSWORD_LENGTHS: Final = range(12, 129)
_ADDRESS = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_ENDPOINT = re.compile(r"https?://[A-Za-z0-9.\[\]:-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?")
_SIZE = re.compile(r"[1-9][0-9]{0,6}(Mi|Gi|Ti)")
_VISIBLE = re.compile(r"[!-~]+")
_A_NAME: Final = "a name of lowercase letters, digits, '-' and '.'"
_A_NAMESPACE: Final = "the name of a namespace"
_A_KEY: Final = "a name of at most 63 letters, digits, '-', '_' and '.', behind a domain and / if it has a prefix"
_A_LABEL_VALUE: Final = "a value of at most 63 letters, digits and inner '-', '_' and '.'"
_A_HOST: Final = "the host's full name, such as coins.example.com"

PINNED: Final = "an image reference with a digest, or with a tag other than latest"


@dataclass(frozen=True)
class ApplicationSettings:
    """What runs, how much of it, how it is reached, and what it tells.

    ``redis_image`` is as the stack names it, and ``redis_version`` its tag.
    """

    profile: Profile
    redis: RedisArgs
    redis_image: str
    redis_version: str | None
    replicas: Mapping[str, int]
    autoscale: Mapping[str, Autoscale]
    webui_service_type: str
    webui_node_port: int | None
    webui_node_address: str
    webui_access: IngressAccess | RouteAccess | None
    webui_from: tuple[Peer, ...]
    network_policies: bool
    observability: ObservabilityArgs
    rollout_seconds: int


def read_application(reader: Reader) -> ApplicationSettings:
    """Read them; mistakes are noted in ``reader``."""
    profile = cast("Profile", reader.choice("profile", ("teaching", "full")))
    image = reader.text("redisImage", PINNED, is_pinned, "redis:8-trixie")
    autoscale = _autoscale(reader)
    service_type = reader.choice("webuiServiceType", ("ClusterIP", "NodePort", "LoadBalancer"))
    return ApplicationSettings(
        profile=profile,
        redis=_redis(reader, profile, image),
        redis_image=image,
        redis_version=parse(image).tag if is_pinned(image) else None,
        replicas=_replicas(reader, autoscale),
        autoscale=autoscale,
        webui_service_type=service_type,
        webui_node_port=reader.optional_number("webuiNodePort", _NODE_PORTS),
        webui_node_address=reader.text(
            "webuiNodeAddress", "a host name or an IPv4 address", matches(_ADDRESS), "localhost"
        ),
        webui_access=_webui_access(reader, service_type),
        webui_from=_webui_from(reader),
        network_policies=reader.switch("networkPolicies"),
        observability=_observability(reader),
        rollout_seconds=reader.number("rolloutSeconds", _SECONDS, 300),
    )


def is_pinned(value: str) -> bool:
    """Whether an image reference is whole and stays the same: it has a digest, or a tag that is not ``latest``."""
    try:
        reference = parse(value)
    except ReferenceFormatError:
        return False
    # A text without a host has a first component that only looks like one, so nobody could pull it.
    return bool(reference.host) and (reference.digest is not None or reference.tag not in (None, "latest"))


def _autoscale(reader: Reader) -> dict[str, Autoscale]:
    scaled: dict[str, Autoscale] = {}
    for service in sorted(reader.section("autoscale", '\'{"hasher": {"max": 5}}\'')):
        key = f"autoscale.{service}"
        if service not in AUTOSCALED_SERVICES:
            reader.text(key, "", lambda _: True, "")
            reader.note(
                key,
                "a service that is not scaled by its load",
                f"one of {', '.join(AUTOSCALED_SERVICES)}",
                reader.to_remove(key),
            )
            continue
        if not reader.section(key, "'{\"max\": 5}'", required=True):
            continue
        least = reader.optional_number(f"{key}.min", _AUTOSCALED) or 1
        most = reader.number(f"{key}.max", _AUTOSCALED, 5)
        percent = reader.optional_number(f"{key}.cpu", _CPU_PERCENT) or Autoscale.cpu_percent
        if least <= most:
            scaled[service] = Autoscale(least, most, percent)
        elif most:
            reader.refuse(
                f"{key}.max", str(most), f"no less than {reader.project}:{key}.min, which is {least}", str(least)
            )
    return scaled


def _replicas(reader: Reader, autoscale: Mapping[str, Autoscale]) -> dict[str, int]:
    replicas: dict[str, int] = {}
    for service in SCALED_SERVICES:
        key = f"{service}Replicas"
        said = reader.optional_number(key, _REPLICAS)
        if said is not None and service in autoscale:
            reader.note(
                key,
                repr(str(said)),
                f"nothing, since {reader.project}:autoscale.{service} lets the cluster choose the number of pods",
                reader.to_remove(key),
            )
        replicas[service] = 1 if said is None else said
    return replicas


def _redis(reader: Reader, profile: Profile, image: str) -> RedisArgs:
    size = "a number with Mi, Gi or Ti"
    memory = reader.optional("redisMemory", size, matches(_SIZE), "1Gi")
    storage = reader.optional("redisStorage", size, matches(_SIZE), "1Gi")
    storage_class = reader.optional("redisStorageClass", "the name of a storage class", is_subdomain, "gp3")
    if storage_class and not storage:
        reader.refuse("redisStorage", "", f"the size of the volume of {reader.project}:redisStorageClass", "1Gi")
    return RedisArgs(
        image=image,
        memory=memory or (_TEACHING_MEMORY if profile == "teaching" else _FULL_MEMORY),
        storage=storage,
        storage_class=storage_class,
        password=_redis_password(reader),
    )


def _redis_password(reader: Reader) -> str | None:
    password = reader.secret("redisPassword")
    if password and not (len(password) in _PASSWORD_LENGTHS and _VISIBLE.fullmatch(password)):
        reader.note(
            "redisPassword",
            "a secret that is not shown here",
            f"{_PASSWORD_LENGTHS.start} to {_PASSWORD_LENGTHS.stop - 1} visible ASCII characters, without blanks",
            f'{reader.to_set_secret("redisPassword")} "$(openssl rand -hex 24)"',
        )
    return password


def _webui_access(reader: Reader, service_type: str) -> IngressAccess | RouteAccess | None:
    through_ingress = _ingress(reader)
    through_route = _route(reader)
    if through_ingress and through_route:
        reader.note(
            "webuiRoute",
            f"a route at {through_route.host}",
            f"nothing, since {reader.project}:webuiIngress leads to webui already",
            reader.to_remove("webuiRoute"),
        )
    access = through_ingress or through_route
    if access and service_type in ("NodePort", "LoadBalancer"):
        key = "webuiIngress" if through_ingress else "webuiRoute"
        reader.refuse(
            "webuiServiceType", service_type, f"ClusterIP, since {reader.project}:{key} leads to webui", "ClusterIP"
        )
    return access


def _ingress(reader: Reader) -> IngressAccess | None:
    given = reader.section("webuiIngress", '\'{"host": "coins.example.com"}\'')
    host = _host(reader, "webuiIngress", wanted=bool(given))
    ingress_class = reader.optional("webuiIngress.class", "the name of an ingress class", is_subdomain, "nginx")
    secret = reader.optional("webuiIngress.tlsSecret", _A_NAME, is_subdomain, "coins-tls")
    issuer = reader.optional("webuiIngress.clusterIssuer", _A_NAME, is_subdomain, "letsencrypt")
    tls = reader.choice("webuiIngress.tls", ("true", "false"), "true" if secret or issuer else "false") == "true"
    annotations = reader.mapping(
        "webuiIngress.annotations", "annotations, as a mapping of names to texts", '\'{"name": "value"}\''
    )
    for name in annotations:
        if not is_qualified_name(name.lower()):
            reader.refuse_entry("webuiIngress.annotations", name, _A_KEY, name)
    if not tls and (secret or issuer):
        key = "tlsSecret" if secret else "clusterIssuer"
        reader.refuse(
            "webuiIngress.tls", "false", f"true, since {reader.project}:webuiIngress.{key} is about TLS", "true"
        )
    if not host:
        return None
    # cert-manager puts the certificate into the Secret that the Ingress names.
    named = secret or ("webui-tls" if issuer else None)
    return IngressAccess(host, ingress_class, tls, named, issuer, annotations)


def _route(reader: Reader) -> RouteAccess | None:
    given = reader.section("webuiRoute", '\'{"host": "coins.example.com", "gateway": "web", "namespace": "gateways"}\'')
    host = _host(reader, "webuiRoute", wanted=bool(given))
    values: list[str] = []
    for key, accepted, accepts, example in (
        ("gateway", "the name of a Gateway", is_subdomain, "web"),
        ("namespace", "the namespace of that Gateway", is_label, "gateways"),
    ):
        read = reader.text if given else reader.optional
        values.append(read(f"webuiRoute.{key}", accepted, accepts, example) or "")
    section = reader.optional("webuiRoute.section", "the name of a Gateway's listener", is_subdomain, "https")
    https = reader.choice("webuiRoute.tls", ("true", "false"), "true") == "true"
    return RouteAccess(host, values[0], values[1], section, https) if host else None


def _host(reader: Reader, section: str, *, wanted: bool) -> str | None:
    key = f"{section}.host"
    host = reader.optional(key, _A_HOST, lambda text: "." in text and is_host(text), "coins.example.com")
    if wanted and not host:
        reader.refuse(key, "", f"{_A_HOST}, since {reader.project}:{section} is to lead there", "coins.example.com")
    return host


def _webui_from(reader: Reader) -> tuple[Peer, ...]:
    accepted = "a range of addresses such as 192.0.2.0/24, or the name of a namespace"
    texts = reader.texts("webuiFrom", accepted, lambda text: None if _peer(text) else accepted, '"192.0.2.0/24"')
    return tuple(peer for peer in map(_peer, texts) if peer)


def _peer(text: str) -> Peer | None:
    if is_label(text):
        return Peer(namespace=text)
    try:
        return Peer(addresses=str(ip_network(text))) if "/" in text else None
    except ValueError:
        return None


def _observability(reader: Reader) -> ObservabilityArgs:
    given = reader.section("metrics", '\'{"scrape": "annotations"}\'')
    scrape = cast("Scrape", reader.choice("metrics.scrape", ("none", "annotations", "podMonitor"), "none"))
    namespace = reader.optional("metrics.namespace", _A_NAMESPACE, is_label, "monitoring")
    labels = reader.mapping(
        "metrics.labels", "labels, as a mapping of names to values", '\'{"release": "prometheus"}\''
    )
    for name, value in labels.items():
        if not is_qualified_name(name):
            reader.refuse_entry("metrics.labels", name, _A_KEY, name)
        elif not is_label_value(value):
            reader.refuse_entry("metrics.labels", name, _A_LABEL_VALUE, value)
    if labels and scrape != "podMonitor":
        reader.refuse(
            "metrics.scrape",
            scrape if "scrape" in given else "",
            f"podMonitor, since {reader.project}:metrics.labels are those of a PodMonitor",
            "podMonitor",
        )
    return ObservabilityArgs(
        log_level=reader.choice("logLevel", ("debug", "info", "warning", "error")),
        otlp_endpoint=reader.optional(
            "otlpEndpoint",
            "the http:// or https:// address of an OpenTelemetry collector",
            matches(_ENDPOINT),
            "http://collector.monitoring:4318",
        ),
        scrape=scrape,
        namespace=namespace or ObservabilityArgs.namespace,
        monitor_labels=labels,
    )
