"""DockerCoins: five microservices, wired to each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, cast

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi.output import UNKNOWN

from components import redis
from components.microservice import (
    Autoscale,
    HttpChecks,
    Listener,
    Microservice,
    MicroserviceArgs,
    recommended_labels,
)
from components.network_policies import DNS, NetworkPolicies, Peer, Policy, Way, service_labels, way_to
from components.observability import METRICS_PORT, ObservabilityArgs, pod_monitor
from components.redis import RedisArgs
from components.rollout import Rollouts
from components.web_access import IngressAccess, RouteAccess, ingress, route

meta = kubernetes.meta.v1

Profile = Literal["teaching", "full"]

BUILT_SERVICES: Final = ("hasher", "rng", "webui", "worker")
"""The services whose images are built here; redis is the official image."""

AUTOSCALED_SERVICES: Final = ("hasher", "rng", "worker")
"""The services whose number of pods may follow from their load."""


@dataclass(frozen=True)
class Call:
    """``caller`` calls ``called``, whose address it reads from the environment variable ``variable``."""

    caller: str
    called: str
    variable: str


CALLS: Final = (
    Call("worker", "rng", "RNG_URL"),
    Call("worker", "hasher", "HASHER_URL"),
    Call("worker", "redis", "REDIS_HOST"),
    Call("webui", "redis", "REDIS_HOST"),
)
"""Who calls whom. The services are wired by it, and the network lets through what is in it and nothing else."""

_HTTP: Final = Listener(container_port=8080, port=80)
_LISTENERS: Final[Mapping[str, Listener]] = {
    "hasher": _HTTP,
    "rng": _HTTP,
    "webui": _HTTP,
    "redis": Listener(container_port=6379, port=6379, app_protocol="redis"),
}
_COMPONENTS: Final[Mapping[str, str]] = {
    "hasher": "backend",
    "rng": "backend",
    "webui": "frontend",
    "worker": "worker",
    "redis": "database",
}
_LOCAL_PORT: Final = 8080
"""The port of the workstation that a port-forward to webui uses."""

_SOLVER_LABELS: Final = {"acme.cert-manager.io/http01-solver": "true"}
_SOLVER_PORT: Final = 8089
"""Where cert-manager's pods answer a certificate authority: https://cert-manager.io/docs/configuration/acme/http01/"""

# The course's delays: with them one worker does about 3 hashes a second, and rng, which serves one request at a time,
# holds any number of workers to 10.
_TEACHING_ENVIRONMENT: Final[Mapping[str, Mapping[str, str]]] = {
    "rng": {"DELAY_SECONDS": "0.1", "CONCURRENCY": "1"},
    "hasher": {"DELAY_SECONDS": "0.1"},
    "worker": {"DELAY_SECONDS": "0.1", "CONCURRENCY": "1"},
}

# How a pod stops: it is left alone at first, since it still gets calls; then it is told to stop, and for a moment
# answers those who keep a connection that they have to look for another; then it finishes what it has begun. Two
# seconds more than that are left for its last traces.
_LEFT_ALONE_SECONDS: Final = 5
_TURNING_AWAY_SECONDS: Final = 2
_FINISHING_SECONDS: Final = 18
_GRACE_SECONDS: Final = 30

# An autoscaler's percentage is one of what a pod asks for.
_AUTOSCALED_CPU: Final = "100m"


@dataclass(frozen=True)
class DockerCoinsArgs:
    """What a :class:`DockerCoins` is made of.

    Attributes:
        namespace: where it lives; all of that namespace is taken to be its own.
        images: the reference of each of :data:`BUILT_SERVICES`.
        redis: what redis is like.
        profile: ``teaching`` has the course's delays, ``full`` has none.
        versions: what each service's version is called, where that is known.
        replicas: the number of pods of a service, 1 where it says nothing.
        autoscale: the services of :data:`AUTOSCALED_SERVICES` whose number of pods follows from their load.
        webui_service_type: how the page is reached from outside the cluster: ``ClusterIP`` (by a port-forward, or by
            ``webui_access``), ``NodePort`` (at ``webui_node_address``) or ``LoadBalancer``.
        webui_node_port: the port for ``NodePort``; the cluster chooses without one.
        webui_access: an Ingress or an HTTPRoute, for ``ClusterIP``.
        webui_from: who may reach the page: ranges of addresses, and namespaces. Without any, everybody may where it is
            reached from outside, and nobody else with a port-forward.
        network_policies: whether the network lets through only what has to pass.
        observability: what is told about it, and to whom.
        pull_secret: the Secret that lets nodes pull.
        rollout_seconds: how long a rollout may take before it counts as failed.
        redis_after: what has to be there before redis can be pulled, such as the rule of a pull-through cache.
    """

    namespace: pulumi.Input[str]
    images: Mapping[str, pulumi.Input[str]]
    redis: RedisArgs
    profile: Profile
    versions: Mapping[str, str] = field(default_factory=dict[str, str])
    replicas: Mapping[str, int] = field(default_factory=dict[str, int])
    autoscale: Mapping[str, Autoscale] = field(default_factory=dict[str, Autoscale])
    webui_service_type: str = "ClusterIP"
    webui_node_port: int | None = None
    webui_node_address: str = "localhost"
    webui_access: IngressAccess | RouteAccess | None = None
    webui_from: Sequence[Peer] = ()
    network_policies: bool = True
    observability: ObservabilityArgs = field(default_factory=ObservabilityArgs)
    pull_secret: pulumi.Input[str] | None = None
    rollout_seconds: int = 300
    redis_after: Sequence[pulumi.Resource] = ()


class DockerCoins(pulumi.ComponentResource):
    """The application.

    ``services`` maps each of the five names to its :class:`Microservice`. ``webui_url`` is the page's address;
    ``port_forward`` is the command that has to run for it to answer, ``None`` where none has to.
    """

    services: Mapping[str, Microservice]
    webui_url: pulumi.Output[str]
    port_forward: pulumi.Output[str] | None

    def __init__(
        self,
        name: str,
        args: DockerCoinsArgs,
        *,
        provider: kubernetes.Provider,
        rollouts: Rollouts | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the five microservices. None waits for another: each is ready as soon as what it needs answers."""
        super().__init__("dockercoins:application:DockerCoins", name, None, opts)
        self._name = name
        self._args = args
        self._child_opts = pulumi.ResourceOptions(parent=self, provider=provider)
        before: list[pulumi.Resource] = []
        if args.network_policies:
            policies = NetworkPolicies(
                "network",
                network_policies(args),
                namespace=args.namespace,
                labels=self._labels("network"),
                provider=provider,
                opts=pulumi.ResourceOptions(parent=self),
            )
            before.append(policies)
        password = (
            redis.password_secret(
                args.redis.password, namespace=args.namespace, labels=self._labels("redis"), opts=self._child_opts
            ).metadata.name
            if args.redis.password is not None
            else None
        )
        service_opts = pulumi.ResourceOptions(parent=self, depends_on=before)
        redis_opts = pulumi.ResourceOptions(parent=self, depends_on=[*before, *args.redis_after])
        services = {
            "redis": Microservice("redis", self._redis(password), provider=provider, rollouts=rollouts, opts=redis_opts)
        }
        for service in BUILT_SERVICES:
            described = _built(service, args, name, password)
            services[service] = Microservice(
                service, described, provider=provider, rollouts=rollouts, opts=service_opts
            )
        self.services = services
        self._open(services["webui"])
        if args.observability.scrape == "podMonitor":
            pod_monitor(
                name,
                args.observability,
                namespace=args.namespace,
                labels=self._labels("pod-monitor"),
                part_of=name,
                opts=self._child_opts,
            )
        self.webui_url = _webui_url(services["webui"], args)
        self.port_forward = (
            pulumi.Output.format(
                "kubectl --namespace {0} port-forward service/webui {1}:{2}", args.namespace, _LOCAL_PORT, _HTTP.port
            )
            if args.webui_service_type == "ClusterIP" and args.webui_access is None
            else None
        )
        self.register_outputs({"webui_url": self.webui_url})

    def _labels(self, name: str) -> dict[str, pulumi.Input[str]]:
        return recommended_labels(name, self._args.namespace, part_of=self._name, component=_COMPONENTS.get(name))

    def _redis(self, password: pulumi.Input[str] | None) -> MicroserviceArgs:
        args = self._args
        claims: dict[str, pulumi.Input[str]] = {}
        if args.redis.storage:
            claim = redis.volume_claim(
                args.redis,
                args.redis.storage,
                namespace=args.namespace,
                labels=self._labels("redis"),
                opts=self._child_opts,
            )
            claims[redis.DATA_FOLDER] = claim.metadata.name
        return MicroserviceArgs(
            namespace=args.namespace,
            image=args.redis.image,
            command=args.redis.command,
            listener=_LISTENERS["redis"],
            checks=args.redis.checks,
            user=redis.REDIS_USER,
            memory=args.redis.memory,
            writable=() if claims else (redis.DATA_FOLDER,),
            claims=claims,
            secrets={redis.SECRET_FOLDER: password} if password is not None else {},
            # Redis may come through a cache in the same registry.
            pull_secret=args.pull_secret,
            drain_seconds=1,
            grace_seconds=_GRACE_SECONDS,
            rollout_seconds=args.rollout_seconds,
            part_of=self._name,
            component=_COMPONENTS["redis"],
            version=args.versions.get("redis"),
        )

    def _open(self, webui: Microservice) -> None:
        """Declare what leads from outside to webui beside its Service."""
        access, service, labels = self._args.webui_access, webui.service, self._labels("webui")
        if service is None:
            return
        match access:
            case IngressAccess():
                ingress(
                    "webui",
                    access,
                    service=service,
                    port_name=_HTTP.port_name,
                    labels=labels,
                    opts=self._child_opts,
                )
            case RouteAccess():
                route("webui", access, service=service, port=_HTTP.port, labels=labels, opts=self._child_opts)
            case None:
                pass


def network_policies(args: DockerCoinsArgs) -> dict[str, Policy]:
    """What each service may do in the network: :data:`CALLS`, who may see the page, and what observes it all."""
    policies = {service: _policy(service, args) for service in (*BUILT_SERVICES, "redis")}
    if isinstance(args.webui_access, IngressAccess) and args.webui_access.cluster_issuer:
        policies["certificate-solver"] = Policy(_SOLVER_LABELS, into=[Way(_SOLVER_PORT, None)])
    return policies


def _policy(service: str, args: DockerCoinsArgs) -> Policy:
    into: list[Way] = []
    callers = [Peer(service=call.caller) for call in CALLS if call.called == service]
    if callers:
        into.append(Way(_LISTENERS[service].container_port, callers))
    if service == "webui":
        from_outside = args.webui_service_type != "ClusterIP" or args.webui_access is not None
        if args.webui_from or from_outside:
            into.append(Way(_HTTP.container_port, args.webui_from or None))
    out = [
        Way(_LISTENERS[call.called].container_port, [Peer(service=call.called)])
        for call in CALLS
        if call.caller == service
    ]
    if service in BUILT_SERVICES:
        observability = args.observability
        if observability.scrape != "none":
            into.append(Way(METRICS_PORT, [Peer(namespace=observability.namespace)]))
        if observability.otlp_endpoint:
            out.append(way_to(observability.otlp_endpoint))
    return Policy(service_labels(service), into, [*out, DNS] if out else ())


def _built(service: str, args: DockerCoinsArgs, part_of: str, password: pulumi.Input[str] | None) -> MicroserviceArgs:
    listener = _listener(service, args)
    calls_redis = any(call.called == "redis" for call in CALLS if call.caller == service)
    secrets: dict[str, pulumi.Input[str]] = {}
    if password is not None and calls_redis:
        secrets[redis.SECRET_FOLDER] = password
    return MicroserviceArgs(
        namespace=args.namespace,
        image=args.images[service],
        replicas=args.replicas.get(service, 1),
        autoscale=args.autoscale.get(service),
        listener=listener,
        checks=HttpChecks(port=_HTTP.container_port),
        environment=_environment(service, args, listener, has_password=bool(secrets)),
        secrets=secrets,
        cpu=_AUTOSCALED_CPU if service in args.autoscale else MicroserviceArgs.cpu,
        metrics_port=METRICS_PORT,
        annotations=args.observability.annotations,
        pull_secret=args.pull_secret,
        drain_seconds=_LEFT_ALONE_SECONDS if listener else 0,
        grace_seconds=_GRACE_SECONDS,
        rollout_seconds=args.rollout_seconds,
        part_of=part_of,
        component=_COMPONENTS[service],
        version=args.versions.get(service),
    )


def _environment(
    service: str, args: DockerCoinsArgs, listener: Listener | None, *, has_password: bool
) -> dict[str, pulumi.Input[str]]:
    environment: dict[str, pulumi.Input[str]] = {
        call.variable: _address(call.called) for call in CALLS if call.caller == service
    }
    if has_password:
        environment["REDIS_PASSWORD_FILE"] = redis.PASSWORD_FILE
    if args.profile == "teaching":
        environment |= _TEACHING_ENVIRONMENT.get(service, {})
    if service in args.versions:
        environment["SERVICE_VERSION"] = args.versions[service]
    return {
        **environment,
        **args.observability.environment(args.namespace),
        "DRAIN_SECONDS": str(_TURNING_AWAY_SECONDS if listener else 0),
        "GRACE_SECONDS": str(_FINISHING_SECONDS),
    }


def _address(service: str) -> str:
    listener = _LISTENERS[service]
    return f"http://{service}:{listener.port}" if listener.app_protocol == "http" else service


def _listener(service: str, args: DockerCoinsArgs) -> Listener | None:
    if service == "webui":
        return Listener(_HTTP.container_port, _HTTP.port, args.webui_service_type, args.webui_node_port)
    return _LISTENERS.get(service)


def _webui_url(webui: Microservice, args: DockerCoinsArgs) -> pulumi.Output[str]:
    service = webui.service
    if args.webui_access is not None:
        return pulumi.Output.from_input(args.webui_access.url)
    if service is None or args.webui_service_type == "ClusterIP":
        return pulumi.Output.from_input(f"http://localhost:{_LOCAL_PORT}/")
    if args.webui_service_type == "LoadBalancer":
        return service.status.apply(_load_balancer_url)
    port = (
        pulumi.Output.from_input(str(args.webui_node_port))
        if args.webui_node_port
        else service.metadata.apply(lambda metadata: service.spec.apply(lambda spec: _node_port(metadata, spec)))
    )
    return pulumi.Output.format("http://{0}:{1}/", args.webui_node_address, port)


def _load_balancer_url(status: kubernetes.core.v1.outputs.ServiceStatus | None) -> str:
    ingress = (status.load_balancer.ingress if status and status.load_balancer else None) or []
    host = (ingress[0].hostname or ingress[0].ip) if ingress else None
    return f"http://{host}/" if host else _unknown_in_a_preview("(the load balancer has no address yet)")


def _node_port(metadata: meta.outputs.ObjectMeta, spec: kubernetes.core.v1.outputs.ServiceSpec) -> str:
    port = spec.ports[0].node_port if spec.ports else None
    # The API server makes up a port in the dry run of a Service that does not exist, and then assigns another one.
    exists = bool(metadata.resource_version)
    return str(port) if port and (exists or not pulumi.runtime.is_dry_run()) else _unknown_in_a_preview("(none yet)")


def _unknown_in_a_preview(value: str) -> str:
    """Unknown in a preview, so that an update may turn out otherwise and still keep to the plan."""
    return cast("str", UNKNOWN) if pulumi.runtime.is_dry_run() else value
