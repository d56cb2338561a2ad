"""The images that the platform runs: there already, pulled, or built from Debian packages and our own recipes."""

from __future__ import annotations

import os
import shlex
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from . import containers, files, packages, processes
from .docker import Docker
from .errors import SandboxError
from .paths import SOURCES, Paths
from .progress import Step

RECIPE: Final = "dockercoins.recipe"
"""The label of an image that was built here: what it was made from."""

RECIPES: Final = SOURCES / "images"

OWN: Final = "dockercoins/"
"""What the names of images begin with that nobody else publishes."""

_PAUSES: Final = (2.0, 8.0)  # seconds before a pull is tried again
_FINAL: Final = ("toomanyrequests", "manifest unknown", "not found", "denied", "unauthorized", "no space left")
"""What Docker says where another try would end alike."""

_HOST_CA: Final = Path("/etc/ssl/certs/ca-certificates.crt")


@dataclass(frozen=True)
class System:
    """A Debian system made of packages."""

    suite: str
    packages: tuple[str, ...]
    hooks: tuple[str, ...] = ()
    """Shell commands for `mmdebstrap --customize-hook`; `$1` is the system's root, `$RECIPES` the folder of recipes."""
    changes: tuple[str, ...] = ()
    """Dockerfile instructions for `docker import --change`."""
    contents: tuple[Path, ...] = ()
    """Files that the hooks copy."""
    pip: Mapping[str, str] = field(default_factory=dict[str, str])
    """pip's configuration inside."""

    def key(self) -> str:
        """Names it by all that it is made from, but for the packages' versions: Debian's security fixes are welcome."""
        return files.digest([repr((self.suite, self.packages, self.hooks, self.changes, self.pip)), *self.contents])


def python_system(pip: Mapping[str, str]) -> System:
    """A stand-in for the official image `python:3.13-slim-trixie`: trixie's own Python is 3.13."""
    return System(
        suite="trixie",
        packages=("ca-certificates", "python3", "python3-pip", "python3-venv"),
        hooks=(
            # The official image has them under /usr/local, and pip may install into the system.
            'for name in python python3; do ln -s /usr/bin/python3 "$1/usr/local/bin/$name"; done',
            'for name in pip pip3; do ln -s /usr/bin/pip3 "$1/usr/local/bin/$name"; done',
            'rm -f "$1"/usr/lib/python3.*/EXTERNALLY-MANAGED',
        ),
        changes=('CMD ["python3"]', "ENV LANG=C.UTF-8"),
        pip=pip,
    )


def redis_system() -> System:
    """A stand-in for the official image `redis:8-trixie`: trixie's redis is version 8."""
    wrapper = RECIPES / "redis" / "redis-server"
    return System(
        suite="trixie",
        packages=("redis-server", "redis-tools"),
        hooks=(
            # The official image's user and group have the number 999.
            'chroot "$1" usermod --uid 999 redis',
            'chroot "$1" groupmod --gid 999 redis',
            'install -d -m 755 -o 999 -g 999 "$1/data"',
            'install -m 755 "$RECIPES/redis/redis-server" "$1/usr/local/bin/redis-server"',
        ),
        changes=("WORKDIR /data", "EXPOSE 6379", "VOLUME /data", 'CMD ["redis-server"]'),
        contents=(wrapper,),
    )


def node_system() -> System:
    """What a cluster node is made from. Bookworm's systemd still runs on cgroup v1, which some machines have."""
    return System(
        suite="bookworm",
        packages=(
            *("bash", "ca-certificates", "conntrack", "containerd", "containernetworking-plugins", "curl", "ethtool"),
            *("gettext-base", "hostname", "iproute2", "iptables", "jq", "kmod", "libseccomp2", "mount", "nftables"),
            *("pigz", "procps", "runc", "systemd", "util-linux"),
        ),
    )


@dataclass(frozen=True)
class Image:
    """An image that is ready."""

    name: str
    origin: str
    """`on the machine`, `pulled`, `built`."""


class PullError(SandboxError):
    """An image could not be pulled although its registry answers."""

    def __init__(self, name: str, message: str) -> None:
        """Keep which one, so that a stand-in can be built instead."""
        super().__init__(message)
        self.name = name


def there(docker: Docker, name: str, recipe: str) -> Image | None:
    """The image, if it is on the machine: an official one, or one built here from this very recipe."""
    inspected = docker.inspect("image", name)
    if inspected is None:
        return None
    label = containers.label(inspected, RECIPE)
    if not label and not name.startswith(OWN):
        return Image(name, "on the machine")
    return Image(name, "built") if label == recipe else None


def pull(docker: Docker, step: Step, name: str, log: Path) -> Image:
    """Pull an image.

    A line that breaks now and then is tried again; a registry that says no is not.

    Raises:
        PullError: it cannot be pulled.
    """
    for pause in (*_PAUSES, None):
        step.work(f"pulling {name}")
        try:
            processes.stream([docker.program, "pull", name], log=log)
            break
        except processes.CommandError as error:
            if pause is None or any(word in error.tail.lower() for word in _FINAL):
                raise PullError(name, f"{name} cannot be pulled: {error.tail}") from error
            step.work(f"pulling {name} again in {pause:.0f} s, since it failed")
            time.sleep(pause)
    step.finish(f"{name} pulled")
    return Image(name, "pulled")


class Systems:
    """Makes Debian systems into images."""

    def __init__(self, paths: Paths) -> None:
        """Log under these paths."""
        self._paths = paths

    def require_tools(self, step: Step) -> None:
        """Make sure that mmdebstrap is there."""
        if shutil.which("mmdebstrap") is None:
            packages.install(
                step, ["mmdebstrap", "debian-archive-keyring"], "making images", self._paths.log("packages")
            )
        step.finish("mmdebstrap on the machine")

    def make(self, docker: Docker, step: Step, name: str, system: System) -> Image:
        """Make an image of a system, unless it is there.

        Raises:
            SandboxError: it cannot be made; the message has mmdebstrap's last lines.
        """
        key = system.key()
        done = there(docker, name, key)
        if done is not None:
            step.finish(f"{name} {done.origin}")
            return done
        log = self._paths.log(f"image-{_file_name(name)}")
        step.work(f"installing {len(system.packages)} packages and what they need")
        with files.scratch(self._paths.root) as folder:
            archive = folder / "system.tar"
            options: list[str] = ["--variant=minbase", f"--include={','.join(system.packages)}"]
            hooks = [*_host_settings(folder, system.pip), *system.hooks]
            options += [f"--customize-hook={hook}" for hook in hooks]
            processes.stream(
                ["mmdebstrap", *options, system.suite, archive],
                log=log,
                env=os.environ | {"TMPDIR": str(folder), "RECIPES": str(RECIPES)},
            )
            step.work("importing")
            changes = [f"--change={change}" for change in (*system.changes, f"LABEL {RECIPE}={key}")]
            docker.output("import", *changes, archive, name, timeout=600.0)
        step.finish(f"{name} built")
        return Image(name, "built")


def build(
    docker: Docker,
    step: Step,
    paths: Paths,
    *,
    name: str,
    key: str,
    contents: Sequence[tuple[Path, str]],
    arguments: Mapping[str, str] | None = None,
) -> Image:
    """Build an image from files that are gathered into a context, unless it is there.

    Args:
        docker: the client.
        step: is told what is done.
        paths: where to log, and to gather.
        name: the image's name.
        key: names the recipe: all that goes into the image.
        contents: files and folders, with their names in the context.
        arguments: build arguments.
    """
    done = there(docker, name, key)
    if done is not None:
        step.finish(f"{name} {done.origin}")
        return done
    step.work(f"building {name}")
    with files.scratch(paths.root) as context:
        for source, place in contents:
            files.gather(source, context / place)
        docker.build(
            context,
            name,
            log=paths.log(f"image-{_file_name(name)}"),
            arguments=arguments,
            labels={RECIPE: key},
        )
    step.finish(f"{name} built")
    return Image(name, "built")


def pip_settings(listing: str) -> dict[str, str]:
    """What of the host's pip configuration, as `pip config list` prints it, builds in an image need as well.

    Where packages are fetched from, that is. An address with a password in it is left out: an image keeps no secrets.
    """
    wanted = {"index-url", "extra-index-url", "trusted-host", "timeout", "default-timeout"}
    settings: dict[str, str] = {}
    for line in listing.splitlines():
        name, _, value = line.partition("=")
        key = name.rpartition(".")[2].strip().replace("_", "-")
        plain = value.strip().strip("'\"")
        if key in wanted and not _has_password(plain):
            settings[key.removeprefix("default-")] = plain
    return settings


def _has_password(value: str) -> bool:
    return any(urlsplit(word).password or urlsplit(word).username for word in value.split() if "://" in word)


def _host_settings(folder: Path, pip: Mapping[str, str]) -> list[str]:
    """Hooks that give a system the certificate authorities that this machine trusts, and pip its configuration."""
    hooks: list[str] = []
    if _HOST_CA.exists():
        bundle = shlex.quote(str(_HOST_CA))
        hooks.append(f'if [ -e "$1{_HOST_CA}" ]; then install -m 644 {bundle} "$1{_HOST_CA}"; fi')
    if pip:
        lines = ["[global]", *(f"{key} = {value}" for key, value in sorted(pip.items()))]
        written = folder / "pip.conf"
        written.write_text("\n".join(lines) + "\n")
        hooks.append(f'install -m 644 {shlex.quote(str(written))} "$1/etc/pip.conf"')
    return hooks


def _file_name(image: str) -> str:
    return image.rpartition("/")[2].replace(":", "-").partition("@")[0]
