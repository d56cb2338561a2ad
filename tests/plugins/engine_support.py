"""Small Pulumi programs run by the real engine, with what happened parsed from its event log.

    project = Project.create(tmp_path, program, plugins={"docker": "5.2.0"})
    outcome = project.up()
    assert outcome.ops() == {"image": "create"}

The engine, its language host for Python and `pulumi-language-python-exec` are taken from `PATH`; state and plugins live
in temporary folders, never in the user's own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias, cast

import pytest

from sandbox.plugins.install import install_stand_in, plugin_folder

Json: TypeAlias = dict[str, Any]  # pyright: ignore[reportExplicitAny] - JSON of the engine, checked where it is used

STACK = "test"
PASSPHRASE = "for tests only"
UP = ("up", "--yes", "--skip-preview")
"""How `pulumi` is told to update a stack without a question."""

OPERATION_LIMIT = 120.0  # seconds
_STEPS_OF_NO_INTEREST = frozenset({"pulumi:pulumi:Stack"})
_OFFICIAL_PLUGINS = frozenset({"kubernetes"})


@dataclass(frozen=True)
class Diagnostic:
    """A message of the engine: `severity` is info, warning, error, debug or info#err."""

    urn: str
    severity: str
    message: str
    ephemeral: bool


@dataclass(frozen=True)
class Step:
    """What the engine did, or in a preview would do, to a resource."""

    name: str
    type: str
    op: str
    diffs: tuple[str, ...]
    """Names of the properties that differ."""
    replaces: tuple[str, ...]
    """The properties that make it a replacement."""
    detail: Mapping[str, Json]
    """The detailed diff: property path to `{"diffKind": "update", …}`."""
    new: Json
    """The new state's `inputs` and `outputs`."""


@dataclass(frozen=True)
class Outcome:
    """What one command of `pulumi` did."""

    command: tuple[str, ...]
    exit_code: int
    output: str
    events: tuple[Json, ...] = field(repr=False)

    @property
    def succeeded(self) -> bool:
        return self.exit_code == 0

    @property
    def diagnostics(self) -> list[Diagnostic]:
        return [
            Diagnostic(
                urn=event.get("urn", ""),
                severity=event["severity"],
                message=_without_markup(event["message"]),
                ephemeral=event.get("ephemeral", False),
            )
            for event in self._of("diagnosticEvent")
        ]

    @property
    def errors(self) -> str:
        """The text of all error messages."""
        return "\n".join(item.message for item in self.diagnostics if item.severity == "error")

    @property
    def warnings(self) -> list[str]:
        return [item.message for item in self.diagnostics if item.severity == "warning" and not item.ephemeral]

    def statuses(self, name: str) -> list[str]:
        """The passing messages that were shown beside a resource."""
        return [item.message for item in self.diagnostics if item.ephemeral and item.urn.endswith(f"::{name}")]

    @property
    def steps(self) -> list[Step]:
        """The steps of all resources but the stack and the providers, in order, unchanged ones included."""
        return [step for step in map(_step, self._of("resourcePreEvent")) if _is_of_interest(step)]

    def step(self, name: str) -> Step:
        """The step of the resource with this name: of a replacement's, the one that says what forces it."""
        found = [step for step in self.steps if step.name == name]
        assert found, f"no step for {name!r} among {[step.name for step in self.steps]}\n{self.output}"
        return next((step for step in found if step.replaces), found[-1])

    def ops(self) -> dict[str, str]:
        """Resource name to operation: `create`, `update`, `replace`, `delete`, `same`, `refresh`, `import`.

        A replacement has several steps; it is told as `replace`.
        """
        ops: dict[str, str] = {}
        for step in self.steps:
            ops[step.name] = "replace" if ops.get(step.name) == "replace" or "replace" in step.op else step.op
        return ops

    def produced(self, name: str) -> Json:
        """The outputs of a resource as its step left them (in a preview: as far as they are known)."""
        found = [
            event["metadata"]["new"]
            for event in self._of("resOutputsEvent")
            if event["metadata"].get("new") and event["metadata"]["urn"].endswith(f"::{name}")
        ]
        assert found, f"no outputs for {name!r}\n{self.output}"
        return cast("Json", found[-1].get("outputs") or {})

    def _of(self, kind: str) -> list[Json]:
        return [event[kind] for event in self.events if event.get(kind)]


@dataclass(frozen=True)
class Project:
    """A Pulumi project in a folder of its own, and the stack that commands are for."""

    directory: Path
    environment: Mapping[str, str]
    stack: str = STACK

    @classmethod
    def create(
        cls,
        directory: Path,
        program: str,
        plugins: Mapping[str, str],
        environment: Mapping[str, str] | None = None,
    ) -> Project:
        """Write the project, make its stack, and install the plugins that it needs.

        Args:
            directory: an empty folder for the project; the backend is made in it too.
            program: the Python program, indented as you like.
            plugins: package name to version.
            environment: variables for the engine, the program and the plugins, beside those of the tests.
        """
        pulumi = shutil.which("pulumi")
        if pulumi is None or shutil.which("pulumi-language-python") is None:
            pytest.fail(
                "these tests run the real engine: "
                "put pulumi, pulumi-language-python and pulumi-language-python-exec on PATH"
            )
        root = directory / "project"
        backend = directory / "backend"
        root.mkdir(parents=True)
        backend.mkdir()
        (root / "Pulumi.yaml").write_text("name: plugins\nruntime: python\n")
        variables = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PULUMI_HOME": str(plugin_home(tuple(sorted(plugins.items())))),
            "PULUMI_BACKEND_URL": backend.as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_SKIP_UPDATE_CHECK": "1",
            "PULUMI_DEBUG_COMMANDS": "1",  # without it, there is no --event-log
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "1",
            "PYTHONPATH": "",
            **(environment or {}),
        }
        project = cls(root, variables)
        project.write(program)
        project.run("stack", "init", STACK).stdout_or_fail()
        return project

    def write(self, program: str) -> None:
        """Put another program in place."""
        (self.directory / "__main__.py").write_text(textwrap.dedent(program).lstrip())

    def up(self, *arguments: str) -> Outcome:
        return self._operation(*UP, *arguments)

    def preview(self, *arguments: str) -> Outcome:
        return self._operation("preview", *arguments)

    def refresh(self, *arguments: str) -> Outcome:
        return self._operation("refresh", "--yes", "--skip-preview", *arguments)

    def destroy(self, *arguments: str) -> Outcome:
        return self._operation("destroy", "--yes", "--skip-preview", *arguments)

    def import_(self, type_: str, name: str, identifier: str, *arguments: str) -> Outcome:
        return self._operation(
            "import",
            "--yes",
            "--skip-preview",
            "--protect=false",
            "--generate-code=false",
            *arguments,
            type_,
            name,
            identifier,
        )

    def export(self, *, show_secrets: bool = False) -> Json:
        """The stack's state."""
        arguments = ["stack", "export", *(["--show-secrets"] if show_secrets else [])]
        return cast("Json", json.loads(self.run(*arguments).stdout_or_fail()))

    def resources(self) -> dict[str, Json]:
        """The resources in the state, by name; stack and providers are left out."""
        found: list[Json] = self.export()["deployment"].get("resources", [])
        return {_name(item["urn"]): item for item in found if not item["type"].startswith("pulumi:")}

    def outputs(self) -> Json:
        """The stack's outputs, secrets shown."""
        return cast("Json", json.loads(self.run("stack", "output", "--json", "--show-secrets").stdout_or_fail()))

    def state_text(self) -> str:
        """All that the backend and the project hold, as text: where a plain secret must not be found."""
        files = [path for folder in (self.directory, self.directory.parent / "backend") for path in folder.rglob("*")]
        return "\n".join(
            path.read_text(errors="replace") for path in files if path.is_file() and path.name != "__main__.py"
        )

    def set_config(self, key: str, value: str, *, secret: bool = False) -> None:
        """`pulumi config set`; the value goes in by standard input."""
        self.run("config", "set", key, "--secret" if secret else "--plaintext", stdin=value).stdout_or_fail()

    def run(self, *arguments: str, stdin: str | None = None) -> Ran:
        """Any other command of `pulumi` in this project, on its stack."""
        completed = subprocess.run(
            ["pulumi", "--non-interactive", *_on_stack(arguments, self.stack)],
            cwd=self.directory,
            env=dict(self.environment),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=OPERATION_LIMIT,
            check=False,
        )
        return Ran(completed.returncode, completed.stdout, completed.stderr)

    @contextmanager
    def started(self, command: str, *arguments: str) -> Generator[subprocess.Popen[str]]:
        """An operation that goes on while the test does other things, and is gone afterwards."""
        process = subprocess.Popen(
            ["pulumi", "--non-interactive", command, "--stack", self.stack, "--yes", "--skip-preview", *arguments],
            cwd=self.directory,
            env=dict(self.environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()

    def _operation(self, command: str, *arguments: str) -> Outcome:
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "events"
            ran = self.run(command, "--event-log", str(log), *arguments)
            lines = log.read_text().splitlines() if log.exists() else []
        events = tuple(cast("Json", json.loads(line)) for line in lines)
        return Outcome((command, *arguments), ran.exit_code, ran.stdout + ran.stderr, events)


@dataclass(frozen=True)
class Ran:
    """A command's exit code and what it printed."""

    exit_code: int
    stdout: str
    stderr: str

    def stdout_or_fail(self) -> str:
        assert self.exit_code == 0, f"pulumi exited with {self.exit_code}\n{self.stdout}\n{self.stderr}"
        return self.stdout


@cache
def plugin_home(plugins: tuple[tuple[str, str], ...]) -> Path:
    """A `PULUMI_HOME` with these plugins, for the whole test run.

    The kubernetes plugin is the one of the sandbox's `PULUMI_HOME`. The others are stand-ins, on the interpreter of the
    tests.
    """
    home = Path(tempfile.mkdtemp(prefix="dockercoins-pulumi-home-"))
    _register_cleanup(home)
    for name, version in plugins:
        if name in _OFFICIAL_PLUGINS:
            _link_plugin(home, name, version)
        else:
            install_stand_in(home, Path(sys.executable), name, version)
    return home


def wait_until(condition: Callable[[], bool], what: str, limit: float = 30.0) -> None:
    """Return once the condition holds; fail the test after `limit` seconds, naming what was waited for."""
    end = time.monotonic() + limit
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"waited {limit:.0f} s for {what}")
        time.sleep(0.05)


def _link_plugin(home: Path, name: str, version: str) -> None:
    source = plugin_folder(Path(os.environ.get("PULUMI_HOME", "")), name, version)
    if not (source / f"pulumi-resource-{name}").exists():
        pytest.fail(f"no plugin at {source}: set PULUMI_HOME to the sandbox's, or run the tests with `make test`")
    folder = plugin_folder(home, name, version)
    folder.mkdir(parents=True)  # a real one: the engine skips links to folders
    for entry in source.iterdir():
        (folder / entry.name).symlink_to(entry.resolve())


def _register_cleanup(folder: Path) -> None:
    import atexit  # noqa: PLC0415 - used here only

    atexit.register(shutil.rmtree, folder, ignore_errors=True)


def _on_stack(arguments: Sequence[str], stack: str) -> list[str]:
    """The arguments with `--stack` where the command takes it: after the command, not before."""
    if arguments[:2] == ("stack", "init"):
        return list(arguments)
    return [*arguments, "--stack", stack]


def _step(event: Json) -> Step:
    metadata: Json = event["metadata"]
    detail: dict[str, Json] = metadata.get("detailedDiff") or {}
    return Step(
        name=_name(metadata["urn"]),
        type=metadata["type"],
        op=metadata["op"],
        diffs=tuple(metadata.get("diffs") or ()),
        replaces=tuple(metadata.get("keys") or ()),
        detail=detail,
        new=metadata.get("new") or {},
    )


def _is_of_interest(step: Step) -> bool:
    return step.type not in _STEPS_OF_NO_INTEREST and not step.type.startswith("pulumi:providers:")


def _name(urn: str) -> str:
    return urn.rsplit("::", 1)[-1]


def _without_markup(message: str) -> str:
    """The message without the engine's colour markup, as `<{%reset%}>`."""
    parts = message.split("<{%")
    return parts[0] + "".join(part.partition("%}>")[2] for part in parts[1:])
