"""DockerCoins: five microservices, wired to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import pulumi
import pulumi_kubernetes as kubernetes

from components.microservice import CommandChecks, HttpChecks, Listener, Microservice, MicroserviceArgs

Profile = Literal["teaching", "full"]

BUILT_SERVICES: Final = ("hasher", "rng", "webui", "worker")
"""The services whose images are built here; redis is the official image."""

_CONTAINER_PORT: Final = 8080
_SERVICE_PORT: Final = 80
_REDIS_PORT: Final = 6379
_LOCAL_PORT: Final = 8080
"""The port of the workstation that a port-forward to webui uses."""

_REDIS_USER: Final = 999
"""The user that the official image of redis makes for its server."""

# The course's delays: with them one worker does about 3 hashes a second, and rng, which serves one request at a time,
# holds any number of workers to 10.
_TEACHING_ENVIRONMENT: Final[Mapping[str, Mapping[str, str]]] = {
    "rng": {"DELAY_SECONDS": "0.1", "CONCURRENCY": "1"},
    "hasher": {"DELAY_SECONDS": "0.1"},
    "worker": {"DELAY_SECONDS": "0.1", "CONCURRENCY": "1"},
}

_REDIS_COMMAND: Final = (
    "redis-server",
    # Coins are kept in memory alone, so nothing is written to disk.
    "--save",
    "",
    "--appendonly",
    "no",
    # Other pods must be able to connect; no password is set.
    "--protected-mode",
    "no",
    "--dir",
    "/data",
)


@dataclass(frozen=True)
class DockerCoinsArgs:
    """What a :class:`DockerCoins` is made of.

    ``images`` gives the reference of each of :data:`BUILT_SERVICES`. ``replicas`` gives the number of pods of a
    service, 1 where it says nothing. ``webui_service_type`` is how the page is reached from outside the cluster:
    ``ClusterIP`` (by a port-forward), ``NodePort`` (at ``webui_node_address``) or ``LoadBalancer``.
    """

    namespace: pulumi.Input[str]
    images: Mapping[str, pulumi.Input[str]]
    redis_image: pulumi.Input[str]
    profile: Profile
    replicas: Mapping[str, int] = field(default_factory=dict[str, int])
    webui_service_type: str = "ClusterIP"
    webui_node_port: int | None = None
    webui_node_address: str = "localhost"
    pull_secret: pulumi.Input[str] | None = None
    rollout_seconds: int = 300


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
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the five microservices. None waits for another: each is ready as soon as what it needs answers."""
        super().__init__("dockercoins:application:DockerCoins", name, None, opts)
        child_opts = pulumi.ResourceOptions(parent=self)
        services = {"redis": Microservice("redis", _redis(args, name), provider=provider, opts=child_opts)}
        for service in BUILT_SERVICES:
            services[service] = Microservice(service, _built(service, args, name), provider=provider, opts=child_opts)
        self.services = services
        self.webui_url = _webui_url(services["webui"], args)
        self.port_forward = (
            pulumi.Output.format(
                "kubectl --namespace {0} port-forward service/webui {1}:{2}", args.namespace, _LOCAL_PORT, _SERVICE_PORT
            )
            if args.webui_service_type == "ClusterIP"
            else None
        )
        self.register_outputs({"webui_url": self.webui_url})


def _redis(args: DockerCoinsArgs, part_of: str) -> MicroserviceArgs:
    return MicroserviceArgs(
        namespace=args.namespace,
        image=args.redis_image,
        command=_REDIS_COMMAND,
        replicas=1,
        listener=Listener(container_port=_REDIS_PORT, port=_REDIS_PORT),
        checks=CommandChecks(
            liveness=("redis-cli", "ping"),
            # While it loads, redis answers a ping with an error, and redis-cli still exits with 0.
            readiness=("sh", "-c", "redis-cli ping | grep -q PONG"),
        ),
        user=_REDIS_USER,
        memory="256Mi",
        writable=("/data",),
        # Redis may come through a cache in the same registry.
        pull_secret=args.pull_secret,
        drain_seconds=1,
        rollout_seconds=args.rollout_seconds,
        part_of=part_of,
    )


def _built(service: str, args: DockerCoinsArgs, part_of: str) -> MicroserviceArgs:
    environment = dict(_TEACHING_ENVIRONMENT.get(service, {})) if args.profile == "teaching" else {}
    return MicroserviceArgs(
        namespace=args.namespace,
        image=args.images[service],
        replicas=args.replicas.get(service, 1),
        listener=_listener(service, args),
        checks=HttpChecks(port=_CONTAINER_PORT),
        environment=environment,
        pull_secret=args.pull_secret,
        rollout_seconds=args.rollout_seconds,
        part_of=part_of,
    )


def _listener(service: str, args: DockerCoinsArgs) -> Listener | None:
    if service == "worker":
        return None
    if service == "webui":
        return Listener(_CONTAINER_PORT, _SERVICE_PORT, args.webui_service_type, args.webui_node_port)
    return Listener(_CONTAINER_PORT, _SERVICE_PORT)


def _webui_url(webui: Microservice, args: DockerCoinsArgs) -> pulumi.Output[str]:
    service = webui.service
    if service is None or args.webui_service_type == "ClusterIP":
        return pulumi.Output.from_input(f"http://localhost:{_LOCAL_PORT}/")
    if args.webui_service_type == "LoadBalancer":
        return service.status.apply(_load_balancer_url)
    port = (
        pulumi.Output.from_input(str(args.webui_node_port)) if args.webui_node_port else service.spec.apply(_node_port)
    )
    return pulumi.Output.format("http://{0}:{1}/", args.webui_node_address, port)


def _load_balancer_url(status: kubernetes.core.v1.outputs.ServiceStatus | None) -> str:
    ingress = (status.load_balancer.ingress if status and status.load_balancer else None) or []
    host = (ingress[0].hostname or ingress[0].ip) if ingress else None
    return f"http://{host}/" if host else "(the load balancer has no address yet)"


def _node_port(spec: kubernetes.core.v1.outputs.ServiceSpec) -> str:
    return str(spec.ports[0].node_port) if spec.ports else "(none yet)"
