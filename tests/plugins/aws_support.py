"""What the tests of the aws plugin share: an ECR API of their own, as the sandbox has it, and clients beside it."""

from __future__ import annotations

import json
import secrets
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

import boto3

from .engine_support import wait_until

if TYPE_CHECKING:
    from types_boto3_ecr.client import ECRClient
    from types_boto3_iam.client import IAMClient

ROOT = Path(__file__).resolve().parents[2]
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
    endpoints = [aws.ProviderEndpointArgs(ecr=API, iam=API, sts=API)]
    return aws.Provider(name, **{"region": "us-east-1", "endpoints": endpoints, **more})


here = pulumi.ResourceOptions(provider=provider())
"""


class _MakesClients(Protocol):
    def client(self, service_name: str, /, **options: object) -> object: ...


class _MakesSecrets(Protocol):
    def create_secret(self, **arguments: str) -> dict[str, str]: ...


def ecr(api: str) -> ECRClient:
    """A client for the API at this address."""
    return cast("ECRClient", _client("ecr", api))


def iam(api: str) -> IAMClient:
    """A client for the account's roles and policies at this address."""
    return cast("IAMClient", _client("iam", api))


def new_secret(api: str) -> str:
    """The ARN of a secret that holds a login for an upstream registry."""
    secrets_manager = cast("_MakesSecrets", _client("secretsmanager", api))
    name = f"ecr-pullthroughcache/{secrets.token_hex(6)}"
    return secrets_manager.create_secret(Name=name, SecretString='{"username": "u", "accessToken": "t"}')["ARN"]


def _client(service: str, api: str) -> object:
    session = boto3.Session(ACCESS_KEY, SECRET_KEY, region_name=REGION)
    return cast("_MakesClients", session).client(service, endpoint_url=api)


@contextmanager
def ecr_api() -> Generator[str]:
    """An API of its own, as long as the context lasts: its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = cast("int", probe.getsockname()[1])
    address = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox.ecr_api", "-H", "127.0.0.1", "-p", str(port)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: _answers(address), f"the ECR API at {address}", 60)
        yield address
    finally:
        process.terminate()
        process.wait()


@contextmanager
def refusing_api(code: str, message: str) -> Generator[str]:
    """An API that refuses every request as the Security Token Service does: its address."""

    class Refusal(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answer = f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
            self.send_response(403)
            self.send_header("Content-Type", "text/xml")
            self.end_headers()
            self.wfile.write(answer.encode())

        def log_message(self, format: str, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusal) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/moto-api/", timeout=2):  # noqa: S310 - http, above
            return True
    except OSError:
        return False


def new_name() -> str:
    """A repository name that no other test uses."""
    return f"plugin-tests/{secrets.token_hex(6)}"


def new_manifest() -> str:
    """The manifest of an image that no repository has."""
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "size": 7,
            "digest": f"sha256:{secrets.token_hex(32)}",
        },
        "layers": [{"digest": f"sha256:{secrets.token_hex(32)}"}],
    }
    return json.dumps(manifest)


def push_image(api: str, repository: str, tag: str, manifest: str = "") -> str:
    """Put an image into a repository, by the API alone, and return its digest."""
    answer = ecr(api).put_image(repositoryName=repository, imageManifest=manifest or new_manifest(), imageTag=tag)
    return answer["image"].get("imageId", {}).get("imageDigest", "")
