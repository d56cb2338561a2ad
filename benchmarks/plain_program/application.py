"""The objects of the application's stack in the sandbox, declared with the SDKs directly and with nothing else.

This is what somebody writes who follows the examples of pulumi-aws, pulumi-docker and pulumi-kubernetes and wants the
same objects. The benchmarks compare with it; a test compares its objects with the application's.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TypedDict

import pulumi
import pulumi_aws as aws
import pulumi_docker as docker
import pulumi_kubernetes as k8s
from objects import labels, new_place, peer, policy, probe, resources, service_in_front, tcp, workload
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


# --- Namespace, repositories, images, pull secret. ---
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
place = new_place(
    name, labels(name, "dockercoins"), host=host, login=(token.user_name, token.password), opts=on_cluster
)

# --- Redis, the four services, and who may talk to whom. ---
redis_image = config.require("redisImage")
redis_labels = labels(name, "redis", "database", redis_image.rpartition(":")[2])
ping = ["redis-cli", "ping"]
workload(
    place,
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
        "readiness_probe": probe(5, 2, ["sh", "-c", "redis-cli ping | grep -q PONG"]),
    },
    pre_stop=1,
    volumes=[core.VolumeArgs(name="writable-0", empty_dir=core.EmptyDirVolumeSourceArgs())],
)
service_in_front(place, "redis", redis_labels, kind="ClusterIP", protocol="redis", port=6379, target=6379)
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
    its_labels = labels(name, service, its["component"], version)
    workload(
        place,
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
        service_in_front(place, service, its_labels, kind=kind, protocol="http", port=80, target=port)

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
network_labels = labels(name, "network")
policy(place, "default-deny", network_labels)
for service, port in {"redis": 6379, **{service: its["port"] for service, its in SERVICES.items()}}.items():
    callers = [peer(caller) for caller in CALLERS[service]] if service in CALLERS else None
    calls = [
        networking.NetworkPolicyEgressRuleArgs(to=[peer(called)], ports=tcp(number))
        for called, number in CALLS.get(service, {}).items()
    ]
    policy(
        place,
        service,
        network_labels,
        selector={"app.kubernetes.io/name": service},
        ingress=[networking.NetworkPolicyIngressRuleArgs(from_=callers, ports=tcp(port))] if port else None,
        egress=[*calls, dns] if calls else None,
    )
pulumi.export("images", {service: image.repo_digest for service, image in images.items()})
