"""A microservice on Kubernetes: a Deployment, and what a Deployment should not be without."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import pulumi
import pulumi_kubernetes as kubernetes

from components.rollout import Rollouts

core = kubernetes.core.v1
meta = kubernetes.meta.v1

METRICS_PORT_NAME: Final = "metrics"
"""The name of the container's port that only metrics are read from."""

_NAME_LABEL: Final = "app.kubernetes.io/name"
_LONGEST_LABEL: Final = 63
_UNNAMED_PORT: Final = "main"
_USER: Final = 10001
# Where pods of one service should not stand together: on one node, in one zone.
_SPREAD_OVER: Final = ("kubernetes.io/hostname", "topology.kubernetes.io/zone")


@dataclass(frozen=True)
class Listener:
    """Where a microservice listens: ``container_port`` in its pods, ``port`` for those who call its Service.

    ``service_type`` is ``ClusterIP``, ``NodePort`` or ``LoadBalancer``; ``node_port`` (30000-32767) is for
    ``NodePort``, and without one the cluster picks it. ``app_protocol`` names what is spoken, as IANA or the cluster's
    service mesh calls it, ``None`` where that is nothing with a name; the port bears the same name.
    """

    container_port: int
    port: int
    service_type: str = "ClusterIP"
    node_port: int | None = None
    app_protocol: str | None = "http"

    @property
    def port_name(self) -> str:
        """The name of the port in the pods and in the Service."""
        return self.app_protocol or _UNNAMED_PORT


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
class TcpChecks:
    """A port of a container that lives and is ready as long as it takes connections."""

    port: int


Checks: TypeAlias = HttpChecks | CommandChecks | TcpChecks


@dataclass(frozen=True)
class Autoscale:
    """From ``least`` to ``most`` pods, so many that they use ``cpu_percent`` of the CPU that they ask for.

    The cluster needs a source of the metrics API, such as metrics-server.
    """

    least: int
    most: int
    cpu_percent: int = 80

    def __post_init__(self) -> None:
        """Refuse bounds that no number of pods meets."""
        if not 1 <= self.least <= self.most:
            raise ValueError(f"an autoscaler from {self.least} to {self.most} pods: least must be from 1 to most")


@dataclass(frozen=True)
class MicroserviceArgs:
    """What a :class:`Microservice` is made of; only the first two have no default.

    Attributes:
        namespace: where it lives. It should enforce the Pod Security Standard ``restricted``, which the pods meet.
        image: the whole reference.
        listener: where it listens; ``None`` for one that nobody calls.
        checks: how its health is told. Without any, a listener is asked whether its port takes connections.
        replicas: number of pods; not heeded with ``autoscale``.
        autoscale: lets the cluster choose the number of pods.
        environment: variables of the container.
        command: what runs in place of the image's own entry point.
        pull_secret: name of the Secret that lets nodes pull the image.
        user: the number of the user, and of its group, that it runs as.
        cpu: what a pod is promised.
        cpu_limit: what a pod may use at most. A program of one thread does not notice one core.
        memory: what a pod is promised and may use at most: memory that is promised and not there ends in pods killed
            at random.
        disk: what a pod may use at most of its node's disk, its logs included.
        writable: folders that the container may write to, empty at each start; the rest of its files is read-only.
        claims: folders that outlive the pod: path to the name of a PersistentVolumeClaim. Since the volume is of one
            node, a new version then starts when the old one has ended.
        secrets: folders with a file for each entry of a Secret: path to the Secret's name.
        metrics_port: a port from which only metrics are read.
        annotations: annotations of the pods.
        drain_seconds: how long a pod that is being stopped is left alone at first, since it still gets calls until
            every node has heard of it; 0 where nobody calls.
        grace_seconds: how long it may take to stop, ``drain_seconds`` included.
        rollout_seconds: how long a rollout may take before it counts as failed.
        part_of: the application that it is a part of.
        component: its role in that, such as ``database``.
        version: the version that runs.
    """

    namespace: pulumi.Input[str]
    image: pulumi.Input[str]
    listener: Listener | None = None
    checks: Checks | None = None
    replicas: int = 1
    autoscale: Autoscale | None = None
    environment: Mapping[str, pulumi.Input[str]] = field(default_factory=dict[str, "pulumi.Input[str]"])
    command: Sequence[str] = ()
    pull_secret: pulumi.Input[str] | None = None
    user: int = _USER
    cpu: str = "25m"
    cpu_limit: str = "1"
    memory: str = "128Mi"
    disk: str = "128Mi"
    writable: Sequence[str] = ()
    claims: Mapping[str, pulumi.Input[str]] = field(default_factory=dict[str, "pulumi.Input[str]"])
    secrets: Mapping[str, pulumi.Input[str]] = field(default_factory=dict[str, "pulumi.Input[str]"])
    metrics_port: int | None = None
    annotations: Mapping[str, str] = field(default_factory=dict[str, str])
    drain_seconds: int = 5
    grace_seconds: int = 30
    rollout_seconds: int = 300
    part_of: str | None = None
    component: str | None = None
    version: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot work together."""
        if self.drain_seconds >= self.grace_seconds:
            raise ValueError(
                f"grace_seconds={self.grace_seconds} must be more than drain_seconds={self.drain_seconds}: "
                "what is left of it is the time in which the container itself stops"
            )
        if self.claims and (self.autoscale or self.replicas > 1):
            raise ValueError("claims are for one pod: a volume is of one node")


class Microservice(pulumi.ComponentResource):
    """A Deployment of one container, and what belongs to it.

    That is a service account without any rights; a Service where it has a listener; a PodDisruptionBudget where it has
    more than one pod; an autoscaler where it is to have one. All bear ``name`` itself, since others find a service by
    it. ``service`` is ``None`` without a listener. ``rolled_out`` gives the Deployment once every pod is of the new
    version and ready: what needs it running depends on that.
    """

    deployment: kubernetes.apps.v1.Deployment
    rolled_out: pulumi.Output[pulumi.Resource]
    service: kubernetes.core.v1.Service | None

    def __init__(
        self,
        name: str,
        args: MicroserviceArgs,
        *,
        provider: kubernetes.Provider | None = None,
        rollouts: Rollouts | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare all of it. What ``opts`` depend on is there before the first pod.

        With ``rollouts``, these tell when the Deployment is rolled out; without, Pulumi's kubernetes plugin does.
        """
        super().__init__("dockercoins:kubernetes:Microservice", name, None, opts)
        self._child_opts = pulumi.ResourceOptions(parent=self, provider=provider)
        # Nothing that others find it by, or that its pods need, waits for what the caller wants first.
        self._before_pods = opts.depends_on if opts else None
        # The name is fixed, so that a new object cannot stand beside the old one.
        self._named_opts = pulumi.ResourceOptions.merge(
            self._child_opts, pulumi.ResourceOptions(delete_before_replace=True)
        )
        self._name = name
        self._args = args
        self._rollouts = rollouts
        # A Deployment's selector is fixed for its life: what may change (a version) is no part of it.
        self._selector = {_NAME_LABEL: name}
        self._labels = recommended_labels(
            name, args.namespace, part_of=args.part_of, component=args.component, version=args.version
        )
        self.service = self._service(args.listener) if args.listener else None
        self.deployment = self._deployment(self._account())
        self.rolled_out = (
            rollouts.finished(self.deployment, args.rollout_seconds)
            if rollouts
            else self.deployment.metadata.apply(lambda _: self.deployment)
        )
        if args.autoscale:
            self._autoscaler(args.autoscale)
        if (args.autoscale.least if args.autoscale else args.replicas) > 1:
            self._disruption_budget()
        self.register_outputs({"deployment": self.deployment.metadata.name})

    def _metadata(self, annotations: Mapping[str, str] | None = None) -> meta.ObjectMetaArgs:
        return meta.ObjectMetaArgs(
            name=self._name, namespace=self._args.namespace, labels=self._labels, annotations=annotations
        )

    def _account(self) -> core.ServiceAccount:
        return core.ServiceAccount(
            self._name,
            metadata=self._metadata(),
            automount_service_account_token=False,
            opts=self._child_opts,
        )

    def _service(self, listener: Listener) -> core.Service:
        # A Service works once pods are ready, and for that the Deployment waits already. Waiting for its endpoints as
        # well costs ten seconds, since they have to stay unchanged for so long. Only an outside address is worth it.
        annotations = {} if listener.service_type == "LoadBalancer" else {"pulumi.com/skipAwait": "true"}
        return core.Service(
            self._name,
            metadata=self._metadata(annotations),
            spec=core.ServiceSpecArgs(
                type=listener.service_type,
                selector=self._selector,
                ports=[
                    core.ServicePortArgs(
                        name=listener.port_name,
                        port=listener.port,
                        # By number: pods whose port has another name yet go on getting calls.
                        target_port=listener.container_port,
                        protocol="TCP",
                        app_protocol=listener.app_protocol,
                        node_port=listener.node_port if listener.service_type == "NodePort" else None,
                    )
                ],
            ),
            # A load balancer's address comes once pods are ready, which may take as long as a rollout.
            opts=pulumi.ResourceOptions.merge(
                self._named_opts,
                pulumi.ResourceOptions(custom_timeouts=self._timeouts())
                if listener.service_type == "LoadBalancer"
                else None,
            ),
        )

    def _deployment(self, account: core.ServiceAccount) -> kubernetes.apps.v1.Deployment:
        args = self._args
        return kubernetes.apps.v1.Deployment(
            self._name,
            # What the program says holds, also where an autoscaler that it has no more set the number of pods.
            metadata=self._metadata({"pulumi.com/patchForce": "true", **self._waiting()}),
            spec=kubernetes.apps.v1.DeploymentSpecArgs(
                replicas=None if args.autoscale else args.replicas,
                selector=meta.LabelSelectorArgs(match_labels=self._selector),
                revision_history_limit=3,
                progress_deadline_seconds=args.rollout_seconds,
                strategy=self._strategy(),
                template=core.PodTemplateSpecArgs(
                    metadata=meta.ObjectMetaArgs(labels=self._labels, annotations=args.annotations or None),
                    spec=self._pod(account),
                ),
            ),
            opts=pulumi.ResourceOptions.merge(
                self._named_opts,
                pulumi.ResourceOptions(
                    depends_on=self._before_pods,
                    custom_timeouts=self._timeouts(),
                    # A field that is left out after it was set is reset: to one pod. This keeps what there is, until
                    # the autoscaler changes it.
                    ignore_changes=["spec.replicas"] if args.autoscale else None,
                ),
            ),
        )

    def _timeouts(self) -> pulumi.CustomTimeouts:
        timeout = f"{self._args.rollout_seconds}s"
        return pulumi.CustomTimeouts(create=timeout, update=timeout)

    def _waiting(self) -> dict[str, str]:
        """Leave the waiting to ``rollouts``, if there are any.

        The plugin then does not wait for a deletion either: in the background, the Deployment is gone at once, and a
        new one of its name is not applied to the old one while its pods stop.
        """
        if self._rollouts is None:
            return {}
        return {"pulumi.com/skipAwait": "true", "pulumi.com/deletionPropagationPolicy": "background"}

    def _strategy(self) -> kubernetes.apps.v1.DeploymentStrategyArgs:
        if self._args.claims:
            return kubernetes.apps.v1.DeploymentStrategyArgs(type="Recreate")
        return kubernetes.apps.v1.DeploymentStrategyArgs(
            type="RollingUpdate",
            # The old version goes on serving until the new one is ready.
            rolling_update=kubernetes.apps.v1.RollingUpdateDeploymentArgs(max_surge=1, max_unavailable=0),
        )

    def _pod(self, account: core.ServiceAccount) -> core.PodSpecArgs:
        args = self._args
        volumes = _volumes(args)
        return core.PodSpecArgs(
            service_account_name=account.metadata.name,
            automount_service_account_token=False,
            enable_service_links=False,
            termination_grace_period_seconds=args.grace_seconds,
            image_pull_secrets=[core.LocalObjectReferenceArgs(name=args.pull_secret)] if args.pull_secret else None,
            security_context=core.PodSecurityContextArgs(
                run_as_non_root=True,
                run_as_user=args.user,
                run_as_group=args.user,
                fs_group=args.user,
                fs_group_change_policy="OnRootMismatch",
                seccomp_profile=core.SeccompProfileArgs(type="RuntimeDefault"),
            ),
            topology_spread_constraints=[
                core.TopologySpreadConstraintArgs(
                    max_skew=1,
                    topology_key=key,
                    # Better together than not at all.
                    when_unsatisfiable="ScheduleAnyway",
                    label_selector=meta.LabelSelectorArgs(match_labels=self._selector),
                    # In a rollout, the pods that are about to go do not count.
                    match_label_keys=["pod-template-hash"],
                )
                for key in _SPREAD_OVER
            ],
            containers=[self._container([mount for _, mount in volumes])],
            volumes=[volume for volume, _ in volumes] or None,
        )

    def _container(self, mounts: Sequence[core.VolumeMountArgs]) -> core.ContainerArgs:
        args = self._args
        ports = [(args.listener.port_name, args.listener.container_port)] if args.listener else []
        ports += [(METRICS_PORT_NAME, args.metrics_port)] if args.metrics_port else []
        checks = args.checks or (TcpChecks(args.listener.container_port) if args.listener else None)
        return core.ContainerArgs(
            name=self._name,
            image=args.image,
            command=list(args.command) or None,
            # The status of a container that crashed has its last lines.
            termination_message_policy="FallbackToLogsOnError",
            env=[core.EnvVarArgs(name=key, value=value) for key, value in args.environment.items()] or None,
            ports=[core.ContainerPortArgs(name=name, container_port=port, protocol="TCP") for name, port in ports]
            or None,
            resources=core.ResourceRequirementsArgs(
                requests={"cpu": args.cpu, "memory": args.memory, "ephemeral-storage": args.disk},
                limits={"cpu": args.cpu_limit, "memory": args.memory, "ephemeral-storage": args.disk},
            ),
            security_context=core.SecurityContextArgs(
                allow_privilege_escalation=False,
                read_only_root_filesystem=True,
                capabilities=core.CapabilitiesArgs(drop=["ALL"]),
            ),
            liveness_probe=_probe(checks, "liveness", period=10, failures=3),
            # A command is a new process in the container each time, which costs the node far more than a request.
            readiness_probe=_probe(
                checks, "readiness", period=5 if isinstance(checks, CommandChecks) else 2, failures=2
            ),
            # A program that is slow to start is given a minute before the liveness check may end it.
            startup_probe=_probe(checks, "liveness", period=1, failures=60),
            lifecycle=core.LifecycleArgs(
                pre_stop=core.LifecycleHandlerArgs(sleep=core.SleepActionArgs(seconds=args.drain_seconds))
            )
            if args.drain_seconds
            else None,
            volume_mounts=list(mounts) or None,
        )

    def _autoscaler(self, autoscale: Autoscale) -> None:
        autoscaling = kubernetes.autoscaling.v2
        autoscaling.HorizontalPodAutoscaler(
            self._name,
            metadata=self._metadata(),
            spec=autoscaling.HorizontalPodAutoscalerSpecArgs(
                scale_target_ref=autoscaling.CrossVersionObjectReferenceArgs(
                    api_version="apps/v1", kind="Deployment", name=self.deployment.metadata.name
                ),
                min_replicas=autoscale.least,
                max_replicas=autoscale.most,
                metrics=[
                    autoscaling.MetricSpecArgs(
                        type="Resource",
                        resource=autoscaling.ResourceMetricSourceArgs(
                            name="cpu",
                            target=autoscaling.MetricTargetArgs(
                                type="Utilization", average_utilization=autoscale.cpu_percent
                            ),
                        ),
                    )
                ],
            ),
            opts=self._child_opts,
        )

    def _disruption_budget(self) -> None:
        policy = kubernetes.policy.v1
        policy.PodDisruptionBudget(
            self._name,
            metadata=self._metadata(),
            spec=policy.PodDisruptionBudgetSpecArgs(
                max_unavailable=1,
                selector=meta.LabelSelectorArgs(match_labels=self._selector),
                # A pod that does not work keeps no node from being emptied.
                unhealthy_pod_eviction_policy="AlwaysAllow",
            ),
            opts=self._child_opts,
        )


def recommended_labels(
    name: str,
    namespace: pulumi.Input[str],
    *,
    part_of: str | None = None,
    component: str | None = None,
    version: str | None = None,
) -> dict[str, pulumi.Input[str]]:
    """The recommended labels: https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/.

    Names are fixed, so that there is one instance in a namespace, whose name it bears.
    """
    labels: dict[str, pulumi.Input[str] | None] = {
        _NAME_LABEL: name,
        "app.kubernetes.io/instance": namespace,
        # A tag of an image may be longer than a label's value.
        "app.kubernetes.io/version": version[:_LONGEST_LABEL].rstrip("._-") if version else None,
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/part-of": part_of,
        "app.kubernetes.io/managed-by": "pulumi",
    }
    return {label: value for label, value in labels.items() if value is not None}


def _volumes(args: MicroserviceArgs) -> list[tuple[core.VolumeArgs, core.VolumeMountArgs]]:
    volumes = [
        (
            core.VolumeArgs(name=f"writable-{number}", empty_dir=core.EmptyDirVolumeSourceArgs()),
            core.VolumeMountArgs(name=f"writable-{number}", mount_path=path),
        )
        for number, path in enumerate(args.writable)
    ]
    volumes += [
        (
            core.VolumeArgs(
                name=f"claim-{number}",
                persistent_volume_claim=core.PersistentVolumeClaimVolumeSourceArgs(claim_name=claim),
            ),
            core.VolumeMountArgs(name=f"claim-{number}", mount_path=path),
        )
        for number, (path, claim) in enumerate(args.claims.items())
    ]
    volumes += [
        (
            core.VolumeArgs(
                name=f"secret-{number}",
                secret=core.SecretVolumeSourceArgs(secret_name=secret, default_mode=0o440),
            ),
            core.VolumeMountArgs(name=f"secret-{number}", mount_path=path, read_only=True),
        )
        for number, (path, secret) in enumerate(args.secrets.items())
    ]
    return volumes


def _probe(checks: Checks | None, question: str, *, period: int, failures: int) -> core.ProbeArgs | None:
    http: core.HTTPGetActionArgs | None = None
    command: core.ExecActionArgs | None = None
    tcp: core.TCPSocketActionArgs | None = None
    match checks:
        case HttpChecks():
            path = checks.liveness if question == "liveness" else checks.readiness
            http = core.HTTPGetActionArgs(path=path, port=checks.port)
        case CommandChecks():
            command = core.ExecActionArgs(command=checks.liveness if question == "liveness" else checks.readiness)
        case TcpChecks():
            tcp = core.TCPSocketActionArgs(port=checks.port)
        case None:
            return None
    return core.ProbeArgs(
        http_get=http,
        exec_=command,
        tcp_socket=tcp,
        period_seconds=period,
        timeout_seconds=3,
        failure_threshold=failures,
    )
