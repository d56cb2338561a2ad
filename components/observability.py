"""What is told about the services, and to whom: logs, metrics for Prometheus, traces for OpenTelemetry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import pulumi
import pulumi_kubernetes as kubernetes

from components.microservice import METRICS_PORT_NAME

Scrape = Literal["none", "annotations", "podMonitor"]

METRICS_PORT: Final = 9090
"""Where the services tell their metrics, and nothing else: who may see the page need not see them."""

_INTERVAL: Final = "15s"


@dataclass(frozen=True)
class ObservabilityArgs:
    """What is told about the services, and to whom.

    Attributes:
        log_level: ``debug``, ``info``, ``warning`` or ``error``.
        otlp_endpoint: the ``http(s)://`` address that traces are sent to, by OTLP over HTTP; ``None`` for no traces.
        scrape: how Prometheus finds the metrics: by ``annotations`` of the pods, by a ``podMonitor`` of its operator
            (which also finds pods that no Service leads to), or not (``none``).
        namespace: where Prometheus runs; only from there, metrics can be read.
        monitor_labels: the labels by which the operator picks its PodMonitors.
    """

    log_level: str = "info"
    otlp_endpoint: str | None = None
    scrape: Scrape = "none"
    namespace: str = "monitoring"
    monitor_labels: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def annotations(self) -> dict[str, str]:
        """The annotations of a pod by which Prometheus' usual configuration finds it."""
        if self.scrape != "annotations":
            return {}
        return {
            "prometheus.io/scrape": "true",
            "prometheus.io/port": str(METRICS_PORT),
            "prometheus.io/path": "/metrics",
        }

    def environment(self, namespace: pulumi.Input[str]) -> dict[str, pulumi.Input[str]]:
        """The variables that tell a service all this."""
        environment: dict[str, pulumi.Input[str]] = {"LOG_LEVEL": self.log_level, "METRICS_PORT": str(METRICS_PORT)}
        if self.otlp_endpoint:
            environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = self.otlp_endpoint
            environment["OTEL_RESOURCE_ATTRIBUTES"] = pulumi.Output.format("service.namespace={0}", namespace)
        return environment


def pod_monitor(
    name: str,
    args: ObservabilityArgs,
    *,
    namespace: pulumi.Input[str],
    labels: Mapping[str, pulumi.Input[str]],
    part_of: str,
    opts: pulumi.ResourceOptions,
) -> kubernetes.apiextensions.CustomResource:
    """The PodMonitor by which the Prometheus Operator finds all pods of an application that tell metrics."""
    return kubernetes.apiextensions.CustomResource(
        name,
        api_version="monitoring.coreos.com/v1",
        kind="PodMonitor",
        metadata=kubernetes.meta.v1.ObjectMetaArgs(
            name=name, namespace=namespace, labels={**labels, **args.monitor_labels}
        ),
        spec={
            "selector": {"matchLabels": {"app.kubernetes.io/part-of": part_of}},
            # A pod without such a port, as redis, is passed over.
            "podMetricsEndpoints": [{"port": METRICS_PORT_NAME, "interval": _INTERVAL}],
            "podTargetLabels": ["app.kubernetes.io/name"],
        },
        opts=opts,
    )
