"""Reads single keys of a stack's configuration, and collects the mistakes instead of stopping at the first."""

from __future__ import annotations

import difflib
import json
import re
import shlex
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, cast

from pulumi.runtime import config

from stack_file import Misreading, step


@dataclass(frozen=True)
class Mistake:
    """One thing in a stack's configuration that cannot be used."""

    key: str
    received: str
    accepted: str
    remedy: str

    def __str__(self) -> str:
        """The mistake in four lines."""
        return "\n    ".join(
            (f"  {self.key}", f"received: {self.received}", f"accepted: {self.accepted}", f"to set it: {self.remedy}")
        )


class SettingsError(Exception):
    """The configuration of a stack cannot be used; the message tells every mistake in it."""

    def __init__(self, stack: str, mistakes: list[Mistake]) -> None:
        count = "1 setting" if len(mistakes) == 1 else f"{len(mistakes)} settings"
        listing = "\n".join(map(str, mistakes))
        super().__init__(f"{count} of the stack {stack!r} cannot be used; nothing was changed.\n{listing}")
        self.mistakes = tuple(mistakes)


@dataclass(frozen=True)
class Configuration:
    """All configuration of a stack: full key (``project:key``) to text, which is JSON where the value is structured.

    ``secret`` has the keys whose values are encrypted in the stack file.
    """

    values: Mapping[str, str]
    secret: Collection[str] = ()


def configured() -> Configuration:
    """The configuration of the running stack, as the engine handed it over."""
    values = {**config.get_config_env(), **config.CONFIG.get()}
    return Configuration(values, {key for key in values if config.is_config_secret(key)})


class Reader:
    """Reads the settings of one project.

    A key that a mapping holds is written with a dot: ``registry.kind``.
    """

    def __init__(self, project: str, configuration: Configuration) -> None:
        self.project = project
        self.mistakes: list[Mistake] = []
        self._secret = configuration.secret
        dotted = sorted(key for key in configuration.values if key.startswith(f"{project}:") and _nested(key))
        # `pulumi config set a.b x` without --path makes a key whose name has a dot, which belongs to no mapping.
        self._values = {key: value for key, value in configuration.values.items() if key not in dotted}
        for key in dotted:
            self._refuse_dotted(key, configuration.values[key])
        self._known: set[str] = set()
        self._paths: dict[str, str] = {}
        self._sections: dict[str, str] = {}

    def text(self, key: str, accepted: str, accepts: Callable[[str], bool], example: str) -> str:
        """The text of a key; refused unless ``accepts`` takes it."""
        value = self._value(key)
        if not accepts(value):
            self.refuse(key, value, accepted, example)
        return value

    def optional(self, key: str, accepted: str, accepts: Callable[[str], bool], example: str) -> str | None:
        """The text of a key, ``None`` where it is empty."""
        return self.text(key, f"{accepted}, or nothing", lambda value: not value or accepts(value), example) or None

    def choice(self, key: str, choices: Collection[str], default: str | None = None) -> str:
        """One of ``choices``; ``default`` where the key is empty."""
        if default is not None and not self._value(key):
            return default
        *others, last = choices
        accepted = f"{', '.join(others)} or {last}" if others else last
        return self.text(key, accepted, choices.__contains__, next(iter(choices)))

    def switch(self, key: str) -> bool:
        """True or false."""
        return self.text(key, "true or false", ("true", "false").__contains__, "true") == "true"

    def number(self, key: str, within: range, example: int) -> int:
        """A whole number."""
        accepted = f"a whole number from {within.start} to {within.stop - 1}"
        value = self.text(key, accepted, lambda text: _whole(text) in within, str(example))
        return _whole(value) or 0

    def optional_number(self, key: str, within: range) -> int | None:
        """A whole number, ``None`` where the key is empty."""
        accepted = f"a whole number from {within.start} to {within.stop - 1}"
        value = self.optional(key, accepted, lambda text: _whole(text) in within, str(max(within.start, 1)))
        return _whole(value) if value else None

    def is_given(self, key: str) -> bool:
        """Whether a key has a value."""
        return bool(self._value(key))

    def secret(self, key: str) -> str | None:
        """A text that the stack file must hold encrypted, ``None`` where the key is empty.

        It is never shown, and a plain one is refused with the command that makes it a secret.
        """
        value = self._value(key)
        if value and f"{self.project}:{key}" not in self._secret:
            self.note(
                key,
                "a value in plain text (not shown here)",
                "a secret, which the stack file holds encrypted; treat the plain one as known to others",
                self.to_set_secret(key),
            )
        return value or None

    def need_secret(self, key: str, accepted: str) -> None:
        """Note that a secret is missing."""
        self.note(key, "nothing", accepted, self.to_set_secret(key))

    def mapping(self, key: str, accepted: str, example: str) -> dict[str, str]:
        """A mapping of names to texts, such as ``{a: x}``; empty where the key is."""
        value = self._structured(key, "{}")
        if not isinstance(value, dict):
            self.refuse(key, self._value(key), accepted, example)
            return {}
        entries = cast("dict[str, object]", value)
        for name, entry in entries.items():
            if isinstance(entry, (dict, list)):
                self.refuse_entry(key, name, accepted, json.dumps(entry))
        return {name: _text(entry) for name, entry in entries.items() if not isinstance(entry, (dict, list))}

    def texts(self, key: str, accepted: str, problem: Callable[[str], str | None], example: str) -> tuple[str, ...]:
        """A list of texts; each is refused for which ``problem`` gives one."""
        value = self._structured(key, "[]")
        plain = example.strip("'\"")
        if not isinstance(value, list):
            listed = json.dumps([plain])
            self.refuse(key, self._value(key), f"a list; each entry is {accepted}", f"'{listed}'")
            return ()
        texts: list[str] = []
        for index, entry in enumerate(cast("list[object]", value)):
            text = json.dumps(entry) if isinstance(entry, (dict, list)) else _text(entry)
            found = problem(text)
            if found:
                told = accepted if accepted in found else f"{accepted}; {found}"
                entry_key = f"{key}[{index}]"
                if problem(plain):
                    self.note(entry_key, _shown(text), told, self.to_remove(entry_key))
                else:
                    self.refuse(entry_key, text, told, example)
            texts.append(text)
        return tuple(texts)

    def section(self, key: str, example: str, *, required: bool = False) -> frozenset[str]:
        """Open a mapping, so that its entries are read by ``key.entry``; gives the names that it holds.

        One that is ``required`` may not be empty.
        """
        value = self._structured(key, "{}")
        if not isinstance(value, dict) or (required and not value):
            self.refuse(key, self._value(key), "a mapping", example)
            return frozenset()
        entries = cast("dict[str, object]", value)
        for name, entry in entries.items():
            nested = json.dumps(entry) if isinstance(entry, (dict, list)) else _text(entry)
            self._values[f"{self.project}:{key}.{name}"] = nested
            self._sections[f"{key}.{name}"] = key
            self._paths[f"{key}.{name}"] = self._path(key) + step(name)
        return frozenset(entries)

    def refuse(self, key: str, received: str, accepted: str, example: str) -> None:
        """Note a mistake; ``example`` is a value that would be accepted, as a shell reads it."""
        remedy = f"pulumi config set {self._argument(key)} {example}"
        self.note(key, _shown(received), accepted, remedy)

    def refuse_entry(self, mapping: str, name: str, accepted: str, received: str = "") -> None:
        """Note a mistake in an entry of a mapping, for which there is nothing to propose but to take it out."""
        key = f"{mapping}.{name}"
        self._paths[key] = self._path(mapping) + step(name)
        self.note(key, _shown(received), accepted, self.to_remove(key))

    def to_remove(self, key: str) -> str:
        """The command that takes a key out of the stack file."""
        return f"pulumi config rm {self._argument(key)}"

    def note(self, key: str, received: str, accepted: str, remedy: str) -> None:
        """Note a mistake whose remedy is a command of its own."""
        self.mistakes.append(Mistake(f"{self.project}:{self._path(key)}", received, accepted, remedy))

    def refuse_unknown(self) -> None:
        """Note each key of the project that nothing has read."""
        for full in sorted(self._values):
            project, _, key = full.partition(":")
            if project != self.project or key in self._known:
                continue
            section = self._sections.get(key)
            before = f"{section}." if section else ""
            known = sorted(name for name in self._known if name.startswith(before) and "." not in name[len(before) :])
            close = difflib.get_close_matches(key, known, 1)
            accepted = f"{f'did you mean {close[0]}? ' if close else ''}one of {', '.join(known)}"
            self.note(key, "a setting that this program does not have", accepted, self.to_remove(key))

    def refuse_misread(self, misreading: Misreading) -> None:
        """Note a value of this project that YAML reads otherwise than it is written."""
        full, written = misreading.path, misreading.written
        if not full.startswith(f"{self.project}:"):
            return
        key = full.partition(":")[2]
        self.note(
            key,
            f"{written}, which YAML reads as {misreading.read}",
            f"a plain decimal number, or the text in quotes: '{written}'",
            f"pulumi config set {self._argument(key)} {shlex.quote(written)}",
        )

    def _refuse_dotted(self, full: str, value: str) -> None:
        is_secret = full in self._secret
        shown = "" if is_secret else f" {shlex.quote(value)}"
        self.mistakes.append(
            Mistake(
                full,
                "a key with a dot or a bracket in its name, which no setting has",
                "an entry of a mapping or a list, set with --path",
                f"pulumi config rm {shlex.quote(full)} && "
                f"pulumi config set {'--secret ' if is_secret else ''}--path {shlex.quote(full)}{shown}",
            )
        )

    def _path(self, key: str) -> str:
        """A key as ``pulumi config set --path`` takes it."""
        return self._paths.get(key, key)

    def _argument(self, key: str) -> str:
        path = self._path(key)
        return f"{'--path ' if _nested(path) else ''}{shlex.quote(f'{self.project}:{path}')}"

    def to_set_secret(self, key: str) -> str:
        """The command that asks for a secret, or takes it as its last argument."""
        return f"pulumi config set --secret {self.project}:{key}"

    def _value(self, key: str) -> str:
        self._known.add(key)
        return self._values.get(f"{self.project}:{key}", "")

    def _structured(self, key: str, empty: str) -> Any:
        try:
            return json.loads(self._value(key) or empty)
        except ValueError:
            return None


def _nested(key: str) -> bool:
    return any(sign in key for sign in ".[")


def matches(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    """Whether a whole text is as ``pattern`` says."""
    return lambda value: pattern.fullmatch(value) is not None


def _shown(received: str) -> str:
    return repr(received) if received else "nothing"


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _whole(text: str) -> int | None:
    # int() also takes "1_0", " 1" and digits of other scripts.
    return int(text) if re.fullmatch(r"-?[0-9]{1,9}", text) else None
