"""An image of a service: built, pushed, and named by the digest that a Deployment should run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pulumi
import pulumi_docker as docker
from pulumi.output import UNKNOWN

from components.content_tag import content_tag
from components.registry import RegistryLogin


@dataclass(frozen=True)
class ServiceImageArgs:
    """What a :class:`ServiceImage` is built from and where it goes.

    ``context`` is the folder with the Dockerfile, relative to the program. ``repository`` is ``<host>/<path>`` without
    a tag. ``platform`` is ``<os>/<architecture>``: said on purpose, since a machine's own would make every other
    machine build again. ``build_args`` are the Dockerfile's ``ARG`` values; they are no place for a secret, as the
    image's history shows them.
    """

    context: str
    repository: str
    platform: str
    login: RegistryLogin
    build_args: Mapping[str, str] = field(default_factory=dict[str, str])
    build_on_preview: bool = False


class ServiceImage(pulumi.ComponentResource):
    """Builds and pushes one image.

    ``tag`` comes from the content of the context, so it is known before the build and changes only when the content
    does. ``name`` is ``repository:tag``. ``reference`` is ``repository@sha256:…``, the one to deploy.
    """

    tag: str
    name: str
    reference: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        args: ServiceImageArgs,
        *,
        provider: docker.Provider,
        depends_on: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the build; the push waits for ``depends_on``, such as the repository that it goes to."""
        super().__init__("dockercoins:image:ServiceImage", name, None, opts)
        shape = {"platform": args.platform, **{f"arg:{key}": value for key, value in args.build_args.items()}}
        self.tag = content_tag(Path(args.context), shape)
        self.name = f"{args.repository}:{self.tag}"
        image = docker.Image(
            name,
            image_name=self.name,
            build=docker.DockerBuildArgs(
                context=args.context,
                dockerfile=f"{args.context}/Dockerfile",
                platform=args.platform,
                args=args.build_args,
                builder_version=docker.BuilderVersion.BUILDER_BUILD_KIT,
            ),
            registry=docker.RegistryArgs(
                server=args.login.server, username=args.login.username, password=args.login.password
            ),
            build_on_preview=args.build_on_preview,
            skip_push=False,
            opts=pulumi.ResourceOptions(parent=self, provider=provider, depends_on=list(depends_on)),
        )
        self.reference = image.repo_digest.apply(lambda digest: _deployable(name, digest))
        self.register_outputs({"name": self.name, "reference": self.reference})


def _deployable(service: str, repo_digest: str) -> str:
    """``repo_digest`` where a node can pull it; unknown in a preview that built but, rightly, did not push."""
    if "@sha256:" in repo_digest:
        return repo_digest
    if pulumi.runtime.is_dry_run():
        return cast("str", UNKNOWN)
    raise pulumi.RunError(
        f"the image of {service} has no digest in the registry: the build gave {repo_digest!r}, and only"
        " <repository>@sha256:<digest> names an image that a node can pull; run `pulumi up` again to push it"
    )
