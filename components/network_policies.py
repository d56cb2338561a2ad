"""NetworkPolicies of a namespace: nobody talks to anybody, but those who are said to.

What https://kubernetes.io/docs/concepts/services-networking/network-policies/ says of them holds here: they work where
the cluster's network enforces them; a pod may always be reached from its own node, so that probes and port-forwards
work; and a connection that may be opened may be answered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

import pulumi
import pulumi_kubernetes as kubernetes

meta = kubernetes.meta.v1
networking = kubernetes.networking.v1

_NAMESPACE_LABEL: Final = "kubernetes.io/metadata.name"  # set by the API server itself
_SERVICE_LABEL: Final = "app.kubernetes.io/name"
_DNS_PORT: Final = 53
# Where NodeLocal DNSCache listens, if a cluster has it, for pods that ask kube-dns:
# https://kubernetes.io/docs/tasks/administer-cluster/nodelocaldns/
_NODE_LOCAL_DNS: Final = "169.254.20.10/32"
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_OF_THE_CLUSTER: Final = ("svc", "svc.cluster.local")


@dataclass(frozen=True)
class Peer:
    """Who is at the other end: pods, or a range of ``addresses`` (CIDR).

    Pods are those of a ``service`` in the same namespace, or all of another ``namespace``, or those of it that bear
    ``labels``.
    """

    service: str | None = None
    namespace: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    addresses: str | None = None


@dataclass(frozen=True)
class Way:
    """Connections to ``port`` of the pods that are called, with ``peers``; with anybody where that is ``None``."""

    port: int
    peers: Sequence[Peer] | None
    protocols: Sequence[str] = ("TCP",)


@dataclass(frozen=True)
class Policy:
    """What the pods with ``labels`` may do: be called by ``into``, and call ``out``; anybody where that is ``None``."""

    labels: Mapping[str, str]
    into: Sequence[Way] = ()
    out: Sequence[Way] | None = ()


DNS: Final = Way(
    _DNS_PORT,
    (Peer(namespace="kube-system", labels={"k8s-app": "kube-dns"}), Peer(addresses=_NODE_LOCAL_DNS)),
    ("UDP", "TCP"),
)
"""The way to the cluster's name service, which all need who call others by name."""


def service_labels(service: str) -> Mapping[str, str]:
    """The labels of the pods of a service."""
    return {_SERVICE_LABEL: service}


def way_to(url: str) -> Way:
    """The way to a server outside of the namespace, by its ``http://`` or ``https://`` address.

    ``<service>.<namespace>``, also with ``.svc`` or ``.svc.cluster.local`` behind it, are the pods of that namespace.
    A Service that listens on another port than its pods is not seen by policies, which judge the pods' port. An IP
    address is itself. Policies know no names of hosts, so with any other name the port is open to every address.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or _DEFAULT_PORTS[parts.scheme]
    try:
        return Way(port, (Peer(addresses=str(ip_network(ip_address(host)))),))
    except ValueError:
        pass
    service, _, rest = host.partition(".")
    namespace, _, suffix = rest.partition(".")
    if service and namespace and ((not suffix and not host.endswith(".")) or suffix in _OF_THE_CLUSTER):
        return Way(port, (Peer(namespace=namespace),))
    return Way(port, None)


class NetworkPolicies(pulumi.ComponentResource):
    """The policies of a namespace: one that denies everything, and for each of ``policies`` one that allows.

    The name of the denying one is ``default-deny``, the others bear their keys.
    """

    def __init__(
        self,
        name: str,
        policies: Mapping[str, Policy],
        *,
        namespace: pulumi.Input[str],
        labels: Mapping[str, pulumi.Input[str]] | None = None,
        provider: kubernetes.Provider | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare them."""
        super().__init__("dockercoins:kubernetes:NetworkPolicies", name, None, opts)
        for policy_name, policy in {"default-deny": Policy({}), **policies}.items():
            network_policy(
                policy_name,
                policy,
                metadata=meta.ObjectMetaArgs(name=policy_name, namespace=namespace, labels=labels),
                opts=pulumi.ResourceOptions(parent=self, provider=provider),
            )
        self.register_outputs({})


def network_policy(
    name: str, policy: Policy, *, metadata: meta.ObjectMetaArgs, opts: pulumi.ResourceOptions
) -> networking.NetworkPolicy:
    """One policy, for who has pods in a namespace that others close."""
    return networking.NetworkPolicy(name, metadata=metadata, spec=_spec(policy), opts=opts)


def _spec(policy: Policy) -> networking.NetworkPolicySpecArgs:
    ingress = [networking.NetworkPolicyIngressRuleArgs(from_=_peers(way), ports=_ports(way)) for way in policy.into]
    egress = (
        [networking.NetworkPolicyEgressRuleArgs()]
        if policy.out is None
        else [networking.NetworkPolicyEgressRuleArgs(to=_peers(way), ports=_ports(way)) for way in policy.out]
    )
    return networking.NetworkPolicySpecArgs(
        pod_selector=meta.LabelSelectorArgs(match_labels=policy.labels or None),
        policy_types=["Ingress", "Egress"],
        ingress=ingress or None,
        egress=egress or None,
    )


def _ports(way: Way) -> list[networking.NetworkPolicyPortArgs]:
    return [networking.NetworkPolicyPortArgs(port=way.port, protocol=protocol) for protocol in way.protocols]


def _peers(way: Way) -> list[networking.NetworkPolicyPeerArgs] | None:
    return None if way.peers is None else [_peer(peer) for peer in way.peers]


def _peer(peer: Peer) -> networking.NetworkPolicyPeerArgs:
    if peer.addresses is not None:
        return networking.NetworkPolicyPeerArgs(ip_block=networking.IPBlockArgs(cidr=peer.addresses))
    pods = service_labels(peer.service) if peer.service else peer.labels
    return networking.NetworkPolicyPeerArgs(
        namespace_selector=meta.LabelSelectorArgs(match_labels={_NAMESPACE_LABEL: peer.namespace})
        if peer.namespace
        else None,
        pod_selector=meta.LabelSelectorArgs(match_labels=pods) if pods else None,
    )
