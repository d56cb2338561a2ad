"""When each resource of one `pulumi up` began and ended: as data, as lines of text, and as a picture."""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks import drawing
from tests.plugins.engine_support import UP, Outcome, Project

SHORTEST: Final = 0.5
"""Seconds; what takes less is left out of lines and picture."""

START: Final = "engine and program"
"""The name of what is before the first resource: the engine starts, and the program is imported."""

ENDED: Final = "pulumi up has ended"
"""The mark of the end of the command."""

_PUSH: Final = 0.45  # opacity
_WAIT: Final = 0.15  # opacity
_COLUMNS: Final = 4  # of the legend, as many as the width has room for
_LOOK: Final = 0.02  # seconds between two looks at the event log
_KINDS: Final = (
    # A URN's type, or the package that it begins with, to what readers call it.
    ("docker:", "image"),
    ("kubernetes:apps/v1:Deployment:", "Deployment"),
    ("kubernetes:core/v1:Service:", "Service"),
    ("aws:ecr/", "registry"),
)
_COLOURS: Final[Mapping[str, str]] = dict(zip((kind for _, kind in _KINDS), drawing.COLOURS, strict=False))
_OTHER: Final = "#80868b"


@dataclass(frozen=True)
class Span:
    """One resource, in seconds after the start of the command."""

    urn: str
    began: float
    ended: float
    pushed_from: float | None = None
    """When an image was built and its push began."""
    waited_from: float | None = None
    """When an image was built and its push had to wait for another one."""

    @property
    def name(self) -> str:
        """Like ``Deployment webui``."""
        if "::" not in self.urn:
            return self.urn
        kind, name = self.urn.split("::")[-2:]
        return f"{kind.rpartition(':')[2]} {name}"

    @property
    def kind(self) -> str:
        """One of image, Deployment, Service, registry, other."""
        token = self.urn.split("::")[-2].rpartition("$")[2] if "::" in self.urn else ""
        return next((kind for prefix, kind in _KINDS if f"{token}:".startswith(prefix)), "other")

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.began


@dataclass(frozen=True)
class Timeline:
    """One `pulumi up`."""

    spans: tuple[Span, ...] = ()
    """In order of their beginning."""
    depends: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    """URN to the URNs that it waits for."""
    marks: Mapping[str, float] = field(default_factory=dict[str, float])
    """What else happened, in seconds after the start of the command."""

    @property
    def chain(self) -> list[Span]:
        """What bounds it: from what ended last back to what that waited for longest, and so on; in order of time."""
        of = {span.urn: span for span in self.spans}
        found: list[Span] = []
        following = max(self.spans, key=lambda span: span.ended, default=None)
        while following is not None and following not in found:
            found.append(following)
            before = [of[urn] for urn in self.depends.get(following.urn, ()) if urn in of]
            following = max(before, key=lambda span: span.ended, default=of.get(START))
        return found[::-1]


def followed(project: Project) -> tuple[Outcome, Timeline]:
    """Run `pulumi up`, and note when the engine tells what it does.

    The engine's own timestamps are whole seconds (`timestamp` of an EngineEvent, sdk/go/common/apitype/events.go), so
    the event log is read while it grows, and each line gets the time at which it was seen, to about 0.02 s. What waits
    for what is not among the events: see ``dependencies``.
    """
    with tempfile.TemporaryDirectory(prefix="dockercoins-events-") as folder:
        log = Path(folder) / "events"
        seen: list[tuple[float, dict[str, Any]]] = []
        ended = threading.Event()
        began = time.monotonic()
        follower = threading.Thread(target=follow, args=(log, ended, seen, lambda: time.monotonic() - began))
        follower.start()
        try:
            ran = project.run(*UP, "--event-log", str(log))
        finally:
            ended.set()
            follower.join()
        marks = {ENDED: time.monotonic() - began}
    outcome = Outcome(("up",), ran.exit_code, ran.stdout + ran.stderr, tuple(event for _, event in seen))
    return outcome, Timeline(tuple(spans(seen)), marks=marks)


def follow(
    log: Path, ended: threading.Event, seen: list[tuple[float, dict[str, Any]]], clock: Callable[[], float]
) -> None:
    """Read the events from a file that another process writes, until that has ended and nothing is left.

    Args:
        log: a line of JSON each; it need not be there yet.
        ended: whether the other process has.
        seen: gets each event with the time of the look that found it whole.
        clock: tells that time.
    """
    rest = ""
    position = 0
    while True:
        # Asked first: what was written before the end is read after it.
        last = ended.is_set()
        if log.exists():
            with log.open(encoding="utf-8") as stream:
                stream.seek(position)
                rest += stream.read()
                position = stream.tell()
            at = clock()
            *whole, rest = rest.split("\n")
            seen += [(at, json.loads(line)) for line in whole if line]
        if last:
            return
        ended.wait(_LOOK)


def dependencies(project: Project) -> dict[str, list[str]]:
    """The URN of each resource in the state to the URNs that it waits for, its provider among them."""
    resources: list[dict[str, Any]] = project.export()["deployment"].get("resources", [])
    return {item["urn"]: [*item.get("dependencies", ()), *_provider(item)] for item in resources}


def spans(events: Iterable[tuple[float, Mapping[str, Any]]]) -> list[Span]:
    """Each resource that has an end among the events, in order of their beginning; what only groups others is none.

    Args:
        events: seconds after the start of the command, and the engine's event.
    """
    begun: dict[str, float] = {}
    pushed: dict[str, float] = {}
    waited: dict[str, float] = {}
    found: list[Span] = []
    for at, event in events:
        if "resourcePreEvent" in event:
            if not begun:
                found.append(Span(START, 0, at))
            begun[event["resourcePreEvent"]["metadata"]["urn"]] = at
        elif "resOutputsEvent" in event:
            metadata: dict[str, Any] = event["resOutputsEvent"]["metadata"]
            urn: str = metadata["urn"]
            state: dict[str, Any] = metadata.get("new") or {}
            if urn in begun and state.get("custom"):
                found.append(Span(urn, begun[urn], at, pushed.get(urn), waited.get(urn)))
        elif "diagnosticEvent" in event:
            message: str = event["diagnosticEvent"]["message"].lower()
            for first_seen, beginning in ((pushed, "pushing "), (waited, "waiting for another push ")):
                if message.startswith(beginning):
                    first_seen.setdefault(event["diagnosticEvent"].get("urn", ""), at)
    return sorted(found, key=lambda span: (span.began, span.ended, span.urn))


def lines(timeline: Timeline, shortest: float = SHORTEST) -> list[str]:
    """What took so many seconds or more, when it began and ended; ``*`` before what is of the chain that bounds it."""
    chain = set(timeline.chain)
    told = [
        f"{'*' if span in chain else ' '} {span.began:5.1f} s to {span.ended:5.1f} s  {span.name}{_pushed(span)}"
        for span in timeline.spans
        if span.seconds >= shortest
    ]
    return told + [f"  {at:5.1f} s{'':13}{mark}" for mark, at in timeline.marks.items()]


def draw(timeline: Timeline, file: Path, shortest: float = SHORTEST, title: str = "") -> None:
    """Draw a bar for each resource that takes so many seconds or more, and a line for each mark.

    A bar has the colour of its kind; of an image's, the lighter part is its push, and the lightest waits for another
    push; those of the chain that bounds it are framed.
    """
    from matplotlib.patches import Patch  # noqa: PLC0415 - takes a second, and lines of text need none

    shown = [span for span in timeline.spans if span.seconds >= shortest]
    chain = set(timeline.chain)
    with drawing.picture(file, 8, 1.5 + 0.27 * len(shown)) as axes:
        for row, span in enumerate(shown):
            colour = _COLOURS.get(span.kind, _OTHER)
            for began, ended, alpha in _parts(span):
                axes.barh(row, ended - began, left=began, color=colour, alpha=alpha)
            if span in chain:
                axes.barh(row, span.seconds, left=span.began, fill=False, edgecolor="black", linewidth=1.6)
            axes.annotate(
                f"{span.seconds:.1f}",
                (span.ended, row),
                (4, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
                # A mark's line may pass behind it.
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
            )
        for number, (mark, at) in enumerate(timeline.marks.items()):
            axes.axvline(at, color="#d93025", linestyle="--", linewidth=1.2)
            axes.annotate(
                f"{mark}, {at:.1f} s",
                (at, 1),
                (-4, -2 - 12 * number),
                xycoords=axes.get_xaxis_transform(),
                textcoords="offset points",
                ha="right",
                va="top",
                color="#d93025",
                fontsize=9,
            )
        axes.set_yticks(range(len(shown)), [span.name for span in shown], fontsize=9)
        axes.invert_yaxis()
        axes.set_xlim(left=0)
        axes.grid(axis="x", color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.set_xlabel("seconds after the start of pulumi up")
        axes.set_title(title)
        kinds = list(dict.fromkeys(span.kind for span in shown))
        legend = [Patch(color=_COLOURS.get(kind, _OTHER), label=kind) for kind in kinds]
        if any(span.pushed_from is not None for span in shown):
            legend.append(Patch(color=_COLOURS["image"], alpha=_PUSH, label="its push"))
        if any(span.waited_from is not None for span in shown):
            legend.append(Patch(color=_COLOURS["image"], alpha=_WAIT, label="waits for another push"))
        if chain:
            legend.append(Patch(fill=False, edgecolor="black", label="the chain that bounds it"))
        # Below: among the bars of a short list it would lie on one of them.
        columns = min(len(legend), _COLUMNS)
        axes.figure.legend(handles=legend, loc="outside lower center", ncols=columns, fontsize=8, frameon=False)


def _parts(span: Span) -> list[tuple[float, float, float]]:
    """Beginning, end and opacity of what a bar is made of."""
    pushed = span.ended if span.pushed_from is None else span.pushed_from
    waited = pushed if span.waited_from is None else span.waited_from
    parts = [(span.began, waited, 1.0), (waited, pushed, _WAIT), (pushed, span.ended, _PUSH)]
    return [part for part in parts if part[1] > part[0]]


def _provider(resource: Mapping[str, Any]) -> list[str]:
    """The URN of its provider: what stands before the last ``::`` is that, what follows the provider's id."""
    reference = resource.get("provider")
    return [str(reference).rpartition("::")[0]] if reference else []


def _pushed(span: Span) -> str:
    waited = "" if span.waited_from is None else f", waiting from {span.waited_from:.1f} s"
    return waited + ("" if span.pushed_from is None else f", pushing from {span.pushed_from:.1f} s")
