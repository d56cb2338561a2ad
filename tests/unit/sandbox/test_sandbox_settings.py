from pathlib import Path

import pytest

from sandbox import settings
from sandbox.errors import SandboxError
from sandbox.paths import CHECKOUT

GOOD = {
    "kubeContext": "kind-dockercoins",
    "registry": "{kind: ecr, host: localhost:5001}",
    "awsEndpoint": "http://localhost:5002",
    "webuiNodePort": '"30080"',
    "awsAccount": '"123456789012"',
    "awsRegion": "us-east-1",
    "pythonImage": "python:3.13-slim-trixie",
    "redisImage": "redis:8-trixie",
}


def _file(folder: Path, **changes: str) -> Path:
    lines = [f"  dockercoins:{key}: {value}" for key, value in (GOOD | changes).items()]
    file = folder / "Pulumi.dev.yaml"
    file.write_text("config:\n" + "\n".join(lines) + "\n")
    return file


def test_the_committed_stack_file_can_be_served() -> None:
    read = settings.read(CHECKOUT / "Pulumi.dev.yaml")
    assert (read.cluster, read.registry_host, read.ecr_endpoint) == (
        *("dockercoins", "localhost:5001", "http://localhost:5002"),
    )
    assert read.registry_password == "123456789012-auth-token"


def test_names_follow_the_cluster_so_that_two_sandboxes_can_stand_side_by_side(tmp_path: Path) -> None:
    read = settings.read(_file(tmp_path, kubeContext="kind-other"))
    assert (read.registry_container, read.ecr_container, read.context) == ("other-registry", "other-ecr", "kind-other")


def test_all_mistakes_are_told_at_once_with_key_value_and_what_is_accepted(tmp_path: Path) -> None:
    file = _file(tmp_path, kubeContext="production", registry="{host: ecr.example.com}", webuiNodePort='"90000"')
    with pytest.raises(SandboxError) as raised:
        settings.read(file)
    lines = str(raised.value).splitlines()
    assert [line.partition("; ")[0] for line in lines] == [
        "Pulumi.dev.yaml: dockercoins:kubeContext is 'production'",
        "Pulumi.dev.yaml: dockercoins:registry.host is 'ecr.example.com'",
        "Pulumi.dev.yaml: dockercoins:webuiNodePort is '90000'",
    ]
    assert (
        "the sandbox needs a port of 1 to 32767. Set it with: pulumi config set --stack dev webuiNodePort" in lines[2]
    )


@pytest.mark.parametrize(
    "endpoint", ["https://localhost:5002", "http://example.com:5002", "http://localhost", "http://localhost:x", ""]
)
def test_an_endpoint_that_is_not_on_this_machine_is_refused(tmp_path: Path, endpoint: str) -> None:
    with pytest.raises(SandboxError, match="dockercoins:awsEndpoint"):
        settings.read(_file(tmp_path, awsEndpoint=f'"{endpoint}"'))


def test_a_missing_file_and_one_that_is_not_yaml_are_told(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="No such file"):
        settings.read(tmp_path / "Pulumi.dev.yaml")
    (tmp_path / "Pulumi.dev.yaml").write_text("config: [")
    with pytest.raises(SandboxError, match="not YAML"):
        settings.read(tmp_path / "Pulumi.dev.yaml")
