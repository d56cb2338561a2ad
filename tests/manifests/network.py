"""Asks an analyzer of NetworkPolicies which connections they let through, for all ports and addresses.

https://github.com/IBM/network-config-analyzer computes it from the manifests alone, by what the API says of policies.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.manifests import tools
from tests.manifests.rendering import write
from tests.unit.recording import Record

ANYWHERE: Final = "anywhere"
"""Every address that is no pod's."""

_ALL_ADDRESSES: Final = "0.0.0.0-255.255.255.255"
_JUDGED: Final = frozenset({"Namespace", "Deployment", "Job", "CronJob", "Pod", "NetworkPolicy"})
_LINE: Final = re.compile(r"^(\S+) => (\S+) : (.*)$", re.MULTILINE)
_PORTS: Final = re.compile(r"\{protocols:(?P<protocols>[A-Z, ]+?),dst_ports:(?P<ports>[\d,-]+)\}")


@dataclass(frozen=True, order=True)
class Connection:
    """That ``source`` may connect to ``target``.

    Either is a workload (of another namespace: ``<namespace>/<name>``), an address range, or :data:`ANYWHERE`. ``over``
    is a protocol and a port, such as ``TCP 8080``, or ``all``.
    """

    source: str
    target: str
    over: str

    def __str__(self) -> str:
        """As people write it."""
        return f"{self.source} -> {self.target} {self.over}"


def pod(namespace: str, name: str, labels: Mapping[str, str]) -> list[Record]:
    """A pod in a namespace, and the namespace with the label that the API server gives it."""
    return [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": namespace, "labels": {"kubernetes.io/metadata.name": namespace}},
        },
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, "labels": dict(labels)},
            "spec": {"containers": [{"name": name, "image": "any"}]},
        },
    ]


def connections(objects: Iterable[Record], namespace: str) -> set[Connection]:
    """The connections that are open from or to the pods of a namespace.

    Args:
        objects: workloads and policies there, and pods elsewhere.
        namespace: whose pods.

    Raises:
        AssertionError: the analyzer cannot read them.
    """
    judged = {
        (entry["kind"], entry["metadata"].get("namespace"), entry["metadata"]["name"]): _labelled(entry)
        for entry in objects
        if entry["kind"] in _JUDGED
    }
    with tempfile.TemporaryDirectory() as folder:
        for number, entry in enumerate(judged.values()):
            write([entry], Path(folder) / str(number))
        completed = subprocess.run(
            [
                *(str(tools.environment("network_config_analyzer") / "nca"), "--connectivity", "-r", folder),
                *("--output_format", "txt_no_fw_rules", "--output_endpoints", "deployments"),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return {
        Connection(_name(source, namespace), _name(target, namespace), over)
        for source, target, ways in _LINE.findall(completed.stdout)
        if f"{namespace}/" in f"{source} {target}"
        for over in _each(ways)
    }


def _labelled(entry: Record) -> Record:
    """The analyzer knows a namespace's own label only if it is written down."""
    if entry["kind"] != "Namespace":
        return entry
    metadata = entry["metadata"]
    labels = {**metadata.get("labels", {}), "kubernetes.io/metadata.name": metadata["name"]}
    return {**entry, "metadata": {**metadata, "labels": labels}}


def _name(endpoint: str, namespace: str) -> str:
    if endpoint == _ALL_ADDRESSES:
        return ANYWHERE
    return endpoint.partition("[")[0].removeprefix(f"{namespace}/")


def _each(ways: str) -> list[str]:
    if ways == "All connections":
        return ["all"]
    match = _PORTS.fullmatch(ways)
    if match is None:
        return [ways]
    protocols, ports = match["protocols"].split(", "), match["ports"].split(",")
    return [f"{protocol} {port}" for protocol in protocols for port in ports]
