"""Finds numbers and dates of a stack file that YAML changes: ``010`` becomes 8, ``1.10`` 1.1, ``1e5`` 100000."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_NUMBER = re.compile(r"[-+]?[0-9.]+([eE][-+]?[0-9]+)?")
_DATE = "tag:yaml.org,2002:timestamp"


@dataclass(frozen=True)
class Misreading:
    """A value of a stack file that arrives as another text; ``path`` is as ``pulumi config set --path`` takes it."""

    path: str
    written: str
    read: str


def step(name: str) -> str:
    """What leads to an entry in a path: https://www.pulumi.com/docs/iac/concepts/config/#structured-configuration"""
    return f".{name}" if _PLAIN_NAME.fullmatch(name) else f"[{json.dumps(name, ensure_ascii=False)}]"


def misreadings(file: Path, values: Mapping[str, str]) -> list[Misreading]:
    """Compare the configuration that arrived with the file that it stands in.

    ``values`` is full key to text, which is JSON where the value is structured. A file that is not there, or that is
    read otherwise (``--config-file``), gives none.
    """
    try:
        document = cast("object", cast("Any", yaml).compose(file.read_text(encoding="utf-8"), yaml.SafeLoader))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return []
    settings = dict(_entries(document)).get("config")
    return [
        misreading
        for key, node in _entries(settings)
        if key in values
        for misreading in _compared(
            key, node, values[key] if isinstance(node, yaml.ScalarNode) else _structure(values[key])
        )
    ]


def _compared(path: str, node: object, arrived: object) -> Iterator[Misreading]:
    if isinstance(node, yaml.ScalarNode):
        changes = isinstance(arrived, str) and (node.tag == _DATE or _NUMBER.fullmatch(arrived))
        if node.style is None and changes and arrived != node.value:
            yield Misreading(path, node.value, str(arrived))
    elif isinstance(node, yaml.SequenceNode) and isinstance(arrived, list):
        for index, (inner, value) in enumerate(zip(node.value, cast("list[object]", arrived), strict=False)):
            yield from _compared(f"{path}[{index}]", inner, value)
    elif isinstance(arrived, dict):
        values = cast("dict[str, object]", arrived)
        for name, inner in _entries(node):
            yield from _compared(path + step(name), inner, values.get(name))


def _entries(node: object) -> Iterator[tuple[str, object]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield str(key.value), value


def _structure(text: str) -> Any:
    """What a JSON text says, with its numbers as texts: only those can be compared with what is written."""
    try:
        return json.loads(text, parse_int=str, parse_float=str)
    except ValueError:
        return None
