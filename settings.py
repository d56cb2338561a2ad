"""The one reader of the stack's configuration: typed, frozen, and validated before any resource is declared.

Each key is declared in ``Pulumi.yaml`` with its default and what it is for. Here stands what each accepts. All mistakes
of a stack are told at once, each with its key, the value received, what is accepted, and how to set it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from application_settings import PINNED, ApplicationSettings, is_pinned, read_application
from components.content_tag import TAG_LENGTH
from components.cron import SCHEDULE_RULE, is_schedule
from components.dockercoins import BUILT_SERVICES
from components.ecr_cache import CREDENTIAL_RULE, UPSTREAM_RULE, cache_problems
from components.ecr_lifecycle import KEEP_LIMIT
from components.ecr_partition import ecr_host, is_region
from components.ecr_policies import PRINCIPAL_RULE, access_problem, principal_problem
from components.ecr_replication import DESTINATION_RULE, destination_problem, destinations_problem
from components.image_reference import ReferenceFormatError, parse
from components.kubeconfig import ClusterAccess, KubeconfigError, cluster_access, kubeconfig_files
from components.kubernetes_names import LABEL_LIMIT, is_label
from components.mirrors import mirror_problem
from components.registries import KNOWN_REGISTRIES, KnownRegistry, Registry, repository_problem, resolve
from configuration import Configuration, Mistake, Reader, SettingsError, matches
from stack_file import misreadings

if TYPE_CHECKING:
    # It imports the SDK for AWS, which a stack that ships through another registry does not need.
    from components.ecr import Scanning

_ONLY_ECR: Final = "only Amazon ECR has it, and registry.kind is another"
_DAYS: Final = range(1, 3651)
_CURRENT_CONTEXT: Final = '"$(kubectl config current-context)"'
_ACCOUNT = re.compile(r"[0-9]{12}")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?")
_ENDPOINT = re.compile(r"https?://[A-Za-z0-9.\[\]:-]+(:[0-9]{1,5})?/?")
_KMS_KEY = re.compile(r"arn:aws[a-z-]*:kms:(?P<region>[a-z0-9-]+):[0-9]{12}:key/[A-Za-z0-9-]+")
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+")
_ACCESS_KEY = re.compile(r"[A-Z0-9]{16,128}")
_PLATFORMS: Final = ("linux/amd64", "linux/arm64")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_NO_DIGEST: Final = f"sha256:{'0' * 64}"
_STACK = re.compile(r"([A-Za-z0-9_.-]+/){0,2}[A-Za-z0-9_.-]+")
_REBUILD = re.compile(r"[A-Za-z0-9_.:+-]{1,64}")
_EVERY_FOUR_HOURS: Final = "0 */4 * * *"


@dataclass(frozen=True)
class AwsSettings:
    """The account and region that hold the registry, and how to reach their API."""

    account: str
    region: str
    profile: str | None
    endpoint: str | None


@dataclass(frozen=True)
class EcrSettings:
    """What the repositories in Amazon ECR are like."""

    prefix: str
    keep: int
    untagged_days: int
    kms_key: str | None
    force_delete: bool
    import_existing: bool
    may_pull: tuple[str, ...]
    may_push: tuple[str, ...]
    replicate_to: tuple[str, ...]
    cache: Mapping[str, str | None]
    scanning: Scanning


@dataclass(frozen=True)
class Login:
    """A user of a registry, and its password."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class RefreshSettings:
    """How the cluster renews the pull secret of ECR by itself: as which AWS identity, and how often."""

    role: str | None
    access_key_id: str | None
    secret_access_key: str | None = field(repr=False)
    endpoint: str | None
    schedule: str


@dataclass(frozen=True)
class RegistrySettings:
    """Where images go, how they are pushed, and how nodes are let in to pull them.

    ``ecr`` is what the repositories of Amazon ECR are like, ``None`` with any other registry. ``push`` is ``None``
    where the login of this machine's docker is to be used, ``pull`` where pulls need none that this program has.
    """

    registry: Registry
    aws: AwsSettings | None
    ecr: EcrSettings | None
    push: Login | None
    pull: Login | None
    pull_credentials: str
    refresh: RefreshSettings | None
    mirrors: Mapping[str, str]


@dataclass(frozen=True)
class ImageSettings:
    """Where images come from, and how they are built.

    ``references`` has an image of each service if they are prebuilt; ``stack`` names the stack whose images are taken.
    """

    source: str
    references: Mapping[str, str]
    stack: str | None
    platforms: tuple[str, ...]
    python_image: str
    on_preview: bool
    rebuild: str | None
    cache: bool


@dataclass(frozen=True)
class Settings:
    """Everything that a stack says."""

    namespace: str
    cluster: ClusterAccess
    registry: RegistrySettings
    images: ImageSettings
    application: ApplicationSettings


def read_settings(
    configuration: Configuration,
    *,
    project: str,
    stack: str,
    root: Path,
    environment: Mapping[str, str],
    home: Path,
) -> Settings:
    """Read the settings of a stack out of its configuration.

    The engine has put the defaults of ``Pulumi.yaml`` into the configuration already, so none of a top-level key stands
    here again. ``root`` is the folder with ``services/`` and the stack files; ``environment`` and ``home`` tell where
    kubeconfigs are.

    Raises:
        SettingsError: with every mistake there is.
    """
    reader = Reader(project, configuration)
    for misreading in misreadings(root / f"Pulumi.{stack}.yaml", configuration.values):
        reader.refuse_misread(misreading)
    namespace = _namespace(reader, stack)
    registry = _registry(reader)
    settings = Settings(
        namespace=namespace,
        cluster=_cluster(reader, root, environment, home),
        registry=registry,
        images=_images(reader, registry.registry),
        application=read_application(reader),
    )
    reader.refuse_unknown()
    if settings.images.source == "build":
        _require_dockerfiles(reader, root)
    if reader.mistakes:
        raise SettingsError(stack, reader.mistakes)
    return settings


def _namespace(reader: Reader, stack: str) -> str:
    derived = f"{reader.project}-{stack.lower()}"
    valid = re.sub(r"[^a-z0-9-]+", "-", derived)[:LABEL_LIMIT].strip("-")
    accepted = f"a name of at most {LABEL_LIMIT} lowercase letters, digits and inner '-'"
    given = reader.optional("namespace", accepted, is_label, valid)
    if given is None and not is_label(derived):
        reader.refuse("namespace", "", f"{accepted}; the one made of the stack's name, {derived!r}, is none", valid)
    return given or derived


def _require_dockerfiles(reader: Reader, root: Path) -> None:
    for service in BUILT_SERVICES:
        dockerfile = Path("services") / service / "Dockerfile"
        if not (root / dockerfile).is_file():
            reader.mistakes.append(
                Mistake(dockerfile.as_posix(), "no such file", "the Dockerfile that builds the service", "add the file")
            )


def _cluster(reader: Reader, root: Path, environment: Mapping[str, str], home: Path) -> ClusterAccess:
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
        reader.refuse("kubeContext", context, f"a context of the kubeconfig; {error}", _CURRENT_CONTEXT)
        return ClusterAccess(context, "", "")


def _registry(reader: Reader) -> RegistrySettings:
    names = reader.section("registry", '\'{"kind": "ecr"}\'')
    for name in sorted(names & {"password", "token", "pullPassword"}):
        _refuse_nested_password(reader, name)
    kind = reader.choice("registry.kind", KNOWN_REGISTRIES, "ecr")
    known = KNOWN_REGISTRIES.get(kind)
    provisioned = known is not None and known.provisions
    aws = _aws(reader, required=provisioned)
    if known is None:
        # What else the mapping may hold depends on the kind.
        for name in names:
            reader.text(f"registry.{name}", "", lambda _: True, "")
        known = KNOWN_REGISTRIES["generic"]
        registry = Registry(kind, "", "", "{image}")
    else:
        registry = _named_registry(reader, known, aws)
    push, pull = _logins(reader, known)
    pull_credentials = reader.choice(
        "pullCredentials",
        ("node", "static", "refresh") if known.provisions else ("node", "static"),
        "static" if pull else "node",
    )
    if pull_credentials == "static" and not (pull or known.provisions or reader.is_given("registryPassword")):
        reader.need_secret(
            "registryPassword", "the password or token of registry.username, since pullCredentials is static"
        )
    return RegistrySettings(
        registry=registry,
        aws=aws,
        ecr=_ecr(reader, registry, aws),
        push=push,
        pull=pull,
        pull_credentials=pull_credentials,
        refresh=_refresh(reader, wanted=pull_credentials == "refresh"),
        mirrors=_mirrors(reader),
    )


def _refuse_nested_password(reader: Reader, name: str) -> None:
    key = "registryPullPassword" if name == "pullPassword" else "registryPassword"
    reader.text(f"registry.{name}", "", lambda _: True, "")
    reader.note(
        f"registry.{name}",
        "a value that is not shown here",
        f"nothing here: passwords have a key of their own, {key}, which must be a secret",
        f"{reader.to_remove(f'registry.{name}')} && {reader.to_set_secret(key)}",
    )


def _named_registry(reader: Reader, known: KnownRegistry, aws: AwsSettings | None) -> Registry:
    said: dict[str, str] = {}
    sound = True
    for part in known.parts:
        default = part.default
        if known.provisions and part.name == "host" and aws is not None:
            default = ecr_host(aws.account, aws.region)
            sound = bool(aws.account and aws.region)
        key = f"registry.{part.name}"
        if default is None:
            said[part.name] = reader.text(key, part.rule, part.accepts, part.example)
            sound = sound and part.accepts(said[part.name])
        else:
            value = reader.optional(key, part.rule, part.accepts, part.example)
            said[part.name] = value or default
            sound = sound and (value is None or part.accepts(value))
    pull_host = reader.optional("registry.pullHost", "a host with an optional port", matches(_HOST), "localhost:5001")
    if known.pull_host_required and pull_host is None:
        reader.refuse(
            "registry.pullHost",
            "",
            f"the host that nodes pull from: with {known.title} it is another",
            "localhost:8081",
        )
    if not sound:
        return Registry(known.kind, "", "", "{image}")
    registry = resolve(known, said, pull_host)
    for service in BUILT_SERVICES:
        problem = repository_problem(f"{registry.push_repository(service)}:{'0' * TAG_LENGTH}")
        if problem:
            reader.note("registry", registry.push_repository(service), f"a repository's name; {problem}", "see above")
            break
    return registry


def _logins(reader: Reader, known: KnownRegistry) -> tuple[Login | None, Login | None]:
    password = reader.secret("registryPassword")
    pull_password = reader.secret("registryPullPassword")
    if known.provisions:
        return None, None
    users = known.usernames
    accepted = f"one of {', '.join(users)}" if users else "a user's name"
    example = users[0] if users else "'<user>'"

    def user(key: str) -> str | None:
        return reader.optional(key, accepted, lambda value: not users or value in users, example)

    username, pull_username = user("registry.username"), user("registry.pullUsername")
    push = _login(reader, "registry.username", username, "registryPassword", password)
    pull = _login(reader, "registry.pullUsername", pull_username, "registryPullPassword", pull_password)
    return push, pull or push


def _login(
    reader: Reader, user_key: str, username: str | None, password_key: str, password: str | None
) -> Login | None:
    if username and not password:
        reader.need_secret(password_key, f"the password or token of {user_key}")
    if password and not username:
        reader.refuse(user_key, "", f"the user that {password_key} is of", "'<user>'")
    return Login(username, password) if username and password else None


def _aws(reader: Reader, *, required: bool) -> AwsSettings | None:
    def read(key: str, accepted: str, accepts: Callable[[str], bool], example: str) -> str:
        return reader.text(key, accepted, lambda value: accepts(value) or not (value or required), example)

    aws = AwsSettings(
        account=read("awsAccount", "an account's 12 digits", matches(_ACCOUNT), "123456789012"),
        region=read("awsRegion", "a region such as eu-west-1", is_region, "eu-west-1"),
        profile=reader.optional("awsProfile", "a profile of the AWS configuration", lambda _: True, "default"),
        endpoint=reader.optional(
            "awsEndpoint", "the http:// or https:// address of an API", matches(_ENDPOINT), "http://localhost:5002"
        ),
    )
    return aws if required else None


def _ecr(reader: Reader, registry: Registry, aws: AwsSettings | None) -> EcrSettings | None:
    account, region = (aws.account, aws.region) if aws else ("", "")
    prefix = registry.path.removesuffix("{image}").rstrip("/")
    only_ecr = None if aws else _ONLY_ECR
    ecr = EcrSettings(
        prefix=prefix,
        keep=reader.number("keepImages", range(1, KEEP_LIMIT + 1), 30),
        untagged_days=reader.number("untaggedDays", _DAYS, 7),
        kms_key=_kms_key(reader, region),
        force_delete=reader.switch("forceDelete"),
        import_existing=reader.switch("importRepositories"),
        may_pull=_principals(reader, "mayPull", only_ecr, region),
        may_push=_principals(reader, "mayPush", only_ecr, region),
        replicate_to=reader.texts(
            "replicateTo",
            DESTINATION_RULE,
            lambda text: only_ecr or destination_problem(text, account, region),
            "eu-central-1",
        ),
        cache=_cache(reader, prefix, aws),
        scanning=cast("Scanning", reader.choice("imageScanning", ("off", "basic", "enhanced"))),
    )
    if aws and not reader.mistakes:
        for key, received, problem in (
            ("mayPush", ecr.may_push, access_problem(ecr.may_pull, ecr.may_push, region)),
            ("replicateTo", ecr.replicate_to, destinations_problem(ecr.replicate_to, account)),
        ):
            if problem:
                reader.note(key, repr(", ".join(received)), f"fewer, or others; {problem}", reader.to_remove(key))
    return ecr if aws else None


def _principals(reader: Reader, key: str, only_ecr: str | None, region: str) -> tuple[str, ...]:
    return reader.texts(key, PRINCIPAL_RULE, lambda text: only_ecr or principal_problem(text, region), "123456789012")


def _cache(reader: Reader, prefix: str, aws: AwsSettings | None) -> dict[str, str | None]:
    accepted = f"{UPSTREAM_RULE}; and {CREDENTIAL_RULE}"
    cache = {
        upstream: secret or None
        for upstream, secret in reader.mapping("pullThroughCache", accepted, '\'{"ecr-public": ""}\'').items()
    }
    problems = cache_problems(cache, account=aws.account, region=aws.region, repository_prefix=prefix) if aws else {}
    for upstream, secret in cache.items():
        problem = problems.get(upstream) if aws else _ONLY_ECR
        if problem:
            reader.refuse_entry("pullThroughCache", upstream, f"{accepted}; {problem}", secret or "")
    return cache


def _kms_key(reader: Reader, region: str) -> str | None:
    def accepts(value: str) -> bool:
        match = _KMS_KEY.fullmatch(value)
        return match is not None and region in ("", match["region"])

    example = f"arn:aws:kms:{region or 'eu-west-1'}:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    return reader.optional(
        "kmsKey", f"the ARN of a KMS key in the registry's region {region}".rstrip(), accepts, example
    )


def _mirrors(reader: Reader) -> dict[str, str]:
    accepted = "the host of an upstream registry, and the host (and path) to take its images from"
    mirrors = reader.mapping("mirrors", accepted, '\'{"docker.io": "harbor.mycompany.io/hub"}\'')
    for host, mirror in mirrors.items():
        problem = mirror_problem(host, mirror)
        if problem:
            reader.refuse_entry("mirrors", host, f"{accepted}; {problem}", mirror)
    return mirrors


def _refresh(reader: Reader, *, wanted: bool) -> RefreshSettings | None:
    reader.section("refresh", '\'{"role": "arn:aws:iam::123456789012:role/image-pull"}\'')
    role = reader.optional(
        "refresh.role",
        "the ARN of an IAM role that the cluster's service accounts may assume",
        matches(_ROLE),
        "arn:aws:iam::123456789012:role/image-pull",
    )
    access_key_id = reader.optional(
        "refresh.accessKeyId", "the id of an access key", matches(_ACCESS_KEY), "AKIAIOSFODNN7EXAMPLE"
    )
    secret_access_key = reader.secret("refreshSecretAccessKey")
    endpoint = reader.optional(
        "refresh.endpoint",
        "the http:// or https:// address, as pods see it, of an ECR API",
        matches(_ENDPOINT),
        "http://ecr:5000",
    )
    schedule = reader.optional("refresh.schedule", SCHEDULE_RULE, is_schedule, "'0 */4 * * *'")
    if wanted and not role and access_key_id and not secret_access_key:
        reader.need_secret("refreshSecretAccessKey", "the secret access key of refresh.accessKeyId")
    if not wanted:
        return None
    return RefreshSettings(role, access_key_id, secret_access_key, endpoint, schedule or _EVERY_FOUR_HOURS)


def _images(reader: Reader, registry: Registry) -> ImageSettings:
    reader.section("images", '\'{"source": "build"}\'')
    source = reader.choice("images.source", ("build", "prebuilt", "stack"), "build")
    reader.section("images.digests", f'\'{{"hasher": "{_NO_DIGEST}"}}\'')
    references: dict[str, str] = {}
    for service in BUILT_SERVICES:
        key = f"images.digests.{service}"
        accepted = "sha256:<64 digits> in this registry, or <repository>@sha256:<64 digits>"
        read = reader.text if source == "prebuilt" else reader.optional
        digest = read(key, accepted, _is_deployable, _NO_DIGEST) or ""
        references[service] = f"{registry.pull_repository(service)}@{digest}" if _DIGEST.fullmatch(digest) else digest
    stack = reader.optional(
        "images.stack", "the name of a stack, such as organization/project/dev", matches(_STACK), "dev"
    )
    if source == "stack" and not stack:
        reader.refuse("images.stack", "", "the stack whose images are taken", "dev")
    return ImageSettings(
        source=source,
        references=references if source == "prebuilt" else {},
        stack=stack if source == "stack" else None,
        platforms=_platforms(reader),
        python_image=reader.text("pythonImage", PINNED, is_pinned, "python:3.13-slim-trixie"),
        on_preview=reader.switch("buildOnPreview"),
        rebuild=reader.optional("rebuild", "at most 64 letters, digits and ._:+-", matches(_REBUILD), '"$(date +%s)"'),
        cache=reader.switch("buildCache"),
    )


def _platforms(reader: Reader) -> tuple[str, ...]:
    accepted = " or ".join(_PLATFORMS)
    platforms = reader.texts(
        "platforms", accepted, lambda text: None if text in _PLATFORMS else accepted, _PLATFORMS[0]
    )
    for index, platform in enumerate(platforms):
        if platform in _PLATFORMS and platform in platforms[:index]:
            key = f"platforms[{index}]"
            reader.note(key, repr(platform), f"{accepted}; it is there already", reader.to_remove(key))
    if not platforms and not any(mistake.key.endswith(":platforms") for mistake in reader.mistakes):
        reader.refuse("platforms", "", f"a list of one or both of {accepted}", f"'[\"{_PLATFORMS[0]}\"]'")
    return platforms


def _is_deployable(value: str) -> bool:
    if _DIGEST.fullmatch(value):
        return True
    try:
        reference = parse(value)
    except ReferenceFormatError:
        return False
    return bool(reference.host) and reference.digest is not None
