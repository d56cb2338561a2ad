"""A registry of the tests' own: Distribution, beside the sandbox's, which nodes reach under the same name."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import bcrypt
import urllib3

from sandbox import settings as sandbox_settings
from sandbox.paths import CHECKOUT

_LISTENS = 5000
_STORAGE = "/var/lib/registry"
_NETWORK = "kind"
_STARTS_WITHIN = 30.0  # seconds


@dataclass(frozen=True)
class OwnRegistry:
    """A running registry: ``host`` is its name in image references, on this machine and on the node."""

    host: str
    container: str
    username: str
    password: str

    def request(self, method: str, path: str) -> urllib3.BaseHTTPResponse:
        """Ask its API as its user."""
        headers = urllib3.make_headers(basic_auth=f"{self.username}:{self.password}") if self.username else {}
        accept = {
            "Accept": "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
        }
        return urllib3.request(method, f"http://{self.host}/v2/{path}", headers={**headers, **accept}, timeout=10)

    def repositories(self) -> set[str]:
        """The repositories that it has."""
        return set(cast("dict[str, Any]", self.request("GET", "_catalog").json())["repositories"])

    def log(self) -> str:
        """What it has written so far."""
        return subprocess.run(
            ["docker", "logs", self.container], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True
        ).stdout


@contextmanager
def own_registry(
    folder: Path, name: str, *, username: str = "", password: str = "", proxied: tuple[str, str, str] | None = None
) -> Generator[OwnRegistry]:
    """Run a registry until the block ends.

    With a ``username`` it lets nobody else in. ``proxied`` (address, user, password of another registry) makes it a
    pull-through cache of that one.
    """
    sandbox = sandbox_settings.read(CHECKOUT / "Pulumi.dev.yaml")
    config: dict[str, Any] = {
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": _STORAGE}, "delete": {"enabled": True}},
        "http": {"addr": f":{_LISTENS}"},
    }
    if username:
        config["auth"] = {"htpasswd": {"realm": name, "path": "/etc/distribution/htpasswd"}}
        hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(rounds=4)).decode()
        (folder / "htpasswd").write_text(f"{username}:{hashed}\n")
    if proxied:
        address, user, word = proxied
        config["proxy"] = {"remoteurl": address, "username": user, "password": word}
    (folder / "config.yml").write_text(json.dumps(config))
    image = docker("inspect", sandbox.registry_container, "--format", "{{.Config.Image}}").strip()
    docker(
        *("run", "--detach", "--name", name, "--network", _NETWORK, "--publish", f"127.0.0.1::{_LISTENS}"),
        *("--env", "OTEL_TRACES_EXPORTER=none", "--volume", f"{folder}:/etc/distribution:ro"),
        *("--volume", _STORAGE),
        *(image, "serve", "/etc/distribution/config.yml"),
    )
    try:
        host = docker("port", name, f"{_LISTENS}/tcp").strip().replace("127.0.0.1", "localhost")
        registry = OwnRegistry(host, name, username, password)
        _await(registry)
        with _known_to_the_node(sandbox.cluster, host, name):
            yield registry
    finally:
        docker("rm", "--force", "--volumes", name)


@contextmanager
def _known_to_the_node(cluster: str, host: str, container: str) -> Generator[None]:
    node = f"{cluster}-control-plane"
    folder = f"/etc/containerd/certs.d/{host}"
    hosts = f'[host."http://{container}:{_LISTENS}"]\n'
    docker("exec", node, "mkdir", "-p", folder)
    docker("exec", "--interactive", node, "cp", "/dev/stdin", f"{folder}/hosts.toml", stdin=hosts)
    try:
        yield
    finally:
        docker("exec", node, "rm", "-r", folder)


def _await(registry: OwnRegistry) -> None:
    end = time.monotonic() + _STARTS_WITHIN
    while True:
        try:
            if registry.request("GET", "").status == 200:
                return
        except urllib3.exceptions.HTTPError:
            pass
        assert time.monotonic() < end, f"the registry does not answer:\n{registry.log()}"
        time.sleep(0.1)


def docker(*arguments: str, stdin: str | None = None) -> str:
    """What docker prints; the test fails with its complaint."""
    completed = subprocess.run(["docker", *arguments], input=stdin, capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stderr
    return completed.stdout
