"""Structural comparison of property values, in the terms of Pulumi's detailed diff.

Paths are written as the engine reads them: `spec.template.spec.containers[0].image`, and `metadata.labels["a.b/c"]`
where a key is not a plain word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

from .values import Path, Secret, Unknown, Value, unwrap

_PLAIN_KEY: Final = re.compile(r"[A-Za-z_$][\w$-]*\Z")
_PATH_STEP: Final = re.compile(r"""\["((?:[^"\\]|\\.)*)"\]|\[(\d+|\*)\]|([^.\["]+)""")


class ChangeKind(Enum):
    """What happened to a property."""

    ADD = "add"
    DELETE = "delete"
    UPDATE = "update"


@dataclass(frozen=True)
class Change:
    """One property that differs. `forces_replacement` tells that it cannot be changed in place."""

    path: Path
    kind: ChangeKind
    forces_replacement: bool = False

    @property
    def name(self) -> str:
        """The path in the engine's notation."""
        return format_path(self.path)


@dataclass(frozen=True)
class Diff:
    """The outcome of a comparison: no changes, an update in place, or a replacement with the reasons for it."""

    changes: tuple[Change, ...] = ()
    delete_before_replace: bool = False
    extra_replace_reasons: tuple[str, ...] = field(default=())
    of_inputs: bool = True
    """Whether the engine should show the changes as those of the inputs; else, as from the old outputs."""

    @property
    def replaces(self) -> tuple[str, ...]:
        """The paths that force a replacement; empty for an update in place."""
        return tuple(change.name for change in self.changes if change.forces_replacement) + self.extra_replace_reasons

    def without(self, ignored: Iterable[str]) -> Diff:
        """The same with nothing at or under these paths, as the resource option `ignoreChanges` asks."""
        patterns = [parse_path(path) for path in ignored]
        changes = (change for change in self.changes if not any(_covers(pattern, change.path) for pattern in patterns))
        return replace(self, changes=tuple(changes))

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.changes) or bool(self.extra_replace_reasons)


def compare(
    old: Mapping[str, Value],
    new: Mapping[str, Value],
    *,
    replace_on: Iterable[str] = (),
    except_on: Iterable[str] = (),
    ignore: Iterable[str] = (),
    delete_before_replace: bool = False,
) -> Diff:
    """Compare old and new properties; secrets are compared by what they hold, an unknown is always a change.

    Args:
        old: the properties of the last operation.
        new: the properties that the program wants now.
        replace_on: path patterns; a change at, under or over one of them forces a replacement. `*` stands for one key
            or index: `spec.volumeClaimTemplates`, `spec.ports[*].name`.
        except_on: path patterns under those of `replace_on`, where a change does not force a replacement.
        ignore: path patterns of changes to leave out.
        delete_before_replace: whether a replacement must delete the old resource first.
    """
    replacing = [parse_path(pattern) for pattern in replace_on]
    excepted = [parse_path(pattern) for pattern in except_on]
    ignored = [parse_path(pattern) for pattern in ignore]
    before, after = unwrap(dict(old)), unwrap(dict(new))
    changes: list[Change] = []
    for path, kind, value in _changes(before, after, ()):
        if any(_covers(pattern, path) for pattern in ignored):
            continue
        in_place = any(_covers(pattern, path) for pattern in excepted)
        forces = not in_place and any(_touches(pattern, path, value) for pattern in replacing)
        changes.append(Change(path, kind, forces))
    return Diff(tuple(changes), delete_before_replace)


def _changes(old: Value, new: Value, path: Path) -> Iterator[tuple[Path, ChangeKind, Value]]:
    match old, new:
        case dict(), dict():
            for key in dict.fromkeys((*old, *new)):
                yield from _changes(old.get(key), new.get(key), (*path, key))
        case list(), list():
            yield from _list_changes(old, new, path)
        case _ if _same(old, new):
            return
        case None, _:
            yield path, ChangeKind.ADD, new
        case _, None:
            yield path, ChangeKind.DELETE, old
        case _:
            yield path, ChangeKind.UPDATE, new


def _list_changes(old: list[Value], new: list[Value], path: Path) -> Iterator[tuple[Path, ChangeKind, Value]]:
    for index in range(max(len(old), len(new))):
        if index >= len(new):
            yield (*path, index), ChangeKind.DELETE, old[index]
        elif index >= len(old):
            yield (*path, index), ChangeKind.ADD, new[index]
        else:
            yield from _changes(old[index], new[index], (*path, index))


def _same(old: Value, new: Value) -> bool:
    # True == 1 in Python, and not in a property; one unknown need not be the same as another.
    return old == new and isinstance(old, bool) == isinstance(new, bool) and not isinstance(new, Unknown)


def _covers(pattern: Path, path: Path) -> bool:
    return len(pattern) <= len(path) and all(step in ("*", part) for step, part in zip(pattern, path, strict=False))


def _touches(pattern: Path, path: Path, value: Value) -> bool:
    """Whether the change at `path`, of the subtree `value`, is at or under the pattern, or contains what it names."""
    if _covers(pattern, path):
        return True
    if not _covers(pattern[: len(path)], path):
        return False
    return any(True for _ in _resolve(value, pattern[len(path) :]))


def _resolve(value: Value, pattern: Path) -> Iterator[Value]:
    if isinstance(value, Secret):
        value = value.value
    if not pattern:
        if value is not None:
            yield value
        return
    head, rest = pattern[0], pattern[1:]
    match value:
        case dict():
            for key, item in value.items():
                if head in ("*", key):
                    yield from _resolve(item, rest)
        case list():
            for index, item in enumerate(value):
                if head in ("*", index):
                    yield from _resolve(item, rest)
        case _:
            return


def format_path(path: Path) -> str:
    """A path in the engine's notation."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN_KEY.match(step):
            text += f".{step}" if text else step
        else:
            quoted = step.replace("\\", "\\\\").replace('"', '\\"')
            text += f'["{quoted}"]'
    return text


def parse_path(text: str) -> Path:
    """The path that `format_path` writes, or a pattern with `*` for any key or index.

    Raises:
        ValueError: the text is no path.
    """
    steps: list[str | int] = []
    position = 0
    while position < len(text):
        if text[position] == ".":
            position += 1
        step = _PATH_STEP.match(text, position)
        if step is None:
            raise ValueError(f"not a property path: {text!r}")
        quoted, index, word = step.groups()
        if quoted is not None:
            steps.append(re.sub(r"\\(.)", r"\1", quoted))
        elif index is not None:
            steps.append(index if index == "*" else int(index))
        else:
            steps.append(word)
        position = step.end()
    return tuple(steps)
