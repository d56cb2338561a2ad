"""Talks to Docker Engine through the `docker` program."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from . import processes, toolchain
from .errors import SandboxError

_OWN_BUILDKIT: Final = ((18, 9, 0), (23, 0, 0))
"""Clients from the first to before the second build with BuildKit by themselves; later ones need the plugin buildx."""


@dataclass(frozen=True)
class Docker:
    """A `docker` program that can build with BuildKit."""

    tool: toolchain.Tool

    @property
    def program(self) -> Path:
        """The program."""
        return self.tool.path

    def output(self, *arguments: str | Path, stdin: str | None = None, timeout: float = 60.0) -> str:
        """Run a short docker command and return what it prints."""
        return processes.output([self.program, *arguments], stdin=stdin, timeout=timeout)

    def succeeds(self, *arguments: str | Path) -> bool:
        """Whether a short docker command ends well."""
        return processes.succeeds([self.program, *arguments])

    def inspect(self, kind: str, name: str) -> dict[str, Any] | None:
        """What Docker knows about a container, image, network or volume; None if there is none of this name."""
        try:
            document: Any = json.loads(self.output(kind, "inspect", name))
        except processes.CommandError as error:
            if "no such" in error.tail.lower() or "not found" in error.tail.lower():
                return None
            raise
        return cast("dict[str, Any]", document[0])

    def build(
        self,
        context: Path,
        tag: str,
        *,
        log: Path,
        arguments: Mapping[str, str] | None = None,
        target: str | None = None,
        labels: Mapping[str, str] | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        """Build an image with BuildKit from the Dockerfile in a folder."""
        options: list[str] = ["--tag", tag]
        for key, value in (arguments or {}).items():
            options += ["--build-arg", f"{key}={value}"]
        for key, value in (labels or {}).items():
            options += ["--label", f"{key}={value}"]
        if target:
            options += ["--target", target]
        environment = os.environ | {"DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain"}
        processes.stream([self.program, "build", *options, context], log=log, env=environment, on_line=on_line)


def find(search: str) -> Docker | None:
    """The first docker client on a PATH that can build with BuildKit."""
    for candidate in toolchain.candidates("docker", search):
        try:
            version = toolchain.version_of(processes.output([candidate, "--version"]))
        except processes.Stopped:
            raise
        except SandboxError:
            continue
        if version is None:
            continue
        least, ended = _OWN_BUILDKIT
        if least <= version < ended or (version >= ended and processes.succeeds([candidate, "buildx", "version"])):
            return Docker(toolchain.Tool(candidate, toolchain.spelled(version), "on the machine"))
    return None
