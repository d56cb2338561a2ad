"""When resources began and ended, told from the engine's events."""

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

from benchmarks.timeline import ENDED, Span, Timeline, dependencies, draw, follow, followed, lines, spans
from tests.plugins.engine_support import Project, wait_until

_PREFIX = "urn:pulumi:test::dockercoins::"
_REPOSITORY = f"{_PREFIX}dockercoins:ecr:EcrRegistry$aws:ecr/repository:Repository::registry-webui"
_IMAGE = f"{_PREFIX}dockercoins:image:ServiceImage$docker:index/image:Image::webui"
_DEPLOYMENT = f"{_PREFIX}dockercoins:kubernetes:Microservice$kubernetes:apps/v1:Deployment::webui"
_REDIS = f"{_PREFIX}dockercoins:kubernetes:Microservice$kubernetes:apps/v1:Deployment::redis"


def _before(urn: str) -> dict[str, Any]:
    return {"resourcePreEvent": {"metadata": {"urn": urn, "new": {"custom": True}}}}


def _after(urn: str, *, custom: bool = True) -> dict[str, Any]:
    return {"resOutputsEvent": {"metadata": {"urn": urn, "new": {"custom": custom}}}}


def _says(urn: str, message: str) -> dict[str, Any]:
    return {"diagnosticEvent": {"urn": urn, "message": message, "ephemeral": True}}


def _timeline() -> Timeline:
    found = spans(
        [
            (1.1, _before(_REPOSITORY)),
            (1.4, _after(_REPOSITORY)),
            (1.5, _before(_IMAGE)),
            (1.6, _before(_REDIS)),
            (4.2, _says(_IMAGE, "waiting for another push to localhost, which may send layers of this image\n")),
            (5.0, _says(_IMAGE, "pushing localhost/webui:1\n")),
            (5.1, _says(_IMAGE, "57649607406a: Pushed\n")),
            (6.2, _after(_REDIS)),
            (7.5, _after(_IMAGE)),
            (7.6, _before(_DEPLOYMENT)),
            (12.0, _after(_DEPLOYMENT)),
        ]
    )
    return Timeline(tuple(found), {_IMAGE: [_REPOSITORY], _DEPLOYMENT: [_REDIS, _IMAGE]}, {"first coin": 12.8})


def test_a_resource_lasts_from_its_step_to_its_outputs_and_its_push_and_the_wait_for_it_are_told_apart() -> None:
    assert _timeline().spans == (
        Span("engine and program", 0, 1.1),
        Span(_REPOSITORY, 1.1, 1.4),
        Span(_IMAGE, 1.5, 7.5, pushed_from=5.0, waited_from=4.2),
        Span(_REDIS, 1.6, 6.2),
        Span(_DEPLOYMENT, 7.6, 12.0),
    )


def test_what_only_groups_resources_and_what_never_ended_is_left_out() -> None:
    group = f"{_PREFIX}dockercoins:image:ServiceImage::webui"
    events = [(1.0, _before(group)), (2.0, _before(_IMAGE)), (3.0, _after(group, custom=False))]
    assert spans(events) == [Span("engine and program", 0, 1.0)]


def test_kinds_are_told_from_the_type_alone() -> None:
    service = f"{_PREFIX}dockercoins:kubernetes:Microservice$kubernetes:core/v1:Service::image"
    account = f"{_PREFIX}dockercoins:kubernetes:Microservice$kubernetes:core/v1:ServiceAccount::webui"
    urns = (_REPOSITORY, _IMAGE, _DEPLOYMENT, service, account, "engine and program")
    kinds = [Span(urn, 0, 1).kind for urn in urns]
    assert kinds == ["registry", "image", "Deployment", "Service", "other", "other"]


def test_the_chain_goes_back_through_what_was_waited_for_longest() -> None:
    chain = [span.name for span in _timeline().chain]
    assert chain == ["engine and program", "Repository registry-webui", "Image webui", "Deployment webui"]
    assert Timeline().chain == []


def test_lines_leave_out_what_is_short_and_mark_the_chain() -> None:
    assert lines(_timeline()) == [
        "*   0.0 s to   1.1 s  engine and program",
        "*   1.5 s to   7.5 s  Image webui, waiting from 4.2 s, pushing from 5.0 s",
        "    1.6 s to   6.2 s  Deployment redis",
        "*   7.6 s to  12.0 s  Deployment webui",
        "   12.8 s             first coin",
    ]
    assert any("registry-webui" in line for line in lines(_timeline(), shortest=0.2))


def test_equal_timelines_give_equal_pictures_with_a_bar_for_each_line(tmp_path: Path) -> None:
    for name in ("one", "two"):
        draw(_timeline(), tmp_path / f"{name}.svg", title="First deployment")
    one = (tmp_path / "one.svg").read_text()
    assert one == (tmp_path / "two.svg").read_text()
    shown = ("Image webui", "Deployment redis", "Deployment webui", "first coin, 12.8 s", "6.0")
    for text in (*shown, "its push", "waits for another push"):
        assert f">{text}<" in one
    assert ">Repository registry-webui<" not in one


_ENGINE = """#!{python}
import pathlib, sys
if "export" in sys.argv:
    print({state!r})
else:
    log = pathlib.Path(sys.argv[sys.argv.index("--event-log") + 1])
    with log.open("w") as stream:
        for part in {parts!r}:
            stream.write(part)
            stream.flush()
"""


def _engine(folder: Path, events: list[dict[str, Any]], state: dict[str, Any]) -> Project:
    """A command in the place of pulumi that writes each event in two goes, the last one as it ends."""
    lines = [f"{json.dumps(event)}\n" for event in events]
    parts = [part for line in lines for part in (line[:20], line[20:])]
    command = folder / "pulumi"
    command.write_text(_ENGINE.format(python=sys.executable, state=json.dumps(state), parts=parts))
    command.chmod(0o755)
    return Project(folder, {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"})


def test_no_event_is_lost_though_they_are_read_while_they_are_written(tmp_path: Path) -> None:
    events = [event for _ in range(200) for event in (_before(_REPOSITORY), _after(_REPOSITORY))]
    outcome, timeline = followed(_engine(tmp_path, events, {}))
    assert outcome.succeeded
    assert list(outcome.events) == events
    assert len(timeline.spans) == 201
    assert all(0 <= span.began <= span.ended <= timeline.marks[ENDED] for span in timeline.spans)


def test_an_event_is_seen_when_it_is_whole_and_only_once(tmp_path: Path) -> None:
    log, ended = tmp_path / "events", threading.Event()
    seen: list[tuple[float, dict[str, Any]]] = []
    looks: list[float] = []

    def look() -> float:
        looks.append(float(len(looks)))
        return looks[-1]

    follower = threading.Thread(target=follow, args=(log, ended, seen, look))
    follower.start()
    try:
        with log.open("w") as stream:
            for number, event in enumerate([_before(_IMAGE), _after(_IMAGE)]):
                line = f"{json.dumps(event)}\n"
                stream.write(line[:20])
                stream.flush()
                now = len(looks)
                wait_until(lambda now=now: len(looks) > now + 1, "two looks at half a line")
                assert len(seen) == number
                stream.write(line[20:])
                stream.flush()
                wait_until(lambda number=number: len(seen) > number, "the whole line")
            stream.write(f"{json.dumps(_before(_REDIS))}\n")
    finally:
        ended.set()
        follower.join()
    assert [event for _, event in seen] == [_before(_IMAGE), _after(_IMAGE), _before(_REDIS)]
    assert seen[0][0] < seen[1][0] < seen[2][0]


def test_a_resource_waits_for_its_provider_too(tmp_path: Path) -> None:
    provider = f"{_PREFIX}pulumi:providers:docker::docker"
    resources = [
        {"urn": _IMAGE, "dependencies": [_REPOSITORY], "provider": f"{provider}::0b7c"},
        {"urn": provider},
    ]
    project = _engine(tmp_path, [], {"deployment": {"resources": resources}})
    assert dependencies(project) == {_IMAGE: [_REPOSITORY, provider], provider: []}
