"""kubectl, as the tests call it."""

from __future__ import annotations

import json
import subprocess
from typing import Any


def kubectl(*arguments: str, stdin: str | None = None, check: bool = True) -> str:
    """What kubectl prints; unless told not to ``check``, the test fails with its complaint."""
    completed = subprocess.run(
        ["kubectl", *arguments], input=stdin, capture_output=True, text=True, timeout=120, check=False
    )
    assert not check or completed.returncode == 0, completed.stderr
    return completed.stdout


def objects(namespace: str, kind: str, *arguments: str) -> list[dict[str, Any]]:
    """The objects of a kind in a namespace."""
    return json.loads(kubectl("--namespace", namespace, "get", kind, "--output", "json", *arguments))["items"]
