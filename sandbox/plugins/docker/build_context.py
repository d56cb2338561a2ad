"""The build context: which files of a folder go into a build, and the digest that the official plugin makes of them.

The digest (`hashContext` in pulumi/pulumi-docker, `provider/provider.go`) is the SHA-256 of one record after another:
first the Dockerfile as `Dockerfile` with an empty mode, then each file in the order of a walk. A record is the path
from the context, the mode as text, the SHA-256 of the content, and a zero byte. So every permission bit counts, and two
checkouts with different umasks have different digests; owners, times and folders do not count.
"""

from __future__ import annotations

import errno
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
_SPECIAL: Final = re.compile(r"[*?\[\]\\]")
_LINKS: Final = 255  # links that one path may lead through
_KINDS: Final = {stat.S_IFLNK: "L", stat.S_IFBLK: "D", stat.S_IFIFO: "p", stat.S_IFCHR: "Dc"}


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
        self._rules = [rule for line in text.removeprefix("\ufeff").split("\n") if (rule := _rule(line))]
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


def digest(context: str, dockerfile: str) -> str:
    """The digest of what a build of the Dockerfile in this context can see, as 64 hexadecimal digits.

    Both are taken as they are written: what links point to is part of the digest, relative if the context is.

    Raises:
        OSError: a file cannot be read, or a link leads nowhere; it is named by the error's `filename`.
        ValueError: the `.dockerignore` is not well formed.
    """
    total = hashlib.sha256(_record("Dockerfile", "-" * 10, _digest_of_file(dockerfile)))
    folder = Path(context)
    for path in sorted(files(folder, ignore_rules(folder, Path(dockerfile))), key=_walk_order):
        full = posixpath.normpath(posixpath.join(context, path))
        mode = os.lstat(full).st_mode
        if stat.S_ISLNK(mode):
            content = hashlib.sha256(os.fsencode(_link_target(full))).digest()
        elif stat.S_ISREG(mode) or stat.S_ISSOCK(mode):
            content = _digest_of_file(full)  # of a socket this fails, as with the official plugin
        else:
            content = hashlib.sha256().digest()
        total.update(_record(path, file_mode(mode), content))
    return total.hexdigest()


def file_mode(mode: int) -> str:
    """A mode as Go's `fs.FileMode` writes it: `-rw-r--r--`, `Lrwxrwxrwx`, `ugtrwxr-xr-x`."""
    letters = _KINDS.get(stat.S_IFMT(mode), "")
    kind, character = letters[:1], letters[1:]
    kind += "u" * bool(mode & stat.S_ISUID) + "g" * bool(mode & stat.S_ISGID) + character
    kind += "t" * bool(mode & stat.S_ISVTX)
    return (kind or "-") + "".join(
        letter if mode & 1 << (8 - position) else "-" for position, letter in enumerate("rwxrwxrwx")
    )


def _record(path: str, mode: str, content: bytes) -> bytes:
    return os.fsencode(path) + mode.encode() + content + b"\0"


def _walk_order(path: str) -> list[bytes]:
    """The place of a path in a walk that goes through each folder by name, and into a folder before what follows it."""
    return [os.fsencode(part) for part in path.split("/")]


def _link_target(path: str) -> str:
    """What a path leads to without any links, as Go's `filepath.EvalSymlinks` gives it: relative if it can be.

    Raises:
        OSError: it leads nowhere, or in a circle.
    """
    target = "/" if path.startswith("/") else ""
    rest = path.split("/")
    followed = 0
    while rest:
        part = rest.pop(0)
        if part in ("", "."):
            continue
        if part == "..":
            target = posixpath.normpath(posixpath.join(target, ".."))
            continue
        current = posixpath.join("" if target == "." else target, part)
        if not stat.S_ISLNK(os.lstat(current).st_mode):
            target = current
            continue
        followed += 1
        if followed > _LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        link = str(Path(current).readlink())
        rest = [*link.split("/"), *rest]
        if link.startswith("/"):
            target = "/"
    return target or "."


def _digest_of_file(path: str) -> bytes:
    with Path(path).open("rb") as file:
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
    if not text and not excludes:
        raise ValueError(f"{line.strip()!r} is not a pattern: nothing follows the !")
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
        if rest in ("**", "**/"):
            expression, step = expression + ".*", len(rest)
        elif rest.startswith("**"):
            # Without a / after it, only plain text after the start of a pattern may start in the middle of a name.
            in_a_name = position == 0 and rest[2] != "/" and not _SPECIAL.search(rest, 2)
            expression += ".*" if in_a_name else "(?:.*/)?"
            step = 3 if rest[2] == "/" else 2
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
