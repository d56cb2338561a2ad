"""An image of a service: built, pushed, and named by the digest that a Deployment should run."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

import pulumi
import pulumi_docker as docker
from pulumi.output import UNKNOWN

from components.content_tag import ContextError, content_tag
from components.docker_login import DockerLoginError, docker_login
from components.image_index import ImageIndexError, platform_suffix, push_index, read_index
from components.image_reference import parse
from components.registry import CACHE_TAG, RegistryLogin
from components.registry_api import Outcome, RegistryApi, RegistryError

# BuildKit puts what it needs for a later build's cache into the image (docs.docker.com/build/cache/backends/inline).
_INLINE_CACHE: Final = {"BUILDKIT_INLINE_CACHE": "1"}


@dataclass(frozen=True)
class ServiceImageArgs:
    """What a :class:`ServiceImage` is built from and where it goes.

    ``context`` is the folder with the Dockerfile, relative to the program. ``repository`` is ``<host>/<path>`` without
    a tag, and ``pull_repository`` is the same as nodes name it, where that differs. ``login`` is who pushes; without
    one, the login of this machine's docker does. ``platforms`` are ``<os>/<architecture>``: said on purpose, since a
    machine's own would make every other machine build again. ``build_args`` are the Dockerfile's ``ARG`` values; they
    are no place for a secret, as the image's history shows them. Another ``rebuild``, any text, builds again from equal
    content, and under another tag. ``cache`` keeps the layers under the tag ``cache`` too, where a build on a fresh
    machine finds them; with several platforms, under ``cache-<architecture>``.

    Raises:
        ValueError: there is no platform, or one of them is there twice.
    """

    context: str
    repository: str
    platforms: Sequence[str]
    login: RegistryLogin | None = None
    pull_repository: str | None = None
    build_args: Mapping[str, str] = field(default_factory=dict[str, str])
    build_on_preview: bool = False
    rebuild: str | None = None
    cache: bool = False

    def __post_init__(self) -> None:
        """Refuse what no image can be for."""
        if not self.platforms or len(set(self.platforms)) < len(self.platforms):
            raise ValueError(f"an image is for one or more platforms, each named once; received {self.platforms!r}")


class ServiceImage(pulumi.ComponentResource):
    """Builds and pushes one image, for one platform or for several.

    ``tag`` comes from the content of the context, so it is known before the build and changes only when the content
    does. ``name`` is ``repository:tag``. ``reference`` is ``repository@sha256:…``, the one to deploy.

    For several platforms, an image for each is built and pushed under ``<tag>-<architecture>``. Then ``tag`` gets an
    index that names them all, of which each node pulls its own; its digest is the one to deploy. The index is no
    resource: what it names says all of it. An update pushes it where the registry has it not; a preview never does.
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
        self._name = name
        self._args = args
        self._build_args = {**args.build_args, **(_INLINE_CACHE if args.cache else {})}
        self._image_opts = pulumi.ResourceOptions(parent=self, provider=provider)
        platforms = sorted(args.platforms)
        shape = {"platform": ",".join(platforms), **{f"arg:{key}": value for key, value in self._build_args.items()}}
        if args.rebuild:
            shape["rebuild"] = args.rebuild
        try:
            self.tag = content_tag(Path(args.context), shape)
        except ContextError as error:
            raise pulumi.RunError(f"the image {name} cannot be built from {args.context}: {error}") from None
        self.name = f"{args.repository}:{self.tag}"
        deployed = args.pull_repository or args.repository
        if len(platforms) == 1:
            image = self._image(platforms[0], "", depends_on)
            self.reference = image.repo_digest.apply(lambda digest: _deployable(name, digest, deployed))
        else:
            images = {
                platform: self._image(platform, f"-{platform_suffix(platform)}", depends_on) for platform in platforms
            }
            self.reference = self._index({platform: image.repo_digest for platform, image in images.items()}, deployed)
        self.register_outputs({"name": self.name, "reference": self.reference})

    def _image(self, platform: str, suffix: str, after: Sequence[pulumi.Resource]) -> docker.Image:
        args = self._args
        cached = f"{args.repository}:{CACHE_TAG}{suffix}"
        build = docker.DockerBuildArgs(
            context=args.context,
            dockerfile=f"{args.context}/Dockerfile",
            platform=platform,
            args=self._build_args,
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
                opts=pulumi.ResourceOptions.merge(self._image_opts, pulumi.ResourceOptions(depends_on=list(after))),
            )

        image = pushed(f"{self._name}{suffix}", f"{self.name}{suffix}", after)
        if args.cache:
            # An Image pushes one tag only. This one is built already, so it costs no more than its push.
            pushed(f"{self._name}-{CACHE_TAG}{suffix}", cached, [image])
        return image

    def _index(self, images: Mapping[str, pulumi.Output[str]], deployed: str) -> pulumi.Output[str]:
        """The index of the images (platform to ``repository@sha256:…``), as a Deployment names it."""
        login = self._args.login
        username = pulumi.Output.from_input(login.username if login else None)
        password = pulumi.Output.from_input(login.password if login else None)
        preview = pulumi.runtime.is_dry_run()

        async def put_together(values: Sequence[Any]) -> str:
            repo_digests, user, word = values
            digests = {platform: _digest(self._name, given) for platform, given in repo_digests.items()}
            known = {platform: digest for platform, digest in digests.items() if digest}
            if len(known) < len(digests):
                return cast("str", UNKNOWN)
            try:
                digest, is_new = await asyncio.to_thread(self._put_together, known, user, word, preview=preview)
            except (RegistryError, ImageIndexError, DockerLoginError) as error:
                if not preview:
                    gone = isinstance(error, RegistryError) and error.outcome is Outcome.MISSING
                    remedy = "; another `rebuild` builds and pushes it again" if gone else ""
                    raise pulumi.RunError(
                        f"the image of {self._name} for {', '.join(digests)} was not put together: {error}{remedy}"
                    ) from None
                pulumi.log.warn(f"{error}\nThe digest of the image is not known before the update.", self)
                return cast("str", UNKNOWN)
            if is_new:
                pulumi.log.info(f"pushed {self.name}, the image for {', '.join(digests)}", self)
            return f"{deployed}@{digest}"

        # The password that goes in would make a secret of the reference, which is none.
        return pulumi.Output.unsecret(pulumi.Output.all(images, username, password).apply(put_together))

    def _put_together(
        self, digests: Mapping[str, str], username: str | None, password: str | None, *, preview: bool
    ) -> tuple[str, bool]:
        """The digest of the index, and whether it was pushed just now."""
        repository = parse(self._args.repository)
        if self._args.login:
            api = RegistryApi(repository.host, username or "", password or "")
        else:
            ambient = docker_login(repository.host, os.environ, Path.home())
            api = RegistryApi(
                repository.host, ambient.username, ambient.password, identity_token=ambient.identity_token
            )
        there = api.repository(repository.path, push=not preview)
        index = read_index(there, digests)
        return index.digest, not preview and push_index(there, self.tag, index)


def _deployable(service: str, repo_digest: str, repository: str) -> str:
    """The image as a node can pull it; unknown in a preview that built but, rightly, did not push."""
    digest = _digest(service, repo_digest)
    return f"{repository}@{digest}" if digest else cast("str", UNKNOWN)


def _digest(service: str, repo_digest: str) -> str | None:
    """The digest in the registry; ``None`` in a preview that built and did not push."""
    _, at, digest = repo_digest.partition("@")
    if at and digest.startswith("sha256:"):
        return digest
    if pulumi.runtime.is_dry_run():
        return None
    raise pulumi.RunError(
        f"the image of {service} has no digest in the registry: the build gave {repo_digest!r}, and only"
        " <repository>@sha256:<digest> names an image that a node can pull; run `pulumi up` again to push it"
    )
