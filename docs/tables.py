"""Writes the tables of README.md and docs/performance.md: ``python -m docs.tables``.

That of the settings comes from what Pulumi.yaml declares, that of the registries from components/registries.py, that of
the benchmarks from what their last run on record has left in benchmarks/results.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

import yaml

from benchmarks import report
from components.registries import KNOWN_REGISTRIES, KnownRegistry

ROOT: Final = Path(__file__).resolve().parent.parent
README: Final = ROOT / "README.md"
PERFORMANCE: Final = ROOT / "docs" / "performance.md"
FIGURES: Final = (
    "From a changed line to the running change, `pulumi up` by the commands by hand",
    "From nothing to the first coin, `pulumi up` by the commands by hand",
    "`pulumi preview` without a change, by the plain program's",
    "Hashes a second with four workers, processes",
    "99 in 100 answers come within so many ms",
)
"""What README shows of the benchmarks."""


def settings_table(declarations: Mapping[str, Mapping[str, Any]]) -> str:
    """The declared settings as a Markdown table: key, default, description."""
    rows = ["| setting | default | what it is |", "|---|---|---|"]
    for key, declaration in declarations.items():
        rows.append(f"| `{key}` | {_default(declaration['default'])} | {declaration['description']} |")
    return "\n".join(rows)


def registries_table(registries: Mapping[str, KnownRegistry]) -> str:
    """The known registries as a Markdown table: name, kind, what an image is called, what to say, login, notes."""
    rows = [
        "| registry | offered as | `kind` | an image is named | to set | log in with | notes |",
        "|---|---|---|---|---|---|---|",
    ]
    for known in registries.values():
        name = f"{known.host}/{known.path}"
        for part in known.parts:
            if part.default == "":
                name = name.replace(f"{{{part.name}}}/", f"[{{{part.name}}}/]")
        name = re.sub(r"\{(\w+)\}", r"<\1>", name)
        if known.provisions:
            name = name.replace("<host>", "<account>.dkr.ecr.<region>.amazonaws.com")
        said = [f"`{part.name}`" for part in known.parts if part.default is None and not known.provisions]
        said += ["`pullHost`"] if known.pull_host_required else []
        optional = [f"`{part.name}`" for part in known.parts if part.default is not None]
        said += [f"({', '.join(optional)})"] if optional else []
        credential = known.credential
        if known.usernames:
            users = ", ".join(f"`{user}`" for user in known.usernames)
            credential = f"{users}: {credential}"
        cells = (
            f"**{known.title}**" if known.provisions else known.title,
            known.offered_as,
            f"`{known.kind}`",
            f"`{name}`",
            ", ".join(said),
            credential,
            known.notes,
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def with_table(text: str, name: str, made: str) -> str:
    """``text`` with what stands between the two marks of a table replaced.

    Raises:
        ValueError: the marks are not there.
    """
    begin, end = f"<!-- {name}: made by python -m docs.tables -->", f"<!-- end of {name} -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"the text has no {begin!r} before a {end!r}")
    return pattern.sub(lambda _: f"{begin}\n{made}\n{end}", text)


def current() -> dict[Path, str]:
    """README.md and docs/performance.md as they should be."""
    declared = cast("dict[str, Any]", yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8")))
    kept = [report.load(name) for name in report.ORDER if (report.FOLDER / f"{name}.json").exists()]
    readme = README.read_text(encoding="utf-8")
    readme = with_table(readme, "settings", settings_table(declared["config"]))
    readme = with_table(readme, "registries", registries_table(KNOWN_REGISTRIES))
    readme = with_table(readme, "figures", report.table(kept, FIGURES).rstrip())
    performance = PERFORMANCE.read_text(encoding="utf-8")
    return {README: readme, PERFORMANCE: with_table(performance, "benchmarks", report.table(kept).rstrip())}


def _default(default: object) -> str:
    if isinstance(default, dict):
        entries = cast("dict[str, object]", default).items()
        return f"`{{{', '.join(f'{key}: {entry}' for key, entry in entries)}}}`" if default else ""
    if isinstance(default, list):
        return f"`{json.dumps(default)}`" if default else ""
    return f"`{default}`" if default else ""


if __name__ == "__main__":
    for file, text in current().items():
        file.write_text(text, encoding="utf-8")
    sys.exit(0)
