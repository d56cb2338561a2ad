"""What the linters find in manifests, and what of it is accepted."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final, cast

import yaml

from sandbox import toolchain
from tests.manifests import schemas, tools

Answer = dict[str, Any]

_CRITICAL: Final = 1
_WARNING: Final = 5
"""Grades of kube-score: https://github.com/zegl/kube-score#readme; 10 is the best."""

_SEVERE: Final = frozenset({"CRITICAL", "HIGH", "MEDIUM"})


@dataclass(frozen=True, order=True)
class Finding:
    """That a check of a tool found something in an object."""

    tool: str
    check: str
    stack: str
    object: str
    """``Kind/name``."""
    message: str

    def __str__(self) -> str:
        """Name it to who has to mend it."""
        return f"{self.tool} {self.check} in {self.stack}, {self.object}: {self.message}"


@dataclass(frozen=True)
class Accepted:
    """A kind of finding that is accepted, and why."""

    tool: str
    check: str
    objects: tuple[str, ...]
    """Patterns of ``Kind/name``."""
    reason: str

    def covers(self, finding: Finding) -> bool:
        """Whether a finding is of this kind."""
        return (finding.tool, finding.check) == (self.tool, self.check) and any(
            fnmatchcase(finding.object, pattern) for pattern in self.objects
        )


def accepted(file: Path = tools.FOLDER / "accepted.yaml") -> list[Accepted]:
    """The kinds of finding that are accepted."""
    entries: list[Answer] = yaml.safe_load(file.read_text())
    return [
        Accepted(entry["tool"], entry["check"], tuple(entry["objects"]), " ".join(entry["reason"].split()))
        for entry in entries
    ]


def unaccepted(found: Iterable[Finding], known: Sequence[Accepted]) -> list[Finding]:
    """The findings that are not accepted."""
    return sorted(finding for finding in found if not any(entry.covers(finding) for entry in known))


def needless(found: Iterable[Finding], known: Sequence[Accepted]) -> list[str]:
    """What is accepted and not found any more: by kind of finding, the patterns that no object matches."""
    listed = list(found)
    return [
        f"{entry.tool} {entry.check} {pattern}"
        for entry in known
        for pattern in entry.objects
        if not any(Accepted(entry.tool, entry.check, (pattern,), "").covers(finding) for finding in listed)
    ]


def kubeconform(folder: Path) -> list[Finding]:
    """What is no valid object of the cluster's version. ``folder`` has a folder of manifests for each stack."""
    answer: Answer = _json(
        [
            *(str(tools.program(tools.KUBECONFORM)), "-strict", "-verbose", "-output", "json"),
            *("-schema-location", f"{tools.schema_folder()}/{schemas.LOCATION}", str(folder)),
        ],
        good=(0, 1),
    )
    found: list[Finding] = []
    for entry in cast("list[Answer]", answer["resources"]):
        if entry["status"] != "statusValid":
            stack = Path(entry["filename"]).relative_to(folder).parts[0]
            named = f"{entry['kind']}/{entry['name']}"
            found.append(Finding("kubeconform", entry["status"], stack, named, entry["msg"]))
    return found


def kube_score(folder: Path) -> list[Finding]:
    """What kube-score calls critical or warns of. Each stack is scored on its own, since it compares objects."""
    found: list[Finding] = []
    for stack in sorted(folder.iterdir()):
        answer: list[Answer] = _json(
            [
                *(str(tools.program(tools.KUBE_SCORE)), "score", "--output-format", "json"),
                *("--kubernetes-version", ".".join(toolchain.KUBERNETES.split(".")[:2])),
                *(str(path) for path in sorted(stack.glob("*.yaml"))),
            ],
            good=(0, 1),
        )
        for scored in answer:
            named = f"{scored['type_meta']['kind']}/{scored['object_meta']['name']}"
            for check in cast("list[Answer]", scored["checks"]):
                if not check["skipped"] and check["grade"] <= _WARNING:
                    comments: list[Answer] = check["comments"] or []
                    told = [f"{comment['summary']} {comment['path']}".strip() for comment in comments]
                    severity = "critical" if check["grade"] == _CRITICAL else "warning"
                    message = f"{severity}: {'; '.join(told)}"
                    found.append(Finding("kube-score", check["check"]["id"], stack.name, named, message))
    return found


def checkov(folder: Path) -> list[Finding]:
    """What checkov finds; offline it knows no severities, so everything counts."""
    answer: Answer = _json(
        [
            *(str(tools.environment("checkov") / "checkov"), "--directory", str(folder), "--framework", "kubernetes"),
            *("--output", "json", "--quiet", "--compact", "--skip-download"),
        ],
        good=(0, 1),
    )
    found: list[Finding] = []
    for entry in cast("list[Answer]", answer["results"]["failed_checks"]):
        kind, _, name = cast("str", entry["resource"]).split(".", 2)
        stack = Path(entry["file_path"]).parts[1]
        found.append(Finding("checkov", entry["check_id"], stack, f"{kind}/{name}", entry["check_name"]))
    return found


def trivy(folder: Path) -> list[Finding]:
    """What Trivy's checks find that is of medium severity or worse."""
    answer: list[Answer] = _json([str(tools.program(tools.MISCONFIGURATIONS)), str(folder)])
    found: list[Finding] = []
    for entry in answer:
        if entry["severity"] in _SEVERE:
            path = folder / entry["file"]
            document: Answer = yaml.safe_load(path.read_text())
            named = f"{document['kind']}/{document['metadata']['name']}"
            message = f"{entry['severity'].lower()}: {entry['message']}"
            found.append(Finding("trivy", entry["check"], path.relative_to(folder).parts[0], named, message))
    return found


LINTERS: Final = {"kubeconform": kubeconform, "kube-score": kube_score, "checkov": checkov, "trivy": trivy}
"""Each tool by its name."""


def _json(command: list[str], good: Sequence[int] = (0,)) -> Any:
    completed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert completed.returncode in good, f"{command[0]}: {completed.stderr or completed.stdout}"
    return json.loads(completed.stdout)
