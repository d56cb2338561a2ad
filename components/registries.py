"""The registries that people ship through, as data: what each is named by, and what it takes to log in.

This is the one place where a registry's own rules stand. Settings validate by it, pull secrets take their server key
from it, and the README's table is made from it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from components.image_reference import ReferenceFormatError, parse

DOCKER_HUB_SERVER: Final = "https://index.docker.io/v1/"
"""The key that container tools look up Docker Hub's credentials by (kubernetes.io/docs/concepts/containers/images)."""

_DOCKER_HUB_HOSTS: Final = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})


@dataclass(frozen=True)
class Part:
    """One thing that a user says about a registry, and the registry's own rule for it.

    ``default`` is what it is if nothing is said; ``None`` makes it required.
    """

    name: str
    rule: str
    pattern: re.Pattern[str]
    example: str
    default: str | None = None

    def accepts(self, value: str) -> bool:
        """Whether ``value`` follows the rule."""
        return self.pattern.fullmatch(value) is not None


@dataclass(frozen=True)
class KnownRegistry:
    """One kind of registry.

    ``host`` and ``path`` are templates of :attr:`parts`; in ``path``, ``{image}`` is the name of the image, and a part
    that is empty takes its slash with it. ``usernames`` are the only ones that can be, empty where any can.
    ``credential`` tells what the password is. ``provisions`` says whether this program can make the repositories.
    """

    kind: str
    title: str
    offered_as: str
    host: str
    path: str
    parts: tuple[Part, ...]
    credential: str
    usernames: tuple[str, ...] = ()
    provisions: bool = False
    pull_host_required: bool = False
    notes: str = ""


@dataclass(frozen=True)
class Registry:
    """A registry with all that names an image in it.

    ``push_host`` is where images are pushed to; ``pull_host`` is what nodes pull from, which most often is the same.
    """

    kind: str
    push_host: str
    pull_host: str
    path: str

    def push_repository(self, image: str) -> str:
        """``<host>/<path>`` of an image, as a push names it."""
        return f"{self.push_host}/{self.path.format(image=image)}"

    def pull_repository(self, image: str) -> str:
        """``<host>/<path>`` of an image, as a Deployment names it."""
        return f"{self.pull_host}/{self.path.format(image=image)}"

    def as_pushed(self, reference: str) -> str:
        """A reference that a Deployment names, as a push names it; one of another registry stays as it is."""
        pulled = f"{self.pull_host}/"
        return f"{self.push_host}/{reference.removeprefix(pulled)}" if reference.startswith(pulled) else reference

    @property
    def pull_server(self) -> str:
        """The key of the pull host's credentials in a pull secret."""
        return server_key(self.pull_host)


def server_key(host: str) -> str:
    """The key of a host's credentials in Docker's ``config.json``: the host, but for Docker Hub."""
    return DOCKER_HUB_SERVER if host in _DOCKER_HUB_HOSTS else host


def resolve(known: KnownRegistry, said: Mapping[str, str], pull_host: str | None = None) -> Registry:
    """The registry that ``said`` (part to value) names; parts that are not said have their default.

    Raises:
        KeyError: a required part is not said.
    """
    values = {part.name: said.get(part.name) or part.default or "" for part in known.parts}
    for part in known.parts:
        if not values[part.name] and part.default is None:
            raise KeyError(part.name)
    host = known.host.format(**values)
    segments = [segment.format(**values, image="{image}") for segment in known.path.split("/")]
    return Registry(known.kind, host, pull_host or host, "/".join(filter(None, segments)))


def repository_problem(repository: str) -> str | None:
    """Why no container tool would take ``repository`` as a name, ``None`` if they do."""
    try:
        reference = parse(repository)
    except ReferenceFormatError as error:
        return str(error)
    return None if reference.host else f"{repository!r} has no host: what stands first holds a '_'"


_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_HOST_PATTERN = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?|\[[0-9A-Fa-f:]+\](?::[0-9]{1,5})?"
)
_COMPONENT_RULE = "lowercase letters and digits, with single '.' or '_', '__' or any number of '-' between them"


def _host(example: str, default: str | None = None) -> Part:
    rule = (
        "a host name with an optional port, without https:// and without a path; without a '.' or a port it would be a"
        " path on Docker Hub"
    )
    return Part("host", rule, re.compile(rf"(?=localhost(?::|$)|.*[.:])(?:{_HOST_PATTERN.pattern})"), example, default)


def _component(name: str, what: str, example: str) -> Part:
    return Part(name, f"{what}: {_COMPONENT_RULE}", re.compile(_COMPONENT), example)


def _path(name: str, what: str, example: str, default: str | None = None) -> Part:
    return Part(name, f"{what}: components of {_COMPONENT_RULE}; '/' between components", _PATH, example, default)


_REPOSITORY_LIMIT: Final = 256
_ECR_PREFIX = re.compile(
    rf"(?=.{{2,{_REPOSITORY_LIMIT - 7}}}$)(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*"
)

_KNOWN: Final = (
    KnownRegistry(
        "ecr",
        "Amazon ECR",
        "cloud",
        "{host}",
        "{prefix}/{image}",
        (
            _host("123456789012.dkr.ecr.eu-west-1.amazonaws.com"),
            Part(
                "prefix",
                f"2 to {_REPOSITORY_LIMIT - 7} characters: lowercase letters and digits, with single '.', '_', '-' or"
                " '/' between them (ECR's rule for repository names)",
                _ECR_PREFIX,
                "dockercoins",
                "dockercoins",
            ),
        ),
        "a token of 12 hours, which the program gets by itself",
        ("AWS",),
        provisions=True,
        notes="The repositories are made by this program. `host` is only for a registry in place of ECR's own.",
    ),
    KnownRegistry(
        "dockerhub",
        "Docker Hub",
        "SaaS",
        "docker.io",
        "{namespace}/{image}",
        (
            Part(
                "namespace",
                "a Docker ID or organization: 4 to 30 lowercase letters and digits",
                re.compile(r"[a-z0-9]{4,30}"),
                "mycompany",
            ),
        ),
        "an access token",
        notes=f"One level only. Its credentials' key is `{DOCKER_HUB_SERVER}`.",
    ),
    KnownRegistry(
        "quay",
        "Quay",
        "SaaS, commercial, open source",
        "{host}",
        "{organization}/{image}",
        (
            _host("quay.io", "quay.io"),
            Part(
                "organization",
                "2 to 255 lowercase letters, digits, '.', '_' and '-', with a letter, digit or '_' first",
                re.compile(r"[a-z0-9_][a-z0-9_.-]{1,254}"),
                "mycompany",
            ),
        ),
        "the token of a robot account (its name is `organization+robot`)",
        notes="A repository that a push makes is private at first.",
    ),
    KnownRegistry(
        "gitlab",
        "GitLab",
        "SaaS, commercial, open source",
        "{host}",
        "{project}/{image}",
        (
            _host("registry.gitlab.com", "registry.gitlab.com"),
            Part(
                "project",
                f"the lowercase path of a project, with its groups: two or more components of {_COMPONENT_RULE}",
                re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})+"),
                "mygroup/myproject",
            ),
        ),
        "a deploy token, or the token of a CI job (its user is `gitlab-ci-token`)",
        notes="A CI job's token ends with the job: let nodes pull by a deploy token (`pullUsername`).",
    ),
    KnownRegistry(
        "ghcr",
        "GitHub Container Registry",
        "SaaS",
        "ghcr.io",
        "{owner}/{image}",
        (
            Part(
                "owner",
                "a lowercase user or organization: at most 39 letters, digits and single inner '-'",
                re.compile(r"(?=.{1,39}$)[a-z0-9]+(?:-[a-z0-9]+)*"),
                "mycompany",
            ),
        ),
        "a token with `write:packages`; `read:packages` is enough for pulls",
    ),
    KnownRegistry(
        "acr",
        "Azure Container Registry",
        "cloud",
        "{name}.azurecr.io",
        "{image}",
        (
            Part(
                "name",
                "the first part of its login server: 5 to 50 lowercase letters and digits, and -<hash> if it has one",
                # https://learn.microsoft.com/azure/container-registry/container-registry-get-started-portal tells of
                # the hash of a domain name label.
                re.compile(r"[a-z0-9]{5,50}(-[a-z0-9]+)?"),
                "mycompany",
            ),
        ),
        "a service principal's secret (its user is the principal's id), or a repository token's password",
        notes="On AKS, attach the registry to the cluster and pull by `node`.",
    ),
    KnownRegistry(
        "google",
        "Google Artifact Registry",
        "cloud",
        "{location}-docker.pkg.dev",
        "{project}/{repository}/{image}",
        (
            Part(
                "location",
                "a region such as europe-west1, or us, europe or asia",
                re.compile(r"[a-z]+(?:-[a-z]+[0-9]+)?"),
                "europe-west1",
            ),
            Part(
                "project",
                "a project id: 6 to 30 lowercase letters, digits and inner '-', with a letter first",
                re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]"),
                "my-project",
            ),
            Part(
                "repository",
                "at most 63 lowercase letters, digits and inner '-', with a letter first",
                re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"),
                "containers",
            ),
        ),
        "an access token (1 hour), or the JSON key of a service account",
        ("oauth2accesstoken", "_json_key", "_json_key_base64"),
        notes="On GKE, nodes of the same project pull by `node`.",
    ),
    KnownRegistry(
        "gcr",
        "Google Container Registry",
        "cloud, replaced by Artifact Registry",
        "{host}",
        "{project}/{image}",
        (
            Part(
                "host",
                "gcr.io, us.gcr.io, eu.gcr.io or asia.gcr.io",
                re.compile(r"(?:(?:us|eu|asia)\.)?gcr\.io"),
                "gcr.io",
                "gcr.io",
            ),
            Part(
                "project",
                "a project id: 6 to 30 lowercase letters, digits and inner '-', with a letter first",
                re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]"),
                "my-project",
            ),
        ),
        "an access token (1 hour), or the JSON key of a service account",
        ("oauth2accesstoken", "_json_key", "_json_key_base64"),
        notes="The old names, served by Artifact Registry now.",
    ),
    KnownRegistry(
        "msr",
        "Docker Trusted Registry (now Mirantis Secure Registry)",
        "commercial",
        "{host}",
        "{organization}/{image}",
        (_host("registry.mycompany.io"), _component("organization", "an organization or a user", "mycompany")),
        "an access token",
        notes="A repository has to be there before the first push, unless it is made on push.",
    ),
    KnownRegistry(
        "artifactory",
        "JFrog Artifactory",
        "commercial",
        "{host}",
        "{repository}/{image}",
        (_host("mycompany.jfrog.io"), _component("repository", "the key of a Docker repository", "docker-local")),
        "an identity token",
    ),
    KnownRegistry(
        "harbor",
        "Harbor",
        "open source",
        "{host}",
        "{project}/{image}",
        (_host("harbor.mycompany.io"), _component("project", "a project", "dockercoins")),
        "the secret of a robot account (its name is `robot$project+name`)",
        notes="Put the name in single quotes in a shell: its `$` is part of it.",
    ),
    KnownRegistry(
        "portus",
        "Portus",
        "open source",
        "{host}",
        "{namespace}/{image}",
        (_host("portus.mycompany.io"), _component("namespace", "a namespace", "dockercoins")),
        "an application token",
    ),
    KnownRegistry(
        "openshift",
        "OpenShift integrated registry",
        "open source",
        "{host}",
        "{project}/{image}",
        (
            _host("default-route-openshift-image-registry.apps.mycompany.io"),
            Part(
                "project",
                "a project (a namespace): at most 63 lowercase letters, digits and inner '-'",
                re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"),
                "dockercoins",
            ),
        ),
        "the token of a service account (any user name)",
        notes="`pullHost: image-registry.openshift-image-registry.svc:5000` lets nodes pull inside the cluster.",
    ),
    KnownRegistry(
        "kraken",
        "Kraken",
        "open source",
        "{host}",
        "{image}",
        (_host("kraken-proxy.mycompany.io:8081"),),
        "that of the proxy in front of it, if there is one",
        pull_host_required=True,
        notes="Pushes go to the proxy, pulls to the agent on each node: `pullHost: localhost:<port>`.",
    ),
    KnownRegistry(
        "distribution",
        "Docker Distribution",
        "open source",
        "{host}",
        "{path}/{image}",
        (_host("registry.mycompany.io:5000"), _path("path", "a path before the image's name", "dockercoins", "")),
        "basic authentication, or none",
        notes="No users and no page of its own. Plain http on a loopback address only.",
    ),
    KnownRegistry(
        "generic",
        "Any other",
        "",
        "{host}",
        "{path}/{image}",
        (_host("registry.mycompany.io"), _path("path", "a path before the image's name", "team/dockercoins", "")),
        "a user and a password or token, or none",
    ),
)

KNOWN_REGISTRIES: Final[Mapping[str, KnownRegistry]] = {known.kind: known for known in _KNOWN}
"""Every kind of registry, by its name in the settings."""
