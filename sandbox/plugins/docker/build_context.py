"""The build context: which files of a folder go into a build, and a digest of them.

The digest depends on what a build can see and that means the same on every machine: paths, contents, the executable bit
and the targets of links; never on owners, other permission bits, times, the order of the file system or where it lies.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_CHUNK: Final = 1 << 20
_FORMAT: Final = b"build context 1\0"
"""Starts every digest; to be counted up when the digest's definition changes."""


@dataclass(frozen=True)
class _Rule:
    pattern: re.Pattern[str]
    excludes: bool


class IgnoreRules:
    """The rules of a `.dockerignore` (https://docs.docker.com/build/concepts/context/#dockerignore-files).

    Of all rules that match a path or a folder above it, the last one decides.
    """

    def __init__(self, text: str) -> None:
        """Read the lines of a `.dockerignore`.

        Raises:
            ValueError: a line has a pattern that is not well formed.
        """
        self._rules = [rule for line in text.removeprefix("\ufeff").splitlines() if (rule := _rule(line))]
        self._has_exceptions = any(not rule.excludes for rule in self._rules)

    def ignores(self, path: str) -> bool:
        """Whether a path, relative to the context and with `/` between its parts, stays out of the build."""
        parts = path.split("/")
        prefixes = ["/".join(parts[:length]) for length in range(1, len(parts) + 1)]
        ignored = False
        for rule in self._rules:
            if rule.excludes != ignored and any(rule.pattern.fullmatch(prefix) for prefix in prefixes):
                ignored = rule.excludes
        return ignored

    def prunes(self, folder: str) -> bool:
        """Whether nothing under a folder goes into the build, so that it need not be looked at."""
        return not self._has_exceptions and self.ignores(folder)


def ignore_rules(context: Path, dockerfile: Path) -> IgnoreRules:
    """The rules for a build: of `<Dockerfile>.dockerignore` if there is one, else of the context's `.dockerignore`.

    Raises:
        OSError: the file cannot be read.
        ValueError: it has a pattern that is not well formed.
    """
    for path in (dockerfile.with_name(f"{dockerfile.name}.dockerignore"), context / ".dockerignore"):
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            continue
        try:
            return IgnoreRules(text)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
    return IgnoreRules("")


def files(context: Path, rules: IgnoreRules) -> Iterator[str]:
    """The files and links of the context that go into a build, in an order of their own, relative and with `/`.

    Raises:
        OSError: a folder cannot be read.
    """
    folders = [""]
    while folders:
        folder = folders.pop()
        with os.scandir(context / folder) as entries:
            for entry in entries:
                path = posixpath.join(folder, entry.name)
                if entry.is_dir(follow_symlinks=False):
                    if not rules.prunes(path):
                        folders.append(path)
                elif not rules.ignores(path):
                    yield path


def digest(context: Path, dockerfile: Path) -> str:
    """The digest of what a build of the Dockerfile in this context can see, as 64 hexadecimal digits.

    Raises:
        OSError: a file cannot be read; it is named by the error's `filename`.
        ValueError: the `.dockerignore` is not well formed.
    """
    total = hashlib.sha256(_FORMAT)
    total.update(_digest_of_file(dockerfile))
    for path in sorted(files(context, ignore_rules(context, dockerfile))):
        full = context / path
        mode = full.lstat().st_mode
        if stat.S_ISLNK(mode):
            kind, content = b"link", hashlib.sha256(os.fsencode(full.readlink())).digest()
        elif stat.S_ISREG(mode):
            kind, content = (b"program" if mode & stat.S_IXUSR else b"file"), _digest_of_file(full)
        else:
            continue  # sockets, pipes and devices do not go into a build
        total.update(kind + b"\0" + os.fsencode(path) + b"\0" + content)
    return total.hexdigest()


def _digest_of_file(path: Path) -> bytes:
    with path.open("rb") as file:
        content = hashlib.sha256()
        while chunk := file.read(_CHUNK):
            content.update(chunk)
    return content.digest()


def _rule(line: str) -> _Rule | None:
    if line.startswith("#"):
        return None
    text = line.strip()
    excludes = not text.startswith("!")
    text = text.removeprefix("!").strip()
    if not text:
        return None
    cleaned = posixpath.normpath(text).lstrip("/")
    if cleaned in ("", "."):
        return None  # "For historical reasons, the pattern . is ignored."
    try:
        return _Rule(re.compile(_expression(cleaned), re.DOTALL), excludes)
    except re.error as error:
        raise ValueError(f"{line.strip()!r} is not a pattern: {error}") from None


def _expression(pattern: str) -> str:
    """The regular expression for a pattern of Go's `filepath.Match` with `**` for any number of folders."""
    expression = ""
    position = 0
    while position < len(pattern):
        rest = pattern[position:]
        if rest.startswith("**/"):
            expression, step = expression + "(?:.*/)?", 3
        elif rest.startswith("**"):
            expression, step = expression + ".*", 2
        elif rest[0] == "*":
            expression, step = expression + "[^/]*", 1
        elif rest[0] == "?":
            expression, step = expression + "[^/]", 1
        elif rest[0] == "[":
            expression, step = expression + "[", 1
            end = rest.find("]", 1)
            if end < 0:
                raise re.error("a [ without its ]")
            expression, step = expression + rest[1:end].replace("\\", "\\\\").replace("[", "\\[") + "]", end + 1
        elif rest[0] == "\\" and len(rest) > 1:
            expression, step = expression + re.escape(rest[1]), 2
        else:
            expression, step = expression + re.escape(rest[0]), 1
        position += step
    return expression
