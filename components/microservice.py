"""A microservice on Kubernetes: a Deployment, and a Service where it listens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import pulumi
import pulumi_kubernetes as kubernetes

core = kubernetes.core.v1

PORT_NAME: Final = "main"
"""The name of a container's port, by which its Service and its probes refer to it."""

_READ_ONLY_USER: Final = 10001


@dataclass(frozen=True)
class Listener:
    """Where a microservice listens: ``container_port`` in its pods, ``port`` for those who call its Service.

    ``service_type`` is ``ClusterIP``, ``NodePort`` or ``LoadBalancer``; ``node_port`` (30000-32767) is for
    ``NodePort``, and without one the cluster picks it.
    """

    container_port: int
    port: int
    service_type: str = "ClusterIP"
    node_port: int | None = None


@dataclass(frozen=True)
class HttpChecks:
    """Paths on ``port`` that tell whether a container lives (or must be restarted) and is ready (or gets no calls)."""

    port: int
    liveness: str = "/healthz"
    readiness: str = "/readyz"


@dataclass(frozen=True)
class CommandChecks:
    """Commands that tell by their exit code, within the container, whether it lives and is ready."""

    liveness: Sequence[str]
    readiness: Sequence[str]


@dataclass(frozen=True)
class MicroserviceArgs:
    """What a :class:`Microservice` is made of.

    ``image`` is the whole reference. ``cpu`` is what a pod asks for; ``memory`` is what it asks for and may not exceed:
    memory that is promised and not there ends in pods killed at random. ``writable`` are folders that the container may
    write to; the rest of its file system is read-only. ``grace_seconds`` is the time that a pod has to finish its work
    when it is stopped; ``rollout_seconds`` is the time that a rollout has before it counts as failed.
    """

    namespace: pulumi.Input[str]
    image: pulumi.Input[str]
    checks: HttpChecks | CommandChecks
    replicas: int = 1
    listener: Listener | None = None
    environment: Mapping[str, pulumi.Input[str]] = field(default_factory=dict[str, "pulumi.Input[str]"])
    command: Sequence[str] = ()
    pull_secret: pulumi.Input[str] | None = None
    user: int = _READ_ONLY_USER
    cpu: str = "25m"
    memory: str = "128Mi"
    writable: Sequence[str] = ()
    grace_seconds: int = 30
    drain_seconds: int = 5
    rollout_seconds: int = 300
    part_of: str | None = None


class Microservice(pulumi.ComponentResource):
    """A Deployment of one container and, where it has a listener, the Service before it.

    Both bear ``name`` itself, since others find a service by it. ``deployment`` is done when every pod of the new
    version is ready. ``service`` is ``None`` without a listener.
    """

    deployment: kubernetes.apps.v1.Deployment
    service: kubernetes.core.v1.Service | None

    def __init__(
        self,
        name: str,
        args: MicroserviceArgs,
        *,
        provider: kubernetes.Provider,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the Deployment and the Service."""
        super().__init__("dockercoins:kubernetes:Microservice", name, None, opts)
        self._child_opts = pulumi.ResourceOptions(parent=self, provider=provider)
        selector = {"app.kubernetes.io/name": name}
        labels = {**selector, **({"app.kubernetes.io/part-of": args.part_of} if args.part_of else {})}
        self.service = self._service(name, args, args.listener, selector, labels) if args.listener else None
        self.deployment = self._deployment(name, args, selector, labels)
        self.register_outputs({"deployment": self.deployment.metadata.name})

    def _service(
        self,
        name: str,
        args: MicroserviceArgs,
        listener: Listener,
        selector: Mapping[str, str],
        labels: Mapping[str, str],
    ) -> kubernetes.core.v1.Service:
        # A Service works once pods are ready, and for that the Deployment waits already. Waiting for its endpoints as
        # well costs ten seconds, since they have to stay unchanged for so long. Only an outside address is worth it.
        annotations = {} if listener.service_type == "LoadBalancer" else {"pulumi.com/skipAwait": "true"}
        return core.Service(
            name,
            metadata=kubernetes.meta.v1.ObjectMetaArgs(
                name=name, namespace=args.namespace, labels=labels, annotations=annotations
            ),
            spec=core.ServiceSpecArgs(
                type=listener.service_type,
                selector=selector,
                ports=[
                    core.ServicePortArgs(
                        name=PORT_NAME,
                        port=listener.port,
                        target_port=PORT_NAME,
                        protocol="TCP",
                        node_port=listener.node_port if listener.service_type == "NodePort" else None,
                    )
                ],
            ),
            # The name is fixed, so that the new one cannot stand beside the old one.
            opts=pulumi.ResourceOptions.merge(self._child_opts, pulumi.ResourceOptions(delete_before_replace=True)),
        )

    def _deployment(
        self, name: str, args: MicroserviceArgs, selector: Mapping[str, str], labels: Mapping[str, str]
    ) -> kubernetes.apps.v1.Deployment:
        timeout = f"{args.rollout_seconds}s"
        return kubernetes.apps.v1.Deployment(
            name,
            metadata=kubernetes.meta.v1.ObjectMetaArgs(name=name, namespace=args.namespace, labels=labels),
            spec=kubernetes.apps.v1.DeploymentSpecArgs(
                replicas=args.replicas,
                selector=kubernetes.meta.v1.LabelSelectorArgs(match_labels=selector),
                revision_history_limit=3,
                progress_deadline_seconds=args.rollout_seconds,
                strategy=kubernetes.apps.v1.DeploymentStrategyArgs(
                    type="RollingUpdate",
                    # The old version goes on serving until the new one is ready.
                    rolling_update=kubernetes.apps.v1.RollingUpdateDeploymentArgs(max_surge=1, max_unavailable=0),
                ),
                template=core.PodTemplateSpecArgs(
                    metadata=kubernetes.meta.v1.ObjectMetaArgs(labels=labels),
                    spec=self._pod(name, args),
                ),
            ),
            opts=pulumi.ResourceOptions.merge(
                self._child_opts,
                pulumi.ResourceOptions(
                    delete_before_replace=True,
                    custom_timeouts=pulumi.CustomTimeouts(create=timeout, update=timeout),
                ),
            ),
        )

    def _pod(self, name: str, args: MicroserviceArgs) -> kubernetes.core.v1.PodSpecArgs:
        return core.PodSpecArgs(
            automount_service_account_token=False,
            enable_service_links=False,
            termination_grace_period_seconds=args.grace_seconds,
            image_pull_secrets=[core.LocalObjectReferenceArgs(name=args.pull_secret)] if args.pull_secret else None,
            security_context=core.PodSecurityContextArgs(
                run_as_non_root=True,
                run_as_user=args.user,
                run_as_group=args.user,
                fs_group=args.user,
                seccomp_profile=core.SeccompProfileArgs(type="RuntimeDefault"),
            ),
            containers=[self._container(name, args)],
            volumes=[
                core.VolumeArgs(name=f"writable-{number}", empty_dir=core.EmptyDirVolumeSourceArgs())
                for number, _ in enumerate(args.writable)
            ]
            or None,
        )

    def _container(self, name: str, args: MicroserviceArgs) -> kubernetes.core.v1.ContainerArgs:
        return core.ContainerArgs(
            name=name,
            image=args.image,
            command=list(args.command) or None,
            env=[core.EnvVarArgs(name=key, value=value) for key, value in args.environment.items()] or None,
            ports=[core.ContainerPortArgs(name=PORT_NAME, container_port=args.listener.container_port, protocol="TCP")]
            if args.listener
            else None,
            resources=core.ResourceRequirementsArgs(
                requests={"cpu": args.cpu, "memory": args.memory}, limits={"memory": args.memory}
            ),
            security_context=core.SecurityContextArgs(
                allow_privilege_escalation=False,
                read_only_root_filesystem=True,
                capabilities=core.CapabilitiesArgs(drop=["ALL"]),
            ),
            liveness_probe=_probe(args.checks, "liveness", period=10, failures=3),
            readiness_probe=_probe(args.checks, "readiness", period=2, failures=2),
            # A program that is slow to start is given a minute before the liveness check may end it.
            startup_probe=_probe(args.checks, "liveness", period=1, failures=60),
            # A pod that is being removed still gets calls until every node has heard of it.
            lifecycle=core.LifecycleArgs(
                pre_stop=core.LifecycleHandlerArgs(sleep=core.SleepActionArgs(seconds=args.drain_seconds))
            ),
            volume_mounts=[
                core.VolumeMountArgs(name=f"writable-{number}", mount_path=path)
                for number, path in enumerate(args.writable)
            ]
            or None,
        )


def _probe(
    checks: HttpChecks | CommandChecks, question: str, *, period: int, failures: int
) -> kubernetes.core.v1.ProbeArgs:
    http: kubernetes.core.v1.HTTPGetActionArgs | None = None
    command: kubernetes.core.v1.ExecActionArgs | None = None
    if isinstance(checks, HttpChecks):
        path = checks.liveness if question == "liveness" else checks.readiness
        http = core.HTTPGetActionArgs(path=path, port=checks.port)
    else:
        command = core.ExecActionArgs(command=checks.liveness if question == "liveness" else checks.readiness)
    return core.ProbeArgs(
        http_get=http, exec_=command, period_seconds=period, timeout_seconds=3, failure_threshold=failures
    )
