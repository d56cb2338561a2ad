"""The Kubernetes cluster: one node, made by kind."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, cast

import yaml

from . import files, images, ports, processes, registry, toolchain, web
from .docker import Docker
from .errors import SandboxError
from .node import SERVICES
from .paths import Paths
from .progress import Step
from .settings import Settings

NETWORK: Final = "kind"
"""The docker network that kind puts its nodes into."""

_READY_WITHIN: Final = 180.0  # seconds


@dataclass(frozen=True)
class NodeImage:
    """What a node is started from."""

    image: images.Image
    own_network: bool
    """Whether it brings its own network configuration, in place of kind's pods for that."""


@dataclass(frozen=True)
class Made:
    """The record of a cluster that was made to the end."""

    key: str
    node_id: str
    """The node's container: one of another id is not the one that was made."""


class Cluster:
    """Makes, checks and removes the cluster."""

    def __init__(
        self, docker: Docker, paths: Paths, settings: Settings, kind: toolchain.Tool, kubectl: toolchain.Tool
    ) -> None:
        """Use these programs."""
        self._docker = docker
        self._paths = paths
        self._settings = settings
        self._kind = kind
        self._kubectl = kubectl
        self._record = paths.run / "cluster.json"

    @property
    def node_name(self) -> str:
        """The node's container, by kind's rule."""
        return f"{self._settings.cluster}-control-plane"

    def ensure(self, step: Step, node: NodeImage) -> None:
        """Make the cluster be there, ready, and as it should be.

        A cluster that was left half made, or was made from something else, is removed first.

        Raises:
            SandboxError: it cannot be made or does not become ready; the message says why.
        """
        name = node.image.name
        config = configuration(self._settings, name, own_network=node.own_network)
        key = files.digest([config, str((self._docker.inspect("image", name) or {}).get("Id", ""))])
        there = self._docker.inspect("container", self.node_name)
        if there is not None and self._made() == Made(key, str(there["Id"])):
            if self._resumed(step, running=bool(there["State"]["Running"])):
                step.finish(f"{self._settings.context} running")
                return
            step.work("making it anew, as it does not become ready")
        self.remove()
        self._create(step, config, key)
        step.finish(f"{self._settings.context} made from {name}")

    def connect_registry(self, step: Step) -> None:
        """Let the node pull from the registry under the name that images have outside, with the pods' credentials.

        The way of https://kind.sigs.k8s.io/docs/user/local-registry/.
        """
        name = self._settings.registry_container
        self._connect(step, name)
        folder = f"/etc/containerd/certs.d/{self._settings.registry_host}"
        hosts = f'[host."http://{name}:{registry.PORT}"]\n'
        in_node = ("exec", "--interactive", self.node_name)
        if not self._docker.succeeds(
            *in_node, "grep", "--quiet", "--fixed-strings", hosts.strip(), f"{folder}/hosts.toml"
        ):
            step.work("configuring the node")
            self._docker.output(*in_node, "mkdir", "-p", folder)
            self._docker.output(*in_node, "cp", "/dev/stdin", f"{folder}/hosts.toml", stdin=hosts)
        step.finish(f"pulls {self._settings.registry_host} from {name}")

    def connect_ecr(self, step: Step) -> None:
        """Let pods reach the ECR API, by the name of its container."""
        self._connect(step, self._settings.ecr_container)
        step.finish(f"pods reach {self._settings.ecr_container}")

    def load(self, step: Step, image: images.Image) -> None:
        """Put an image that was built here into the node, which could not pull it."""
        inspected = self._docker.inspect("image", image.name) or {}
        held = self._docker.output("exec", self.node_name, "ctr", "--namespace", "k8s.io", "images", "ls")
        if str(inspected.get("Id", "none")) not in held:
            step.work(f"loading {image.name}")
            processes.stream(
                [self._kind.path, "load", "docker-image", image.name, "--name", self._settings.cluster],
                log=self._paths.log("cluster"),
                env=self._environment(),
            )
        step.finish(f"{image.name} in the node")

    def identity(self) -> str:
        """Names the cluster: another one after it has been made anew."""
        made = self._made()
        return made.node_id if made else ""

    def remove(self) -> None:
        """Remove the cluster, whole or half made."""
        self._record.unlink(missing_ok=True)
        listed = self._docker.output(
            "ps", "--all", "--quiet", "--filter", f"label=io.x-k8s.kind.cluster={self._settings.cluster}"
        ).split()
        if listed:
            self._docker.output("rm", "--force", "--volumes", *listed, timeout=120.0)
        self._paths.kubeconfig.unlink(missing_ok=True)

    def is_ready(self) -> bool:
        """Whether the API server answers and the node is ready."""
        condition = "{.items[*].status.conditions[?(@.type=='Ready')].status}"
        try:
            answer = processes.output(
                [self._kubectl.path, "get", "nodes", f"--output=jsonpath={condition}", "--request-timeout=5s"],
                env=os.environ | {"KUBECONFIG": str(self._paths.kubeconfig)},
            )
        except processes.Stopped:
            raise
        except SandboxError:
            return False
        return answer.split() == ["True"]

    def _connect(self, step: Step, container: str) -> None:
        """Put a container into the network of the node, where that and the pods resolve its name."""
        inspected = self._docker.inspect("container", container) or {}
        networks = cast("dict[str, Any]", inspected.get("NetworkSettings", {}).get("Networks", {}))
        if NETWORK not in networks:
            step.work(f"connecting {container}")
            self._docker.output("network", "connect", NETWORK, container)

    def _made(self) -> Made | None:
        try:
            document: Any = json.loads(self._record.read_text())
            return Made(**cast("dict[str, Any]", document))
        except (OSError, ValueError, TypeError):
            return None

    def _resumed(self, step: Step, *, running: bool) -> bool:
        """Whether the cluster that was made is ready, after its node has been started if it was stopped."""
        if not running:
            step.work("starting the node")
            self._require_port()
            if not self._docker.succeeds("start", self.node_name):
                return False
        if not self._paths.kubeconfig.exists():
            self._export()
        if self.is_ready():
            return True
        step.work("waiting for the node")
        try:
            web.wait(self.is_ready, _READY_WITHIN, lambda: "")
        except processes.Stopped:
            raise
        except SandboxError:
            return False
        return True

    def _create(self, step: Step, config: str, key: str) -> None:
        self._require_port()
        network_was_there = self._docker.inspect("network", NETWORK) is not None
        if not network_was_there:
            files.write(self._paths.run / "network", NETWORK)
        step.work("creating the cluster")

        def told(line: str) -> None:
            # kind tells each of its steps in a line with a bullet, three dots and a picture.
            if line.strip().startswith("•"):
                step.work(line.encode("ascii", "ignore").decode().strip(" ."))

        try:
            processes.stream(
                [
                    *(self._kind.path, "create", "cluster", "--config", "-", "--retain"),
                    *("--kubeconfig", self._paths.kubeconfig, "--wait", f"{_READY_WITHIN:.0f}s"),
                ],
                log=self._paths.log("cluster"),
                env=self._environment(),
                stdin=config,
                on_line=told,
            )
        except processes.CommandError as error:
            journal = self._journal()
            raise SandboxError(f"the cluster cannot be made. {error}{journal}") from error
        web.wait(
            self.is_ready,
            _READY_WITHIN,
            lambda: f"the cluster's node is not ready after {_READY_WITHIN:.0f} s.{self._journal()}",
        )
        inspected = self._docker.inspect("container", self.node_name) or {}
        files.write(self._record, json.dumps(asdict(Made(key, str(inspected.get("Id", ""))))) + "\n")

    def _export(self) -> None:
        processes.output(
            [
                *(self._kind.path, "export", "kubeconfig", "--name", self._settings.cluster),
                *("--kubeconfig", self._paths.kubeconfig),
            ],
            env=self._environment(),
        )

    def _journal(self) -> str:
        """What the node's kubelet and container runtime said last, kept in a log as the node may be removed."""
        try:
            text = self._docker.output(
                "exec", self.node_name, "journalctl", "--no-pager", "--lines=200", "--unit=kubelet", "--unit=containerd"
            )
        except SandboxError:
            return ""
        log = self._paths.log("cluster-node")
        files.write(log, text)
        return f"\nThe node's own log: {log}"

    def _require_port(self) -> None:
        ports.require(self._settings.page_port, "webuiNodePort", "the page of webui")

    def _environment(self) -> Mapping[str, str]:
        # kind calls `docker` by its name.
        return os.environ | {
            "PATH": f"{self._docker.program.parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "KIND_EXPERIMENTAL_PROVIDER": "docker",
        }


def configuration(settings: Settings, image: str, *, own_network: bool) -> str:
    """kind's configuration, as YAML.

    Args:
        settings: names and ports.
        image: the node image.
        own_network: whether the image brings its own network configuration.
    """
    networking: dict[str, Any] = {"podSubnet": "10.244.0.0/16", "serviceSubnet": SERVICES}
    if own_network:
        networking["disableDefaultCNI"] = True
    port = {"containerPort": settings.page_port, "hostPort": settings.page_port, "listenAddress": "127.0.0.1"}
    document = {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "name": settings.cluster,
        "networking": networking,
        "nodes": [{"role": "control-plane", "image": image, "extraPortMappings": [port]}],
    }
    return yaml.safe_dump(document, sort_keys=False)
