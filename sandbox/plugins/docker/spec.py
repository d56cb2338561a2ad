"""An image as the program describes it: the inputs of `docker:index/image:Image`, checked and typed."""

from __future__ import annotations

import os
import platform
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ..protocol.provider import Failure
from ..protocol.values import UNKNOWN, Properties, Secret, Unknown, Value, contains_unknown, unwrap
from . import references

BUILDKIT: Final = "BuilderBuildKit"
DEFAULT_DOCKERFILE: Final = "Dockerfile"
_IMAGE_KEYS: Final = frozenset({"build", "buildOnPreview", "imageName", "registry", "skipPush"})
_BUILD_KEYS: Final = frozenset(
    {
        "addHosts",
        "args",
        "builderVersion",
        "cacheFrom",
        "context",
        "contextDigest",
        "dockerfile",
        "network",
        "platform",
        "target",
    }
)
_REGISTRY_KEYS: Final = frozenset({"password", "server", "username"})
_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


@dataclass(frozen=True)
class Registry:
    """Where to push, and as whom. Without both user and password, the docker login of the machine is used."""

    server: str = ""
    username: str = ""
    password: str = field(default="", repr=False)

    @property
    def has_login(self) -> bool:
        """Whether the program brings credentials."""
        return bool(self.username and self.password)


@dataclass(frozen=True)
class ImageSpec:
    """An image to build; paths are as the program gave them, relative to its folder."""

    name: str
    context: str
    dockerfile: str
    platform: str
    target: str = ""
    network: str = ""
    args: Mapping[str, str] = field(default_factory=dict[str, str])
    cache_from: tuple[str, ...] = ()
    add_hosts: tuple[str, ...] = ()
    registry: Registry = field(default_factory=Registry)
    skip_push: bool = False

    @property
    def reference(self) -> references.Reference:
        """The parsed name."""
        return references.parse(self.name)

    @property
    def dockerfile_in_context(self) -> str:
        """The Dockerfile's path from the context, as the outputs show it."""
        return os.path.relpath(self.dockerfile, self.context).replace(os.sep, "/")

    @property
    def login_server(self) -> str:
        """The registry that the credentials are for: what the program says, else the one in the image's name."""
        return self.registry.server or self.reference.registry or references.DOCKER_HUB


def host_platform() -> str:
    """The platform of this machine, as `linux/amd64`. Images are Linux ones everywhere."""
    machine = platform.machine().lower()
    return f"linux/{_ARCHITECTURES.get(machine, machine)}"


def read(inputs: Properties) -> ImageSpec:
    """The image that checked inputs describe. What is unknown yet besides its name and its build is left out.

    Raises:
        ValueError: something is not valid; `failures` tells all of it.
    """
    if found := failures(inputs):
        raise ValueError(f"{found[0].property}: {found[0].reason}")
    build = _object(inputs.get("build"))
    registry = _object(inputs.get("registry"))
    cache = _object(build.get("cacheFrom"))
    context = _text(build.get("context")) or "."
    return ImageSpec(
        name=_text(inputs.get("imageName")),
        context=context,
        dockerfile=dockerfile_of(build),
        platform=_text(build.get("platform")) or host_platform(),
        target=_text(build.get("target")),
        network=_text(build.get("network")),
        args={name: _text(value) for name, value in _object(build.get("args")).items()},
        cache_from=tuple(_texts(cache.get("images"))),
        add_hosts=tuple(_texts(build.get("addHosts"))),
        registry=Registry(
            _text(registry.get("server")), _text(registry.get("username")), _text(registry.get("password"))
        ),
        skip_push=unwrap(inputs.get("skipPush")) is True,
    )


def dockerfile_of(build: Mapping[str, Value]) -> str:
    """The Dockerfile of a build: the one that is named, else `Dockerfile` in the context."""
    context = _text(build.get("context")) or "."
    return _text(build.get("dockerfile")) or posixpath.normpath(posixpath.join(context, DEFAULT_DOCKERFILE))


def paths_of(inputs: Properties) -> Properties:
    """Context and Dockerfile of an image, with the defaults written out; what is unknown stays so."""
    build = build_of(inputs)
    context, dockerfile = build.get("context"), build.get("dockerfile")
    if contains_unknown(dockerfile) or (contains_unknown(context) and not _text(dockerfile)):
        return {"context": context or ".", "dockerfile": UNKNOWN}
    return {"context": context or ".", "dockerfile": dockerfile_of(build)}


def failures(inputs: Properties) -> list[Failure]:
    """Everything in the inputs that is not accepted; what is unknown yet passes."""
    found = _unknown_keys("", inputs, _IMAGE_KEYS)
    found += _expect_text(inputs, "imageName", "")
    for key in ("skipPush", "buildOnPreview"):
        if not isinstance(unwrap(inputs.get(key)), bool | Unknown | None):
            found.append(Failure(key, f"expected true or false, received {unwrap(inputs.get(key))!r}"))
    found += _build_failures(unwrap(inputs.get("build")))
    found += _registry_failures(unwrap(inputs.get("registry")))
    if not any(failure.property == "imageName" for failure in found):
        found += _name_failures(inputs)
    return found


def build_of(inputs: Properties) -> Properties:
    """The `build` of some inputs as an object; empty when it is left out or unknown."""
    return _object(inputs.get("build"))


def with_secret_password(inputs: Properties) -> Properties:
    """The inputs with the registry's password marked as a secret, whether the program did so or not."""
    registry = inputs.get("registry")
    if isinstance(registry, dict) and isinstance(registry.get("password"), str):
        return {**inputs, "registry": {**registry, "password": Secret(registry["password"])}}
    return inputs


def _build_failures(build: Value) -> list[Failure]:
    if build is None or isinstance(build, Unknown):
        return []
    if not isinstance(build, dict):
        return [Failure("build", f"expected an object with context, dockerfile, …, received {build!r}")]
    found = _unknown_keys("build.", build, _BUILD_KEYS)
    for key in ("context", "dockerfile", "platform", "target", "network"):
        found += _expect_text(build, key, "build.")
    builder = build.get("builderVersion")
    if builder not in (None, BUILDKIT) and not isinstance(builder, Unknown):
        found.append(
            Failure(
                "build.builderVersion",
                f"only {BUILDKIT} is served, received {builder!r}: the first generation builder is deprecated",
            )
        )
    args = build.get("args")
    if not isinstance(args, dict | Unknown | None):
        found.append(Failure("build.args", "expected an object of name to text"))
    elif isinstance(args, dict):
        found += [failure for name in args for failure in _expect_text(args, name, "build.args.")]
    cache = build.get("cacheFrom")
    images = cache.get("images") if isinstance(cache, dict) else None
    if (isinstance(cache, dict) and images is None) or not isinstance(cache, dict | Unknown | None):
        found.append(Failure("build.cacheFrom", "expected an object with images, a list of image names"))
    elif not _is_text_list(images):
        found.append(Failure("build.cacheFrom.images", "expected a list of image names"))
    if not _is_text_list(build.get("addHosts")):
        found.append(Failure("build.addHosts", "expected a list of host:ip"))
    return found


def _registry_failures(registry: Value) -> list[Failure]:
    if registry is None or isinstance(registry, Unknown):
        return []
    if not isinstance(registry, dict):
        return [Failure("registry", "expected an object with server, username and password")]
    found = _unknown_keys("registry.", registry, _REGISTRY_KEYS)
    for key in sorted(_REGISTRY_KEYS):
        if not isinstance(registry.get(key), str | Unknown | None):
            found.append(Failure(f"registry.{key}", "expected text"))  # its value may be a secret: not shown
    return found


def _name_failures(inputs: Properties) -> list[Failure]:
    name = unwrap(inputs.get("imageName"))
    if isinstance(name, Unknown):
        return []
    if not name:
        return [Failure("imageName", "missing; set it to registry/repository:tag")]
    try:
        reference = references.parse(str(name))
    except ValueError as error:
        return [Failure("imageName", str(error))]
    if reference.digest:
        return [Failure("imageName", f"a digest cannot be chosen, only read from repoDigest; received {name!r}")]
    # The official plugin asks for full names where something is pushed, so a name means the same to every tool.
    if not reference.registry and unwrap(inputs.get("skipPush")) is not True:
        return [
            Failure(
                "imageName", f"{name!r} names no registry to push to; for Docker Hub write docker.io/{_hub_path(name)}"
            )
        ]
    return []


def _hub_path(name: Value) -> str:
    return str(name) if "/" in str(name) else f"<user>/{name}"


def _unknown_keys(prefix: str, properties: Mapping[str, Value], known: frozenset[str]) -> list[Failure]:
    return [
        Failure(f"{prefix}{key}", f"not an input here; accepted are {', '.join(sorted(known - {'contextDigest'}))}")
        for key in properties
        if key not in known and not key.startswith("__")
    ]


def _expect_text(properties: Mapping[str, Value], key: str, prefix: str) -> list[Failure]:
    value = unwrap(properties.get(key))
    if isinstance(value, str | Unknown | None):
        return []
    return [Failure(f"{prefix}{key}", f"expected text, received {value!r}")]


def _is_text_list(value: Value) -> bool:
    return (
        value is None
        or isinstance(value, Unknown)
        or (isinstance(value, list) and all(isinstance(item, str | Unknown) for item in value))
    )


def _object(value: Value) -> Properties:
    unwrapped = unwrap(value)
    return unwrapped if isinstance(unwrapped, dict) else {}


def _text(value: Value) -> str:
    unwrapped = unwrap(value)
    return unwrapped if isinstance(unwrapped, str) else ""


def _texts(value: Value) -> list[str]:
    unwrapped = unwrap(value)
    return [item for item in unwrapped if isinstance(item, str)] if isinstance(unwrapped, list) else []
