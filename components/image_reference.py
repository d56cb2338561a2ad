"""Image references: parse, expand, normalize and print them, as the container tools do.

The grammar, its limits and the expansion of short names are those of the reference implementation, the Go package
``github.com/distribution/reference``. A reference is ``[host[:port]/]path[:tag][@digest]``; a first component counts as
a host if it holds a ``.`` or a ``:``, is ``localhost``, or holds a capital letter (no path may).
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import Final

DOCKER_HUB: Final = "docker.io"
"""The host that a reference without one belongs to."""

_LEGACY_DOCKER_HUB: Final = "index.docker.io"
_OFFICIAL_PREFIX: Final = "library/"
_DEFAULT_TAG: Final = "latest"

PATH_LIMIT: Final = 255
"""The most characters of a repository's path (``RepositoryNameTotalLengthMax`` of the reference implementation)."""

TAG_LIMIT: Final = 128
"""The most characters of a tag."""

_DIGEST_LENGTHS: Final = {"sha256": 64, "sha384": 96, "sha512": 128}

_HOST = re.compile(
    r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
)
_PATH_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_DIGEST = re.compile(r"([A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*):([0-9a-fA-F]{32,})")
_IDENTIFIER = re.compile(r"[a-f0-9]{64}")


class ReferenceFormatError(ValueError):
    """A text that is not an image reference; the message says what is wrong, and where."""

    def __init__(self, text: str, problem: str) -> None:
        super().__init__(f"{text!r} is not an image reference: {problem}")


@dataclass(frozen=True)
class ImageReference:
    """One image reference in its full form.

    ``host`` and ``path`` are always there; ``tag`` and ``digest`` (``sha256:…``) are ``None`` where the text has none.
    """

    host: str
    path: str
    tag: str | None = None
    digest: str | None = None

    @property
    def repository(self) -> str:
        """The host and path: what a tag or a digest names an image in."""
        return f"{self.host}/{self.path}"

    @property
    def full(self) -> str:
        """The whole reference, with the tag ``latest`` where it names neither a tag nor a digest."""
        tag = self.tag or (None if self.digest else _DEFAULT_TAG)
        return self.repository + (f":{tag}" if tag else "") + (f"@{self.digest}" if self.digest else "")

    @property
    def short(self) -> str:
        """The shortest text that means the same: no Docker Hub host, no ``library/``; the tag only as it was given."""
        name = self.repository
        if self.host == DOCKER_HUB:
            name = self.path
            official = self.path.removeprefix(_OFFICIAL_PREFIX)
            if official != self.path and "/" not in official:
                name = official
        return name + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    def __str__(self) -> str:
        """The full form."""
        return self.full


def parse(text: str) -> ImageReference:
    """Parse and expand ``text``: ``alpine`` gives ``docker.io/library/alpine``, with no tag.

    Raises:
        ReferenceFormatError: the text breaks the grammar or a limit.
    """
    if not text:
        raise ReferenceFormatError(text, "it is empty")
    if _IDENTIFIER.fullmatch(text):
        raise ReferenceFormatError(text, "64 hexadecimal digits are an image's id; a repository's name is needed")
    host, remainder = _split_host(text)
    name, at, digest = remainder.partition("@")
    path, colon, tag = name.partition(":")
    if not _HOST.fullmatch(host):
        raise ReferenceFormatError(text, f"the host {host!r} is not a host name with an optional port")
    _check_path(text, path)
    if colon:
        _check_tag(text, tag)
    if at:
        _check_digest(text, digest)
    return ImageReference(host, path, tag if colon else None, digest if at else None)


def _split_host(text: str) -> tuple[str, str]:
    first, slash, rest = text.partition("/")
    if not slash:
        return DOCKER_HUB, _OFFICIAL_PREFIX + text
    if first == _LEGACY_DOCKER_HUB:
        first = DOCKER_HUB
    elif first != "localhost" and "." not in first and ":" not in first and first == first.lower():
        return DOCKER_HUB, text
    if first == DOCKER_HUB and "/" not in rest:
        rest = _OFFICIAL_PREFIX + rest
    return first, rest


def _check_path(text: str, path: str) -> None:
    if path != path.lower():
        raise ReferenceFormatError(text, f"the repository {path!r} must be lowercase")
    for component in path.split("/"):
        if not _PATH_COMPONENT.fullmatch(component):
            problem = "an empty component" if not component else f"the component {component!r}"
            raise ReferenceFormatError(
                text,
                f"{problem} in the repository {path!r}; a component is lowercase letters and digits,"
                " with single '.', '_', '__' or any number of '-' between them",
            )
    if len(path) > PATH_LIMIT:
        raise ReferenceFormatError(text, f"the repository has {len(path)} characters; at most {PATH_LIMIT} are allowed")


def _check_tag(text: str, tag: str) -> None:
    if not _TAG.fullmatch(tag):
        raise ReferenceFormatError(
            text, f"the tag {tag!r}; a tag is letters, digits, '_', '.' and '-', and does not start with '.' or '-'"
        )
    if len(tag) > TAG_LIMIT:
        raise ReferenceFormatError(text, f"the tag has {len(tag)} characters; at most {TAG_LIMIT} are allowed")


def _check_digest(text: str, digest: str) -> None:
    match = _DIGEST.fullmatch(digest)
    if not match:
        raise ReferenceFormatError(text, f"the digest {digest!r}; a digest is an algorithm, ':' and hexadecimal digits")
    algorithm, encoded = match.groups()
    length = _DIGEST_LENGTHS.get(algorithm)
    if length is None:
        raise ReferenceFormatError(
            text, f"the digest's algorithm {algorithm!r}; accepted are {', '.join(_DIGEST_LENGTHS)}"
        )
    if len(encoded) != length or encoded != encoded.lower():
        raise ReferenceFormatError(
            text, f"the digest {digest!r}; {algorithm} is written as {length} lowercase hexadecimal digits"
        )


def main(arguments: list[str]) -> int:
    """Print each part of each reference given; the exit code is 1 if one of them is not a reference, 2 for none."""
    if not arguments:
        print("usage: python -m components.image_reference REFERENCE...", file=sys.stderr)
        return 2
    failed = False
    for number, text in enumerate(arguments):
        if number:
            print()
        try:
            reference = parse(text)
        except ReferenceFormatError as error:
            print(error, file=sys.stderr)
            failed = True
            continue
        print(f"{text}")
        print(f"  host        {reference.host}")
        print(f"  path        {reference.path}")
        print(f"  tag         {reference.tag or '(none)'}")
        print(f"  digest      {reference.digest or '(none)'}")
        print(f"  long form   {reference.full}")
        print(f"  short form  {reference.short}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
