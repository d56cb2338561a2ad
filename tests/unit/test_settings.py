from pathlib import Path
from typing import Any

import pytest
import yaml

from components.registries import KNOWN_REGISTRIES
from configuration import Configuration, SettingsError
from settings import Login, Settings, read_settings
from tests.unit.stacks import ROOT, declared, project, secret_keys, values

DIGEST = f"sha256:{'ab' * 32}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return project(tmp_path)


def read(folder: Path, *, stack: str = "test", plain: bool = False, **settings: Any) -> Settings:
    return read_settings(
        Configuration(values(**settings), () if plain else secret_keys()),
        project="dockercoins",
        stack=stack,
        root=folder,
        environment={"KUBECONFIG": str(folder / "kubeconfig")},
        home=folder,
    )


def mistakes(folder: Path, *, plain: bool = False, **settings: Any) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        read(folder, plain=plain, **settings)
    return caught.value


def test_the_defaults_and_what_is_required_make_a_stack(folder: Path) -> None:
    settings = read(folder)
    assert settings.namespace == "dockercoins-test"
    registry, ecr = settings.registry.registry, settings.registry.ecr
    assert registry.push_repository("rng") == "111122223333.dkr.ecr.eu-west-1.amazonaws.com/dockercoins/rng"
    assert ecr is not None
    assert ecr.prefix == "dockercoins"
    assert not ecr.force_delete
    assert settings.registry.pull_credentials == "node"
    assert settings.images.source == "build"
    assert settings.cluster.server == "https://test-cluster:6443"
    assert settings.application.profile == "teaching"
    assert settings.application.replicas == {"hasher": 1, "rng": 1, "webui": 1, "worker": 1}
    assert "@sha256:" in settings.application.redis_image
    assert settings.application.redis_version == "8.10.1-trixie"
    assert "@sha256:" in settings.images.python_image


def test_what_a_stack_says_is_what_is_read(folder: Path) -> None:
    settings = read(
        folder,
        namespace="coins",
        workerReplicas="10",
        registry={"host": "localhost:5001", "prefix": "team/coins"},
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
    registry, ecr, aws = settings.registry.registry, settings.registry.ecr, settings.registry.aws
    assert registry.push_repository("rng") == registry.pull_repository("rng") == "localhost:5001/team/coins/rng"
    assert ecr is not None
    assert aws is not None
    assert ecr.prefix == "team/coins"
    assert aws.endpoint == "http://localhost:5002"
    assert aws.profile == "work"
    assert ecr.kms_key == "arn:aws:kms:eu-west-1:111122223333:key/1234abcd"
    assert ecr.force_delete
    assert settings.application.profile == "full"
    assert settings.application.webui_node_port == 30080


def test_images_are_for_the_platforms_that_the_stack_says(folder: Path) -> None:
    assert read(folder).images.platforms == ("linux/amd64",)
    assert read(folder, platforms=["linux/arm64"]).images.platforms == ("linux/arm64",)
    assert read(folder, platforms=["linux/arm64", "linux/amd64"]).images.platforms == ("linux/arm64", "linux/amd64")


def test_a_region_of_china_has_its_own_domain(folder: Path) -> None:
    registry = read(folder, awsRegion="cn-north-1").registry.registry
    assert registry.push_host.endswith(".cn-north-1.amazonaws.com.cn")


@pytest.mark.parametrize(
    ("key", "received", "accepted"),
    [
        ("awsAccount", "1234", "12 digits"),
        ("awsAccount", "", "12 digits"),
        ("awsRegion", "Ireland", "a region such as eu-west-1"),
        ("awsEndpoint", "localhost:5002", "http:// or https://"),
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
        ("platforms", "linux/amd64", "a list; each entry is linux/amd64 or linux/arm64"),
        ("pullCredentials", "dynamic", "node, static or refresh"),
        ("webuiServiceType", "Ingress", "ClusterIP, NodePort or LoadBalancer"),
        ("imageScanning", "deep", "off, basic or enhanced"),
        ("untaggedDays", "0", "a whole number from 1 to 3650"),
        ("buildCache", "on", "true or false"),
        ("rebuild", "now please", "at most 64 letters"),
        ("webuiNodePort", "80", "a whole number from 30000 to 32767"),
        ("webuiNodeAddress", "http://node", "a host name or an IPv4 address"),
        ("redisImage", "redis", "a tag other than latest"),
        ("redisImage", "redis:latest", "a tag other than latest"),
        ("redisImage", "my_registry.local/redis:8", "a tag other than latest"),
        ("pythonImage", "Python:3", "an image reference"),
        ("kmsKey", "alias/key", "the ARN of a KMS key"),
        ("rolloutSeconds", "5", "a whole number from 10 to 3600"),
        ("kubeContext", "", "the context of the cluster to deploy to"),
        ("kubeContext", "other", "it has: test-context"),
    ],
)
def test_a_value_that_cannot_be_used_is_told_in_full(folder: Path, key: str, received: str, accepted: str) -> None:
    one: dict[str, Any] = {key: received}
    error = mistakes(folder, **one)
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


@pytest.mark.parametrize("key", ["images.source", "registry.kind", "webuiIngress.host", "mayPull[0]", "platforms[1]"])
def test_a_key_that_was_set_without_path_is_refused_with_the_command_that_was_meant(folder: Path, key: str) -> None:
    settings: dict[str, Any] = {key: "it's"}
    (mistake,) = mistakes(folder, **settings).mistakes
    full = f"'dockercoins:{key}'" if "[" in key else f"dockercoins:{key}"
    assert mistake.remedy == f"pulumi config rm {full} && pulumi config set --path {full} 'it'\"'\"'s'"


@pytest.mark.parametrize(("stack", "valid"), [("feature_x", "dockercoins-feature-x"), ("s" * 70, "s" * 51)])
def test_a_namespace_that_follows_from_the_stacks_name_obeys_the_rule_of_a_given_one(
    folder: Path, stack: str, valid: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        read(folder, stack=stack)
    (mistake,) = caught.value.mistakes
    assert mistake.remedy.startswith("pulumi config set dockercoins:namespace ")
    assert mistake.remedy.endswith(valid)
    assert read(folder, stack=stack, namespace=mistake.remedy.split()[-1])


def test_a_near_miss_is_shown_first(folder: Path) -> None:
    (mistake,) = mistakes(folder, workerReplica="2").mistakes
    assert mistake.accepted.startswith("did you mean workerReplicas? ")


STACK_FILE = """
config:
  aws:region: 010
  dockercoins:awsAccount: 012345670123
  dockercoins:workerReplicas: 010
  dockercoins:rngReplicas: "010"
  dockercoins:hasherReplicas: 3
  dockercoins:forceDelete: True
  dockercoins:registryPassword:
    secure: v1:AAAA:BBBB
  dockercoins:mayPull: [012345670123, 111122223333]
  dockercoins:registry:
    prefix: 1.10
  dockercoins:rebuild: 2024-01-01
"""


def test_a_number_that_yaml_reads_otherwise_than_it_is_written_is_refused(folder: Path) -> None:
    (folder / "Pulumi.test.yaml").write_text(STACK_FILE)
    error = mistakes(
        folder,
        awsAccount="1402433619",
        workerReplicas="8",
        rngReplicas="010",
        hasherReplicas="3",
        forceDelete="true",
        mayPull=[1402433619, 111122223333],
        registry={"prefix": 1.1},
        rebuild="2024-01-01 00:00:00 +0000 UTC",
    )
    found = {mistake.key: mistake for mistake in error.mistakes if "YAML" in mistake.received}
    assert {key: mistake.received for key, mistake in found.items()} == {
        "dockercoins:awsAccount": "012345670123, which YAML reads as 1402433619",
        "dockercoins:workerReplicas": "010, which YAML reads as 8",
        "dockercoins:mayPull[0]": "012345670123, which YAML reads as 1402433619",
        "dockercoins:registry.prefix": "1.10, which YAML reads as 1.1",
        "dockercoins:rebuild": "2024-01-01, which YAML reads as 2024-01-01 00:00:00 +0000 UTC",
    }
    account = found["dockercoins:awsAccount"]
    assert account.accepted.endswith("the text in quotes: '012345670123'")
    assert account.remedy == "pulumi config set dockercoins:awsAccount 012345670123"


@pytest.mark.parametrize("text", ["", "a: [", "- a", "config:", "config: []", "config:\n  dockercoins:registry: x"])
def test_a_stack_file_that_says_nothing_is_no_mistake(folder: Path, text: str) -> None:
    (folder / "Pulumi.test.yaml").write_text(text)
    assert read(folder)


@pytest.mark.parametrize("name", ["mycompany", "myreg-d5d5ehebcgbtdwaf"])
def test_a_login_server_of_azure_may_have_a_hash(folder: Path, name: str) -> None:
    settings = read(folder, registry={"kind": "acr", "name": name}, awsAccount="", awsRegion="")
    assert settings.registry.registry.push_host == f"{name}.azurecr.io"


def test_a_region_of_the_european_sovereign_cloud_is_one(folder: Path) -> None:
    settings = read(folder, awsRegion="eusc-de-east-1")
    assert settings.registry.registry.push_host.endswith(".dkr.ecr.eusc-de-east-1.amazonaws.eu")


def test_an_unknown_setting_is_told_with_those_that_there_are(folder: Path) -> None:
    message = str(mistakes(folder, workerReplica="3"))
    assert "dockercoins:workerReplica\n" in message
    assert "workerReplicas" in message
    assert "pulumi config rm dockercoins:workerReplica" in message


def test_the_configuration_of_others_is_none_of_ours(folder: Path) -> None:
    everything = {**values(), "aws:region": "us-east-1", "pulumi:tags": "{}"}
    read_settings(
        Configuration(everything),
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
        structured = isinstance(declaration["default"], (dict, list))
        assert set(declaration) == {"default", "description"} | (set() if structured else {"type"}), key
        assert declaration["description"].endswith("."), key


def test_every_declared_key_is_read_and_every_key_that_is_read_is_declared(folder: Path) -> None:
    error = mistakes(folder, bogus="1")
    known = error.mistakes[0].accepted.removeprefix("one of ").split(", ")
    assert sorted(known) == sorted(declared())


@pytest.mark.parametrize(
    ("settings", "key", "told"),
    [
        ({"registry": "harbor"}, "registry", ("'harbor'", "a mapping", "config set dockercoins:registry '{")),
        (
            {"registry": {"kind": "hub"}},
            "registry.kind",
            ("'hub'", "dockerhub", "config set --path dockercoins:registry.kind"),
        ),
        (
            {"registry": {"kind": "dockerhub", "namespace": "My-Company"}},
            "registry.namespace",
            (
                "'My-Company'",
                "4 to 30 lowercase letters and digits",
                "config set --path dockercoins:registry.namespace mycompany",
            ),
        ),
        (
            {"registry": {"kind": "dockerhub"}},
            "registry.namespace",
            ("nothing", "a Docker ID", "registry.namespace mycompany"),
        ),
        (
            {"registry": {"kind": "acr", "name": "my-company"}},
            "registry.name",
            ("'my-company'", "5 to 50 lowercase letters and digits", "registry.name mycompany"),
        ),
        (
            {"registry": {"prefix": "Docker/Coins"}},
            "registry.prefix",
            ("'Docker/Coins'", "lowercase letters", "registry.prefix"),
        ),
        ({"registry": {"prefix": "a" * 250}}, "registry.prefix", ("'aaa", "2 to 249 characters", "registry.prefix")),
        (
            {"registry": {"host": "http://localhost:5001"}},
            "registry.host",
            ("'http://localhost:5001'", "without https://", "host"),
        ),
        ({"registry": {"project": "x"}}, "registry.project", ("does not have", "registry.prefix", "config rm --path")),
        (
            {"registry": {"kind": "kraken", "host": "proxy.example"}},
            "registry.pullHost",
            ("nothing", "the host that nodes pull from", "registry.pullHost localhost:8081"),
        ),
        (
            {
                "registry": {
                    "kind": "google",
                    "location": "us",
                    "project": "coins-1",
                    "repository": "a",
                    "username": "me",
                },
                "registryPassword": "x",
            },
            "registry.username",
            ("'me'", "one of oauth2accesstoken, _json_key", "registry.username oauth2accesstoken"),
        ),
        (
            {"registry": {"kind": "generic", "host": "r.example", "path": "x/" * 130 + "y"}},
            "registry",
            ("r.example/x/x", "at most 255 are allowed", ""),
        ),
        (
            {"registry": {"kind": "generic", "host": "r.example", "username": "me"}},
            "registryPassword",
            (
                "nothing",
                "the password or token of registry.username",
                "config set --secret dockercoins:registryPassword",
            ),
        ),
        (
            {"registry": {"kind": "generic", "host": "r.example"}, "registryPassword": "WORD"},
            "registry.username",
            ("nothing", "the user that registryPassword is of", "registry.username"),
        ),
        (
            {"registry": {"kind": "generic", "host": "r.example"}, "pullCredentials": "static"},
            "registryPassword",
            ("nothing", "since pullCredentials is static", "config set --secret"),
        ),
        (
            {"registry": {"kind": "generic", "host": "r.example"}, "pullCredentials": "refresh"},
            "pullCredentials",
            ("'refresh'", "node or static", "config set"),
        ),
        ({"refresh": {"role": "admin"}}, "refresh.role", ("'admin'", "the ARN of an IAM role", "refresh.role arn:")),
        ({"refresh": {"schedule": "99 * * * *"}}, "refresh.schedule", ("'99 * * * *'", "five fields", "'0 */4 * * *'")),
        (
            {"kmsKey": "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"},
            "kmsKey",
            ("us-east-1", "a KMS key in the registry's region eu-west-1", "arn:aws:kms:eu-west-1:"),
        ),
        ({"refresh": {"schedule": "daily"}}, "refresh.schedule", ("'daily'", "five fields", "'0 */4 * * *'")),
        ({"mayPull": ["me"]}, "mayPull[0]", ("'me'", "an account's 12 digits", "--path 'dockercoins:mayPull[0]'")),
        ({"mayPull": "123456789012"}, "mayPull", ("'123456789012'", "an account's 12 digits", "dockercoins:mayPull")),
        (
            {"platforms": ["linux/amd64", "arm64"]},
            "platforms[1]",
            ("'arm64'", "linux/amd64 or linux/arm64", "--path 'dockercoins:platforms[1]' linux/amd64"),
        ),
        (
            {"platforms": ["linux/arm64", "linux/arm64"]},
            "platforms[1]",
            ("'linux/arm64'", "linux/amd64 or linux/arm64; it is there already", "platforms[1]"),
        ),
        (
            {"platforms": []},
            "platforms",
            ("nothing", "a list of one or both of", "config set dockercoins:platforms '[\"linux/amd64\"]'"),
        ),
        (
            {"platforms": "linux/arm64"},
            "platforms",
            ("'linux/arm64'", "a list; each entry is", "config set dockercoins:platforms '[\"linux/amd64\"]'"),
        ),
        ({"platform": "linux/arm64"}, "platform", ("does not have", "platforms", "config rm")),
        (
            {"replicateTo": ["eu-west-1"]},
            "replicateTo[0]",
            ("'eu-west-1'", "it is the registry itself", "eu-central-1"),
        ),
        (
            {"pullThroughCache": {"hub": ""}},
            "pullThroughCache.hub",
            ("nothing", "docker-hub", "config rm --path dockercoins:pullThroughCache.hub"),
        ),
        (
            {"mirrors": {"hub": "r.example"}},
            "mirrors.hub",
            ("'r.example'", "'docker.io' may be meant", "config rm --path dockercoins:mirrors.hub"),
        ),
        (
            {"images": {"source": "registry"}},
            "images.source",
            ("'registry'", "build, prebuilt or stack", "images.source build"),
        ),
        (
            {"images": {"source": "stack"}},
            "images.stack",
            ("nothing", "the stack whose images are taken", "images.stack dev"),
        ),
        (
            {"images": {"digests": {"redis": DIGEST}}},
            "images.digests.redis",
            ("does not have", "images.digests.rng", "rm --path"),
        ),
        (
            {"images": {"digests": {"rng": "v1"}}},
            "images.digests.rng",
            ("'v1'", "sha256:<64 digits>", "images.digests.rng"),
        ),
    ],
)
def test_a_mistake_inside_a_structured_setting_is_told_with_its_path(
    folder: Path, settings: dict[str, Any], key: str, told: tuple[str, str, str]
) -> None:
    received, accepted, remedy = told
    (mistake,) = mistakes(folder, **settings).mistakes
    assert mistake.key == f"dockercoins:{key}"
    assert received in mistake.received
    assert accepted in mistake.accepted
    assert remedy in mistake.remedy


@pytest.mark.parametrize("key", ["registryPassword", "registryPullPassword", "refreshSecretAccessKey"])
def test_a_password_in_plain_text_is_refused_and_not_repeated(folder: Path, key: str) -> None:
    registry = {"kind": "generic", "host": "r.example", "username": "me", "pullUsername": "you"}
    words = {"registryPassword": "HIDDEN", "registryPullPassword": "HIDDEN", "refreshSecretAccessKey": "HIDDEN"}
    error = mistakes(folder, plain=True, registry=registry, **words)
    (mistake,) = [mistake for mistake in error.mistakes if mistake.key == f"dockercoins:{key}"]
    assert mistake.remedy == f"pulumi config set --secret dockercoins:{key}"
    assert "HIDDEN" not in str(error)


@pytest.mark.parametrize("name", ["password", "token", "pullPassword"])
def test_a_password_inside_the_registry_is_sent_to_the_key_that_can_be_a_secret(folder: Path, name: str) -> None:
    registry = {"kind": "generic", "host": "r.example", name: "HIDDEN"}
    error = mistakes(folder, registry=registry)
    (mistake,) = error.mistakes
    assert mistake.key == f"dockercoins:registry.{name}"
    assert f"pulumi config rm --path dockercoins:registry.{name} && pulumi config set --secret" in mistake.remedy
    assert "HIDDEN" not in str(error)


def test_a_password_is_not_shown_with_the_settings(folder: Path) -> None:
    registry = {"kind": "harbor", "host": "r.example", "project": "coins", "username": "robot$coins+pusher"}
    settings = read(folder, registry=registry, registryPassword="HIDDEN")
    assert settings.registry.push == Login("robot$coins+pusher", "HIDDEN")
    assert settings.registry.pull == settings.registry.push
    assert settings.registry.pull_credentials == "static"
    assert "HIDDEN" not in repr(settings)


def test_nodes_may_log_in_as_another_user_than_pushes(folder: Path) -> None:
    registry = {"kind": "generic", "host": "r.example", "username": "writer", "pullUsername": "reader"}
    settings = read(folder, registry=registry, registryPassword="w", registryPullPassword="r")
    assert (settings.registry.push, settings.registry.pull) == (Login("writer", "w"), Login("reader", "r"))


@pytest.mark.parametrize("kind", [kind for kind, known in KNOWN_REGISTRIES.items() if not known.provisions])
def test_another_registry_needs_no_aws_account_and_takes_no_setting_of_ecr(folder: Path, kind: str) -> None:
    said = {part.name: part.example for part in KNOWN_REGISTRIES[kind].parts if part.default is None}
    registry = {"kind": kind, "pullHost": "localhost:5000", **said}
    settings = read(folder, registry=registry, awsAccount="", awsRegion="")
    assert settings.registry.aws is None
    assert settings.registry.ecr is None
    assert settings.registry.pull_credentials == "node"
    (mistake,) = mistakes(folder, registry=registry, mayPull=["123456789012"]).mistakes
    assert "only Amazon ECR has it" in mistake.accepted


def test_prebuilt_images_need_a_digest_for_each_service_and_no_dockerfile(folder: Path) -> None:
    (folder / "services" / "rng" / "Dockerfile").unlink()
    elsewhere = f"quay.io/a/rng@{DIGEST}"
    digests = {"hasher": DIGEST, "rng": elsewhere, "webui": DIGEST, "worker": DIGEST}
    images = read(folder, images={"source": "prebuilt", "digests": digests}).images
    assert images.references["hasher"].endswith(f".amazonaws.com/dockercoins/hasher@{DIGEST}")
    assert images.references["rng"] == elsewhere
    error = mistakes(folder, images={"source": "prebuilt", "digests": {"rng": DIGEST}})
    assert {mistake.key.rpartition(".")[2] for mistake in error.mistakes} == {"hasher", "webui", "worker"}


def test_a_number_where_a_text_is_meant_is_taken_as_it_was_written(folder: Path) -> None:
    settings = read(folder, mayPull=[123456789012])
    assert settings.registry.ecr is not None
    assert settings.registry.ecr.may_pull == ("123456789012",)


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_the_stacks_in_the_repository_are_accepted(folder: Path, stack: str) -> None:
    config = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    said: dict[str, Any] = {key.removeprefix("dockercoins:"): value for key, value in config.items()}
    said["kubeContext"] = "test-context"
    assert read(folder, stack=stack, **said).namespace == f"dockercoins-{stack}"
