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
from . import build_output, failures, references
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
        if ended.exit_code == 0:
            return id_file.read_text().strip()
        dockerfile = Path(spec.dockerfile).read_text(encoding="utf-8", errors="replace")
        failed = build_output.read_failure(ended.lines, dockerfile)
        raise ProviderError(failures.build_failure(spec, failed, ended.text, self.host))

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

    def _confirmed(self, spec: ImageSpec, digest: str) -> str:
        """`repository@digest`, once the engine has recorded this digest for this very repository."""
        asked = self.client.run(["image", "inspect", "--format", "{{json .RepoDigests}}", spec.name])
        try:
            told = cast("list[str] | None", json.loads(asked.lines[-1]))
            recorded = [references.parse(text) for text in told or []]
        except (ValueError, IndexError):
            recorded = []
        wanted = spec.reference
        if not any(
            entry.digest == digest and entry.canonical_repository == wanted.canonical_repository for entry in recorded
        ):
            raise ProviderError(
                f"{spec.name} was pushed as {digest}, but the engine knows no such digest for {wanted.repository} "
                f"({failures.last_line(asked.text)}); another build may have taken its tag meanwhile: run again"
            )
        return f"{wanted.repository}@{digest}"


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
