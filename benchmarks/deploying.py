"""The time from a change, or from nothing, to the running application: by `pulumi up`, a plain program, and by hand."""

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

from benchmarks import programs, registry_storage
from benchmarks.by_hand import NODE_PORT, ByHand
from benchmarks.programs import Stack
from benchmarks.rounds import Figures, measure
from benchmarks.stacks import deployed, deployed_in, remove, workplace
from benchmarks.timeline import Timeline, dependencies, followed
from benchmarks.waiting import wait
from tests.integration.deployment import ROOT, SERVICES, create, get
from tests.integration.kubectl import kubectl
from tests.plugins.engine_support import UP

PULUMI: Final = "pulumi up"
BY_HAND: Final = "commands by hand"
PROGRAM: Final = "plain Pulumi program"
_PAGE: Final = Path("webui/webui/static/index.html")
_MARK: Final = "</body>"
_LOOK: Final = 0.05  # seconds between two looks at the page
_PROFILE: Final = {"profile": "full"}


def change_to_running(rounds: int, tell: Callable[[str], None]) -> tuple[dict[str, Figures], Timeline]:
    """Seconds from one changed line of webui until the new version answers; and what one more `pulumi up` did when."""
    with workplace() as folder, deployed() as deployment:
        application = Stack.of(deployment)
        by_hand = ByHand.like(deployment, _name(), folder)
        namespace = _name()
        program = programs.plain(folder / "plain", deployment, namespace)
        try:
            for service in SERVICES:
                by_hand.build_and_push(service, "first")
            by_hand.apply("first")
            program.pulumi(*UP)
            url = deployment.url("/index.html")

            def set_image() -> None:
                tag = secrets.token_hex(4)
                by_hand.build_and_push("webui", tag)
                by_hand.set_image("webui", tag)

            def timed(services: Path, page: str, deploy: Callable[[], None]) -> float:
                version = _changed(services)
                began = time.monotonic()
                deploy()
                wait(lambda: version.encode() in _get(page), "the new version", every=_LOOK)
                return time.monotonic() - began

            contenders = {
                PULUMI: partial(timed, application.services, url, partial(application.pulumi, *UP)),
                BY_HAND: partial(timed, by_hand.services, _at(url, by_hand.namespace), set_image),
                PROGRAM: partial(timed, program.services, _at(url, namespace), partial(program.pulumi, *UP)),
            }
            figures = measure(contenders, rounds, tell, "s")
            _changed(application.services)
            outcome, seen = followed(deployment.project)
            if not outcome.succeeded:
                raise RuntimeError(outcome.output)
            return figures, replace(seen, depends=dependencies(deployment.project))
        finally:
            by_hand.remove()
            programs.remove_plain(program, namespace)


def first_deployment(rounds: int, tell: Callable[[str], None]) -> tuple[dict[str, Figures], Timeline]:
    """Seconds from an empty registry and no namespace to the first coin; and what the last `pulumi up` did when.

    What the Dockerfiles install is in the builder's cache for all ways; the services' code is new for each, each time.
    In the profile `teaching` the first coin takes four seconds, more or less; in `full` it comes with the first hashes.
    """
    seen: list[Timeline] = []
    with workplace() as folder:
        with deployed_in(folder, **_PROFILE) as example:
            example_by_hand = ByHand.like(example, "", folder)
            url = example.url("/json")

        def timed(services: Path, namespace: str, deploy: Callable[[], None]) -> float:
            _mark(services)
            registry_storage.collect_garbage()
            began = time.monotonic()
            deploy()
            page = _at(url, namespace)
            wait(lambda: _coins(page) > 0, "the first coin", every=_LOOK)
            return time.monotonic() - began

        def by_pulumi() -> float:
            with workplace() as own:
                deployment = create(own, **_PROFILE)

                def deploy() -> None:
                    outcome, timeline = followed(deployment.project)
                    if not outcome.succeeded:
                        raise RuntimeError(outcome.output)
                    seen.append(timeline)

                try:
                    seconds = timed(deployment.folder / "services", deployment.name, deploy)
                    marks = {**seen[-1].marks, "first coin": seconds}
                    seen[-1] = replace(seen[-1], depends=dependencies(deployment.project), marks=marks)
                    return seconds
                finally:
                    remove(deployment)

        def by_hand() -> float:
            way = replace(example_by_hand, namespace=_name())

            def deploy() -> None:
                for service in SERVICES:
                    way.build_and_push(service, "first")
                way.apply("first")

            try:
                return timed(way.services, way.namespace, deploy)
            finally:
                way.remove()

        def by_program() -> float:
            with workplace() as own:
                namespace = _name()
                program = programs.plain(own / "plain", example, namespace)
                try:
                    return timed(program.services, namespace, partial(program.pulumi, *UP))
                finally:
                    programs.remove_plain(program, namespace)

        return measure({PULUMI: by_pulumi, BY_HAND: by_hand, PROGRAM: by_program}, rounds, tell, "s"), seen[-1]


def nothing_to_do(rounds: int, tell: Callable[[str], None]) -> dict[str, Figures]:
    """Seconds of `pulumi preview` and `pulumi up` where nothing changed, of ours and of the plain program.

    And those of a program that imports the SDKs and starts their plugins, and does nothing with them.
    """
    with workplace() as folder, deployed() as deployment:
        namespace = _name()
        program = programs.plain(folder / "plain", deployment, namespace)
        try:
            program.pulumi(*UP)
            stacks = {
                PULUMI: Stack.of(deployment),
                PROGRAM: program,
                programs.ALONE: programs.alone(folder / "alone", deployment),
            }
            commands = {"preview": ("preview", "--expect-no-changes"), "up": ("up", "--yes", "--expect-no-changes")}
            contenders: dict[str, Callable[[], float]] = {
                f"{command}, {name}": partial(stack.seconds, *arguments)
                for command, arguments in commands.items()
                for name, stack in stacks.items()
            }
            return measure(contenders, rounds, tell, "s")
        finally:
            programs.remove_plain(program, namespace)


def _name() -> str:
    return f"plain-{secrets.token_hex(3)}"


def _at(url: str, namespace: str) -> str:
    """The same page of the application in another namespace."""
    address = urlsplit(url)
    port = kubectl("--namespace", namespace, "get", "service", "webui", NODE_PORT)
    return f"{address.scheme}://{address.hostname}:{port}{address.path}"


def _changed(services: Path) -> str:
    """Change the page of webui, and give what is in it now and was not before."""
    version = secrets.token_hex(8)
    original = (ROOT / "services" / _PAGE).read_text()
    (services / _PAGE).write_text(original.replace(_MARK, f"<!-- {version} -->{_MARK}"))
    return version


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
