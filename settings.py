"""The one reader of the stack's configuration: typed, frozen, and validated before any resource is declared.

Each key is declared in ``Pulumi.yaml`` with its default and what it is for. Here stands what each accepts. All mistakes
of a stack are told at once, each with its key, the value received, what is accepted, and how to set it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from pulumi.runtime import config

from components.dockercoins import BUILT_SERVICES, Profile
from components.ecr import ecr_host
from components.ecr_lifecycle import KEEP_LIMIT
from components.image_reference import ReferenceFormatError, parse
from components.kubeconfig import ClusterAccess, KubeconfigError, cluster_access, kubeconfig_files

SCALED_SERVICES: Final = BUILT_SERVICES
"""The services whose number of pods is a setting; redis holds the coins in memory, so there is one of it."""

_NAMESPACE_LIMIT: Final = 63
_REPOSITORY_LIMIT: Final = 256
_NODE_PORTS: Final = range(30000, 32768)
_REPLICAS: Final = range(10_001)
_SECONDS: Final = range(10, 3601)
_CURRENT_CONTEXT: Final = "$(kubectl config current-context)"
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_ACCOUNT = re.compile(r"[0-9]{12}")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]")
_REPOSITORY = re.compile(r"([a-z0-9]+([._-][a-z0-9]+)*/)*[a-z0-9]+([._-][a-z0-9]+)*")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?")
_ADDRESS = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_ENDPOINT = re.compile(r"https?://[A-Za-z0-9.\[\]:-]+(:[0-9]{1,5})?/?")
_KMS_KEY = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:(key|alias)/[A-Za-z0-9/_-]+")
_PLATFORM = re.compile(r"linux/(amd64|arm64)")


@dataclass(frozen=True)
class Mistake:
    """One thing in a stack's configuration that cannot be used."""

    key: str
    received: str
    accepted: str
    remedy: str

    def __str__(self) -> str:
        """The mistake in four lines."""
        return "\n    ".join(
            (f"  {self.key}", f"received: {self.received}", f"accepted: {self.accepted}", f"to set it: {self.remedy}")
        )


class SettingsError(Exception):
    """The configuration of a stack cannot be used; the message tells every mistake in it."""

    def __init__(self, stack: str, mistakes: list[Mistake]) -> None:
        count = "1 setting" if len(mistakes) == 1 else f"{len(mistakes)} settings"
        listing = "\n".join(map(str, mistakes))
        super().__init__(f"{count} of the stack {stack!r} cannot be used; nothing was changed.\n{listing}")
        self.mistakes = tuple(mistakes)


@dataclass(frozen=True)
class AwsSettings:
    """The account and region that hold the registry, and how to reach their API."""

    account: str
    region: str
    profile: str | None
    endpoint: str | None


@dataclass(frozen=True)
class RegistrySettings:
    """The repositories, and how nodes are let in to pull from them."""

    host: str
    prefix: str
    keep: int
    kms_key: str | None
    force_delete: bool
    pull_credentials: str


@dataclass(frozen=True)
class BuildSettings:
    """How images are built."""

    platform: str
    python_image: str
    on_preview: bool


@dataclass(frozen=True)
class ApplicationSettings:
    """What runs, and how much of it."""

    profile: Profile
    redis_image: str
    replicas: Mapping[str, int]
    webui_service_type: str
    webui_node_port: int | None
    webui_node_address: str
    rollout_seconds: int


@dataclass(frozen=True)
class Settings:
    """Everything that a stack says."""

    namespace: str
    cluster: ClusterAccess
    aws: AwsSettings
    registry: RegistrySettings
    build: BuildSettings
    application: ApplicationSettings


def configured_values() -> dict[str, str]:
    """All configuration of the running stack, full key to text, as the engine handed it over."""
    return {**config.get_config_env(), **config.CONFIG.get()}


class _Reader:
    """Reads single keys, and collects the mistakes instead of stopping at the first."""

    def __init__(self, project: str, values: Mapping[str, str]) -> None:
        self.project = project
        self.values = values
        self.mistakes: list[Mistake] = []
        self.known: set[str] = set()

    def text(self, key: str, accepted: str, accepts: Callable[[str], bool], example: str) -> str:
        self.known.add(key)
        value = self.values.get(f"{self.project}:{key}", "")
        if not accepts(value):
            self.refuse(key, value, accepted, example)
        return value

    def optional(self, key: str, accepted: str, accepts: Callable[[str], bool], example: str) -> str | None:
        return self.text(key, f"{accepted}, or nothing", lambda value: not value or accepts(value), example) or None

    def choice(self, key: str, choices: tuple[str, ...]) -> str:
        return self.text(key, " or ".join(choices), choices.__contains__, choices[0])

    def switch(self, key: str) -> bool:
        return self.text(key, "true or false", ("true", "false").__contains__, "true") == "true"

    def number(self, key: str, within: range, example: int) -> int:
        accepted = f"a whole number from {within.start} to {within.stop - 1}"
        value = self.text(key, accepted, lambda text: _whole(text) in within, str(example))
        return _whole(value) or 0

    def optional_number(self, key: str, within: range) -> int | None:
        accepted = f"a whole number from {within.start} to {within.stop - 1}"
        value = self.optional(key, accepted, lambda text: _whole(text) in within, str(within.start))
        return _whole(value) if value else None

    def image(self, key: str, example: str) -> str:
        accepted = "an image reference with a digest, or with a tag other than latest"
        return self.text(key, accepted, _is_pinned, example)

    def refuse(self, key: str, received: str, accepted: str, example: str) -> None:
        shown = repr(received) if received else "nothing"
        remedy = f"pulumi config set {self.project}:{key} {example}"
        self.mistakes.append(Mistake(f"{self.project}:{key}", shown, accepted, remedy))

    def refuse_unknown(self) -> None:
        for full in sorted(self.values):
            project, _, key = full.partition(":")
            if project == self.project and key not in self.known:
                accepted = f"one of {', '.join(sorted(self.known))}"
                remedy = f"pulumi config rm {full}"
                self.mistakes.append(Mistake(full, "a setting that this program does not have", accepted, remedy))


def read_settings(
    values: Mapping[str, str],
    *,
    project: str,
    stack: str,
    root: Path,
    environment: Mapping[str, str],
    home: Path,
) -> Settings:
    """Read the settings out of ``values`` (full key, such as ``dockercoins:namespace``, to text).

    The engine has put the defaults of ``Pulumi.yaml`` into ``values`` already, so none stands here again.
    ``root`` is the folder with ``services/``; ``environment`` and ``home`` tell where kubeconfigs are.

    Raises:
        SettingsError: with every mistake there is.
    """
    reader = _Reader(project, values)
    namespace = reader.optional(
        "namespace",
        f"a name of at most {_NAMESPACE_LIMIT} lowercase letters, digits and inner '-'",
        _is_label,
        f"{project}-{stack.lower()}",
    )
    aws = _aws(reader)
    registry = _registry(reader, aws)
    settings = Settings(
        namespace=namespace or f"{project}-{stack.lower()}",
        cluster=_cluster(reader, root, environment, home),
        aws=aws,
        registry=registry,
        build=BuildSettings(
            platform=reader.text("platform", "linux/amd64 or linux/arm64", _matches(_PLATFORM), "linux/amd64"),
            python_image=reader.image("pythonImage", "python:3.13-slim-trixie"),
            on_preview=reader.switch("buildOnPreview"),
        ),
        application=_application(reader),
    )
    reader.refuse_unknown()
    for service in BUILT_SERVICES:
        dockerfile = Path("services") / service / "Dockerfile"
        if not (root / dockerfile).is_file():
            reader.mistakes.append(
                Mistake(dockerfile.as_posix(), "no such file", "the Dockerfile that builds the service", "add the file")
            )
    if reader.mistakes:
        raise SettingsError(stack, reader.mistakes)
    return settings


def _cluster(reader: _Reader, root: Path, environment: Mapping[str, str], home: Path) -> ClusterAccess:
    path = reader.text("kubeconfig", "a path", lambda _: True, "~/.kube/config")
    context = reader.text("kubeContext", "a context of the kubeconfig", lambda _: True, _CURRENT_CONTEXT)
    if path and not path.startswith("~"):
        files = [root / path]
    else:
        files = [home / path[1:].lstrip("/")] if path else kubeconfig_files(environment, home)
    if not context:
        reader.refuse("kubeContext", context, "the context of the cluster to deploy to", _CURRENT_CONTEXT)
        return ClusterAccess("", "", "")
    try:
        return cluster_access(files, context)
    except KubeconfigError as error:
        reader.refuse("kubeContext", context, f"a context of the kubeconfig; {error}", "<context>")
        return ClusterAccess(context, "", "")


def _aws(reader: _Reader) -> AwsSettings:
    return AwsSettings(
        account=reader.text("awsAccount", "an account's 12 digits", _matches(_ACCOUNT), "123456789012"),
        region=reader.text("awsRegion", "a region such as eu-west-1", _matches(_REGION), "eu-west-1"),
        profile=reader.optional("awsProfile", "a profile of the AWS configuration", lambda _: True, "default"),
        endpoint=reader.optional(
            "awsEndpoint", "the http:// or https:// address of an API", _matches(_ENDPOINT), "http://localhost:5002"
        ),
    )


def _registry(reader: _Reader, aws: AwsSettings) -> RegistrySettings:
    longest = max(map(len, BUILT_SERVICES)) + 1
    host = reader.optional("registryHost", "a host with an optional port", _matches(_HOST), "localhost:5001")
    return RegistrySettings(
        host=host or ecr_host(aws.account, aws.region),
        prefix=reader.text(
            "repositoryPrefix",
            f"at most {_REPOSITORY_LIMIT - longest} characters: lowercase letters and digits, with single '.', '_', '-'"
            " or '/' between them",
            lambda value: _matches(_REPOSITORY)(value) and len(value) + longest <= _REPOSITORY_LIMIT,
            "dockercoins",
        ),
        keep=reader.number("keepImages", range(1, KEEP_LIMIT + 1), 30),
        kms_key=reader.optional(
            "kmsKey", "the ARN of a KMS key", _matches(_KMS_KEY), "arn:aws:kms:eu-west-1:123456789012:key/<id>"
        ),
        force_delete=reader.switch("forceDelete"),
        pull_credentials=reader.choice("pullCredentials", ("node", "static")),
    )


def _application(reader: _Reader) -> ApplicationSettings:
    return ApplicationSettings(
        profile=cast("Profile", reader.choice("profile", ("teaching", "full"))),
        redis_image=reader.image("redisImage", "redis:8-trixie"),
        replicas={service: reader.number(f"{service}Replicas", _REPLICAS, 1) for service in SCALED_SERVICES},
        webui_service_type=reader.choice("webuiServiceType", ("ClusterIP", "NodePort", "LoadBalancer")),
        webui_node_port=reader.optional_number("webuiNodePort", _NODE_PORTS),
        webui_node_address=reader.text(
            "webuiNodeAddress", "a host name or an IPv4 address", _matches(_ADDRESS), "localhost"
        ),
        rollout_seconds=reader.number("rolloutSeconds", _SECONDS, 300),
    )


def _matches(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda value: pattern.fullmatch(value) is not None


def _is_label(value: str) -> bool:
    return len(value) <= _NAMESPACE_LIMIT and _LABEL.fullmatch(value) is not None


def _is_pinned(value: str) -> bool:
    try:
        reference = parse(value)
    except ReferenceFormatError:
        return False
    return reference.digest is not None or reference.tag not in (None, "latest")


def _whole(text: str) -> int | None:
    # int() also takes "1_0", " 1" and digits of other scripts.
    return int(text) if re.fullmatch(r"-?[0-9]{1,9}", text) else None
