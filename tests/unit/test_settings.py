from pathlib import Path

import pytest
import yaml

from settings import Settings, SettingsError, read_settings
from tests.unit.stacks import ROOT, declared, project, values


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return project(tmp_path)


def read(folder: Path, *, stack: str = "test", **settings: str) -> Settings:
    return read_settings(
        values(**settings),
        project="dockercoins",
        stack=stack,
        root=folder,
        environment={"KUBECONFIG": str(folder / "kubeconfig")},
        home=folder,
    )


def mistakes(folder: Path, **settings: str) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        read(folder, **settings)
    return caught.value


def test_the_defaults_and_what_is_required_make_a_stack(folder: Path) -> None:
    settings = read(folder)
    assert settings.namespace == "dockercoins-test"
    assert settings.registry.host == "111122223333.dkr.ecr.eu-west-1.amazonaws.com"
    assert settings.registry.prefix == "dockercoins"
    assert not settings.registry.force_delete
    assert settings.cluster.server == "https://test-cluster:6443"
    assert settings.application.profile == "teaching"
    assert settings.application.replicas == {"hasher": 1, "rng": 1, "webui": 1, "worker": 1}
    assert "@sha256:" in settings.application.redis_image
    assert "@sha256:" in settings.build.python_image


def test_what_a_stack_says_is_what_is_read(folder: Path) -> None:
    settings = read(
        folder,
        namespace="coins",
        workerReplicas="10",
        registryHost="localhost:5001",
        awsEndpoint="http://localhost:5002",
        awsProfile="work",
        kmsKey="arn:aws:kms:eu-west-1:111122223333:key/1234abcd",
        forceDelete="true",
        profile="full",
        webuiServiceType="NodePort",
        webuiNodePort="30080",
    )
    assert settings.namespace == "coins"
    assert settings.application.replicas["worker"] == 10
    assert settings.registry.host == "localhost:5001"
    assert settings.aws.endpoint == "http://localhost:5002"
    assert settings.aws.profile == "work"
    assert settings.registry.kms_key == "arn:aws:kms:eu-west-1:111122223333:key/1234abcd"
    assert settings.registry.force_delete
    assert settings.application.profile == "full"
    assert settings.application.webui_node_port == 30080


def test_a_region_of_china_has_its_own_domain(folder: Path) -> None:
    assert read(folder, awsRegion="cn-north-1").registry.host.endswith(".cn-north-1.amazonaws.com.cn")


@pytest.mark.parametrize(
    ("key", "received", "accepted"),
    [
        ("awsAccount", "1234", "12 digits"),
        ("awsAccount", "", "12 digits"),
        ("awsRegion", "Ireland", "a region such as eu-west-1"),
        ("awsEndpoint", "localhost:5002", "http:// or https://"),
        ("repositoryPrefix", "Docker/Coins", "lowercase letters and digits"),
        ("repositoryPrefix", "a" * 250, "at most 249 characters"),
        ("repositoryPrefix", "a//b", "lowercase letters and digits"),
        ("namespace", "Docker_Coins", "at most 63 lowercase letters"),
        ("namespace", "n" * 64, "at most 63 lowercase letters"),
        ("workerReplicas", "-1", "a whole number from 0 to 10000"),
        ("workerReplicas", "many", "a whole number from 0 to 10000"),
        ("workerReplicas", "1_0", "a whole number from 0 to 10000"),
        ("rngReplicas", "1.5", "a whole number from 0 to 10000"),
        ("keepImages", "0", "a whole number from 1 to 9999"),
        ("forceDelete", "yes", "true or false"),
        ("buildOnPreview", "1", "true or false"),
        ("profile", "fast", "teaching or full"),
        ("platform", "amd64", "linux/amd64 or linux/arm64"),
        ("pullCredentials", "dynamic", "node or static"),
        ("webuiServiceType", "Ingress", "ClusterIP or NodePort or LoadBalancer"),
        ("webuiNodePort", "80", "a whole number from 30000 to 32767"),
        ("webuiNodeAddress", "http://node", "a host name or an IPv4 address"),
        ("redisImage", "redis", "a tag other than latest"),
        ("redisImage", "redis:latest", "a tag other than latest"),
        ("pythonImage", "Python:3", "an image reference"),
        ("registryHost", "http://localhost:5001", "a host with an optional port"),
        ("kmsKey", "alias/key", "the ARN of a KMS key"),
        ("rolloutSeconds", "5", "a whole number from 10 to 3600"),
        ("kubeContext", "", "the context of the cluster to deploy to"),
        ("kubeContext", "other", "it has: test-context"),
    ],
)
def test_a_value_that_cannot_be_used_is_told_in_full(folder: Path, key: str, received: str, accepted: str) -> None:
    error = mistakes(folder, **{key: received})
    assert [mistake.key for mistake in error.mistakes] == [f"dockercoins:{key}"]
    message = str(error)
    assert message.startswith("1 setting of the stack 'test' cannot be used; nothing was changed.")
    assert f"received: {received!r}" in message or (not received and "received: nothing" in message)
    assert accepted in message
    assert f"pulumi config set dockercoins:{key} " in message


def test_all_mistakes_are_told_at_once(folder: Path) -> None:
    (folder / "services" / "rng" / "Dockerfile").unlink()
    error = mistakes(folder, workerReplicas="-1", awsAccount="12", kubeContext="other", replica="3")
    assert [mistake.key for mistake in error.mistakes] == [
        "dockercoins:awsAccount",
        "dockercoins:kubeContext",
        "dockercoins:workerReplicas",
        "dockercoins:replica",
        "services/rng/Dockerfile",
    ]
    assert str(error).startswith("5 settings of the stack")


def test_an_unknown_setting_is_told_with_those_that_there_are(folder: Path) -> None:
    message = str(mistakes(folder, workerReplica="3"))
    assert "dockercoins:workerReplica\n" in message
    assert "workerReplicas" in message
    assert "pulumi config rm dockercoins:workerReplica" in message


def test_the_configuration_of_others_is_none_of_ours(folder: Path) -> None:
    everything = {**values(), "aws:region": "us-east-1", "pulumi:tags": "{}"}
    read_settings(
        everything,
        project="dockercoins",
        stack="test",
        root=folder,
        environment={"KUBECONFIG": str(folder / "kubeconfig")},
        home=folder,
    )


def test_a_kubeconfig_can_be_named(folder: Path) -> None:
    (folder / "kubeconfig").rename(folder / "mine")
    assert read(folder, kubeconfig="mine").cluster.context == "test-context"
    assert read(folder, kubeconfig="~/mine").cluster.context == "test-context"
    assert "there is no kubeconfig at" in str(mistakes(folder, kubeconfig="other"))


def test_every_key_is_declared_with_type_default_and_description() -> None:
    for key, declaration in declared().items():
        assert set(declaration) == {"type", "default", "description"}, key
        assert declaration["description"].endswith("."), key


def test_every_declared_key_is_read_and_every_key_that_is_read_is_declared(folder: Path) -> None:
    error = mistakes(folder, bogus="1")
    known = error.mistakes[0].accepted.removeprefix("one of ").split(", ")
    assert sorted(known) == sorted(declared())


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_the_stacks_in_the_repository_are_accepted(folder: Path, stack: str) -> None:
    config = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    said = {key.removeprefix("dockercoins:"): value for key, value in config.items()}
    assert read(folder, stack=stack, **{**said, "kubeContext": "test-context"}).namespace == f"dockercoins-{stack}"
