"""Builds an image with BuildKit and pushes it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from ..protocol.engine_log import ResourceLog
from ..protocol.provider import ProviderError
from . import build_output, failures, platforms, references
from .client import Client
from .spec import ImageSpec

_PUSHED: Final = re.compile(r"\S+: digest: (sha256:[0-9a-f]{64}) size: \d+\Z")
_CLIENT_VARIABLES: Final = ("DOCKER_", "BUILDKIT_", "BUILDX_", "PULUMI_")


@dataclass(frozen=True)
class Builder:
    """Builds and pushes through one docker command line; `host` names the engine in messages."""

    client: Client
    log: ResourceLog
    host: str

    def build(self, spec: ImageSpec) -> str:
        """Build and tag the image in the Docker Engine, and return its id, `sha256:…`.

        Raises:
            ProviderError: the build failed; the message tells where and why.
            Cancelled: the user stopped the run.
        """
        self.log.status(f"building {spec.name}")
        id_file = self.client.folder / "image-id"
        options, variables = build_arguments(spec, self.client.environment)
        progress = build_output.Progress()

        def show(line: str) -> None:
            if text := progress.shown(line):
                self.log.status(text)

        ended = self.client.run(["build", "--progress=plain", "--iidfile", str(id_file), *options], show, variables)
        dockerfile = Path(spec.dockerfile).read_text(encoding="utf-8", errors="replace")
        if ended.exit_code != 0:
            failed = build_output.read_failure(ended.lines, dockerfile)
            if failed.base_image and failures.lacks_platform(failed):
                fetched = build_output.fetched_images(ended.lines)
                named = [image for image in fetched if build_output.may_be(failed.base_image, image)]
                there = self._listed_platforms(named[0]) if named else []
                raise ProviderError(failures.wrong_platform(spec, failed.base_image, failed.line, there))
            here = self._local_platform(failed.base_image) if failed.base_image else ""
            raise ProviderError(failures.build_failure(spec, failed, ended.text, self.host, here))
        self._tell_of_caches(ended.lines)
        self._require_platform(spec, ended.lines, dockerfile)
        return id_file.read_text().strip()

    def push(self, spec: ImageSpec) -> str:
        """Push the image under its name, and return `repository@sha256:…` as the registry knows it.

        Layers that the registry has already are not sent.

        Raises:
            ProviderError: the registry did not take it; the message tells which and why.
            Cancelled: the user stopped the run.
        """
        self.log.status(f"pushing {spec.name}")
        ended = self.client.run(["push", spec.name], self.log.status)
        if ended.exit_code != 0:
            raise ProviderError(failures.push_failure(spec, ended.text, self.host))
        digests = [match[1] for line in ended.lines if (match := _PUSHED.match(line.strip()))]
        if not digests:
            raise ProviderError(
                f"{spec.name} was pushed, but docker did not tell its digest: {failures.last_line(ended.text)}"
            )
        return self._confirmed(spec, digests[-1])

    def _tell_of_caches(self, lines: Sequence[str]) -> None:
        for image, reason in build_output.unread_caches(lines).items():
            if reason.endswith(": not found"):
                self.log.status(f"no build cache at {image} yet")
            else:
                self.log.warning(f"the build cache {image} was not used: {reason}")

    def _require_platform(self, spec: ImageSpec, lines: Sequence[str], dockerfile: str) -> None:
        """Refuse what was built for another platform from a base image that is not there for it."""
        asked = self.client.run(["version", "--format", "{{.Server.Os}}/{{.Server.Arch}}"])
        if platforms.same(failures.last_line(asked.text), spec.platform):
            return
        for image in platforms.base_images(lines, dockerfile):
            there = self._listed_platforms(image)
            if there and not any(platforms.same(platform, spec.platform) for platform in there):
                self.client.run(["image", "rm", spec.name])  # its label is wrong
                line = build_output.line_of_image(image, dockerfile)
                raise ProviderError(failures.wrong_platform(spec, build_output.short_image(image), line, there))

    def _listed_platforms(self, image: str) -> list[str]:
        """The platforms that an image is there for, as its registry tells; empty if it cannot be asked."""
        question = ["manifest", "inspect", *(["--insecure"] if references.is_local(image) else [])]
        asked = self.client.run([*question, image])
        if asked.exit_code != 0:
            return []
        listed = platforms.listed(asked.text)
        return platforms.of_single(self.client.run([*question, "--verbose", image]).text) if listed is None else listed

    def _local_platform(self, image: str) -> str:
        """The platform of an image that the engine has; empty if it has none of this name."""
        asked = self.client.run(["image", "inspect", "--format", "{{.Os}}/{{.Architecture}}", image])
        return failures.last_line(asked.text) if asked.exit_code == 0 else ""

    def _confirmed(self, spec: ImageSpec, digest: str) -> str:
        """`repository@digest` as the engine has recorded it for this very repository: without Docker Hub's host."""
        asked = self.client.run(["image", "inspect", "--format", "{{json .RepoDigests}}", spec.name])
        try:
            told = cast("list[str] | None", json.loads(asked.lines[-1]))
            recorded = {text: references.parse(text) for text in told or []}
        except (ValueError, IndexError):
            recorded = {}
        wanted = spec.reference
        for text, entry in recorded.items():
            if entry.digest == digest and entry.canonical_repository == wanted.canonical_repository:
                return text
        raise ProviderError(
            f"{spec.name} was pushed as {digest}, but the engine knows no such digest for {wanted.repository} "
            f"({failures.last_line(asked.text)}); another build may have taken its tag meanwhile: run again"
        )


def build_arguments(spec: ImageSpec, environment: Mapping[str, str]) -> tuple[Sequence[str], Mapping[str, str]]:
    """The options of `docker build` for an image, and the variables that carry the build arguments' values.

    A build argument may be a secret, and every user can read a command line: only its name stands there. Where a value
    would change how docker itself behaves (`PATH`, `DOCKER_HOST`), it has to stand in the option.
    """
    options = ["--file", spec.dockerfile, "--tag", spec.name, "--platform", spec.platform]
    variables: dict[str, str] = {}
    for name, value in sorted(spec.args.items()):
        if environment.get(name) == value:
            options += ["--build-arg", name]
        elif name in environment or name.upper() in os.environ or name.startswith(_CLIENT_VARIABLES):
            options += ["--build-arg", f"{name}={value}"]
        else:
            options += ["--build-arg", name]
            variables[name] = value
    for flag, value in (("--target", spec.target), ("--network", spec.network)):
        if value:
            options += [flag, value]
    for image in spec.cache_from:
        options += ["--cache-from", image]
    for host in spec.add_hosts:
        options += ["--add-host", host]
    return [*options, spec.context], variables
