"""Which files of a folder a Docker build sees: the rules of a ``.dockerignore`` file.

The rules are those of https://docs.docker.com/build/concepts/context/#dockerignore-files and, where that page is
silent, those of the Go package ``github.com/moby/patternmatcher``, by which BuildKit walks a context.
"""

from __future__ import annotations

import functools
import os
import posixpath
import re
import stat
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

IGNORE_FILE: Final = ".dockerignore"
DOCKERFILE: Final = "Dockerfile"
OWN_IGNORE_FILE: Final = f"{DOCKERFILE}{IGNORE_FILE}"
"""The ignore file of one Dockerfile, which comes before the context's own."""

_BLANKS: Final = "".join(
    map(chr, (*range(9, 14), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000))
)
"""What Go's ``unicode.IsSpace`` takes for white space."""

_ESCAPED: Final = frozenset(".+()$")
_CHUNK: Final = re.compile(r"(?:\\.?|\[(?:\\.|[^\]\\])*\]?|[^*\[\\])+")
"""What stands between two stars, of which none is in a class."""


class IgnorePatternError(ValueError):
    """A line of an ignore file that no builder takes; the message has the line."""


@dataclass(frozen=True)
class _Rule:
    matches: Callable[[str], bool]
    keeps: bool


@dataclass(frozen=True)
class IgnoreRules:
    """The patterns of one ``.dockerignore``, in their order; the last that matches a path or a folder above decides."""

    rules: tuple[_Rule, ...] = ()

    @classmethod
    def parse(cls, text: str) -> IgnoreRules:
        """Read the text of a ``.dockerignore`` file.

        Raises:
            IgnorePatternError: a line is no pattern.
        """
        rules = (_rule(line) for line in text.removeprefix("\ufeff").split("\n") if not line.startswith("#"))
        return cls(tuple(rule for rule in rules if rule))

    def ignores(self, path: PurePosixPath) -> bool:
        """Whether the file at ``path``, relative to the context's root, is left out of the build.

        Raises:
            IgnorePatternError: a pattern that is tried has a range whose end is before its start.
        """
        above: Sequence[bool] = [False] * len(self.rules)
        ignored = False
        for length in range(1, len(path.parts) + 1):
            ignored, above = self._match("/".join(path.parts[:length]), above)
        return ignored

    def _match(self, path: str, above: Sequence[bool]) -> tuple[bool, list[bool]]:
        """Whether a path is left out, and which rules match it, if those of ``above`` match the folder that it is in.

        A rule that would change nothing is not tried, and so is not taken for one that matches what is below.
        """
        ignored = False
        matched: list[bool] = []
        for rule, inherited in zip(self.rules, above, strict=True):
            match = inherited or (rule.keeps == ignored and rule.matches(path))
            matched.append(match)
            if match:
                ignored = not rule.keeps
        return ignored, matched


def context_files(context: Path) -> list[PurePosixPath]:
    """What a build sees of a context but its folders and sockets: paths relative to it, sorted.

    The Dockerfile and its ignore file are always sent to the builder, so they are always in the list.

    Raises:
        IgnorePatternError: the ignore file has a line that is no pattern; the message has its path.
        OSError: a folder or the ignore file cannot be read.
    """
    own = context / OWN_IGNORE_FILE
    ignore_file = own if own.is_file() else context / IGNORE_FILE
    always = {PurePosixPath(DOCKERFILE), PurePosixPath(ignore_file.name)}
    text = ignore_file.read_bytes().decode(errors="replace") if ignore_file.is_file() else ""
    try:
        rules = IgnoreRules.parse(text)
        return sorted(path for path in _walk(context) if path in always or not rules.ignores(path))
    except IgnorePatternError as error:
        raise IgnorePatternError(f"{ignore_file}: {error}") from None


def _walk(root: Path) -> Iterator[PurePosixPath]:
    folders = [root]
    while folders:
        folder = folders.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(Path(entry.path))
                elif not stat.S_ISSOCK(entry.stat(follow_symlinks=False).st_mode):
                    yield PurePosixPath(Path(entry.path).relative_to(root).as_posix())


def _rule(line: str) -> _Rule | None:
    pattern = _pattern(line)
    if not pattern:
        return None
    keeps = pattern.startswith("!")
    pattern = pattern.removeprefix("!")
    if not pattern:
        raise IgnorePatternError(f"{line.strip()!r} is not a pattern: nothing follows the !")
    try:
        _check_syntax(pattern)
    except re.error as error:
        raise IgnorePatternError(f"{line.strip()!r} is not a pattern: {error}") from None
    return _Rule(_matcher(pattern), keeps)


def _pattern(line: str) -> str:
    """The pattern of a line, with its exclamation mark and without what does not change its meaning."""
    text = line.strip(_BLANKS)
    mark = "!" if text.startswith("!") else ""
    text = text.removeprefix(mark).strip(_BLANKS)
    text = _clean(text).removeprefix("/") or "/" if text else ""
    # Docker does this a second time, by which "/ a" is "a" and "/!a" an exception.
    text = f"{mark}{text}".strip(_BLANKS)
    return _clean(text) if text else ""


def _clean(path: str) -> str:
    """A path as Go's ``path/filepath.Clean`` writes it: Python keeps two slashes at the start."""
    return posixpath.normpath(re.sub("^//+", "/", path))


def _check_syntax(pattern: str) -> None:
    """Refuse a class that does not end or is empty, and a last backslash.

    Docker tries each pattern on ``.`` with Go's ``path/filepath.Match``, which looks no further than the first part
    between two stars that does not match.
    """
    for chunk in _CHUNK.findall(pattern.lstrip("*")):
        characters = iter(chunk)
        for character in characters:
            if character == "\\" and next(characters, None) is None:
                raise re.error("nothing follows the last backslash")
            if character == "[":
                _check_class(characters)
        try:
            if not _matcher(chunk)("."):
                return
        except IgnorePatternError:  # of a range that holds nothing
            return


def _check_class(characters: Iterator[str]) -> None:
    ends = 0
    character = next(characters, "")
    if character == "^":
        character = next(characters, "")
    while character != "]" or not ends:
        character = _after_end_of_range(character, characters)
        if character == "-":
            character = _after_end_of_range(next(characters, ""), characters)
        ends += 1


def _after_end_of_range(character: str, characters: Iterator[str]) -> str:
    if character in ("", "-", "]") or (character == "\\" and not next(characters, "")):
        raise re.error("a class has no end, or a range has none")
    following = next(characters, "")
    if not following:
        raise re.error("a class has no end")
    return following


def _matcher(pattern: str) -> Callable[[str], bool]:
    """What matches a pattern. Plain text around one ``**`` is compared as text, also in the middle of a name."""
    plain = not re.search(r"[*?\\\[\]]", pattern.removeprefix("**").removesuffix("**"))
    if plain and pattern.startswith("**") and not pattern.removeprefix("**").endswith("**"):
        end = pattern.removeprefix("**")
        return lambda path: path.endswith(end) or path == end.removeprefix("/")
    if plain and pattern.endswith("**") and not pattern.startswith("**"):
        return lambda path: path.startswith(pattern[:-2])
    if plain and "**" not in pattern:
        return lambda path: path == pattern
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of a [ in a class, which is a [ for Go too
        try:
            expression = re.compile(_expression(pattern), re.ASCII)
        except re.error as error:
            # A builder, too, refuses it only once it is tried: behind an exception to nothing it never is.
            return functools.partial(_refuse, f"{pattern!r} is not a pattern: {error}")
    return lambda path: expression.search(path) is not None


def _refuse(message: str, _: str) -> bool:
    raise IgnorePatternError(message)


def _expression(pattern: str) -> str:
    out: list[str] = []
    position = 0
    while position < len(pattern):
        character = pattern[position]
        position += 1
        if pattern.startswith("**", position - 1):
            position += 1
            position += pattern.startswith("/", position)
            out.append("(.*/)?" if position < len(pattern) else ".*")
        elif character == "*":
            out.append("[^/]*")
        elif character == "?":
            out.append("[^/]")
        elif character == "\\":
            out.append(pattern[position - 1 : position + 1])
            position += 1
        else:
            out.append(f"\\{character}" if character in _ESCAPED else character)
    return rf"^{''.join(out)}\Z"
