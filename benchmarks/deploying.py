"""The time from a change, or from nothing, to the running application: by `pulumi up`, and by typing the commands."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import urllib3
import yaml

from benchmarks.plain_way import NODE_PORT, PlainWay, run
from benchmarks.rounds import Figures, measure
from benchmarks.stacks import deployed, deployed_in, workplace
from benchmarks.timeline import Timeline, dependencies, followed
from benchmarks.waiting import wait
from tests.integration.deployment import ROOT, SERVICES, create, get

PULUMI: Final = "pulumi up"
PLAIN: Final = "the plain way"
_PAGE: Final = Path("webui/webui/static/index.html")
_MARK: Final = "</body>"
_LOOK: Final = 0.05  # seconds between two looks at the page
_PROFILE: Final = {"profile": "full"}
_IDLE: Final = "name: idle\nruntime: {name: python, options: {toolchain: pip, virtualenv: .venv}}\n"
_SDKS_ALONE: Final = """\
import atexit
import gc
import os
from pathlib import Path

gc.set_threshold(100_000)
atexit.register(gc.freeze)

import pulumi
import pulumi_aws as aws
import pulumi_docker as docker
import pulumi_kubernetes as kubernetes

for package in (kubernetes.core.v1, kubernetes.apps.v1, kubernetes.networking.v1, aws.ecr):
    dir(package)
docker.Provider("docker")
kubernetes.Provider("cluster", kubeconfig=Path(os.environ["KUBECONFIG"]).read_text(), context="{context}")
account = aws.Provider(
    "aws",
    region="{region}",
    allowed_account_ids=["{account}"],
    endpoints=[aws.ProviderEndpointArgs(ecr="{endpoint}", sts="{endpoint}", iam="{endpoint}")],
)
aws.get_caller_identity(opts=pulumi.InvokeOptions(provider=account))
"""


def change_to_running(rounds: int, tell: Callable[[str], None]) -> tuple[dict[str, Figures], Timeline]:
    """Seconds from one changed line of webui until the new version answers; and what one more `pulumi up` did when."""
    with workplace() as folder, deployed() as deployment:
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

            def by_pulumi() -> None:
                _pulumi(deployment.folder, deployment.project.environment, "up", "--yes", "--skip-preview")

            def by_hand() -> None:
                tag = secrets.token_hex(4)
                plain.build_and_push("webui", tag)
                plain.set_image("webui", tag)

            def timed(way: str, deploy: Callable[[], None]) -> float:
                version = secrets.token_hex(8)
                page.write_text(original.replace(_MARK, f"<!-- {version} -->{_MARK}"))
                began = time.monotonic()
                deploy()
                wait(lambda: version.encode() in _get(pages[way]), "the new version", every=_LOOK)
                return time.monotonic() - began

            ways = {PULUMI: by_pulumi, PLAIN: by_hand}
            contenders = {way: partial(timed, way, deploy) for way, deploy in ways.items()}
            figures = measure(contenders, rounds, tell, "s")
            page.write_text(original)
            outcome, seen = followed(deployment.project)
            if not outcome.succeeded:
                raise RuntimeError(outcome.output)
            return figures, replace(seen, depends=dependencies(deployment.project))
        finally:
            plain.remove()


def first_deployment(rounds: int, tell: Callable[[str], None]) -> tuple[dict[str, Figures], Timeline]:
    """Seconds from an empty registry and no namespace to the first coin; and what the last `pulumi up` did when.

    What the Dockerfiles install is in the builder's cache for both ways; the services' code is new for both each time.
    In the profile `teaching` the first coin takes four seconds, more or less; in `full` it comes with the first hashes.
    """
    seen: list[Timeline] = []
    with workplace() as folder:
        with deployed_in(folder, **_PROFILE) as example:
            plain = PlainWay.like(example, "", folder)
            address = urlsplit(example.url("/"))

        def page(port: int | str) -> str:
            return f"{address.scheme}://{address.hostname}:{port}/json"

        def by_pulumi() -> float:
            with workplace() as own:
                deployment = create(own, **_PROFILE)
                _mark(deployment.folder / "services")
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
                    deployment.project.destroy()

        def by_hand() -> float:
            way = replace(plain, namespace=f"plain-{secrets.token_hex(3)}")
            _mark(way.services)
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

        return measure({PULUMI: by_pulumi, PLAIN: by_hand}, rounds, tell, "s"), seen[-1]


def nothing_to_do(rounds: int, tell: Callable[[str], None]) -> dict[str, Figures]:
    """Seconds of `pulumi preview` and `pulumi up` where nothing changed, of those of an empty program, and of one more.

    That one imports the SDKs and starts their plugins, and does nothing with them.
    """
    with workplace() as folder, deployed() as deployment:
        settings = yaml.safe_load((deployment.folder / "Pulumi.test.yaml").read_text())["config"]
        idle = {"empty program": "import pulumi\n", "SDKs and plugins alone": _SDKS_ALONE.format(**_named(settings))}
        places: dict[str, tuple[Path, dict[str, str]]] = {
            "no change": (deployment.folder, dict(deployment.project.environment))
        }
        for name, program in idle.items():
            own = folder / name.split()[0]
            own.mkdir()
            (own / "Pulumi.yaml").write_text(_IDLE)
            (own / ".venv").symlink_to((ROOT / ".venv").resolve())
            (own / "__main__.py").write_text(program)
            places[name] = (own, {**deployment.project.environment, "PULUMI_BACKEND_URL": own.as_uri()})
            run(["pulumi", "--cwd", str(own), "stack", "init", "test"], places[name][1])
            _pulumi(*places[name], "up", "--yes", "--skip-preview")

        def timed(name: str, *arguments: str) -> float:
            began = time.monotonic()
            _pulumi(*places[name], *arguments)
            return time.monotonic() - began

        commands = {"preview": ("preview", "--expect-no-changes"), "up": ("up", "--yes", "--expect-no-changes")}
        contenders: dict[str, Callable[[], float]] = {
            f"{command}, {name}": partial(timed, name, *arguments)
            for command, arguments in commands.items()
            for name in places
        }
        return measure(contenders, rounds, tell, "s")


def _named(settings: Mapping[str, str]) -> dict[str, str]:
    """What a program needs to reach the registry's API and the cluster."""
    return {
        "account": settings["dockercoins:awsAccount"],
        "region": settings["dockercoins:awsRegion"],
        "endpoint": settings["dockercoins:awsEndpoint"],
        "context": settings["dockercoins:kubeContext"],
    }


def _pulumi(where: Path, variables: Mapping[str, str], *arguments: str) -> None:
    run(["pulumi", "--non-interactive", "--cwd", str(where), *arguments, "--stack", "test"], variables)


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
