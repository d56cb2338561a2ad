"""Image references: parse, expand, normalize and print them, as the container tools do.

The grammar, its limits and the expansion of short names are those of the reference implementation, the Go package
``github.com/distribution/reference``. A reference is ``[host[:port]/]path[:tag][@digest]``; a first component counts as
a host if it holds a ``.`` or a ``:``, is ``localhost``, or holds a capital letter (no path may).
"""

from __future__ import annotations

import os
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

_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?")
_OPEN_ADDRESS = re.compile(r"\[[a-fA-F0-9:]*")
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")
_SEPARATOR = r"(?:[._]|__|-+)"
_PATH_COMPONENT = re.compile(rf"[a-z0-9]+(?:{_SEPARATOR}[a-z0-9]+)*")
_PUNCTUATION = re.compile(r"[._-]+")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_HEXADECIMAL = re.compile(r"[0-9a-f]*")
_IDENTIFIER = re.compile(r"[a-f0-9]{64}")

_HOST_RULE: Final = "a host is a name, an IPv4 address or an IPv6 address in brackets, with ':' and a port or without"
_COMPONENT_RULE: Final = (
    "a component is lowercase letters and digits, with single '.', '_', '__' or any number of '-' between them"
)
_TAG_RULE: Final = "a tag is letters, digits, '_', '.' and '-', and does not start with '.' or '-'"
_DIGEST_RULE: Final = f"a digest is {' or '.join(_DIGEST_LENGTHS)}, then ':' and hexadecimal digits"


class ReferenceFormatError(ValueError):
    """A text that is not an image reference; the message says what is wrong, and where."""

    def __init__(self, text: str, problem: str, part: str | None = None, position: int = 0) -> None:
        where = f"{part}, character {position + 1}: " if part else ""
        super().__init__(f"{text!r} is not an image reference: {where}{problem}")
        self.part = part
        """``host``, ``repository``, ``tag`` or ``digest``; ``None`` where the whole text is wrong."""
        self.position = position
        """Where in the text the mistake is, from 0; the text's length where something is missing at its end."""


@dataclass(frozen=True)
class ImageReference:
    """One image reference in its full form.

    ``host`` and ``path`` are always there; ``tag`` and ``digest`` (``sha256:…``) are ``None`` where the text has none.
    ``host`` is empty in one case, as it is in the reference implementation: where the first component has a ``.``, as
    only a host has, and a ``_``, as only a path has (``my_registry.local/app``). It parses, and nobody can pull it.
    """

    host: str
    path: str
    tag: str | None = None
    digest: str | None = None

    @property
    def repository(self) -> str:
        """The host and path: what a tag or a digest names an image in."""
        return f"{self.host}/{self.path}" if self.host else self.path

    @property
    def full(self) -> str:
        """The whole reference, with the tag ``latest`` where it names neither a tag nor a digest."""
        default = "" if self.tag or self.digest else f":{_DEFAULT_TAG}"
        return f"{self.repository}{self._which}{default}"

    @property
    def short(self) -> str:
        """The text without Docker Hub's host and ``library/``; the tag only as it was given.

        It means the same to a reader, and to ``parse`` unless what is left looks like something else: the short form of
        ``docker.io/a.b/c`` is ``a.b/c``, which is a repository on the host ``a.b``.
        """
        name = self.repository
        if self.host == DOCKER_HUB:
            name = self.path
            official = self.path.removeprefix(_OFFICIAL_PREFIX)
            if official != self.path and "/" not in official:
                name = official
        return name + self._which

    def under(self, place: str) -> str:
        """The same path, tag and digest below ``place`` (``<host>[/<path>]``), such as a mirror's."""
        return f"{place}/{self.path}{self._which}"

    @property
    def _which(self) -> str:
        """The tag and the digest, as they were given."""
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

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
    if scheme := _SCHEME.match(text):
        raise ReferenceFormatError(text, f"{scheme[0]!r} is a URL's scheme; a reference has none", "host")
    host, remainder, start = _split_host(text)
    name, at, digest = remainder.partition("@")
    path, colon, tag = name.partition(":")
    _check(text, "host", 0, _host_mistake(host))
    _check(text, "repository", start, _path_mistake(path))
    start += len(path) + len(colon)
    if colon:
        _check(text, "tag", start, _tag_mistake(tag))
    if at:
        _check(text, "digest", start + len(tag) + 1, _digest_mistake(digest))
    return ImageReference(host, path, tag if colon else None, digest if at else None)


def _split_host(text: str) -> tuple[str, str, int]:
    """The host, what comes after it, and where in the text that begins: before its start if ``library/`` was added."""
    first, slash, rest = text.partition("/")
    if not slash:
        return DOCKER_HUB, _OFFICIAL_PREFIX + text, -len(_OFFICIAL_PREFIX)
    if first != "localhost" and "." not in first and ":" not in first and first == first.lower():
        return DOCKER_HUB, text, 0
    if "_" in first and _PATH_COMPONENT.fullmatch(first):
        return "", text, 0
    start = len(first) + 1
    host = DOCKER_HUB if first == _LEGACY_DOCKER_HUB else first
    if host == DOCKER_HUB and "/" not in rest:
        return host, _OFFICIAL_PREFIX + rest, start - len(_OFFICIAL_PREFIX)
    return host, rest, start


_Mistake = tuple[int, str]
"""Where in a part, and what it is."""


def _check(text: str, part: str, start: int, mistake: _Mistake | None) -> None:
    if mistake is not None:
        raise ReferenceFormatError(text, mistake[1], part, start + mistake[0])


def _valid_length(rule: re.Pattern[str], text: str) -> int:
    """How many of the first characters are as they should be."""
    match = rule.match(text)
    return match.end() if match else 0


def _host_mistake(host: str) -> _Mistake | None:
    position = _valid_length(_HOST, host)
    if position == len(host):
        return None
    if position == 0:
        position = _valid_length(_OPEN_ADDRESS, host)
    wrong = host[position : position + 1]
    if not wrong:
        return position, f"']' is missing; {_HOST_RULE}"
    if wrong == ":":
        return position, f"':' without a port, which is a number; {_HOST_RULE}"
    return position, f"{_shown(wrong)} cannot stand here; {_HOST_RULE}"


def _path_mistake(path: str) -> _Mistake | None:
    start = 0
    for component in path.split("/"):
        mistake = _component_mistake(component)
        if mistake is not None:
            return start + mistake[0], f"{mistake[1]}; {_COMPONENT_RULE}"
        start += len(component) + 1
    if len(path) > PATH_LIMIT:
        return PATH_LIMIT, f"{path[:20]!r}… has {len(path)} characters; at most {PATH_LIMIT} are allowed"
    return None


def _component_mistake(component: str) -> _Mistake | None:
    position = _valid_length(_PATH_COMPONENT, component)
    if position == len(component):
        return None if component else (0, "a component is empty")
    between = _PUNCTUATION.match(component, position)
    if between:
        if position == 0:
            return 0, f"the component {component!r} starts with {between[0]!r}"
        if between.end() == len(component):
            return position, f"the component {component!r} ends with {between[0]!r}"
        if not re.fullmatch(_SEPARATOR, between[0]):
            return position, f"{between[0]!r} inside the component {component!r}"
        position = between.end()
    wrong = component[position]
    if wrong != wrong.lower():
        return position, f"{_shown(wrong)} is a capital letter, and a repository must be lowercase"
    return position, f"{_shown(wrong)} is not allowed"


def _tag_mistake(tag: str) -> _Mistake | None:
    if not tag:
        return 0, f"':' without a tag; {_TAG_RULE}"
    position = _valid_length(_TAG, tag)
    if position < len(tag):
        return position, f"{_shown(tag[position])} cannot stand here; {_TAG_RULE}"
    if len(tag) > TAG_LIMIT:
        return TAG_LIMIT, f"{tag[:20]!r}… has {len(tag)} characters; at most {TAG_LIMIT} are allowed"
    return None


def _digest_mistake(digest: str) -> _Mistake | None:
    algorithm, colon, encoded = digest.partition(":")
    length = _DIGEST_LENGTHS.get(algorithm)
    if not digest:
        return 0, f"'@' without a digest; {_DIGEST_RULE}"
    if length is None:
        return 0, f"the algorithm {algorithm!r} is not known; {_DIGEST_RULE}"
    if not colon:
        return len(digest), f"':' is missing; {_DIGEST_RULE}"
    start = len(algorithm) + 1
    position = _valid_length(_HEXADECIMAL, encoded)
    rule = f"{algorithm} is written as {length} lowercase hexadecimal digits"
    if position < len(encoded):
        return start + position, f"{_shown(encoded[position])} cannot stand here; {rule}"
    if len(encoded) != length:
        return start + min(position, length), f"it has {len(encoded)} digits; {rule}"
    return None


def _shown(character: str) -> str:
    """A character as it looks, and its number where it could be taken for another."""
    return repr(character) if character.isascii() else f"{character!r} (U+{ord(character):04X})"


def describe(text: str) -> str:
    """Each part of a reference and both of its forms, one a line, with a note on what ``text`` left out.

    Raises:
        ReferenceFormatError: the text is not a reference.
    """
    reference = parse(text)
    rows = [
        ("host", reference.host or "(none)", _host_note(text, reference)),
        ("path", reference.path, _path_note(text, reference)),
        ("tag", *_tag_and_note(reference)),
        ("digest", reference.digest or "(none)", ""),
        ("long form", reference.full, ""),
        ("short form", reference.short, _short_note(reference)),
    ]
    return "\n".join([text, *(f"  {name:<10}  {value}{f'  ({note})' if note else ''}" for name, value, note in rows)])


def _host_note(text: str, reference: ImageReference) -> str:
    if not reference.host:
        return f"{text.partition('/')[0]} would be one, but a host has no '_'"
    if text.startswith(f"{reference.host}/"):
        return ""
    if text.startswith(f"{_LEGACY_DOCKER_HUB}/"):
        return f"{_LEGACY_DOCKER_HUB} is the same place"
    return "not given: Docker Hub"


def _path_note(text: str, reference: ImageReference) -> str:
    return "" if reference.path in text else "library/ is added: an official image of Docker Hub"


def _tag_and_note(reference: ImageReference) -> tuple[str, str]:
    if reference.tag:
        return reference.tag, "the digest decides" if reference.digest else ""
    if reference.digest:
        return "(none)", "the digest says which image"
    return _DEFAULT_TAG, "not given: the default"


def _short_note(reference: ImageReference) -> str:
    try:
        same = parse(reference.short) == reference
    except ReferenceFormatError:
        same = False
    return "" if same else "it would be read as something else: use the long form"


def main(arguments: list[str]) -> int:
    """Print each part of each reference given; the exit code is 1 if one of them is not a reference, 2 for none."""
    if not arguments or arguments[0] in {"-h", "--help"}:
        print("usage: python -m components.image_reference REFERENCE...", file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else 2
    failed = False
    for number, text in enumerate(arguments):
        try:
            described = describe(text)
        except ReferenceFormatError as error:
            print(error, file=sys.stderr)
            failed = True
        else:
            print(f"\n{described}" if number else described)
    return 1 if failed else 0


def _run() -> int:
    """The command's exit code; 1 if nobody reads what it prints, or it cannot be written."""
    try:
        code = main(sys.argv[1:])
        print(end="", flush=True)
    except OSError as error:
        # Python flushes once more as it ends: https://docs.python.org/3/library/signal.html#note-on-sigpipe
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        if isinstance(error, BrokenPipeError):
            os.dup2(nowhere, 2)
        else:
            print(f"cannot write: {error}", file=sys.stderr)
        return 1
    return code


if __name__ == "__main__":
    sys.exit(_run())
