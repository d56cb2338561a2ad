"""A tag made from what goes into an image, so that equal content has an equal tag on every machine."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from components.docker_ignore import context_files

TAG_LENGTH: Final = 20
"""Hexadecimal digits of a tag: 80 bits, far from a collision, and short enough to read out."""

_EXECUTABLE: Final = b"x"
_PLAIN: Final = b"-"
_LINK: Final = b"l"


def content_tag(context: Path, options: Mapping[str, str]) -> str:
    """The tag of the image that ``context`` builds with ``options`` (platform, build arguments: all that shapes it).

    It depends on the paths, the contents and the executable bit of the files that the build sees, and on the options;
    not on the folder's place, the clock, the umask, the owner or the order in which a file system lists names.

    Raises:
        OSError: a file of the context cannot be read.
    """
    digest = hashlib.sha256()
    for key in sorted(options):
        _add(digest.update, b"option", key.encode(), options[key].encode())
    for path in context_files(context):
        _add(digest.update, b"file", path.as_posix().encode(), *_content(context, path))
    return digest.hexdigest()[:TAG_LENGTH]


def _content(context: Path, path: PurePosixPath) -> tuple[bytes, bytes]:
    file = context / path
    if file.is_symlink():
        return _LINK, file.readlink().as_posix().encode()
    # Only the owner's bit: git keeps no other, and the umask changes the group's and the others'.
    executable = file.stat().st_mode & stat.S_IXUSR
    return (_EXECUTABLE if executable else _PLAIN), file.read_bytes()


def _add(update: Callable[[bytes], None], *fields: bytes) -> None:
    # The length before each field keeps "ab" + "c" apart from "a" + "bc".
    for field in fields:
        update(len(field).to_bytes(8, "big"))
        update(field)
