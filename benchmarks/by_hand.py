"""The commands that one would type without Pulumi: docker build, docker push, kubectl apply, kubectl rollout status."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks import registry_storage
from benchmarks.processes import run
from tests.integration.deployment import SANDBOX, SANDBOX_REGISTRY, SERVICES, Deployment

NODE_PORT: Final = "--output=jsonpath={.spec.ports[0].nodePort}"
"""Lets `kubectl get service` print the port of the nodes alone."""

_KINDS: Final = "serviceaccounts,secrets,configmaps,services,deployments"
_MADE_BY_THE_CLUSTER: Final = frozenset({"default", "kube-root-ca.crt"})
_OF_THE_OBJECT: Final = frozenset({"name", "labels", "annotations"})
_OF_ONE_CLUSTER: Final = ("clusterIP", "clusterIPs")


@dataclass(frozen=True)
class ByHand:
    """The application in a namespace of its own, from the manifests of a stack and images of its own repositories."""

    namespace: str
    services: Path
    manifests: tuple[dict[str, Any], ...]
    build_arguments: Mapping[str, str]
    environment: Mapping[str, str]

    @classmethod
    def like(cls, deployment: Deployment, namespace: str, folder: Path) -> ByHand:
        """Take the manifests over from a stack that is deployed."""
        docker = folder / "docker"
        docker.mkdir()
        user = base64.b64encode(f"AWS:{SANDBOX.registry_password}".encode()).decode()
        (docker / "config.json").write_text(json.dumps({"auths": {SANDBOX_REGISTRY: {"auth": user}}}))
        (docker / "config.json").chmod(0o600)
        objects = json.loads(deployment.kubectl("get", _KINDS, "--output=json"))["items"]
        kept = tuple(_portable(item) for item in objects if item["metadata"]["name"] not in _MADE_BY_THE_CLUSTER)
        settings = deployment.folder / "Pulumi.test.yaml"
        image = next(line.split(": ", 1)[1] for line in settings.read_text().splitlines() if "pythonImage" in line)
        return cls(
            namespace,
            deployment.folder / "services",
            kept,
            {"PYTHON_IMAGE": image.strip()},
            {**deployment.project.environment, "DOCKER_CONFIG": str(docker)},
        )

    def image(self, service: str, tag: str) -> str:
        """The name of a service's image."""
        return f"{SANDBOX_REGISTRY}/{self.namespace}/{service}:{tag}"

    def build_and_push(self, service: str, tag: str) -> None:
        """Build one image, then push it."""
        arguments = [part for item in self.build_arguments.items() for part in ("--build-arg", "=".join(item))]
        context = str(self.services / service)
        self._run("docker", "build", "--quiet", *arguments, "--tag", self.image(service, tag), context)
        self._run("docker", "push", "--quiet", self.image(service, tag))

    def apply(self, tag: str) -> None:
        """Make the namespace and everything in it, with images of this tag, and wait for all pods."""
        self._run("kubectl", "create", "namespace", self.namespace)
        documents = [self._with_images(manifest, tag) for manifest in self.manifests]
        listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": documents})
        self._run("kubectl", "--namespace", self.namespace, "apply", "--filename", "-", stdin=listed)
        for service in ("redis", *SERVICES):
            self._rolled_out(service)

    def set_image(self, service: str, tag: str) -> None:
        """Let the Deployment run another image, and wait until it does."""
        image = f"{service}={self.image(service, tag)}"
        self._run("kubectl", "--namespace", self.namespace, "set", "image", f"deployment/{service}", image)
        self._rolled_out(service)

    def remove(self) -> None:
        """Remove the namespace with everything in it, and the images."""
        self._run("kubectl", "delete", "namespace", self.namespace, "--ignore-not-found", "--timeout=120s")
        registry_storage.forget_application(self.namespace)

    def _rolled_out(self, service: str) -> None:
        self._run(
            "kubectl", "--namespace", self.namespace, "rollout", "status", f"deployment/{service}", "--timeout=120s"
        )

    def _with_images(self, manifest: dict[str, Any], tag: str) -> dict[str, Any]:
        name = manifest["metadata"]["name"]
        if manifest["kind"] != "Deployment" or name not in SERVICES:
            return manifest
        copy: dict[str, Any] = json.loads(json.dumps(manifest))
        for container in copy["spec"]["template"]["spec"]["containers"]:
            container["image"] = self.image(name, tag)
        return copy

    def _run(self, *command: str, stdin: str | None = None) -> str:
        return run(command, self.environment, stdin=stdin)


def _portable(item: dict[str, Any]) -> dict[str, Any]:
    """An object without what this cluster or namespace gave it."""
    metadata = {key: value for key, value in item["metadata"].items() if key in _OF_THE_OBJECT}
    kept = {key: value for key, value in item.items() if key != "status"} | {"metadata": metadata}
    if item["kind"] == "Service":
        spec = {key: value for key, value in item["spec"].items() if key not in _OF_ONE_CLUSTER}
        spec["ports"] = [{k: v for k, v in port.items() if k != "nodePort"} for port in spec["ports"]]
        kept["spec"] = spec
    return kept
