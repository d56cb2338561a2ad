"""Every registry that people ship through: what its images are called, who logs in where, and what it refuses."""

import re
from typing import Any

import pytest

from components.image_reference import parse
from components.mirrors import mirror_problem, mirrored
from components.registries import (
    DOCKER_HUB_SERVER,
    KNOWN_REGISTRIES,
    Registry,
    repository_problem,
    resolve,
    server_key,
)

EXAMPLES = {
    kind: {part.name: part.example for part in known.parts if part.default is None}
    for kind, known in KNOWN_REGISTRIES.items()
}


@pytest.mark.parametrize("kind", KNOWN_REGISTRIES)
def test_the_example_of_each_part_follows_its_own_rule_and_names_a_repository(kind: str) -> None:
    known = KNOWN_REGISTRIES[kind]
    for part in known.parts:
        assert part.accepts(part.example), part.name
        assert part.default in (None, "") or part.accepts(part.default or ""), part.name
    registry = resolve(known, EXAMPLES[kind])
    reference = parse(f"{registry.push_repository('hasher')}:tag")
    assert reference.host == registry.push_host
    assert repository_problem(registry.push_repository("hasher")) is None


@pytest.mark.parametrize("kind", KNOWN_REGISTRIES)
def test_every_part_of_a_template_is_one_that_the_user_can_say(kind: str) -> None:
    known = KNOWN_REGISTRIES[kind]
    assert set(re.findall(r"\{(\w+)\}", known.host + known.path)) == {part.name for part in known.parts} | {"image"}


@pytest.mark.parametrize(
    ("kind", "part", "refused"),
    [
        ("ecr", "prefix", "Dockercoins"),
        ("ecr", "prefix", "a"),
        ("ecr", "prefix", "coins--mine"),
        ("ecr", "prefix", "x" * 250),
        ("dockerhub", "namespace", "me"),
        ("dockerhub", "namespace", "my-company"),
        ("dockerhub", "namespace", "MyCompany"),
        ("dockerhub", "namespace", "my/company"),
        ("quay", "organization", "-company"),
        ("gitlab", "project", "alone"),
        ("gitlab", "project", "Group/project"),
        ("ghcr", "owner", "MyCompany"),
        ("ghcr", "owner", "my--company"),
        ("ghcr", "owner", "x" * 40),
        ("acr", "name", "my-company"),
        ("acr", "name", "four"),
        ("acr", "name", "mycompany.azurecr.io"),
        ("google", "project", "1project"),
        ("google", "location", "Europe"),
        ("google", "repository", "my_repository"),
        ("gcr", "host", "example.gcr.io"),
        ("artifactory", "repository", "docker/local"),
        ("harbor", "project", "My"),
        ("openshift", "project", "a_project"),
        ("distribution", "host", "https://registry.mycompany.io"),
        ("distribution", "host", "registry.mycompany.io/path"),
        ("distribution", "host", "registry"),
        ("distribution", "path", "/path"),
        ("generic", "path", "team//path"),
    ],
)
def test_a_name_that_breaks_the_registrys_own_rule_is_refused(kind: str, part: str, refused: str) -> None:
    (found,) = [known for known in KNOWN_REGISTRIES[kind].parts if known.name == part]
    assert not found.accepts(refused)


def test_a_part_that_may_be_left_out_takes_its_slash_with_it() -> None:
    known = KNOWN_REGISTRIES["distribution"]
    assert resolve(known, {"host": "r.example:5000"}).push_repository("rng") == "r.example:5000/rng"
    said = {"host": "r.example:5000", "path": "a/b"}
    assert resolve(known, said).push_repository("rng") == "r.example:5000/a/b/rng"


def test_a_part_that_is_needed_and_not_said_is_named() -> None:
    with pytest.raises(KeyError, match="project"):
        resolve(KNOWN_REGISTRIES["harbor"], {"host": "harbor.example"})


def test_nodes_may_pull_from_another_host_than_the_one_that_is_pushed_to() -> None:
    registry = resolve(KNOWN_REGISTRIES["kraken"], {"host": "proxy.example:8081"}, pull_host="localhost:8081")
    assert registry.push_repository("rng") == "proxy.example:8081/rng"
    assert registry.pull_repository("rng") == "localhost:8081/rng"
    assert registry.pull_server == "localhost:8081"


@pytest.mark.parametrize(
    ("host", "server"),
    [
        ("docker.io", DOCKER_HUB_SERVER),
        ("index.docker.io", DOCKER_HUB_SERVER),
        ("quay.io", "quay.io"),
        ("localhost:5001", "localhost:5001"),
    ],
)
def test_credentials_are_kept_under_the_key_that_container_tools_look_for(host: str, server: str) -> None:
    assert server_key(host) == server
    assert Registry("generic", host, host, "{image}").pull_server == server


@pytest.mark.parametrize(
    ("reference", "mirrors", "becomes"),
    [
        ("redis:8", {"docker.io": "m.example/hub"}, "m.example/hub/library/redis:8"),
        ("bitnami/redis:8", {"docker.io": "m.example"}, "m.example/bitnami/redis:8"),
        ("quay.io/a/b:1", {"docker.io": "m.example/hub"}, "quay.io/a/b:1"),
        ("redis:8", {}, "redis:8"),
        (f"redis:8@sha256:{'a' * 64}", {"docker.io": "m:5000"}, f"m:5000/library/redis:8@sha256:{'a' * 64}"),
        (f"redis@sha256:{'a' * 64}", {"docker.io": "m:5000"}, f"m:5000/library/redis@sha256:{'a' * 64}"),
    ],
)
def test_an_image_is_taken_from_the_mirror_of_its_host(reference: str, mirrors: dict[str, str], becomes: str) -> None:
    assert mirrored(reference, mirrors) == becomes


@pytest.mark.parametrize(
    ("host", "mirror", "problem"),
    [
        ("docker.io", "harbor.example/hub", None),
        ("index.docker.io", "harbor.example/hub", "'docker.io' may be meant"),
        ("dockerhub", "harbor.example/hub", "'docker.io' may be meant"),
        ("docker.io", "harbor/hub", "'harbor' is no host"),
        ("docker.io", "https://harbor.example", "is not an image reference"),
        ("docker.io", "", "is not an image reference"),
    ],
)
def test_what_cannot_be_a_mirror_is_told(host: str, mirror: str, problem: Any) -> None:
    found = mirror_problem(host, mirror)
    assert found is None if problem is None else problem in str(found)
