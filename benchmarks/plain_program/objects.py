"""What the plain programs are written with: labels, probes, workloads, Services and NetworkPolicies of Kubernetes."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta
from pulumi_kubernetes.networking import v1 as networking


@dataclass(frozen=True)
class Place:
    """Where objects go."""

    namespace: pulumi.Output[str]
    pull_secret: pulumi.Output[str]
    opts: pulumi.ResourceOptions


def labels(instance: str, service: str, component: str | None = None, version: str | None = None) -> dict[str, str]:
    """The recommended labels of Kubernetes."""
    return {
        "app.kubernetes.io/name": service,
        "app.kubernetes.io/instance": instance,
        "app.kubernetes.io/part-of": "dockercoins",
        "app.kubernetes.io/managed-by": "pulumi",
        **({"app.kubernetes.io/component": component} if component else {}),
        **({"app.kubernetes.io/version": version} if version else {}),
    }


def metadata(place: Place, object_name: str, its_labels: dict[str, str]) -> meta.ObjectMetaArgs:
    """The name and the labels of an object in the namespace."""
    return meta.ObjectMetaArgs(name=object_name, namespace=place.namespace, labels=its_labels)


def probe(period: int, failures: int, check: str | list[str] | int) -> core.ProbeArgs:
    """A probe that asks for a path, runs a command or opens a port."""
    return core.ProbeArgs(
        period_seconds=period,
        failure_threshold=failures,
        timeout_seconds=3,
        http_get=core.HTTPGetActionArgs(path=check, port=8080) if isinstance(check, str) else None,
        exec_=core.ExecActionArgs(command=check) if isinstance(check, list) else None,
        tcp_socket=core.TCPSocketActionArgs(port=check) if isinstance(check, int) else None,
    )


def resources(memory: str, cpu: str = "25m", disk: str = "128Mi") -> core.ResourceRequirementsArgs:
    """As much of everything as is requested, and a processor where it is free."""
    own = {"memory": memory, "ephemeral-storage": disk}
    return core.ResourceRequirementsArgs(requests={**own, "cpu": cpu}, limits={**own, "cpu": "1"})


def workload(
    place: Place,
    service: str,
    its_labels: dict[str, str],
    *,
    user: int,
    container: dict[str, Any],
    pre_stop: int | None,
    volumes: list[core.VolumeArgs] | None = None,
) -> None:
    """A ServiceAccount, and a Deployment of one container."""
    selector = {"app.kubernetes.io/name": service}
    account = core.ServiceAccount(
        service, metadata=metadata(place, service, its_labels), automount_service_account_token=False, opts=place.opts
    )
    sleep = core.LifecycleHandlerArgs(sleep=core.SleepActionArgs(seconds=pre_stop)) if pre_stop else None
    k8s.apps.v1.Deployment(
        service,
        metadata=metadata(place, service, its_labels),
        spec=k8s.apps.v1.DeploymentSpecArgs(
            replicas=1,
            revision_history_limit=3,
            progress_deadline_seconds=300,
            selector=meta.LabelSelectorArgs(match_labels=selector),
            strategy=k8s.apps.v1.DeploymentStrategyArgs(
                type="RollingUpdate",
                rolling_update=k8s.apps.v1.RollingUpdateDeploymentArgs(max_surge=1, max_unavailable=0),
            ),
            template=core.PodTemplateSpecArgs(
                metadata=meta.ObjectMetaArgs(labels=its_labels),
                spec=core.PodSpecArgs(
                    service_account_name=account.metadata.name,
                    automount_service_account_token=False,
                    enable_service_links=False,
                    termination_grace_period_seconds=30,
                    image_pull_secrets=[core.LocalObjectReferenceArgs(name=place.pull_secret)],
                    security_context=core.PodSecurityContextArgs(
                        run_as_non_root=True,
                        run_as_user=user,
                        run_as_group=user,
                        fs_group=user,
                        fs_group_change_policy="OnRootMismatch",
                        seccomp_profile=core.SeccompProfileArgs(type="RuntimeDefault"),
                    ),
                    topology_spread_constraints=[
                        core.TopologySpreadConstraintArgs(
                            topology_key=key,
                            max_skew=1,
                            when_unsatisfiable="ScheduleAnyway",
                            match_label_keys=["pod-template-hash"],
                            label_selector=meta.LabelSelectorArgs(match_labels=selector),
                        )
                        for key in ("kubernetes.io/hostname", "topology.kubernetes.io/zone")
                    ],
                    volumes=volumes,
                    containers=[
                        core.ContainerArgs(
                            name=service,
                            termination_message_policy="FallbackToLogsOnError",
                            security_context=core.SecurityContextArgs(
                                allow_privilege_escalation=False,
                                read_only_root_filesystem=True,
                                capabilities=core.CapabilitiesArgs(drop=["ALL"]),
                            ),
                            lifecycle=core.LifecycleArgs(pre_stop=sleep) if sleep else None,
                            **container,
                        )
                    ],
                ),
            ),
        ),
        opts=place.opts,
    )


def service_in_front(
    place: Place, service: str, its_labels: dict[str, str], *, kind: str, protocol: str, port: int, target: int
) -> None:
    """A Service with one port."""
    core.Service(
        service,
        metadata=metadata(place, service, its_labels),
        spec=core.ServiceSpecArgs(
            type=kind,
            selector={"app.kubernetes.io/name": service},
            ports=[
                core.ServicePortArgs(
                    name=protocol, protocol="TCP", app_protocol=protocol, port=port, target_port=target
                )
            ],
        ),
        opts=place.opts,
    )


def policy(
    place: Place,
    policy_name: str,
    its_labels: dict[str, str],
    *,
    selector: dict[str, str] | None = None,
    ingress: list[networking.NetworkPolicyIngressRuleArgs] | None = None,
    egress: list[networking.NetworkPolicyEgressRuleArgs] | None = None,
) -> None:
    """A NetworkPolicy that closes everything but these."""
    networking.NetworkPolicy(
        policy_name,
        metadata=metadata(place, policy_name, its_labels),
        spec=networking.NetworkPolicySpecArgs(
            policy_types=["Ingress", "Egress"],
            pod_selector=meta.LabelSelectorArgs(match_labels=selector),
            ingress=ingress,
            egress=egress,
        ),
        opts=place.opts,
    )


def peer(service: str) -> networking.NetworkPolicyPeerArgs:
    """The pods of a service."""
    selector = meta.LabelSelectorArgs(match_labels={"app.kubernetes.io/name": service})
    return networking.NetworkPolicyPeerArgs(pod_selector=selector)


def tcp(port: int) -> list[networking.NetworkPolicyPortArgs]:
    """One port."""
    return [networking.NetworkPolicyPortArgs(protocol="TCP", port=port)]


def new_place(
    namespace: str,
    its_labels: dict[str, str],
    *,
    host: str,
    login: tuple[pulumi.Input[str], pulumi.Input[str]],
    opts: pulumi.ResourceOptions,
) -> Place:
    """A namespace of the Pod Security Standard `restricted`, with a pull secret for a user of the registry."""
    modes = ("enforce", "audit", "warn")
    made = core.Namespace(
        "namespace",
        metadata=meta.ObjectMetaArgs(
            name=namespace,
            labels={
                **its_labels,
                **{f"pod-security.kubernetes.io/{mode}": "restricted" for mode in modes},
                **{f"pod-security.kubernetes.io/{mode}-version": "v1.34" for mode in modes},
            },
        ),
        opts=opts,
    )

    def docker_config(login: list[str]) -> str:
        user, password = login
        auth = base64.b64encode(f"{user}:{password}".encode()).decode()
        return json.dumps({"auths": {host: {"username": user, "password": password, "auth": auth}}})

    secret = core.Secret(
        "pull",
        metadata=meta.ObjectMetaArgs(namespace=made.metadata.name),
        type="kubernetes.io/dockerconfigjson",
        string_data={".dockerconfigjson": pulumi.Output.all(*login).apply(docker_config)},
        opts=opts,
    )
    return Place(made.metadata.name, secret.metadata.name, opts)
