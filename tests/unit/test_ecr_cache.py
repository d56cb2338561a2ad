import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.ecr_cache import (
    UPSTREAMS,
    UpstreamError,
    cache_problems,
    cached_reference,
    creation_role_policy,
    creation_role_trust,
    credential_problem,
    upstream,
    upstream_problem,
)
from components.image_reference import ReferenceFormatError, parse
from tests.unit.ecr_api import policy_problems, request_problems

ACCOUNT, REGION = "111122223333", "eu-west-1"
HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
DIGEST = "sha256:" + "ab" * 32
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:ecr-pullthroughcache/docker-hub-AbCdEf"
AZURE = "mycompany.azurecr.io"
WITH_CREDENTIAL = ["docker-hub", "github", "gitlab", "chainguard", AZURE]
WITHOUT = ["ecr-public", "kubernetes", "quay"]


# --- The upstreams as data ---


def test_each_known_upstream_is_with_or_without_a_credential() -> None:
    assert sorted([*WITH_CREDENTIAL, *WITHOUT]) == sorted([*UPSTREAMS, AZURE])
    assert [name for name in WITH_CREDENTIAL if not upstream(name).needs_credential] == []
    assert [name for name in WITHOUT if upstream(name).needs_credential] == []


@pytest.mark.parametrize("name", [*UPSTREAMS, AZURE, "abcdefghijklmnopqrstuvwx.azurecr.io"])
def test_ecr_takes_the_rule_and_the_template_of_each(name: str) -> None:
    found = upstream(name)
    rule = {"ecrRepositoryPrefix": found.prefix, "upstreamRegistryUrl": found.url}
    assert request_problems("CreatePullThroughCacheRule", rule) == []
    template = {"prefix": found.prefix, "appliedFor": ["PULL_THROUGH_CACHE"]}
    assert request_problems("CreateRepositoryCreationTemplate", template) == []


def test_each_is_fetched_from_where_amazon_says() -> None:
    # https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreatePullThroughCacheRule.html
    assert {name: upstream(name).url for name in (*UPSTREAMS, AZURE)} == {
        "docker-hub": "registry-1.docker.io",
        "ecr-public": "public.ecr.aws",
        "kubernetes": "registry.k8s.io",
        "quay": "quay.io",
        "github": "ghcr.io",
        "gitlab": "registry.gitlab.com",
        "chainguard": "cgr.dev",
        AZURE: AZURE,
    }


def test_no_two_share_a_prefix_or_a_host() -> None:
    assert len({entry.prefix for entry in UPSTREAMS.values()}) == len(UPSTREAMS)
    assert len({entry.host for entry in UPSTREAMS.values()}) == len(UPSTREAMS)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("dockerhub", "accepted are docker-hub, ecr-public, kubernetes, quay, github, gitlab, chainguard, or the host"),
        ("", "accepted are docker-hub"),
        ("registry.mycompany.io", "accepted are docker-hub"),
        ("my-company.azurecr.io", "5 to 24 lowercase letters and digits"),
        (f"{'a' * 25}.azurecr.io", "5 to 24 lowercase letters and digits"),
    ],
)
def test_what_cannot_be_pulled_through_is_refused_with_what_can(name: str, said: str) -> None:
    assert said in (upstream_problem(name) or "")
    with pytest.raises(UpstreamError) as raised:
        upstream(name)
    assert repr(name) in str(raised.value)
    assert said in str(raised.value)


# --- Credentials ---


@pytest.mark.parametrize("name", WITH_CREDENTIAL)
def test_an_upstream_with_a_login_needs_the_secret_of_it(name: str) -> None:
    assert credential_problem(name, SECRET, ACCOUNT, REGION) is None
    for nothing in (None, ""):
        problem = credential_problem(name, nothing, ACCOUNT, REGION) or ""
        assert f"ECR pulls through {name} with a credential only" in problem
        assert f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:ecr-pullthroughcache/" in problem


@pytest.mark.parametrize("name", WITHOUT)
def test_an_upstream_without_a_login_takes_no_secret(name: str) -> None:
    assert credential_problem(name, None, ACCOUNT, REGION) is None
    assert credential_problem(name, "", ACCOUNT, REGION) is None
    assert "takes none" in (credential_problem(name, SECRET, ACCOUNT, REGION) or "")


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        ("hunter2", "it is not the ARN of a secret"),
        (SECRET.replace("secretsmanager", "ssm"), "it is not the ARN of a secret"),
        (SECRET.replace("ecr-pullthroughcache/", ""), "does not begin with ecr-pullthroughcache/"),
        (SECRET.replace("cache/", "cache/?"), "does not begin with ecr-pullthroughcache/"),
        (SECRET.replace(REGION, "eu-central-1"), "not in the account and region of the registry"),
        (SECRET.replace(ACCOUNT, "444455556666"), "not in the account and region of the registry"),
        (SECRET.replace("arn:aws:", "arn:aws-cn:"), "not in the account and region of the registry"),
    ],
)
def test_a_secret_that_ecr_would_not_take_is_refused_with_the_reason(secret: str, said: str) -> None:
    assert said in (credential_problem("docker-hub", secret, ACCOUNT, REGION) or "")


@given(name=st.text("abAB09/_+=.@-", min_size=1, max_size=20))
def test_the_secrets_that_are_taken_are_taken_by_ecr_too(name: str) -> None:
    secret = f"arn:aws-us-gov:secretsmanager:us-gov-west-1:{ACCOUNT}:secret:ecr-pullthroughcache/{name}"
    assert credential_problem("github", secret, ACCOUNT, "us-gov-west-1") is None
    rule = {"ecrRepositoryPrefix": "github", "upstreamRegistryUrl": "ghcr.io", "credentialArn": secret}
    assert request_problems("CreatePullThroughCacheRule", rule) == []


# --- The mapping as a whole ---


def problems(cache: dict[str, str | None], prefix: str = "dockercoins") -> dict[str, str]:
    return cache_problems(cache, account=ACCOUNT, region=REGION, repository_prefix=prefix)


def test_a_mapping_is_refused_entry_by_entry() -> None:
    found = problems({"docker-hub": None, "ecr-public": None, "nexus": None, "quay": SECRET, AZURE: SECRET})
    assert set(found) == {"docker-hub", "nexus", "quay"}


@pytest.mark.parametrize("prefix", ["quay", "quay/coins"])
def test_cached_images_are_never_among_the_registrys_own(prefix: str) -> None:
    assert "among this registry's own" in problems({"quay": None}, prefix)["quay"]
    assert problems({"quay": None}, "quays") == {}


# --- References ---


@pytest.mark.parametrize(
    ("reference", "cached"),
    [
        ("redis", "docker-hub/library/redis"),
        ("redis:8", "docker-hub/library/redis:8"),
        (f"redis:8@{DIGEST}", f"docker-hub/library/redis:8@{DIGEST}"),
        (f"docker.io/library/redis@{DIGEST}", f"docker-hub/library/redis@{DIGEST}"),
        ("index.docker.io/bitnami/redis:8", "docker-hub/bitnami/redis:8"),
        ("public.ecr.aws/docker/library/redis:8", "ecr-public/docker/library/redis:8"),
        ("registry.k8s.io/pause:3.10", "kubernetes/pause:3.10"),
        ("quay.io/prometheus/prometheus:v3", "quay/prometheus/prometheus:v3"),
        ("ghcr.io/owner/app:1", "github/owner/app:1"),
        ("registry.gitlab.com/group/project/app:1", "gitlab/group/project/app:1"),
        ("cgr.dev/chainguard/redis:latest", "chainguard/chainguard/redis:latest"),
        ("mycompany.azurecr.io/app:1", "azure/mycompany/app:1"),
    ],
)
def test_an_image_has_its_name_in_the_cache(reference: str, cached: str) -> None:
    assert cached_reference(HOST, [*UPSTREAMS, AZURE], reference) == f"{HOST}/{cached}"


@pytest.mark.parametrize("reference", ["redis:8", "localhost:5001/redis:8", "other.azurecr.io/app:1", f"{HOST}/x:1"])
def test_an_image_of_a_registry_that_is_not_pulled_through_keeps_its_name(reference: str) -> None:
    assert cached_reference(HOST, ["quay", AZURE], reference) == reference
    assert cached_reference(HOST, [], reference) == reference


def test_a_name_that_is_cached_already_is_left_as_it_is() -> None:
    once = cached_reference(HOST, UPSTREAMS, "redis:8")
    assert cached_reference(HOST, UPSTREAMS, once) == once


@given(
    path=st.from_regex(r"[a-z0-9]{1,8}(/[a-z0-9]{1,8}){0,2}", fullmatch=True), tag=st.sampled_from(["", ":1", ":v2"])
)
def test_a_cached_name_is_a_reference_with_the_same_tag_and_path(path: str, tag: str) -> None:
    for name, entry in UPSTREAMS.items():
        original = parse(f"{entry.host}/{path}{tag}")
        cached = parse(cached_reference(HOST, [name], f"{entry.host}/{path}{tag}"))
        assert (cached.host, cached.path, cached.tag) == (HOST, f"{entry.prefix}/{original.path}", original.tag)


def test_what_is_no_reference_is_refused() -> None:
    with pytest.raises(ReferenceFormatError):
        cached_reference(HOST, ["docker-hub"], "Redis:8")


# --- The role that makes the repositories ---


@pytest.mark.parametrize("kms_key", [None, f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"])
def test_the_role_is_ecrs_alone_and_its_policy_valid(kms_key: str | None) -> None:
    policy = creation_role_policy(["docker-hub", "quay"], account=ACCOUNT, region=REGION, kms_key=kms_key)
    properties = {
        "AssumeRolePolicyDocument": json.loads(creation_role_trust()),
        "Policies": [{"PolicyName": "cache", "PolicyDocument": json.loads(policy)}],
    }
    assert policy_problems("AWS::IAM::Role", properties, REGION) == []
    (trust,) = json.loads(creation_role_trust())["Statement"]
    assert trust["Principal"] == {"Service": "ecr.amazonaws.com"}


def test_the_role_makes_cached_repositories_alone_and_uses_one_key_alone() -> None:
    key = f"arn:aws-cn:kms:cn-north-1:{ACCOUNT}:key/1234"
    policy = creation_role_policy(["quay", "ecr-public"], account=ACCOUNT, region="cn-north-1", kms_key=key)
    making, encrypting = json.loads(policy)["Statement"]
    assert making["Resource"] == [
        f"arn:aws-cn:ecr:cn-north-1:{ACCOUNT}:repository/ecr-public/*",
        f"arn:aws-cn:ecr:cn-north-1:{ACCOUNT}:repository/quay/*",
    ]
    assert encrypting["Resource"] == key
    without = creation_role_policy(["quay"], account=ACCOUNT, region=REGION, kms_key=None)
    assert "kms" not in without
