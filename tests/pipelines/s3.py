"""A real S3 API server of a test's own, with users and policies: the Versity S3 Gateway on a folder."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import tempfile
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

import boto3

from sandbox import web
from sandbox.toolchain import Program
from tests.manifests.tools import program
from tests.plugins.engine_support import wait_until

if TYPE_CHECKING:
    from types_boto3_iam.client import IAMClient

GATEWAY: Final = Program(
    "versitygw", "github.com/versity/versitygw/cmd/versitygw", module=Path(__file__).parent / "s3_server"
)
REGION: Final = "eu-west-1"
_IAM_REGION: Final = "us-east-1"  # whatever the region, requests to IAM are signed for this one


class _S3(Protocol):
    def create_bucket(self, **arguments: object) -> object: ...
    def list_objects_v2(self, **arguments: object) -> dict[str, Any]: ...
    def get_object(self, **arguments: object) -> dict[str, Any]: ...
    def put_object(self, **arguments: object) -> object: ...
    def delete_object(self, **arguments: object) -> object: ...


@dataclass(frozen=True)
class Bucket:
    """A bucket, as its owner sees it."""

    name: str
    endpoint: str
    client: _S3

    @property
    def url(self) -> str:
        """As `PULUMI_BACKEND_URL`."""
        return f"s3://{self.name}?endpoint={self.endpoint}&s3ForcePathStyle=true&region={REGION}"

    def objects(self, prefix: str = "") -> dict[str, bytes]:
        """What is in it, by key."""
        listed = self.client.list_objects_v2(Bucket=self.name, Prefix=prefix)
        assert not listed["IsTruncated"]
        keys = [str(item["Key"]) for item in listed.get("Contents", [])]
        return {key: self.client.get_object(Bucket=self.name, Key=key)["Body"].read() for key in keys}

    def put(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=content)

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.name, Key=key)


@dataclass(frozen=True)
class S3:
    """The running server. Its owner may do everything."""

    endpoint: str
    owner: Mapping[str, str]
    """Variables with the owner's credentials."""
    _iam: IAMClient

    def bucket(self, name: str) -> Bucket:
        """A new bucket."""
        client = cast("_S3", _client("s3", self.endpoint, self.owner, REGION))
        client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        return Bucket(name, self.endpoint, client)

    def user(self, name: str, policy: str) -> dict[str, str]:
        """Variables with the credentials of a new user who may do what the policy says, and nothing else."""
        self._iam.create_user(UserName=name)
        self._iam.put_user_policy(UserName=name, PolicyName="state", PolicyDocument=policy)
        key = self._iam.create_access_key(UserName=name)["AccessKey"]
        return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}


@contextmanager
def server() -> Generator[S3]:
    """The server on a free port, as long as the context lasts."""
    owner = {"AWS_ACCESS_KEY_ID": secrets.token_hex(10), "AWS_SECRET_ACCESS_KEY": secrets.token_urlsafe(30)}
    # Sockets in the file system have to have short paths.
    with tempfile.TemporaryDirectory(prefix="dockercoins-s3-") as name, ExitStack() as running:
        folder = Path(name)
        for part in ("buckets", "users"):
            (folder / part).mkdir()
        ports = free_ports(2)
        iam, endpoint = (f"http://127.0.0.1:{port}" for port in ports)
        environment = {
            "PATH": os.environ["PATH"],
            "ROOT_ACCESS_KEY_ID": owner["AWS_ACCESS_KEY_ID"],
            "ROOT_SECRET_ACCESS_KEY": owner["AWS_SECRET_ACCESS_KEY"],
            "VGW_QUIET": "true",
        }
        users = {
            "VGW_IAM_DIR": str(folder / "users"),
            "VGW_IAM_PRIVATE_PORTS": str(folder / "socket"),
            "VGW_REGION": _IAM_REGION,
        }
        objects = {
            "VGW_REGION": REGION,
            "VGW_IAM_STANDALONE_ENDPOINT": str(folder / "socket"),
            "VGW_IAM_CACHE_DISABLE": "true",
        }
        for port, settings, command in (
            (ports[0], users, ["iam"]),
            (ports[1], objects, ["posix", str(folder / "buckets")]),
        ):
            variables = {**environment, **settings, "VGW_PORT": f"127.0.0.1:{port}"}
            running.enter_context(_process(command, variables, folder / f"{command[0]}.log"))
            address = f"http://127.0.0.1:{port}/"
            wait_until(
                lambda address=address: web.status(address) is not None, f"the S3 server's `{command[0]}` at {address}"
            )
        yield S3(endpoint, owner, cast("IAMClient", _client("iam", iam, owner, _IAM_REGION)))


def free_ports(count: int) -> list[int]:
    """Ports on the loopback interface that nobody listens on."""
    with ExitStack() as probes:
        sockets = [probes.enter_context(socket.socket()) for _ in range(count)]
        for probe in sockets:
            probe.bind(("127.0.0.1", 0))
        return [cast("int", probe.getsockname()[1]) for probe in sockets]


@contextmanager
def _process(command: list[str], environment: Mapping[str, str], log: Path) -> Generator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program(GATEWAY), *command], env=dict(environment), stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


class _MakesClients(Protocol):
    def client(self, service_name: str, /, **options: object) -> object: ...


def _client(service: str, endpoint: str, owner: Mapping[str, str], region: str) -> object:
    session = boto3.Session(owner["AWS_ACCESS_KEY_ID"], owner["AWS_SECRET_ACCESS_KEY"], region_name=region)
    return cast("_MakesClients", session).client(service, endpoint_url=endpoint)


def policy(name: str) -> str:
    """A policy as it is shipped."""
    text = (Path(__file__).parents[2] / "pipelines" / "roles" / f"{name}.json").read_text()
    return json.dumps(json.loads(text))
