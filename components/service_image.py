"""An image of a service: built, pushed, and named by the digest that a Deployment should run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

import pulumi
import pulumi_docker as docker
from pulumi.output import UNKNOWN

from components.content_tag import content_tag
from components.registry import CACHE_TAG, RegistryLogin

# BuildKit puts what it needs for a later build's cache into the image (docs.docker.com/build/cache/backends/inline).
_INLINE_CACHE: Final = {"BUILDKIT_INLINE_CACHE": "1"}


@dataclass(frozen=True)
class ServiceImageArgs:
    """What a :class:`ServiceImage` is built from and where it goes.

    ``context`` is the folder with the Dockerfile, relative to the program. ``repository`` is ``<host>/<path>`` without
    a tag, and ``pull_repository`` is the same as nodes name it, where that differs. ``login`` is who pushes; without
    one, the login of this machine's docker does. ``platform`` is ``<os>/<architecture>``: said on purpose, since a
    machine's own would make every other machine build again. ``build_args`` are the Dockerfile's ``ARG`` values; they
    are no place for a secret, as the image's history shows them. Another ``rebuild``, any text, builds again from equal
    content, and under another tag. ``cache`` keeps the layers under the tag ``cache`` too, where a build on a fresh
    machine finds them.
    """

    context: str
    repository: str
    platform: str
    login: RegistryLogin | None = None
    pull_repository: str | None = None
    build_args: Mapping[str, str] = field(default_factory=dict[str, str])
    build_on_preview: bool = False
    rebuild: str | None = None
    cache: bool = False


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
        build_args = {**args.build_args, **(_INLINE_CACHE if args.cache else {})}
        shape = {"platform": args.platform, **{f"arg:{key}": value for key, value in build_args.items()}}
        if args.rebuild:
            shape["rebuild"] = args.rebuild
        self.tag = content_tag(Path(args.context), shape)
        self.name = f"{args.repository}:{self.tag}"
        cached = f"{args.repository}:{CACHE_TAG}"
        build = docker.DockerBuildArgs(
            context=args.context,
            dockerfile=f"{args.context}/Dockerfile",
            platform=args.platform,
            args=build_args,
            builder_version=docker.BuilderVersion.BUILDER_BUILD_KIT,
            cache_from=docker.CacheFromArgs(images=[cached]) if args.cache else None,
        )

        def pushed(resource: str, image_name: str, after: Sequence[pulumi.Resource]) -> docker.Image:
            return docker.Image(
                resource,
                image_name=image_name,
                build=build,
                registry=docker.RegistryArgs(
                    server=args.login.server, username=args.login.username, password=args.login.password
                )
                if args.login
                else None,
                build_on_preview=args.build_on_preview,
                skip_push=False,
                opts=pulumi.ResourceOptions(parent=self, provider=provider, depends_on=list(after)),
            )

        image = pushed(name, self.name, depends_on)
        if args.cache:
            # An Image pushes one tag only. This one is built already, so it costs no more than its push.
            pushed(f"{name}-{CACHE_TAG}", cached, [image])
        deployed = args.pull_repository or args.repository
        self.reference = image.repo_digest.apply(lambda digest: _deployable(name, digest, deployed))
        self.register_outputs({"name": self.name, "reference": self.reference})


def _deployable(service: str, repo_digest: str, repository: str) -> str:
    """The image as a node can pull it; unknown in a preview that built but, rightly, did not push."""
    _, at, digest = repo_digest.partition("@")
    if at and digest.startswith("sha256:"):
        return f"{repository}@{digest}"
    if pulumi.runtime.is_dry_run():
        return cast("str", UNKNOWN)
    raise pulumi.RunError(
        f"the image of {service} has no digest in the registry: the build gave {repo_digest!r}, and only"
        " <repository>@sha256:<digest> names an image that a node can pull; run `pulumi up` again to push it"
    )
