"""Reads what the sandbox must provide from the stack file that is meant for it: addresses, names, image names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlsplit

import yaml

from .errors import SandboxError

STACK: Final = "dev"
"""The stack that lives in the sandbox."""

PASSPHRASE: Final = "dockercoins"  # noqa: S105 - public on purpose: it protects nothing but the local sandbox
"""The passphrase of that stack's secrets."""

REGISTRY_USER: Final = "AWS"
"""The user name that ECR's authorization token is for."""


@dataclass(frozen=True)
class Settings:
    """What `Pulumi.dev.yaml` expects to find on this machine."""

    cluster: str
    """Name of the kind cluster."""
    registry_port: int
    ecr_port: int
    page_port: int
    """The webui's node port, published on the loopback address under the same number."""
    account: str
    region: str
    python_image: str
    redis_image: str

    @property
    def context(self) -> str:
        """The kubeconfig's context, by kind's rule."""
        return f"kind-{self.cluster}"

    @property
    def registry_host(self) -> str:
        """The registry as image names spell it."""
        return f"localhost:{self.registry_port}"

    @property
    def registry_container(self) -> str:
        """Name of the registry's container, and of its volume."""
        return f"{self.cluster}-registry"

    @property
    def ecr_container(self) -> str:
        """Name of the ECR API's container."""
        return f"{self.cluster}-ecr"

    @property
    def registry_password(self) -> str:
        """What moto's `GetAuthorizationToken` answers for the account (moto/ecr/responses.py)."""
        return f"{self.account}-auth-token"

    @property
    def ecr_endpoint(self) -> str:
        """Address of the ECR and STS API."""
        return f"http://localhost:{self.ecr_port}"

    @property
    def page(self) -> str:
        """Address of the webui."""
        return f"http://localhost:{self.page_port}"


def read(stack_file: Path) -> Settings:
    """Read the stack file.

    Raises:
        SandboxError: the file is missing or a value is not one that the sandbox can provide; all are told at once.
    """
    try:
        document: Any = yaml.safe_load(stack_file.read_text())
    except OSError as error:
        raise SandboxError(f"{stack_file}: {error.strerror}; the sandbox takes its addresses from this file") from error
    except yaml.YAMLError as error:
        raise SandboxError(f"{stack_file}: not YAML: {error}") from error
    config: object = cast("dict[str, object]", document).get("config") if isinstance(document, dict) else None
    values = cast("dict[str, object]", config) if isinstance(config, dict) else {}
    return _Reader(stack_file.name, values).settings()


class _Reader:
    def __init__(self, file: str, values: dict[str, object]) -> None:
        self._file = file
        self._values = values
        self._mistakes: list[str] = []

    def settings(self) -> Settings:
        cluster = self._matched("kubeContext", r"kind-([a-z0-9][a-z0-9.-]*)", "`kind-` and a cluster name")
        registry = self._matched("registry.host", r"localhost:(\d+)", "`localhost:<port>`")
        endpoint = self._text("awsEndpoint")
        try:
            address = urlsplit(endpoint)
            ecr_port = address.port if (address.scheme, address.hostname) == ("http", "localhost") else None
        except ValueError:
            ecr_port = None
        if ecr_port is None:
            self._refuse("awsEndpoint", endpoint, "`http://localhost:<port>`")
        settings = Settings(
            cluster=cluster,
            registry_port=self._port("registry.host", registry, 65535),
            ecr_port=ecr_port or 0,
            page_port=self._port("webuiNodePort", self._matched("webuiNodePort", r"(\d+)", "a node port"), 32767),
            account=self._matched("awsAccount", r"(\d{12})", "12 digits"),
            region=self._matched("awsRegion", r"([a-z]{2}(?:-[a-z]+)+-\d)", "a region such as us-east-1"),
            python_image=self._matched("pythonImage", r"(\S+)", "an image reference"),
            redis_image=self._matched("redisImage", r"(\S+)", "an image reference"),
        )
        if self._mistakes:
            raise SandboxError("\n".join(self._mistakes))
        return settings

    def _text(self, key: str) -> str:
        name, dot, entry = key.partition(".")
        value = self._values.get(f"dockercoins:{name}", "")
        if dot:
            value = cast("dict[str, object]", value).get(entry, "") if isinstance(value, dict) else ""
        return str(value)

    def _matched(self, key: str, pattern: str, accepted: str) -> str:
        value = self._text(key)
        match = re.fullmatch(pattern, value)
        if match is None:
            self._refuse(key, value, accepted)
            return ""
        return match.group(1)

    def _port(self, key: str, digits: str, highest: int) -> int:
        port = int(digits) if digits else 0
        if digits and not 1 <= port <= highest:
            self._refuse(key, digits, f"a port of 1 to {highest}")
        return port

    def _refuse(self, key: str, value: str, accepted: str) -> None:
        self._mistakes.append(
            f"{self._file}: dockercoins:{key} is {value!r}; the sandbox needs {accepted}. "
            f"Set it with: pulumi config set --stack {STACK} {'--path ' if '.' in key else ''}{key} <value>"
        )
