"""Records event streams of real previews anew: ``python -m tests.pipelines.recording``, in the sandbox's environment.

A stream is kept as the engine wrote it but for what tells nothing about a change: debug messages, the output of builds,
and the states of resources that stay as they are. What is rendered from them lies beside them, and is what the comments
on a pull request are held against: read the difference before it is committed.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.integration.deployment import SANDBOX_REGISTRY, Deployment, create

PREVIEWS: Final = Path(__file__).parent / "previews"
KINDS: Final = ("nothing", "one_service", "one_setting", "new_registry")
_NAMESPACE: Final = "shop"
_REGISTRY: Final = {"kind": "ecr", "host": SANDBOX_REGISTRY, "prefix": "shop"}


def record() -> None:
    """Deploy, preview each kind of change, and take everything down again."""
    with tempfile.TemporaryDirectory() as folder:
        deployment = create(Path(folder), namespace=_NAMESPACE, registry=_REGISTRY, buildOnPreview="true")
        try:
            outcome = deployment.project.up()
            assert outcome.succeeded, outcome.output
            for kind in KINDS:
                with _changed(deployment, kind):
                    _preview(deployment, kind)
        finally:
            outcome = deployment.project.destroy()
            assert outcome.succeeded, outcome.output


@contextmanager
def _changed(deployment: Deployment, kind: str) -> Generator[None]:
    """Make one kind of change for a while."""
    page = deployment.folder / "services/webui/webui/static/index.html"
    files = {path: path.read_text() for path in (page, deployment.folder / "Pulumi.test.yaml")}
    if kind == "one_service":
        page.write_text(files[page].replace("</body>", "<!-- changed --></body>"))
    elif kind == "one_setting":
        deployment.configure(workerReplicas="10")
    elif kind == "new_registry":
        registry = {"kind": "distribution", "host": SANDBOX_REGISTRY, "path": "team", "username": "AWS"}
        deployment.configure(registry=registry)
        deployment.project.set_config("registryPassword", "123456789012-auth-token", secret=True)
    try:
        yield
    finally:
        for path, content in files.items():
            path.write_text(content)


def _preview(deployment: Deployment, kind: str) -> None:
    outcome = deployment.project.preview()
    assert outcome.succeeded, outcome.output
    events = "".join(f"{json.dumps(event)}\n" for event in _kept(outcome.events))
    (PREVIEWS / f"{kind}.jsonl").write_text(events)


def _kept(events: tuple[dict[str, Any], ...]) -> Iterator[dict[str, Any]]:
    for event in events:
        diagnostic = event.get("diagnosticEvent")
        if diagnostic and (diagnostic.get("ephemeral") or diagnostic["severity"] in ("debug", "info", "info#err")):
            continue
        told = event.get("resourcePreEvent") or event.get("resOutputsEvent")
        if told:
            metadata = told["metadata"]
            is_stack = metadata["type"] == "pulumi:pulumi:Stack"
            if "resOutputsEvent" in event and not is_stack:
                continue
            if metadata["op"] == "same" and not is_stack:
                metadata["old"] = metadata["new"] = None
            for state in filter(None, (metadata["old"], metadata["new"])):
                if not is_stack:
                    state["outputs"] = {}
        yield event


if __name__ == "__main__":
    sys.exit(record())
