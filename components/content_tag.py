"""A tag made from what goes into an image, so that equal content has an equal tag on every machine."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from components.docker_ignore import IgnorePatternError, context_files

TAG_LENGTH: Final = 20
"""Hexadecimal digits of a tag: 80 bits, far from a collision, and short enough to read out."""

_EXECUTABLE: Final = b"x"
_PLAIN: Final = b"-"
_LINK: Final = b"l"
_SPECIAL: Final = b"s"


class ContextError(Exception):
    """A build context that cannot be read; the message says which file and why."""


def content_tag(context: Path, options: Mapping[str, str]) -> str:
    """The tag of the image that ``context`` builds with ``options`` (platform, build arguments: all that shapes it).

    It depends on the paths, the contents and the executable bit of the files that the build sees, and on the options;
    not on the folder's place, the clock, the umask, the owner or the order in which a file system lists names.

    Raises:
        ContextError: a file of the context cannot be read, or its ignore file has a line that is no pattern.
    """
    digest = hashlib.sha256()
    for key in sorted(options):
        _add(digest.update, b"option", key.encode(), options[key].encode())
    try:
        for path in context_files(context):
            _add(digest.update, b"file", os.fsencode(path), *_content(context, path))
    except OSError as error:
        raise ContextError(f"{error.filename or context}: {error.strerror}") from None
    except IgnorePatternError as error:
        raise ContextError(str(error)) from None
    return digest.hexdigest()[:TAG_LENGTH]


def _content(context: Path, path: PurePosixPath) -> tuple[bytes, bytes]:
    file = context / path
    status = file.lstat()
    if stat.S_ISLNK(status.st_mode):
        return _LINK, os.fsencode(file.readlink())
    if not stat.S_ISREG(status.st_mode):
        # A pipe or a device, which a build makes anew without reading it.
        return _SPECIAL, f"{stat.S_IFMT(status.st_mode):o} {status.st_rdev}".encode()
    # Only the owner's bit: git keeps no other, and the umask changes the group's and the others'.
    return (_EXECUTABLE if status.st_mode & stat.S_IXUSR else _PLAIN), file.read_bytes()


def _add(update: Callable[[bytes], None], *fields: bytes) -> None:
    # The length before each field keeps "ab" + "c" apart from "a" + "bc".
    for field in fields:
        update(len(field).to_bytes(8, "big"))
        update(field)
