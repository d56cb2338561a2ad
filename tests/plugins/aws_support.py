"""What the tests of the aws plugin share: an ECR API of their own (moto), and a client beside the plugin."""

from __future__ import annotations

import json
import secrets
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, cast

import boto3

from .engine_support import Json, wait_until

if TYPE_CHECKING:
    from types_boto3_ecr.client import ECRClient

PLUGINS = {"aws": "7.51.1"}
ACCOUNT = "123456789012"
REGION = "us-east-1"
ACCESS_KEY = "an-access-key"
SECRET_KEY = "a-secret-access-key"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": ACCESS_KEY,
    "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}

PRELUDE = """
import json
import os

import pulumi
import pulumi_aws as aws

API = os.environ["TEST_API"]
NAME = os.environ["TEST_NAME"]


def provider(name="provider", **more):
    endpoints = [aws.ProviderEndpointArgs(ecr=API, sts=API)]
    return aws.Provider(name, **{"region": "us-east-1", "endpoints": endpoints, **more})


here = pulumi.ResourceOptions(provider=provider())
"""


class _MakesClients(Protocol):
    def client(self, service_name: str, /, **options: object) -> object: ...


def ecr(api: str) -> ECRClient:
    """A client for the API at this address."""
    session = boto3.Session(ACCESS_KEY, SECRET_KEY, region_name=REGION)
    return cast("ECRClient", cast("_MakesClients", session).client("ecr", endpoint_url=api))


@contextmanager
def moto_server() -> Generator[str]:
    """An API of its own, as long as the context lasts: its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = cast("int", probe.getsockname()[1])
    address = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: _answers(address), f"moto at {address}", 60)
        yield address
    finally:
        process.terminate()
        process.wait()


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/moto-api/", timeout=2):  # noqa: S310 - http, above
            return True
    except OSError:
        return False


def new_name() -> str:
    """A repository name that no other test uses."""
    return f"plugin-tests/{secrets.token_hex(6)}"


def push_image(api: str, repository: str, tag: str) -> str:
    """Put an image into a repository, by the API alone, and return its digest."""
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "size": 7,
            "digest": f"sha256:{secrets.token_hex(32)}",
        },
        "layers": list[Json](),
    }
    answer = ecr(api).put_image(repositoryName=repository, imageManifest=json.dumps(manifest), imageTag=tag)
    return answer["image"].get("imageId", {}).get("imageDigest", "")
