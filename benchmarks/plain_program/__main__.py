"""The objects of the application's stack in the sandbox, declared with the SDKs directly and with nothing else.

This is what somebody writes who follows the examples of pulumi-aws, pulumi-docker and pulumi-kubernetes and wants the
same objects. The benchmarks compare with it; a test compares its objects with the application's.
"""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any, TypedDict

import pulumi
import pulumi_aws as aws
import pulumi_docker as docker
import pulumi_kubernetes as k8s
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta
from pulumi_kubernetes.networking import v1 as networking

config = pulumi.Config()
name = config.require("namespace")
host = config.require("host")
endpoint = config.require("awsEndpoint")
teaching = config.get_bool("teaching") or False
version = "1"

amazon = aws.Provider(
    "aws",
    region="us-east-1",
    allowed_account_ids=[config.require("awsAccount")],
    endpoints=[aws.ProviderEndpointArgs(ecr=endpoint, sts=endpoint, iam=endpoint)],
)
daemon = docker.Provider("docker")
cluster = k8s.Provider(
    "cluster",
    kubeconfig=pulumi.Output.secret(Path(os.environ["KUBECONFIG"]).read_text()),
    context=config.require("kubeContext"),
)
on_amazon = pulumi.ResourceOptions(provider=amazon)
on_cluster = pulumi.ResourceOptions(provider=cluster)


class Service(TypedDict):
    """What one of the four services has of its own."""

    component: str
    port: int | None
    env: dict[str, str]


DELAY = {"DELAY_SECONDS": "0.1"} if teaching else {}
ONE_BY_ONE = {"CONCURRENCY": "1"} if teaching else {}
REDIS = {"REDIS_HOST": "redis"}
URLS = {"RNG_URL": "http://rng:80", "HASHER_URL": "http://hasher:80"}
SERVICES: dict[str, Service] = {
    "hasher": {"component": "backend", "port": 8080, "env": DELAY},
    "rng": {"component": "backend", "port": 8080, "env": DELAY | ONE_BY_ONE},
    "webui": {"component": "frontend", "port": 8080, "env": REDIS},
    "worker": {"component": "worker", "port": None, "env": URLS | REDIS | DELAY | ONE_BY_ONE},
}
CALLERS = {"hasher": ["worker"], "rng": ["worker"], "redis": ["worker", "webui"]}
CALLS = {"webui": {"redis": 6379}, "worker": {"rng": 8080, "hasher": 8080, "redis": 6379}}


def labels(service: str, component: str | None = None, version: str | None = None) -> dict[str, str]:
    """The recommended labels of Kubernetes."""
    return {
        "app.kubernetes.io/name": service,
        "app.kubernetes.io/instance": name,
        "app.kubernetes.io/part-of": "dockercoins",
        "app.kubernetes.io/managed-by": "pulumi",
        **({"app.kubernetes.io/component": component} if component else {}),
        **({"app.kubernetes.io/version": version} if version else {}),
    }


def metadata(object_name: str, of: dict[str, str]) -> meta.ObjectMetaArgs:
    """The name and the labels of an object in the namespace."""
    return meta.ObjectMetaArgs(name=object_name, namespace=namespace.metadata.name, labels=of)


def probe(period: int, failures: int, check: str | list[str]) -> core.ProbeArgs:
    """A probe that asks for a path, or runs a command."""
    return core.ProbeArgs(
        period_seconds=period,
        failure_threshold=failures,
        timeout_seconds=3,
        http_get=core.HTTPGetActionArgs(path=check, port=8080) if isinstance(check, str) else None,
        exec_=core.ExecActionArgs(command=check) if isinstance(check, list) else None,
    )


def resources(memory: str) -> core.ResourceRequirementsArgs:
    """As much of everything as is requested, and a processor where it is free."""
    own = {"memory": memory, "ephemeral-storage": "128Mi"}
    return core.ResourceRequirementsArgs(requests={**own, "cpu": "25m"}, limits={**own, "cpu": "1"})


def workload(
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
        service, metadata=metadata(service, its_labels), automount_service_account_token=False, opts=on_cluster
    )
    sleep = core.LifecycleHandlerArgs(sleep=core.SleepActionArgs(seconds=pre_stop)) if pre_stop else None
    k8s.apps.v1.Deployment(
        service,
        metadata=metadata(service, its_labels),
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
                    image_pull_secrets=[core.LocalObjectReferenceArgs(name=pull_secret.metadata.name)],
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
        opts=on_cluster,
    )


def service_in_front(
    service: str, its_labels: dict[str, str], *, kind: str, protocol: str, port: int, target: int
) -> None:
    """A Service with one port."""
    core.Service(
        service,
        metadata=metadata(service, its_labels),
        spec=core.ServiceSpecArgs(
            type=kind,
            selector={"app.kubernetes.io/name": service},
            ports=[
                core.ServicePortArgs(
                    name=protocol, protocol="TCP", app_protocol=protocol, port=port, target_port=target
                )
            ],
        ),
        opts=on_cluster,
    )


def policy(
    policy_name: str,
    selector: dict[str, str] | None = None,
    ingress: list[networking.NetworkPolicyIngressRuleArgs] | None = None,
    egress: list[networking.NetworkPolicyEgressRuleArgs] | None = None,
) -> None:
    """A NetworkPolicy that closes everything but these."""
    networking.NetworkPolicy(
        policy_name,
        metadata=metadata(policy_name, labels("network")),
        spec=networking.NetworkPolicySpecArgs(
            policy_types=["Ingress", "Egress"],
            pod_selector=meta.LabelSelectorArgs(match_labels=selector),
            ingress=ingress,
            egress=egress,
        ),
        opts=on_cluster,
    )


def peer(service: str) -> networking.NetworkPolicyPeerArgs:
    """The pods of a service."""
    selector = meta.LabelSelectorArgs(match_labels={"app.kubernetes.io/name": service})
    return networking.NetworkPolicyPeerArgs(pod_selector=selector)


def tcp(port: int) -> list[networking.NetworkPolicyPortArgs]:
    """One port."""
    return [networking.NetworkPolicyPortArgs(protocol="TCP", port=port)]


# --- Namespace, repositories, images, pull secret. ---
namespace = core.Namespace(
    "namespace",
    metadata=meta.ObjectMetaArgs(
        name=name,
        labels={
            **labels("dockercoins"),
            **{f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")},
            **{f"pod-security.kubernetes.io/{mode}-version": "v1.34" for mode in ("enforce", "audit", "warn")},
        },
    ),
    opts=on_cluster,
)
token = aws.ecr.get_authorization_token_output(opts=pulumi.InvokeOptions(provider=amazon))
EXPIRE_UNTAGGED = {
    "rulePriority": 1,
    "selection": {
        "tagStatus": "untagged",
        "countType": "sinceImagePushed",
        "countUnit": "days",
        "countNumber": 14,
    },
    "action": {"type": "expire"},
}
images: dict[str, docker.Image] = {}
for service in SERVICES:
    repository = aws.ecr.Repository(
        service,
        name=f"{config.require('prefix')}/{service}",
        force_delete=True,
        image_scanning_configuration=aws.ecr.RepositoryImageScanningConfigurationArgs(scan_on_push=True),
        opts=on_amazon,
    )
    aws.ecr.LifecyclePolicy(
        service, repository=repository.name, policy=json.dumps({"rules": [EXPIRE_UNTAGGED]}), opts=on_amazon
    )
    images[service] = docker.Image(
        service,
        image_name=pulumi.Output.format("{0}/{1}:{2}", host, repository.name, version),
        build=docker.DockerBuildArgs(
            context=f"./services/{service}",
            platform=config.require("platform"),
            args={"PYTHON_IMAGE": config.require("pythonImage")},
        ),
        registry=docker.RegistryArgs(server=host, username=token.user_name, password=token.password),
        opts=pulumi.ResourceOptions(provider=daemon),
    )


def docker_config(login: list[str]) -> str:
    """The content of a pull secret."""
    user, password = login
    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    return json.dumps({"auths": {host: {"username": user, "password": password, "auth": auth}}})


pull_secret = core.Secret(
    "pull",
    metadata=meta.ObjectMetaArgs(namespace=namespace.metadata.name),
    type="kubernetes.io/dockerconfigjson",
    string_data={".dockerconfigjson": pulumi.Output.all(token.user_name, token.password).apply(docker_config)},
    opts=on_cluster,
)

# --- Redis, the four services, and who may talk to whom. ---
redis_image = config.require("redisImage")
redis_labels = labels("redis", "database", redis_image.rpartition(":")[2])
ping = ["redis-cli", "ping"]
workload(
    "redis",
    redis_labels,
    user=999,
    container={
        "image": redis_image,
        "command": [
            *("redis-server", "--save", "", "--appendonly", "no"),
            *("--maxmemory", str((192 if teaching else 768) * 2**20), "--maxmemory-policy", "noeviction"),
            *("--protected-mode", "no", "--dir", "/data"),
        ],
        "ports": [core.ContainerPortArgs(name="redis", container_port=6379, protocol="TCP")],
        "resources": resources("256Mi" if teaching else "1Gi"),
        "volume_mounts": [core.VolumeMountArgs(name="writable-0", mount_path="/data")],
        "startup_probe": probe(1, 60, ping),
        "liveness_probe": probe(10, 3, ping),
        "readiness_probe": probe(2, 2, ["sh", "-c", "redis-cli ping | grep -q PONG"]),
    },
    pre_stop=1,
    volumes=[core.VolumeArgs(name="writable-0", empty_dir=core.EmptyDirVolumeSourceArgs())],
)
service_in_front("redis", redis_labels, kind="ClusterIP", protocol="redis", port=6379, target=6379)
for service, its in SERVICES.items():
    port = its["port"]
    environment = {
        **its["env"],
        "SERVICE_VERSION": version,
        "LOG_LEVEL": "info",
        "METRICS_PORT": "9090",
        "DRAIN_SECONDS": "2" if port else "0",
        "GRACE_SECONDS": "18",
    }
    ports = {"http": port, "metrics": 9090}
    its_labels = labels(service, its["component"], version)
    workload(
        service,
        its_labels,
        user=10001,
        container={
            "image": images[service].repo_digest,
            "env": [core.EnvVarArgs(name=key, value=value) for key, value in environment.items()],
            "ports": [
                core.ContainerPortArgs(name=port_name, container_port=number, protocol="TCP")
                for port_name, number in ports.items()
                if number
            ],
            "resources": resources("128Mi"),
            "startup_probe": probe(1, 60, "/healthz"),
            "liveness_probe": probe(10, 3, "/healthz"),
            "readiness_probe": probe(2, 2, "/readyz"),
        },
        pre_stop=5 if port else None,
    )
    if port:
        kind = "NodePort" if service == "webui" else "ClusterIP"
        service_in_front(service, its_labels, kind=kind, protocol="http", port=80, target=port)

dns = networking.NetworkPolicyEgressRuleArgs(
    to=[
        networking.NetworkPolicyPeerArgs(
            namespace_selector=meta.LabelSelectorArgs(match_labels={"kubernetes.io/metadata.name": "kube-system"}),
            pod_selector=meta.LabelSelectorArgs(match_labels={"k8s-app": "kube-dns"}),
        ),
        networking.NetworkPolicyPeerArgs(ip_block=networking.IPBlockArgs(cidr="169.254.20.10/32")),
    ],
    ports=[networking.NetworkPolicyPortArgs(protocol=protocol, port=53) for protocol in ("UDP", "TCP")],
)
policy("default-deny")
for service, port in {"redis": 6379, **{service: its["port"] for service, its in SERVICES.items()}}.items():
    callers = [peer(caller) for caller in CALLERS[service]] if service in CALLERS else None
    calls = [
        networking.NetworkPolicyEgressRuleArgs(to=[peer(called)], ports=tcp(number))
        for called, number in CALLS.get(service, {}).items()
    ]
    policy(
        service,
        {"app.kubernetes.io/name": service},
        ingress=[networking.NetworkPolicyIngressRuleArgs(from_=callers, ports=tcp(port))] if port else None,
        egress=[*calls, dns] if calls else None,
    )
pulumi.export("images", {service: image.repo_digest for service, image in images.items()})
