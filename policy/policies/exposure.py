"""Policies about what the world can reach, and how."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from .rules import Resource, Rule, Setting, Settings
from .values import UNKNOWN, at, elements, mapping

OPEN: Final = "dockercoins/open-to-the-world"
"""The annotation of a Service that says that it is meant to be reached by everybody, with the value ``yes``."""

_EVERYBODY: Final = ("0.0.0.0/0", "::/0")
# What asks a cloud for a load balancer that only its own network reaches, and the value that does.
_INTERNAL: Final = {
    "service.beta.kubernetes.io/aws-load-balancer-scheme": "internal",
    "service.beta.kubernetes.io/aws-load-balancer-internal": "true",
    "service.beta.kubernetes.io/azure-load-balancer-internal": "true",
    "networking.gke.io/load-balancer-type": "Internal",
}


def _open_load_balancers(resource: Resource, settings: Settings) -> Iterator[str]:
    if not resource.type.startswith("kubernetes:core/") or resource.kind != "Service":
        return
    annotations = mapping(at(resource.properties, "metadata", "annotations"))
    if annotations.get(OPEN) in {"yes", UNKNOWN} or _named(resource) & set(settings.texts("open")):
        return
    spec = at(resource.properties, "spec")
    how = f'Say so by the annotation {OPEN}: "yes", or by its name in the setting `open`.'
    if elements(at(spec, "externalIPs")):
        yield f"{resource.title}: it has externalIPs, at which everybody may reach it. {how}"
    internal = any(annotations.get(name) in {value, UNKNOWN} for name, value in _INTERNAL.items())
    if at(spec, "type") != "LoadBalancer" or internal:
        return
    ranges = at(spec, "loadBalancerSourceRanges")
    if ranges is UNKNOWN or UNKNOWN in elements(ranges):
        return
    wide = [value for value in elements(ranges) if value in _EVERYBODY]
    if wide or not elements(ranges):
        has = f"loadBalancerSourceRanges with {wide[0]}" if wide else "no loadBalancerSourceRanges"
        yield (
            f"{resource.title}: it is a LoadBalancer with {has}, so it is open to the world. Accepted are ranges of "
            f"addresses, or an annotation for an internal load balancer. {how}"
        )


def _plain_ingresses(resource: Resource, settings: Settings) -> Iterator[str]:
    if not resource.is_of_kubernetes or resource.kind != "Ingress":
        return
    certificates = at(resource.properties, "spec", "tls")
    if certificates is UNKNOWN:
        return
    # An entry without hosts is for all of them.
    covered = [elements(at(entry, "hosts")) or ("",) for entry in elements(certificates)]
    hosts = {name for names in covered for name in names}
    for rule in elements(at(resource.properties, "spec", "rules")):
        host = at(rule, "host")
        name = "every host" if host is None else host
        if not isinstance(name, str) or {"", UNKNOWN} & hosts or name in settings.texts("plain"):
            continue
        if not {name, f"*.{name.partition('.')[2]}"} & hosts:
            yield (
                f"{resource.title}: {name} is served without TLS. Accepted is an entry of spec.tls for it, or its name "
                "in the setting `plain`."
            )


def _named(resource: Resource) -> set[str]:
    name, namespace = (at(resource.properties, "metadata", part) for part in ("name", "namespace"))
    return {str(name), f"{namespace}/{name}"}


RULES: Final = (
    Rule(
        "no-open-load-balancer",
        "No Service is open to the world without saying so.",
        _open_load_balancers,
        (Setting("open", (), "Names of Services that are meant to be, as name or namespace/name."),),
    ),
    Rule(
        "ingress-over-tls",
        "Pages are served over TLS.",
        _plain_ingresses,
        (Setting("plain", (), "Hosts that may be served without."),),
        level="advisory",
    ),
)
"""Policies about one resource."""
