"""Reads Pulumi's engine events: what a preview or an update says that it does to each resource.

The events are JSON, one a line, as ``pulumi preview --event-log`` and ``pulumi up --event-log`` write them. Their
fields are those of ``EngineEvent`` in Pulumi's Go package ``sdk/v3/go/common/apitype``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, cast

Json: TypeAlias = dict[str, Any]  # pyright: ignore[reportExplicitAny] - JSON, checked where it is used

UNKNOWN: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""Stands for a text that is known only after the update (``plugin.UnknownStringValue`` of Pulumi's SDK for Go)."""

SECRET_MARK: Final = "4dabf18193072939515e22adb298388d"  # noqa: S105 - a key that says what a value is, no secret
"""A mapping with this key is no mapping, but a secret or another special value (``resource.SigKey``)."""

_MARKUP = re.compile(r"<\{%.*?%\}>")
_PATH_PART = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+|\*)\]|([^.\[\]]+)')
_PLAIN_KEY: Final = re.compile(r"[A-Za-z_$][\w$-]*")


class EventsError(Exception):
    """A text that holds no engine events; the message says where."""


@dataclass(frozen=True)
class Difference:
    """A property that differs: its path, such as ``spec.replicas``, and its values in the state and in the program.

    ``None`` stands for a property that is not there. :data:`UNKNOWN` and secrets are as the engine shows them.
    """

    path: str
    before: object
    after: object


@dataclass(frozen=True)
class Step:
    """What happens to one resource. ``operation`` is the engine's: ``create``, ``update``, ``replace``, ``same``, …"""

    urn: str
    type: str
    operation: str
    differences: tuple[Difference, ...] = ()
    before: Mapping[str, object] = field(default_factory=dict[str, object])
    """The inputs in the state; empty for what is created."""
    after: Mapping[str, object] = field(default_factory=dict[str, object])
    """The inputs that the program gives; empty for what is deleted."""
    forced_by: tuple[str, ...] = ()
    """The properties that make it a replacement."""

    @property
    def name(self) -> str:
        """The name in the program."""
        return self.urn.rsplit("::", 1)[-1]

    @property
    def kind(self) -> str:
        """The last part of the type: ``Deployment`` of ``kubernetes:apps/v1:Deployment``."""
        return self.type.rsplit(":", 1)[-1]


@dataclass(frozen=True)
class Message:
    """What the engine or the program said. ``severity`` is ``warning`` or ``error``; ``resource`` may be empty."""

    severity: str
    text: str
    resource: str


@dataclass(frozen=True)
class Finding:
    """What a policy found. ``level`` is ``mandatory``, ``advisory``, …"""

    policy: str
    level: str
    text: str
    resource: str


@dataclass(frozen=True)
class Run:
    """All that one ``preview``, ``up`` or ``refresh`` told."""

    steps: tuple[Step, ...]
    messages: tuple[Message, ...]
    findings: tuple[Finding, ...]
    outputs_before: Mapping[str, object]
    outputs_after: Mapping[str, object]
    finished: bool
    """Whether the engine came to its end; one that was refused or killed did not."""

    @property
    def changes(self) -> tuple[Step, ...]:
        """The steps that change something."""
        return tuple(step for step in self.steps if step.operation not in QUIET)

    @property
    def errors(self) -> tuple[str, ...]:
        """The texts of the error messages."""
        return tuple(message.text for message in self.messages if message.severity == "error")


QUIET: Final = frozenset({"same", "refresh", "read", "read-discard", "discard"})
"""Operations that leave a resource as it is."""

_WHOLE: Final = {"create-replacement": "replace", "delete-replaced": "replace", "discard-replaced": "replace"}
_STACK: Final = "pulumi:pulumi:Stack"


def read(lines: Iterable[str]) -> Run:
    """What the events tell.

    Raises:
        EventsError: a line is no event.
    """
    reader = _Reader()
    for number, line in enumerate(lines, start=1):
        if line.strip():
            reader.take(_event(line, number))
    return Run(
        steps=tuple(reader.steps.values()),
        messages=tuple(reader.messages),
        findings=tuple(reader.findings),
        outputs_before=_state(reader.stack, "old", "outputs"),
        outputs_after=_state(reader.stack, "new", "outputs"),
        finished=reader.finished,
    )


class _Reader:
    """Takes in one event after the other. What is said twice is kept once."""

    def __init__(self) -> None:
        self.steps: dict[str, Step] = {}
        self.messages: dict[Message, None] = {}
        self.findings: dict[Finding, None] = {}
        self.stack: Json = {}
        self.finished = False

    def take(self, event: Json) -> None:
        """Take in one event; kinds that tell nothing about resources are passed over."""
        if pre := event.get("resourcePreEvent"):
            _add(self.steps, _step(pre["metadata"]))
        elif outputs := event.get("resOutputsEvent"):
            self._take_outputs(outputs["metadata"])
        elif diagnostic := event.get("diagnosticEvent"):
            # What plugins say while they end is not about the resources.
            if diagnostic["severity"] in _TOLD and not diagnostic.get("ephemeral") and not self.finished:
                self.messages[_message(diagnostic)] = None
        elif policy := event.get("policyEvent"):
            self.findings[_finding(policy)] = None
        elif summary := event.get("summaryEvent"):
            self.finished = summary.get("result", "succeeded") == "succeeded"

    def _take_outputs(self, metadata: Json) -> None:
        if metadata["type"] == _STACK:
            self.stack = metadata
        elif metadata["op"] == "refresh":
            _add(self.steps, _found_by_refresh(metadata))


_TOLD: Final = ("warning", "error")


def is_secret(value: object) -> bool:
    """Whether the engine marked the value as something that is no plain text, number or list."""
    return isinstance(value, Mapping) and SECRET_MARK in value


def at(values: object, path: str) -> object:
    """The value at a property path, such as ``spec.template.spec.containers[0].image``; ``None`` if there is none.

    A secret on the way is what is given: what lies in it is not known.
    """
    for part in parts(path):
        if is_secret(values) or values == UNKNOWN:
            return values
        if isinstance(values, Mapping):
            values = cast("Mapping[str, object]", values).get(str(part))
        elif isinstance(values, Sequence) and not isinstance(values, str) and isinstance(part, int):
            items = cast("Sequence[object]", values)
            values = items[part] if part < len(items) else None
        else:
            return None
    return values


def parts(path: str) -> list[str | int]:
    """The keys and positions that a property path is made of."""
    return [
        quoted.replace('\\"', '"') if quoted else int(position) if position.isdigit() else position or plain
        for quoted, position, plain in _PATH_PART.findall(path)
    ]


def _event(line: str, number: int) -> Json:
    try:
        event: object = json.loads(line)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        raise EventsError(f"line {number} is no event of Pulumi's engine: {line.strip()[:80]!r}")
    return cast("Json", event)


def _add(steps: dict[str, Step], step: Step) -> None:
    """Take a step in; the several steps of a replacement become one."""
    known = steps.get(step.urn)
    tells_less = known is None or known.operation in QUIET or (known.operation == "replace" and not known.differences)
    if tells_less:
        steps[step.urn] = step


def _step(metadata: Json) -> Step:
    before, after = _state(metadata, "old", "inputs"), _state(metadata, "new", "inputs")
    outputs = _state(metadata, "old", "outputs")
    told: str = metadata["op"]
    operation = _WHOLE.get(told, told)
    return Step(
        urn=metadata["urn"],
        type=metadata["type"],
        operation=operation,
        differences=_differences(metadata, before, after, outputs) if operation in ("update", "replace") else (),
        before=before,
        after=after,
        forced_by=tuple(metadata.get("keys") or ()),
    )


def _found_by_refresh(metadata: Json) -> Step:
    """What a refresh found to be otherwise: the state's values before, and what is there now after."""
    before, after = _state(metadata, "old", "outputs"), _state(metadata, "new", "outputs")
    operation = "same" if not metadata.get("detailedDiff") and metadata.get("new") else "drift"
    differences = _differences(metadata, before, after, before) if operation == "drift" else ()
    return Step(metadata["urn"], metadata["type"], operation, differences, before, after)


def _differences(
    metadata: Json, before: Mapping[str, object], after: Mapping[str, object], outputs: Mapping[str, object]
) -> tuple[Difference, ...]:
    detailed: Json = metadata.get("detailedDiff") or {key: {} for key in metadata.get("diffs") or ()}
    found: list[Difference] = []
    for path in sorted(detailed):
        old, new = at(before, path), at(after, path)
        if not detailed[path].get("inputDiff", True):
            # A difference that a refresh found is one between the outputs and the program's inputs. The docker plugin
            # says so of every difference, also of inputs that are no outputs.
            output = at(outputs, path)
            old = output if output is not None or old == new else old
        found += _within(path, old, new)
    return tuple(found)


def _within(path: str, old: object, new: object) -> list[Difference]:
    """What differs within a property: the docker plugin names `build`, and not what in it."""
    before, after = _object(old), _object(new)
    if old == new or before is None or after is None:
        return [Difference(path, old, new)]
    found: list[Difference] = []
    for key in sorted({*before, *after}):
        if before.get(key) != after.get(key):
            step = f".{key}" if _PLAIN_KEY.fullmatch(key) else "[" + json.dumps(key, ensure_ascii=False) + "]"
            found += _within(path + step, before.get(key), after.get(key))
    return found


def _object(value: object) -> Mapping[str, object] | None:
    return None if is_secret(value) or not isinstance(value, Mapping) else cast("Mapping[str, object]", value)


def _message(diagnostic: Json) -> Message:
    return Message(diagnostic["severity"], _plain(diagnostic["message"]), _name(diagnostic.get("urn", "")))


def _finding(policy: Json) -> Finding:
    name = f"{policy.get('policyPackName', '')}: {policy['policyName']}"
    return Finding(name, policy["enforcementLevel"], _plain(policy["message"]), _name(policy.get("resourceUrn", "")))


def _state(metadata: Json, which: str, what: str) -> Mapping[str, object]:
    state: Json = metadata.get(which) or {}
    return cast("Mapping[str, object]", state.get(what) or {})


def _plain(message: str) -> str:
    return _MARKUP.sub("", message).strip()


def _name(urn: str) -> str:
    return urn.rsplit("::", 1)[-1]
