"""Writes the table of settings into README.md from what Pulumi.yaml declares: ``python -m docs.settings_table``."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, Final, cast

import yaml

ROOT: Final = Path(__file__).resolve().parent.parent
BEGIN: Final = "<!-- settings: made by python -m docs.settings_table -->"
END: Final = "<!-- end of settings -->"


def table(declarations: dict[str, dict[str, Any]]) -> str:
    """The declared settings as a Markdown table: key, default, description."""
    rows = ["| setting | default | what it is |", "|---|---|---|"]
    for key, declaration in declarations.items():
        default = str(declaration["default"])
        shown = f"`{default}`" if default else ""
        rows.append(f"| `{key}` | {shown} | {declaration['description']} |")
    return "\n".join(rows)


def with_table(text: str, made: str) -> str:
    """``text`` with the table between its two marks replaced.

    Raises:
        ValueError: the marks are not there.
    """
    pattern = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"the text has no {BEGIN!r} before a {END!r}")
    return pattern.sub(lambda _: f"{BEGIN}\n{made}\n{END}", text)


def current() -> str:
    """README.md as it should be."""
    declared = cast("dict[str, Any]", yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8")))
    return with_table((ROOT / "README.md").read_text(encoding="utf-8"), table(declared["config"]))


if __name__ == "__main__":
    (ROOT / "README.md").write_text(current(), encoding="utf-8")
    sys.exit(0)
