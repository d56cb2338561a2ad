"""Ways from a browser outside of the cluster to a Service in it, beside the types of a Service: Ingress and Gateway."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pulumi
import pulumi_kubernetes as kubernetes

meta = kubernetes.meta.v1
networking = kubernetes.networking.v1

_GATEWAY_API: Final = "gateway.networking.k8s.io/v1"
_ISSUER_ANNOTATION: Final = "cert-manager.io/cluster-issuer"


@dataclass(frozen=True)
class IngressAccess:
    """An Ingress at ``host``.

    Attributes:
        host: the name that browsers ask for.
        ingress_class: the class whose controller serves it; the cluster's default class without one.
        tls: whether the controller speaks TLS for it.
        tls_secret: the Secret with the certificate; without one, the controller's own certificate is used.
        cluster_issuer: the ClusterIssuer by which cert-manager puts a certificate into ``tls_secret``.
        annotations: what the controller wants to know besides.
    """

    host: str
    ingress_class: str | None = None
    tls: bool = False
    tls_secret: str | None = None
    cluster_issuer: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def url(self) -> str:
        """The address for a browser."""
        return f"{'https' if self.tls else 'http'}://{self.host}/"


@dataclass(frozen=True)
class RouteAccess:
    """An HTTPRoute at ``host`` that hangs on a Gateway, by which TLS ends there (``https``) or is not spoken.

    ``section`` is the Gateway's listener; without one, each listener takes the route that may.
    """

    host: str
    gateway: str
    gateway_namespace: str
    section: str | None = None
    https: bool = True

    @property
    def url(self) -> str:
        """The address for a browser."""
        return f"{'https' if self.https else 'http'}://{self.host}/"


def ingress(
    name: str,
    access: IngressAccess,
    *,
    service: kubernetes.core.v1.Service,
    port_name: str,
    labels: Mapping[str, pulumi.Input[str]],
    opts: pulumi.ResourceOptions,
) -> networking.Ingress:
    """The Ingress before a Service. A class that the cluster lacks is told before it."""
    found = (
        [networking.IngressClass.get(f"{name}IngressClass", access.ingress_class, opts=opts)]
        if access.ingress_class
        else []
    )
    # Not every controller tells an address, and nothing here needs it: the host's name is what browsers ask for.
    annotations = {"pulumi.com/skipAwait": "true", **access.annotations}
    if access.cluster_issuer:
        annotations[_ISSUER_ANNOTATION] = access.cluster_issuer
    return networking.Ingress(
        name,
        metadata=meta.ObjectMetaArgs(
            name=name, namespace=service.metadata.namespace, labels=labels, annotations=annotations
        ),
        spec=networking.IngressSpecArgs(
            ingress_class_name=access.ingress_class,
            tls=[networking.IngressTLSArgs(hosts=[access.host], secret_name=access.tls_secret)] if access.tls else None,
            rules=[
                networking.IngressRuleArgs(
                    host=access.host,
                    http=networking.HTTPIngressRuleValueArgs(
                        paths=[
                            networking.HTTPIngressPathArgs(
                                path="/",
                                path_type="Prefix",
                                backend=networking.IngressBackendArgs(
                                    service=networking.IngressServiceBackendArgs(
                                        name=service.metadata.name,
                                        port=networking.ServiceBackendPortArgs(name=port_name),
                                    )
                                ),
                            )
                        ]
                    ),
                )
            ],
        ),
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=found)),
    )


def route(
    name: str,
    access: RouteAccess,
    *,
    service: kubernetes.core.v1.Service,
    port: int,
    labels: Mapping[str, pulumi.Input[str]],
    opts: pulumi.ResourceOptions,
) -> kubernetes.apiextensions.CustomResource:
    """The HTTPRoute before a Service. A Gateway that the cluster lacks is told before it."""
    found = kubernetes.apiextensions.CustomResource.get(
        f"{name}Gateway", _GATEWAY_API, "Gateway", f"{access.gateway_namespace}/{access.gateway}", opts=opts
    )
    parent: dict[str, Any] = {"name": access.gateway, "namespace": access.gateway_namespace}
    if access.section:
        parent["sectionName"] = access.section
    return kubernetes.apiextensions.CustomResource(
        name,
        api_version=_GATEWAY_API,
        kind="HTTPRoute",
        metadata=meta.ObjectMetaArgs(name=name, namespace=service.metadata.namespace, labels=labels),
        spec={
            "parentRefs": [parent],
            "hostnames": [access.host],
            "rules": [{"backendRefs": [{"name": service.metadata.name, "port": port}]}],
        },
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[found])),
    )
