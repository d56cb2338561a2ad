"""Which files of a folder a Docker build sees: the rules of a ``.dockerignore`` file.

The rules are those of https://docs.docker.com/build/concepts/context/#dockerignore-files: one pattern a line, relative
to the context's root; ``#`` starts a comment; ``*`` and ``?`` do not cross a ``/``, ``**`` does; a pattern that names a
folder covers all in it; ``!`` takes files back in; the last pattern that matches decides.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

IGNORE_FILE: Final = ".dockerignore"


@dataclass(frozen=True)
class IgnoreRules:
    """The patterns of one ``.dockerignore``, in their order."""

    patterns: tuple[tuple[re.Pattern[str], bool], ...] = ()

    @classmethod
    def parse(cls, text: str) -> IgnoreRules:
        """Read the text of a ``.dockerignore`` file."""
        patterns: list[tuple[re.Pattern[str], bool]] = []
        for line in text.splitlines():
            if line.startswith("#"):
                continue
            pattern = line.strip()
            keeps = pattern.startswith("!")
            pattern = os.path.normpath(pattern.removeprefix("!").strip()).lstrip("/") if pattern.strip("!") else ""
            if pattern and pattern != ".":
                patterns.append((re.compile(_expression(pattern)), keeps))
        return cls(tuple(patterns))

    def ignores(self, path: PurePosixPath) -> bool:
        """Whether the file at ``path``, relative to the context's root, is left out of the build."""
        ignored = False
        text = path.as_posix()
        for pattern, keeps in self.patterns:
            if pattern.fullmatch(text):
                ignored = not keeps
        return ignored


def context_files(context: Path) -> list[PurePosixPath]:
    """The files and symbolic links of a build context that a build sees, relative to it, sorted by their path.

    The Dockerfile and ``.dockerignore`` are always sent to the builder, so they are always in the list.
    """
    ignore_file = context / IGNORE_FILE
    rules = IgnoreRules.parse(ignore_file.read_text(encoding="utf-8")) if ignore_file.is_file() else IgnoreRules()
    always = {PurePosixPath("Dockerfile"), PurePosixPath(IGNORE_FILE)}
    return sorted(path for path in _walk(context) if path in always or not rules.ignores(path))


def _walk(root: Path) -> Iterator[PurePosixPath]:
    for folder, folders, files in os.walk(root):
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        yield from _relative(root, Path(folder), [*files, *links])


def _relative(root: Path, folder: Path, names: Iterable[str]) -> Iterator[PurePosixPath]:
    for name in names:
        yield PurePosixPath((folder / name).relative_to(root).as_posix())


def _expression(pattern: str) -> str:
    """A regular expression for a pattern and for all that lies below what it names."""
    out: list[str] = []
    position = 0
    while position < len(pattern):
        rest = pattern[position:]
        if rest.startswith("**"):
            position += 2
            if pattern[position : position + 1] == "/":
                position += 1
                out.append("(?:.*/)?")
            else:
                out.append(".*")
            continue
        character = rest[0]
        position += 1
        if character == "*":
            out.append("[^/]*")
        elif character == "?":
            out.append("[^/]")
        elif character == "[" and (end := rest.find("]", 2)) > 0:
            body = rest[1:end].replace("\\", "\\\\")
            out.append(f"[{body}]")
            position += end
        elif character == "\\" and len(rest) > 1:
            out.append(re.escape(rest[1]))
            position += 1
        else:
            out.append(re.escape(character))
    return "".join(out) + "(?:/.*)?"
