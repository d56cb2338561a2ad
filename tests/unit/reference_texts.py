"""Texts that are image references, and texts that nearly are: the same ones for the same seed."""

from __future__ import annotations

import itertools
import string
from collections.abc import Callable, Iterator
from random import Random
from typing import Final

from components.image_reference import PATH_LIMIT, TAG_LIMIT

_SHORT_ALPHABET: Final = "aB0._-:/@"
_SHORT: Final = 4
_LOWER: Final = string.ascii_lowercase + string.digits
_WORD: Final = string.ascii_letters + string.digits + "_"
_ODD: Final = (
    *("", " ", "\n", "\t", "\r\n", "\0", "\x1b", "\x7f", "\u00a0", "\u2028", "\ufeff", "\u0430", "\u00e9", "\u0130"),
    *("\u212a", "\u0661", "\uff0e", "\U0001f40b", "e\u0301", "\ud800", "%2f", "\\", "*", "$", "~", "+", "=", "#", "?"),
)
_LETTERS: Final = "aZ09._-:/@[]"


def short_texts() -> Iterator[str]:
    """Every text of a few characters that mean something in a reference."""
    for length in range(_SHORT + 1):
        for characters in itertools.product(_SHORT_ALPHABET, repeat=length):
            yield "".join(characters)


def texts(seed: int, count: int) -> Iterator[str]:
    """So many texts: references by their grammar, with mistakes in some; one in four is then changed by chance."""
    random = Random(seed)  # noqa: S311 - it is to give the same numbers again, not to keep a secret
    for _ in range(count):
        text = _reference(random)
        while random.random() < 0.25:
            text = _changed(random, text)
        yield text


def _reference(random: Random) -> str:
    if random.random() < 0.03:
        return _some(random, random.choice(["0123456789abcdef", string.hexdigits]), random.choice([63, 64, 64, 65]))
    host = _host(random)
    path = _long_path(random, host) if random.random() < 0.08 else _path(random)
    text = f"{host}/{path}" if host else path
    if random.random() < 0.5:
        text += f":{_tag(random)}"
    if random.random() < 0.35:
        text += f"@{_digest(random)}"
    return text


def _some(random: Random, alphabet: str, length: int) -> str:
    return "".join(random.choices(alphabet, k=length))


def _host(random: Random) -> str:
    kinds: dict[Callable[[], str], int] = {
        lambda: "": 25,
        lambda: random.choice(["docker.io", "index.docker.io", "localhost", "registry-1.docker.io"]): 25,
        lambda: _name(random): 25,
        lambda: ".".join(str(random.randrange(300)) for _ in range(4)): 6,
        lambda: f"[{_some(random, string.hexdigits + ':::', random.randrange(12))}]": 8,
        lambda: random.choice(["[::1]", "[2001:db8::1]", "[fe80::1%25eth0]", "[::ffff:1.2.3.4]", "::1", "[::1"]): 6,
        lambda: random.choice(
            ["Registry", "LOCALHOST", "Docker.io", "INDEX.docker.io", "my_registry.local", "a_b.C"]
        ): 8,
        lambda: random.choice(
            ["-a.io", "a-.io", "a..io", ".io", "io.", "https:/", "user:word@a.io", "a.io.", "a.io\n", "\u0661.2.3.4"]
        ): 3,
    }
    host = random.choices(list(kinds), list(kinds.values()))[0]()
    if host and random.random() < 0.3:
        host += random.choice(
            [":5000", ":80", ":0", ":99999", ":", ":5x", ":-1", ":\u0665\u0660", f":{random.randrange(70000)}"]
        )
    return host


def _name(random: Random) -> str:
    labels = [
        _some(random, _LOWER, random.randint(1, 8)) + random.choice(["", "", "-1", "--2", "Z"])
        for _ in range(random.randint(1, 4))
    ]
    return ".".join(labels)


def _path(random: Random) -> str:
    components = [_component(random) for _ in range(random.choice([1, 1, 2, 2, 3, 5]))]
    if random.random() < 0.15:
        components.insert(0, random.choice(["library", "library", "Library", "localhost", "docker.io"]))
    return "/".join(components)


def _component(random: Random) -> str:
    pieces = [_some(random, _LOWER, random.randint(1, 6)) for _ in range(random.choice([1, 1, 1, 2, 3]))]
    text = pieces[0]
    for piece in pieces[1:]:
        rare = random.random() < 0.06
        separators = ["___", "..", "._", "-_", "_."] if rare else [".", "_", "__", "-", "--", "-----"]
        text += random.choice(separators) + piece
    return text if random.random() < 0.97 else random.choice(["", "-a", "a-", "_a", "a.", "aBc", "A"])


def _long_path(random: Random, host: str) -> str:
    """One about as long as is allowed, with `library/` before it where that is added."""
    added = len("library/") if host in {"", "docker.io", "index.docker.io"} and random.random() < 0.5 else 0
    left = PATH_LIMIT - added + random.choice([-1, 0, 0, 1, 2])
    if added:
        return _some(random, _LOWER, left)
    first = random.randint(1, 40)
    return f"{_some(random, _LOWER, first)}/{_some(random, _LOWER, left - first - 1)}"


def _tag(random: Random) -> str:
    chance = random.random()
    if chance < 0.12:
        return _some(random, _WORD, TAG_LIMIT + random.choice([-1, 0, 0, 1, 2]))
    if chance < 0.2:
        return random.choice(
            ["", ".", "-", ".a", "-a", "a:b", "a/b", "v1+2", "é", "latest\n", " ", "_", "0", "1.0-rc.1"]
        )
    return _some(random, _WORD, 1) + _some(random, _WORD + ".-", random.randrange(12))


def _digest(random: Random) -> str:
    algorithm, length = random.choice([("sha256", 64), ("sha256", 64), ("sha384", 96), ("sha512", 128)])
    digits = "0123456789abcdef"
    chance = random.random()
    if chance < 0.1:
        length = random.choice([0, 1, 31, 32, 40, 63, 64, 65, 96, 128, 129])
    elif chance < 0.2:
        algorithm = random.choice(
            ["md5", "sha1", "SHA256", "Sha512", "sha224", "sha256+b64", "sha3-256", "", "1a", "sha_2.x"]
        )
    elif chance < 0.25:
        digits = string.hexdigits
    elif chance < 0.28:
        digits = _WORD + "=-"
    return f"{algorithm}{':' if random.random() < 0.97 else ''}{_some(random, digits, length)}"


def _changed(random: Random, text: str) -> str:
    place = random.randint(0, len(text))
    before, after = text[:place], text[place:]
    extra = random.choice(_ODD) if random.random() < 0.4 else random.choice(_LETTERS)
    mark = random.choice("/:@")
    changes: list[Callable[[], str]] = [
        lambda: text.replace(mark, extra + mark, 1),
        lambda: text.replace(mark, mark + extra, 1),
        lambda: before + extra + after,
        lambda: before + extra + after[1:],
        lambda: before + after[1:],
        lambda: before + after[:1] + after,
        lambda: before + after[:1].swapcase() + after[1:],
        lambda: after + before,
        lambda: text + extra,
        lambda: extra + text,
        lambda: before,
        lambda: after,
    ]
    return random.choice(changes)()
