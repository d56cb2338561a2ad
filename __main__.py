"""The inventory of a stack: settings, cluster, registry, images, application, outputs.

A provider's package is imported only where it is used: a stack that builds nothing needs no Docker, and one that ships
through another registry than Amazon's needs no AWS.
"""

from __future__ import annotations

import atexit
import gc
import os
from dataclasses import replace
from pathlib import Path

import pulumi
import pulumi_kubernetes as kubernetes

from components import debug_messages
from components.background_imports import importing
from components.dockercoins import BUILT_SERVICES, DockerCoins, DockerCoinsArgs
from components.microservice import recommended_labels
from components.mirrors import mirrored
from components.pod_security import RESTRICTED
from components.pull_secret import PullSecret
from components.registry import RegistryLogin, cache_tags
from components.rollout import Rollouts
from configuration import SettingsError, configured
from settings import read_settings

# What the SDKs make when they are imported, with the first resource of each, stays to the end. Looking for garbage
# there takes a quarter of that time, and a third of a second more when the process ends.
gc.set_threshold(100_000)
atexit.register(gc.freeze)
if not os.environ.get("DOCKERCOINS_DEBUG"):
    debug_messages.withhold()

try:
    settings = read_settings(
        configured(),
        project=pulumi.get_project(),
        stack=pulumi.get_stack(),
        root=Path.cwd(),
        environment=os.environ,
        home=Path.home(),
    )
except SettingsError as error:
    raise pulumi.RunError(str(error)) from None

registry = settings.registry.registry
builds = settings.images.source == "build"
rules = settings.registry.ecr
cloud = settings.registry.aws if rules else None
tags = {"project": pulumi.get_project(), "stack": pulumi.get_stack(), "managed-by": "pulumi"}

# --- Who does the work. What AWS says of its account is waited for once all plugins are being started, and what follows
# is imported meanwhile. ---
account = None
if cloud:
    from components.aws_account import account_provider

    account = account_provider(
        "aws", account=cloud.account, region=cloud.region, profile=cloud.profile, endpoint=cloud.endpoint, tags=tags
    )
engine = None
if builds:
    import pulumi_docker as docker

    engine = docker.Provider("docker")
# Nothing is deployed to a cluster that the stack did not name.
cluster = kubernetes.Provider(
    "cluster",
    kubeconfig=pulumi.Output.secret(settings.cluster.kubeconfig),
    context=settings.cluster.context,
    # Only another cluster replaces what runs; new credentials for the same one do not.
    cluster_identifier=settings.cluster.context,
    enable_server_side_apply=True,
    # A new token in the pull secret is a change of that Secret, and not a new Secret that every pod has to learn of.
    enable_secret_mutable=True,
)
if cloud and account:
    from components.aws_account import check_account

    with importing(
        "pulumi_kubernetes.core.v1:Namespace",
        "pulumi_kubernetes.meta.v1:ObjectMetaArgs",
        "pulumi_kubernetes.apps.v1:Deployment",
        "pulumi_kubernetes.networking.v1:NetworkPolicy",
        "pulumi_aws.ecr:Repository",
        "components.ecr:EcrRegistry",
        *(["components.service_image:ServiceImage"] if builds else []),
    ):
        check_account(account, cloud.account, cloud.region)

# --- Where it runs. ---
namespace = kubernetes.core.v1.Namespace(
    "namespace",
    metadata=kubernetes.meta.v1.ObjectMetaArgs(
        name=settings.namespace,
        labels={**RESTRICTED, **recommended_labels("dockercoins", settings.namespace, part_of="dockercoins")},
    ),
    opts=pulumi.ResourceOptions(provider=cluster),
)

# --- The registry, and who pushes to it and pulls from it. ---
redis_image = mirrored(settings.application.redis_image, settings.registry.mirrors)
ecr = None
if cloud and account and rules:
    from components.ecr import EcrRegistry, EcrRegistryArgs
    from components.ecr_cache import cached_reference

    provisioned = EcrRegistryArgs(
        host=registry.push_host,
        prefix=rules.prefix,
        images=BUILT_SERVICES,
        account=cloud.account,
        region=cloud.region,
        keep=rules.keep,
        untagged_days=rules.untagged_days,
        kms_key=rules.kms_key,
        force_delete=rules.force_delete,
        may_pull=rules.may_pull,
        may_push=rules.may_push,
        replicate_to=rules.replicate_to,
        cache=rules.cache,
        scanning=rules.scanning,
        platforms=len(settings.images.platforms),
        mutable_tags=cache_tags(settings.images.platforms) if settings.images.cache else (),
        tags=tags,
        import_existing=rules.import_existing,
    )
    # Who takes images from elsewhere makes no repository: those belong to the stack that builds.
    taken_only = EcrRegistryArgs(registry.push_host, rules.prefix, (), cloud.account, cloud.region)
    ecr = EcrRegistry("registry", provisioned if builds else taken_only, provider=account)
    push = pull = RegistryLogin(registry.push_host, ecr.username, ecr.password)
    redis_image = cached_reference(registry.pull_host, rules.cache, redis_image)
else:
    push, pull = (
        RegistryLogin(registry.push_host, login.username, pulumi.Output.secret(login.password)) if login else None
        for login in (settings.registry.push, settings.registry.pull)
    )

# --- The four images: built here, or taken from where others have put them. ---
built = {}
if engine:
    from components.service_image import ServiceImage, ServiceImageArgs

    built = {
        service: ServiceImage(
            service,
            ServiceImageArgs(
                context=f"./services/{service}",
                repository=registry.push_repository(service),
                pull_repository=registry.pull_repository(service),
                platforms=settings.images.platforms,
                login=push,
                build_args={"PYTHON_IMAGE": settings.images.python_image},
                build_on_preview=settings.images.on_preview,
                rebuild=settings.images.rebuild,
                cache=settings.images.cache,
            ),
            provider=engine,
            depends_on=[ecr.repositories[service]] if ecr else (),
        )
        for service in BUILT_SERVICES
    }
    images = {service: image.reference for service, image in built.items()}
else:
    from components.image_source import checked, images_of_stack

    taken = (
        images_of_stack(settings.images.stack, BUILT_SERVICES) if settings.images.stack else settings.images.references
    )
    images = {service: checked(taken[service], registry, pull) for service in BUILT_SERVICES}
    # If a digest is gone, not even redis changes.
    redis_image = pulumi.Output.all(redis_image, *images.values()).apply(lambda values: values[0])

# --- The application. ---
pull_secret = None
refresh = settings.registry.refresh
if pull and settings.registry.pull_credentials == "static":
    pull_secret = PullSecret(
        "pull", namespace=namespace.metadata.name, login=pull.at(registry.pull_server), provider=cluster
    )
elif pull and refresh and settings.registry.aws:
    from components.pull_secret_refresh import RefreshedPullSecret, RefreshedPullSecretArgs

    pull_secret = RefreshedPullSecret(
        "pull",
        RefreshedPullSecretArgs(
            namespace=namespace.metadata.name,
            login=pull.at(registry.pull_server),
            region=settings.registry.aws.region,
            image=mirrored(settings.images.python_image, settings.registry.mirrors),
            role_arn=refresh.role,
            access_key_id=refresh.access_key_id,
            secret_access_key=pulumi.Output.secret(refresh.secret_access_key) if refresh.secret_access_key else None,
            endpoint=refresh.endpoint,
            schedule=refresh.schedule,
        ),
        provider=cluster,
    )
running = settings.application
versions = {service: image.tag for service, image in built.items()}
if running.redis_version:
    versions["redis"] = running.redis_version
application = DockerCoins(
    "dockercoins",
    DockerCoinsArgs(
        namespace=namespace.metadata.name,
        images=images,
        redis=replace(running.redis, image=redis_image),
        redis_after=list(ecr.cache_rules.values()) if ecr else (),
        profile=running.profile,
        versions=versions,
        replicas=running.replicas,
        autoscale=running.autoscale,
        webui_service_type=running.webui_service_type,
        webui_node_port=running.webui_node_port,
        webui_node_address=running.webui_node_address,
        webui_access=running.webui_access,
        webui_from=running.webui_from,
        network_policies=running.network_policies,
        observability=running.observability,
        pull_secret=pull_secret.secret_name if pull_secret else None,
        rollout_seconds=running.rollout_seconds,
    ),
    provider=cluster,
    # `DOCKERCOINS_ROLLOUTS=unchecked pulumi refresh --run-program` (or `destroy`) does not fail by what runs badly now.
    rollouts=Rollouts(settings.cluster, wait=os.environ.get("DOCKERCOINS_ROLLOUTS") != "unchecked"),
)
if ecr and builds:
    ecr.clean_up(
        {service: image.tag for service, image in built.items()},
        after=[application.services[service].rolled_out for service in BUILT_SERVICES],
    )

pulumi.export("webui_url", application.webui_url)
if application.port_forward:
    pulumi.export("webui_port_forward", application.port_forward)
# Other stacks deploy these digests: they are exported once they run.
pulumi.export(
    "images",
    {
        service: pulumi.Output.all(images[service], application.services[service].rolled_out).apply(
            lambda known: known[0]
        )
        for service in BUILT_SERVICES
    },
)
pulumi.export("registry", registry.push_host)
pulumi.export("namespace", namespace.metadata.name)
pulumi.export("cluster", {"context": settings.cluster.context, "server": settings.cluster.server})
