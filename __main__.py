"""The inventory of a stack: settings, cluster, registry, images, application, outputs."""

from __future__ import annotations

import os
from pathlib import Path

import pulumi
import pulumi_aws as aws
import pulumi_docker as docker
import pulumi_kubernetes as kubernetes

from components.dockercoins import BUILT_SERVICES, DockerCoins, DockerCoinsArgs
from components.ecr import EcrRegistry, EcrRegistryArgs
from components.pull_secret import PullSecret
from components.registry import RegistryLogin
from components.service_image import ServiceImage, ServiceImageArgs
from settings import SettingsError, configured_values, read_settings

try:
    settings = read_settings(
        configured_values(),
        project=pulumi.get_project(),
        stack=pulumi.get_stack(),
        root=Path.cwd(),
        environment=os.environ,
        home=Path.home(),
    )
except SettingsError as error:
    raise pulumi.RunError(str(error)) from None

# --- Where it all goes: nothing is deployed to an account or a cluster that the stack did not name. ---
cloud = aws.Provider(
    "aws",
    region=settings.aws.region,
    profile=settings.aws.profile,
    allowed_account_ids=[settings.aws.account],
    endpoints=[aws.ProviderEndpointArgs(ecr=settings.aws.endpoint, sts=settings.aws.endpoint)]
    if settings.aws.endpoint
    else None,
    default_tags=aws.ProviderDefaultTagsArgs(
        tags={"project": pulumi.get_project(), "stack": pulumi.get_stack(), "managed-by": "pulumi"}
    ),
)
engine = docker.Provider("docker")
cluster = kubernetes.Provider(
    "cluster",
    kubeconfig=pulumi.Output.secret(settings.cluster.kubeconfig),
    context=settings.cluster.context,
    # Only another cluster replaces what runs; new credentials for the same one do not.
    cluster_identifier=settings.cluster.context,
    enable_server_side_apply=True,
)
namespace = kubernetes.core.v1.Namespace(
    "namespace",
    metadata=kubernetes.meta.v1.ObjectMetaArgs(
        name=settings.namespace, labels={"pod-security.kubernetes.io/enforce": "restricted"}
    ),
    opts=pulumi.ResourceOptions(provider=cluster),
)

# --- The registry, and the four images that go through it. ---
registry = EcrRegistry(
    "registry",
    EcrRegistryArgs(
        host=settings.registry.host,
        prefix=settings.registry.prefix,
        images=BUILT_SERVICES,
        keep=settings.registry.keep,
        kms_key=settings.registry.kms_key,
        force_delete=settings.registry.force_delete,
    ),
    provider=cloud,
)
login = RegistryLogin(settings.registry.host, registry.username, registry.password)
images = {
    service: ServiceImage(
        service,
        ServiceImageArgs(
            context=f"./services/{service}",
            repository=registry.image_repository(service),
            platform=settings.build.platform,
            login=login,
            build_args={"PYTHON_IMAGE": settings.build.python_image},
            build_on_preview=settings.build.on_preview,
        ),
        provider=engine,
        depends_on=[registry.repositories[service]],
    )
    for service in BUILT_SERVICES
}

# --- The application. ---
pull_secret = (
    PullSecret("pull", namespace=namespace.metadata.name, login=login, provider=cluster)
    if settings.registry.pull_credentials == "static"
    else None
)
application = DockerCoins(
    "dockercoins",
    DockerCoinsArgs(
        namespace=namespace.metadata.name,
        images={service: image.reference for service, image in images.items()},
        redis_image=settings.application.redis_image,
        profile=settings.application.profile,
        replicas=settings.application.replicas,
        webui_service_type=settings.application.webui_service_type,
        webui_node_port=settings.application.webui_node_port,
        webui_node_address=settings.application.webui_node_address,
        pull_secret=pull_secret.secret_name if pull_secret else None,
        rollout_seconds=settings.application.rollout_seconds,
    ),
    provider=cluster,
)
registry.clean_up(
    {service: image.tag for service, image in images.items()},
    after=[application.services[service].deployment for service in BUILT_SERVICES],
)

pulumi.export("webui_url", application.webui_url)
if application.port_forward:
    pulumi.export("webui_port_forward", application.port_forward)
pulumi.export("images", {service: image.reference for service, image in images.items()})
pulumi.export("registry", settings.registry.host)
pulumi.export("namespace", namespace.metadata.name)
pulumi.export("cluster", {"context": settings.cluster.context, "server": settings.cluster.server})
