"""The ECR and STS API: moto's server with what `ecr_api` adds to it, in a container.

It keeps everything in memory, so it is empty after each start.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from . import containers, ports, web
from .docker import Docker
from .errors import SandboxError
from .progress import Step
from .settings import Settings

if TYPE_CHECKING:
    from types_boto3_ecr import ECRClient

_PORT: Final = 5000
_ANSWERS_WITHIN: Final = 30.0  # seconds
_OK: Final = 200

CREDENTIALS: Final = {"AWS_ACCESS_KEY_ID": "sandbox", "AWS_SECRET_ACCESS_KEY": "sandbox"}
"""moto lets in anybody; the clients insist on sending something."""


def ensure(docker: Docker, step: Step, settings: Settings, image: str) -> None:
    """Make the ECR API answer.

    Raises:
        SandboxError: its port is taken, or it does not answer.
    """
    wanted = containers.Container(
        name=settings.ecr_container,
        image=image,
        command=("-H", "0.0.0.0", "-p", str(_PORT)),  # noqa: S104 - in a container, published on loopback only
        port=(settings.ecr_port, _PORT),
        environment=(("MOTO_ACCOUNT_ID", settings.account),),
    )
    changed = containers.ensure(
        docker, step, wanted, lambda: ports.require(settings.ecr_port, "awsEndpoint", "the ECR API")
    )
    status = web.await_status(f"{settings.ecr_endpoint}/moto-api/", _OK, _ANSWERS_WITHIN)
    if status != _OK:
        raise SandboxError(
            f"the ECR API does not answer at {settings.ecr_endpoint}; its log: docker logs {settings.ecr_container}"
        )
    step.finish(f"{settings.ecr_endpoint} {'started' if changed else 'running'}")


def repositories(settings: Settings) -> set[str]:
    """The names of the repositories that the API knows.

    Raises:
        SandboxError: it does not answer.
    """
    try:
        pages = _client(settings).get_paginator("describe_repositories").paginate()
        return {name for page in pages for entry in page["repositories"] if (name := entry.get("repositoryName"))}
    except (BotoCoreError, ClientError) as error:
        raise SandboxError(f"the ECR API at {settings.ecr_endpoint}: {error}") from error


def tagged(settings: Settings, names: Iterable[str], tags: Mapping[str, str]) -> set[str]:
    """Which of some repositories carry all of some tags.

    Raises:
        SandboxError: the API does not answer, or does not know one of them.
    """
    client = _client(settings)
    found: set[str] = set()
    try:
        for name in names:
            arn = f"arn:aws:ecr:{settings.region}:{settings.account}:repository/{name}"
            has = {tag["Key"]: tag["Value"] for tag in client.list_tags_for_resource(resourceArn=arn).get("tags", [])}
            if tags.items() <= has.items():
                found.add(name)
    except (BotoCoreError, ClientError) as error:
        raise SandboxError(f"the ECR API at {settings.ecr_endpoint}: {error}") from error
    return found


def delete_repository(settings: Settings, name: str) -> None:
    """Delete a repository with what the API has of its images.

    Raises:
        SandboxError: it is not there, or the API does not answer.
    """
    try:
        _client(settings).delete_repository(repositoryName=name, force=True)
    except (BotoCoreError, ClientError) as error:
        raise SandboxError(f"the ECR API at {settings.ecr_endpoint}: {error}") from error


def _client(settings: Settings) -> ECRClient:
    return boto3.client(  # pyright: ignore[reportUnknownMemberType] - stubs of ECR alone are installed
        "ecr",
        region_name=settings.region,
        endpoint_url=settings.ecr_endpoint,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        config=Config(connect_timeout=3, read_timeout=10, retries={"total_max_attempts": 2}),
    )
