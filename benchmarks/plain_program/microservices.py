"""So many microservices of one image each, as `benchmarks/growing` has them, by the SDKs directly."""

from __future__ import annotations

from pathlib import Path

import pulumi
import pulumi_docker as docker
import pulumi_kubernetes as k8s
from objects import labels, new_place, probe, resources, service_in_front, workload
from pulumi_kubernetes.core import v1 as core

config = pulumi.Config()
host, user, password = config.require("registry"), config.require("user"), config.require_secret("password")
name = pulumi.get_stack()
daemon = docker.Provider("docker")
cluster = k8s.Provider("cluster", kubeconfig=config.require_secret("kubeconfig"))
on_cluster = pulumi.ResourceOptions(provider=cluster)
place = new_place(name, {}, host=host, login=(user, password), opts=on_cluster)
for context in sorted(Path("services").iterdir()):
    service = context.name
    image = docker.Image(
        service,
        image_name=f"{host}/{name}/{service}:1",
        build=docker.DockerBuildArgs(context=f"./{context}", platform=config.require("platform")),
        registry=docker.RegistryArgs(server=host, username=user, password=password),
        opts=pulumi.ResourceOptions(provider=daemon),
    )
    its_labels = labels(name, service)
    workload(
        place,
        service,
        its_labels,
        user=10001,
        container={
            "image": image.repo_digest,
            "ports": [core.ContainerPortArgs(name="http", container_port=8080, protocol="TCP")],
            "resources": resources("32Mi", cpu="1m", disk="16Mi"),
            "startup_probe": probe(1, 60, 8080),
            "liveness_probe": probe(10, 3, 8080),
            "readiness_probe": probe(2, 2, 8080),
        },
        pre_stop=None,
    )
    service_in_front(place, service, its_labels, kind="ClusterIP", protocol="http", port=80, target=8080)
