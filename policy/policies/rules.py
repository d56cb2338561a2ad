"""What a policy is made of: what it is called, what may be set, and a function that finds what breaks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from .values import UNKNOWN, at, elements

Level: TypeAlias = Literal["mandatory", "advisory"]

_KUBERNETES: Final = "kubernetes:"


@dataclass(frozen=True)
class Resource:
    """A resource: its type token, its name in the program, and its properties as :func:`.values.plain` gives them."""

    type: str
    name: str
    properties: Mapping[str, object] = field(default_factory=dict[str, object])
    urn: str = ""

    @property
    def kind(self) -> str:
        """The last part of its type, such as ``Deployment``."""
        return self.type.rpartition(":")[2]

    @property
    def is_of_kubernetes(self) -> bool:
        """Whether it is an object of Kubernetes."""
        return self.type.startswith(_KUBERNETES)

    @property
    def title(self) -> str:
        """How a message calls it: by its kind, and by its name in the cluster where that is told."""
        given = at(self.properties, "metadata", "name") if self.is_of_kubernetes else None
        return f"{self.kind} {given if isinstance(given, str) else self.name}"


@dataclass(frozen=True)
class Setting:
    """What may be set of a policy: a list of strings, or a switch."""

    name: str
    default: tuple[str, ...] | bool
    description: str


@dataclass(frozen=True)
class Settings:
    """The settings of a policy as they were given, with the defaults of those that were not."""

    given: Mapping[str, object]
    declared: Sequence[Setting] = ()

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings."""
        default = self._default(name)
        return tuple(map(str, elements(self.given.get(name, list(default) if isinstance(default, tuple) else []))))

    def is_on(self, name: str) -> bool:
        """A switch."""
        return bool(self.given.get(name, self._default(name)))

    def _default(self, name: str) -> tuple[str, ...] | bool:
        return next(setting.default for setting in self.declared if setting.name == name)


@dataclass(frozen=True)
class Rule:
    """A policy about one resource, judged before that is created or changed.

    ``check`` gives a sentence for each thing that is wrong: which part, what it has, what is accepted, how to set it.
    """

    name: str
    description: str
    check: Callable[[Resource, Settings], Iterator[str]]
    settings: tuple[Setting, ...] = ()
    level: Level = "mandatory"


@dataclass(frozen=True)
class StackRule:
    """A policy about all resources together, judged when all are there: in a preview before anything changes.

    ``check`` gives what is wrong, each with the resource that it is about.
    """

    name: str
    description: str
    check: Callable[[Sequence[Resource], Settings], Iterator[tuple[Resource, str]]]
    settings: tuple[Setting, ...] = ()
    level: Level = "mandatory"


def shown(value: object) -> str:
    """A value as a message shows it."""
    if value is None:
        return "nothing"
    return "what is not known yet" if value is UNKNOWN else repr(value)
