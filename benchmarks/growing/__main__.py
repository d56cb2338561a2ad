"""So many microservices of one image each, made of the components that the application is made of."""

import atexit
import gc
from pathlib import Path

import pulumi
import pulumi_docker as docker
import pulumi_kubernetes as kubernetes

from components import debug_messages
from components.microservice import Listener, Microservice, MicroserviceArgs
from components.pod_security import RESTRICTED
from components.pull_secret import PullSecret
from components.registry import RegistryLogin
from components.service_image import ServiceImage, ServiceImageArgs

# As in the application's own program: what the SDKs make stays, and looking for garbage in it takes time.
gc.set_threshold(100_000)
atexit.register(gc.freeze)
debug_messages.withhold()

config = pulumi.Config()
host = config.require("registry")
login = RegistryLogin(host, config.require("user"), config.require_secret("password"))
engine = docker.Provider("docker")
cluster = kubernetes.Provider("cluster", kubeconfig=config.require_secret("kubeconfig"))
namespace = kubernetes.core.v1.Namespace(
    "namespace",
    metadata=kubernetes.meta.v1.ObjectMetaArgs(name=pulumi.get_stack(), labels=dict(RESTRICTED)),
    opts=pulumi.ResourceOptions(provider=cluster),
)
pull = PullSecret("pull", namespace=namespace.metadata.name, login=login, provider=cluster)
for context in sorted(Path("services").iterdir()):
    image = ServiceImage(
        context.name,
        ServiceImageArgs(
            context=f"./{context}",
            repository=f"{host}/{pulumi.get_stack()}/{context.name}",
            platforms=[config.require("platform")],
            login=login,
        ),
        provider=engine,
    )
    Microservice(
        context.name,
        MicroserviceArgs(
            namespace=namespace.metadata.name,
            image=image.reference,
            listener=Listener(port=80, container_port=8080),
            pull_secret=pull.secret_name,
            # A hundred of them are to find room on one small node.
            cpu="1m",
            memory="32Mi",
            disk="16Mi",
            # Nobody calls them.
            drain_seconds=0,
        ),
        provider=cluster,
    )
