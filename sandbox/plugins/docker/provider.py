"""The docker provider, as the engine sees it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ..protocol.diff import Change, ChangeKind, Diff, compare
from ..protocol.engine_log import ResourceLog
from ..protocol.provider import (
    CheckRequest,
    CheckResult,
    CreateRequest,
    CreateResult,
    DeleteRequest,
    DiffRequest,
    Failure,
    Provider,
    ProviderError,
    ReadRequest,
    ReadResult,
    UpdateRequest,
)
from ..protocol.values import UNKNOWN, Properties, Secret, Unknown, Value, contains_unknown, unwrap, without_nulls
from . import build_context, spec
from .builder import Builder
from .client import Endpoint, client
from .logins import Login, LoginsError, parse_logins
from .spec import ImageSpec
from .turns import Turns

IMAGE: Final = "docker:index/image:Image"
_CONFIG_KEYS: Final = frozenset(
    {
        "caMaterial",
        "certMaterial",
        "certPath",
        "context",
        "disableDockerDaemonCheck",
        "host",
        "keyMaterial",
        "pluginDownloadURL",
        "registryAuth",
        "version",
    }
)
_INPUTS: Final = "__inputs"
"""Where the official plugin keeps an image's inputs in its outputs, and finds them for the next comparison."""


class DockerProvider(Provider):
    """Builds and pushes images. Nothing is asked of a Docker Engine until an image has to be built."""

    package = "docker"
    version = "5.2.0"
    types = (IMAGE,)

    def __init__(self) -> None:
        """Start with the configuration of docker's own command line."""
        super().__init__()
        self._endpoint = Endpoint()
        self._logins: Sequence[Login] = ()
        self._pushes = Turns()

    def check_config(self, inputs: Properties, old_inputs: Properties) -> CheckResult:
        """Accept what is served, and refuse the rest by name."""
        del old_inputs
        found = [
            Failure(
                key, f"not served by this stand-in for the docker plugin; it takes {', '.join(sorted(_CONFIG_KEYS))}"
            )
            for key in inputs
            if key not in _CONFIG_KEYS
        ]
        materials = [key for key in ("caMaterial", "certMaterial", "keyMaterial") if inputs.get(key)]
        if materials and len(materials) != 3:  # noqa: PLR2004 - the three that were just named
            found.append(Failure(materials[0], "caMaterial, certMaterial and keyMaterial must be set together"))
        try:
            parse_logins(inputs.get("registryAuth"))
        except LoginsError as error:
            found.append(Failure("registryAuth", str(error)))
        return CheckResult(inputs, _told(found))

    def configure(self, inputs: Properties) -> None:
        """Take where the engine is, and the logins for registries."""
        self._endpoint = Endpoint(
            host=_text(inputs.get("host")),
            context=_text(inputs.get("context")),
            cert_path=_text(inputs.get("certPath")),
            ca=_text(inputs.get("caMaterial")),
            cert=_text(inputs.get("certMaterial")),
            key=_text(inputs.get("keyMaterial")),
        )
        try:
            self._logins = parse_logins(inputs.get("registryAuth"))
        except LoginsError as error:
            raise ProviderError(f"provider configuration registryAuth: {error}") from None

    def check(self, request: CheckRequest) -> CheckResult:
        """Validate an image's inputs, and write out in them what the official plugin does.

        That is: `buildOnPreview`, the paths of context and Dockerfile, the platform, and the digest of the context.
        """
        inputs: Properties = {key: without_nulls(value) for key, value in request.inputs.items() if value is not None}
        found = spec.failures(inputs)
        inputs["buildOnPreview"] = unwrap(inputs.get("buildOnPreview")) is True
        if found or isinstance(unwrap(inputs.get("build")), Unknown):
            return CheckResult(inputs, _told(found))
        build: Properties = {**spec.build_of(inputs), **spec.paths_of(inputs)}
        if "platform" not in build:
            build["platform"] = spec.host_platform()
            request.log.info(
                f"building for {spec.host_platform()}, the platform of this machine; set build.platform to choose one"
            )
        if contains_unknown([build.get("context"), build.get("dockerfile")]):
            build["contextDigest"] = UNKNOWN
        else:
            digest = _context_digest(build)
            if isinstance(digest, Failure):
                return CheckResult(inputs, _told([digest]))
            build["contextDigest"] = digest
        return CheckResult(spec.with_secret_password({**inputs, "build": build}))

    def diff(self, request: DiffRequest) -> Diff:
        """Every change builds again and updates in place; it is named by the input alone, without what is in it.

        Within `registry` only another server is a change: ECR's password lasts twelve hours.
        """
        found = compare(request.old_inputs, request.inputs)
        kinds: dict[str, ChangeKind] = {}
        for change in found.changes:
            name = str(change.path[0])
            if name != "registry" or _is_another_registry(change):
                kinds[name] = change.kind if len(change.path) == 1 else ChangeKind.UPDATE
        # The official plugin does not say that these are inputs, so the engine looks for them among the old outputs.
        return Diff(tuple(Change((name,), kind) for name, kind in kinds.items()), of_inputs=False)

    def create(self, request: CreateRequest) -> CreateResult:
        """Build and push the image; in a preview only build it, and that only if the program asks for it."""
        outputs = self._make(request.inputs, request.log, request.cancelled, preview=request.preview)
        return CreateResult("" if request.preview else _text(outputs.get("imageName")), outputs)

    def update(self, request: UpdateRequest) -> Properties:
        """Build and push the image again."""
        return self._make(request.inputs, request.log, request.cancelled, preview=request.preview)

    def read(self, request: ReadRequest) -> ReadResult | None:
        """Keep the state as it is: like the official plugin, this one does not look into the registry."""
        if request.is_import:
            raise ProviderError(
                f"an image cannot be imported or read ({request.id}): its inputs are not in the registry; "
                "declare it and run pulumi up, which builds it again and pushes only layers that are not there"
            )
        return ReadResult(request.id, request.inputs, request.outputs)

    def delete(self, request: DeleteRequest) -> None:
        """Forget the image. As with the official plugin, it stays in the registry and in the engine."""
        del request

    def _make(self, inputs: Properties, log: ResourceLog, cancelled: threading.Event, *, preview: bool) -> Properties:
        if preview and not _can_build(inputs, log):
            return inputs
        if not preview and contains_unknown([inputs.get(key) for key in ("imageName", "build", "registry")]):
            raise ProviderError("internal: an image with unknown inputs was to be built")
        image = spec.read(inputs)
        state: Properties = {_INPUTS: Secret(unwrap(inputs))}
        logins = [*self._logins, *([_login(image)] if image.registry.has_login else [])]
        login_is_known = not contains_unknown(inputs.get("registry"))
        if login_is_known and bool(image.registry.username) != bool(image.registry.password):
            log.warning(
                "registry.username and registry.password must be set together; "
                "the docker login of this machine is used instead"
            )
        with client(self._endpoint, logins, cancelled) as docker:
            builder = Builder(docker, log, self._endpoint.host or docker.environment.get("DOCKER_HOST", ""))
            image_id = builder.build(image)
            if image.skip_push:
                return state | _outputs(image, image_id)
            if preview:
                return state | _outputs(image, UNKNOWN)  # the digest is the registry's
            registry = image.reference.canonical_repository.partition("/")[0]
            with self._pushes.turn(registry, cancelled, log.status):
                return state | _outputs(image, builder.push(image))


def _context_digest(build: Properties) -> str | Failure:
    """The digest of the build's context, or why there is none."""
    context, dockerfile = _text(build.get("context")) or ".", spec.dockerfile_of(build)
    if not Path(context).is_dir():
        return Failure("build.context", f"there is no folder {context!r} (looked in {Path.cwd()})")
    if not Path(dockerfile).is_file():
        inside = Path(context) / dockerfile
        hint = f"; did you mean {str(inside)!r}?" if inside.is_file() else ""
        return Failure("build.dockerfile", f"there is no file {dockerfile!r} (looked in {Path.cwd()}){hint}")
    try:
        return build_context.digest(context, dockerfile)
    except OSError as error:
        return Failure("build.context", f"{error.filename}: cannot be read: {error.strerror}")
    except ValueError as error:
        return Failure("build.context", str(error))


def _outputs(image: ImageSpec, repo_digest: Value) -> Properties:
    return {
        "baseImageName": image.name,
        "context": image.context,
        "dockerfile": image.dockerfile_in_context,
        "imageName": image.name,
        "platform": image.platform,
        "registryServer": image.registry.server,
        "repoDigest": repo_digest,
    }


def _can_build(inputs: Properties, log: ResourceLog) -> bool:
    """Whether a preview should build the image: the program asks for it, and what a build needs is known."""
    if unwrap(inputs.get("buildOnPreview")) is not True:
        return False
    build = spec.build_of(inputs)
    needed = [inputs.get("imageName"), *(build.get(key) for key in ("context", "dockerfile", "args"))]
    if not build or contains_unknown(needed):
        log.warning("not built in this preview: its name, context, dockerfile or build arguments are not known yet")
        return False
    return True


def _is_another_registry(change: Change) -> bool:
    """Whether a change at or under `registry` is one of the server, or of whether there is a registry at all."""
    if len(change.path) == 1:
        return change.kind is not ChangeKind.UPDATE
    return change.path[1:] == ("server",) and change.kind is ChangeKind.UPDATE


def _login(image: ImageSpec) -> Login:
    return Login(image.login_server, image.registry.username, image.registry.password)


def _text(value: Value) -> str:
    unwrapped = unwrap(value)
    return unwrapped if isinstance(unwrapped, str) else ""


def _told(found: Sequence[Failure]) -> list[Failure]:
    """The failures without a property of their own: beside one, the engine shows its value, which may be a secret."""
    return [Failure("", f"{failure.property}: {failure.reason}") for failure in found]
