"""The time from a change, or from nothing, to the running application: by `pulumi up`, and by typing the commands."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import urllib3

from benchmarks import idle_programs, registry_storage
from benchmarks.idle_programs import Stack
from benchmarks.plain_way import NODE_PORT, PlainWay
from benchmarks.rounds import Figures, measure
from benchmarks.stacks import deployed, deployed_in, remove, workplace
from benchmarks.timeline import Timeline, dependencies, followed
from benchmarks.waiting import wait
from tests.integration.deployment import ROOT, SERVICES, create, get
from tests.plugins.engine_support import UP

PULUMI: Final = "pulumi up"
PLAIN: Final = "the plain way"
_PAGE: Final = Path("webui/webui/static/index.html")
_MARK: Final = "</body>"
_LOOK: Final = 0.05  # seconds between two looks at the page
_PROFILE: Final = {"profile": "full"}


def change_to_running(rounds: int, tell: Callable[[str], None]) -> tuple[dict[str, Figures], Timeline]:
    """Seconds from one changed line of webui until the new version answers; and what one more `pulumi up` did when.

    Beside the two ways, what the SDKs and their plugins take alone.
    """
    with workplace() as folder, deployed() as deployment:
        application, idle = Stack.of(deployment), idle_programs.alone(folder, deployment)
        plain = PlainWay.like(deployment, f"plain-{secrets.token_hex(3)}", folder)
        try:
            for service in SERVICES:
                plain.build_and_push(service, "first")
            plain.apply("first")
            address = urlsplit(deployment.url("/"))
            pages = {PULUMI: deployment.url("/index.html")}
            pages[PLAIN] = f"{address.scheme}://{address.hostname}:{plain.node_port()}/index.html"
            page = deployment.folder / "services" / _PAGE
            original = page.read_text()

            def changed() -> str:
                version = secrets.token_hex(8)
                page.write_text(original.replace(_MARK, f"<!-- {version} -->{_MARK}"))
                return version

            def by_hand() -> None:
                tag = secrets.token_hex(4)
                plain.build_and_push("webui", tag)
                plain.set_image("webui", tag)

            def timed(way: str, deploy: Callable[[], None]) -> float:
                version = changed()
                began = time.monotonic()
                deploy()
                wait(lambda: version.encode() in _get(pages[way]), "the new version", every=_LOOK)
                return time.monotonic() - began

            ways: dict[str, Callable[[], None]] = {PULUMI: partial(application.pulumi, *UP), PLAIN: by_hand}
            contenders = {way: partial(timed, way, deploy) for way, deploy in ways.items()}
            contenders[idle_programs.ALONE] = partial(idle.seconds, *UP)
            figures = measure(contenders, rounds, tell, "s")
            changed()
            outcome, seen = followed(deployment.project)
            if not outcome.succeeded:
                raise RuntimeError(outcome.output)
            return figures, replace(seen, depends=dependencies(deployment.project))
        finally:
            plain.remove()


def first_deployment(rounds: int, tell: Callable[[str], None]) -> tuple[dict[str, Figures], Timeline]:
    """Seconds from an empty registry and no namespace to the first coin; and what the last `pulumi up` did when.

    Beside the two ways, what the SDKs and their plugins take alone. What the Dockerfiles install is in the builder's
    cache for both ways; the services' code is new for both each time. In the profile `teaching` the first coin takes
    four seconds, more or less; in `full` it comes with the first hashes.
    """
    seen: list[Timeline] = []
    with workplace() as folder:
        with deployed_in(folder, **_PROFILE) as example:
            plain = PlainWay.like(example, "", folder)
            address = urlsplit(example.url("/"))
            idle = idle_programs.alone(folder, example)

        def page(port: int | str) -> str:
            return f"{address.scheme}://{address.hostname}:{port}/json"

        def by_pulumi() -> float:
            with workplace() as own:
                deployment = create(own, **_PROFILE)
                _mark(deployment.folder / "services")
                registry_storage.collect_garbage()
                try:
                    began = time.monotonic()
                    outcome, timeline = followed(deployment.project)
                    if not outcome.succeeded:
                        raise RuntimeError(outcome.output)
                    port = deployment.kubectl("get", "service", "webui", NODE_PORT)
                    wait(lambda: _coins(page(port)) > 0, "the first coin", every=_LOOK)
                    seconds = time.monotonic() - began
                    depends = dependencies(deployment.project)
                    marks = {**timeline.marks, "first coin": seconds}
                    seen.append(replace(timeline, depends=depends, marks=marks))
                    return seconds
                finally:
                    remove(deployment)

        def by_hand() -> float:
            way = replace(plain, namespace=f"plain-{secrets.token_hex(3)}")
            _mark(way.services)
            registry_storage.collect_garbage()
            try:
                began = time.monotonic()
                for service in SERVICES:
                    way.build_and_push(service, "first")
                way.apply("first")
                port = way.node_port()
                wait(lambda: _coins(page(port)) > 0, "the first coin", every=_LOOK)
                return time.monotonic() - began
            finally:
                way.remove()

        ways = {PULUMI: by_pulumi, PLAIN: by_hand, idle_programs.ALONE: partial(idle.seconds, *UP)}
        return measure(ways, rounds, tell, "s"), seen[-1]


def nothing_to_do(rounds: int, tell: Callable[[str], None]) -> dict[str, Figures]:
    """Seconds of `pulumi preview` and `pulumi up` where nothing changed, of those of an empty program, and of one more.

    That one imports the SDKs and starts their plugins, and does nothing with them.
    """
    with workplace() as folder, deployed() as deployment:
        stacks = {
            "no change": Stack.of(deployment),
            idle_programs.EMPTY: idle_programs.empty(folder, deployment),
            idle_programs.ALONE: idle_programs.alone(folder, deployment),
        }
        commands = {"preview": ("preview", "--expect-no-changes"), "up": ("up", "--yes", "--expect-no-changes")}
        contenders: dict[str, Callable[[], float]] = {
            f"{command}, {name}": partial(stack.seconds, *arguments)
            for command, arguments in commands.items()
            for name, stack in stacks.items()
        }
        return measure(contenders, rounds, tell, "s")


def _mark(services: Path) -> None:
    """Change one line of each service."""
    for service in SERVICES:
        file = services / service / service / "__init__.py"
        file.write_text(
            f"{(ROOT / 'services' / service / service / '__init__.py').read_text()}# {secrets.token_hex(8)}\n"
        )


def _coins(url: str) -> int:
    return int(json.loads(_get(url)).get("coins") or 0)


def _get(url: str) -> bytes:
    try:
        answer = get(url)
    except urllib3.exceptions.HTTPError:
        return b"{}"
    return answer.data if answer.status == 200 else b"{}"  # noqa: PLR2004 - OK
