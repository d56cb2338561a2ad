"""Runs the jobs of GitHub Actions and GitLab CI: their commands as they are written, in order, by bash.

A job gets a checkout, a home folder and an environment of its own, and of other jobs' files only those that are handed
on as artifacts. What GitHub's pinned actions do (check out, hand files on, give credentials) is done here.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import yaml

from tests.integration.deployment import ROOT

LIMIT: Final = 300.0  # seconds for the commands of a step
_OF_MACHINE: Final = (
    *("PULUMI_HOME", "PULUMI_SKIP_UPDATE_CHECK", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "AWS_CA_BUNDLE", "SSL_CERT_FILE"),
    *("DOCKER_HOST", "TMPDIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
)
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_EXPRESSION: Final = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
_VARIABLE: Final = re.compile(r"\$(?:(\w+)|\{(\w+)\})")


@dataclass(frozen=True)
class Ran:
    """One job that ran: whether it succeeded, what it printed, and what it left for people to read."""

    succeeded: bool
    output: str
    checkout: Path
    summary: str = ""
    role: str = ""
    """The ARN of the role that the job assumes."""


@dataclass(frozen=True)
class Machine:
    """What a fresh machine of a build system has: Python, git and Docker, and stand-ins for the world outside."""

    programs: Path

    @property
    def calls(self) -> list[str]:
        """The commands that came to stand-ins."""
        log = self.programs.parent / "calls"
        return log.read_text().splitlines() if log.exists() else []

    def environment(self, home: Path) -> dict[str, str]:
        """The variables of a job that nothing has been given yet."""
        home.mkdir(parents=True)
        own = {name: os.environ[name] for name in _OF_MACHINE if name in os.environ}
        return {**own, "PATH": f"{self.programs}:/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8", "CI": "true"}


def fresh_machine(folder: Path, account_password: str) -> Machine:
    """Make the stand-ins in ``folder``.

    ============  ====================================================================================================
    ``curl``      gives an installer of Pulumi as https://get.pulumi.com does: the very engine of the sandbox
    ``pulumi``    is that engine; its ``install`` links the packages that are installed already, which takes a minute
    ``aws``       writes the kubeconfig of the sandbox's cluster, and gives the password of its registry: no EKS here
    ``python3``   is Python; its ``-m pip install`` does nothing, as what it is for (the AWS CLI) is a stand-in itself
    ``make``      runs no stage: the tests of a commit are those that this runs among
    ============  ====================================================================================================
    """
    programs = folder / "programs"
    installed = folder / "installed"
    for path in (programs, installed):
        path.mkdir(parents=True)
    log = shlex.quote(str(folder / "calls"))
    real = {name: shutil.which(name) or name for name in ("pulumi", "docker", "kubectl")}
    for name in ("docker", "kubectl"):
        (programs / name).symlink_to(real[name])
    for program in Path(real["pulumi"]).parent.glob("pulumi-language-python*"):
        (installed / program.name).symlink_to(program)
    packages = (ROOT / ".venv").resolve()
    _script(installed / "pulumi", f'[ "$1" != install ] || exec ln -sfn {packages} .venv\nexec {real["pulumi"]} "$@"\n')
    _script(
        folder / "installer",
        f'echo "get.pulumi.com $*" >>{log}\nmkdir -p "$HOME/.pulumi"\ncp -R {installed} "$HOME/.pulumi/bin"\n',
    )
    _script(
        programs / "curl",
        f"""
        while [ $# -gt 1 ]; do [ "$1" != --output ] || file=$2; shift; done
        [ "$1" = https://get.pulumi.com ] || exit 6
        cp {folder / "installer"} "$file"
        """,
    )
    _script(
        programs / "aws",
        f"""
        echo "aws $*" >>{log}
        case "$1 $2" in
        "eks update-kubeconfig") mkdir -p "$HOME/.kube"; cp {os.environ["KUBECONFIG"]} "$HOME/.kube/config" ;;
        "ecr get-login-password") echo {account_password} ;;
        *) exit 2 ;;
        esac
        """,
    )
    _script(
        programs / "python3",
        f"""
        if [ "${{1-}} ${{2-}} ${{3-}}" = "-m pip install" ]; then echo "python3 $*" >>{log}; exit; fi
        exec {sys.executable} "$@"
        """,
    )
    _script(programs / "make", f'echo "make $*" >>{log}\n')
    return Machine(programs)


@dataclass
class GitHub:
    """GitHub Actions. ``contexts`` gives the values of expressions: ``vars.CLUSTER``; another one is refused."""

    origin: Path
    machine: Machine
    folder: Path
    contexts: Mapping[str, str]
    credentials: Mapping[str, str]
    """What an assumed role gives."""
    ran: set[str] = field(default_factory=set[str])
    _artifacts: dict[str, dict[str, bytes]] = field(default_factory=dict[str, dict[str, bytes]])

    def run(self, workflow: str, name: str, ref: str, event: Mapping[str, str] = _NOTHING, stack: str = "") -> Ran:
        """Run one job at a branch; ``event`` has variables that GitHub sets, ``stack`` is that of a matrix."""
        job = yaml.safe_load((ROOT / ".github" / "workflows" / f"{workflow}.yml").read_text())["jobs"][name]
        self.ran.add(f"{workflow}/{name}")
        contexts = {**self.contexts, **({"matrix.stack": stack} if stack else {})}
        place = self.folder / f"github-{len(list(self.folder.iterdir()))}"
        return _GitHubJob(self, place, ref, contexts, self._artifacts, event).run(job)


@dataclass
class _GitHubJob:
    host: GitHub
    place: Path
    ref: str
    contexts: Mapping[str, str]
    artifacts: dict[str, dict[str, bytes]]
    event: Mapping[str, str]
    role: str = ""
    output: str = ""

    def run(self, job: Mapping[str, Any]) -> Ran:
        checkout, summary, path = self.place / "checkout", self.place / "summary", self.place / "path"
        environment = {
            **self.host.machine.environment(self.place / "home"),
            "GITHUB_ACTIONS": "true",
            "GITHUB_STEP_SUMMARY": str(summary),
            "GITHUB_PATH": str(path),
            **self.event,
            **self._evaluated(job.get("env", {})),
        }
        checkout.mkdir()
        summary.touch()
        path.touch()
        succeeded = True
        for step in job["steps"]:
            if not succeeded and step.get("if") != "always()":
                continue
            if "uses" in step:
                self._use(step["uses"].partition("@")[0], step.get("with", {}), checkout, environment)
                continue
            assert set(step) <= {"run", "env", "if"}, step
            added = path.read_text().split()
            script = self.place / "step.sh"
            script.write_text(self._value(step["run"]))
            variables = {
                **environment,
                **self._evaluated(step.get("env", {})),
                "PATH": ":".join([*reversed(added), environment["PATH"]]),
            }
            step_succeeded, output = _bash(["-e", str(script)], checkout, variables)
            self.output += output
            succeeded = succeeded and step_succeeded
        return Ran(succeeded, self.output, checkout, summary.read_text(), self.role)

    def _use(self, action: str, given: Mapping[str, Any], checkout: Path, environment: dict[str, str]) -> None:
        match action:
            case "actions/checkout":
                check_out(self.host.origin, checkout, self.ref, int(given.get("fetch-depth", 1)))
            case "aws-actions/configure-aws-credentials":
                self.role = self._value(given["role-to-assume"])
                environment.update(self.host.credentials)
                environment["AWS_REGION"] = environment["AWS_DEFAULT_REGION"] = self._value(given["aws-region"])
            case "actions/upload-artifact":
                files = [Path(name) for name in given["path"].split()]
                # Kept are the paths below the folder that all have in common.
                common = Path(os.path.commonpath([file.parent for file in files]))
                self.artifacts[given["name"]] = {
                    str(file.relative_to(common)): (checkout / file).read_bytes() for file in files
                }
            case "actions/download-artifact":
                _put(self.artifacts[given["name"]], checkout / given["path"])
            case _:
                raise AssertionError(f"what {action} does is not known here")

    def _evaluated(self, variables: Mapping[str, Any]) -> dict[str, str]:
        return {name: self._value(str(value)) for name, value in variables.items()}

    def _value(self, text: str) -> str:
        return _EXPRESSION.sub(lambda found: self.contexts[found[1]], text)


@dataclass
class GitLab:
    """GitLab CI. ``variables`` are those of the project; ``services`` take the place of what a job says of Docker's."""

    origin: Path
    machine: Machine
    folder: Path
    variables: Mapping[str, str]
    token: Callable[[], str]
    """A new OIDC token for a job."""
    services: Mapping[str, str]
    ran: set[str] = field(default_factory=set[str])
    _artifacts: dict[str, dict[str, bytes]] = field(default_factory=dict[str, dict[str, bytes]])

    @staticmethod
    def jobs() -> dict[str, dict[str, Any]]:
        """The jobs of the file, with what they extend."""
        document: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text())
        words = ("stages", "workflow", "default", "variables", "include")
        jobs = {name: job for name, job in document.items() if name not in words and not name.startswith(".")}
        found: dict[str, dict[str, Any]] = {}
        for name, job in jobs.items():
            base = document[job["extends"]] if "extends" in job else {}
            variables = {**base.get("variables", {}), **job.get("variables", {})}
            found[name] = {**base, **job, "variables": variables}
        return found

    def run(self, name: str, ref: str, event: Mapping[str, str] = _NOTHING) -> Ran:
        """Run one job at a branch; ``event`` has variables that GitLab sets for what happened, or a matrix."""
        job = self.jobs()[name]
        self.ran.add(name)
        place = self.folder / f"gitlab-{len(list(self.folder.iterdir()))}"
        checkout = place / "project"
        environment = {
            **self.machine.environment(place / "home"),
            "GITLAB_CI": "true",
            "CI_PROJECT_DIR": str(checkout),
            "CI_PROJECT_ID": "42",
            **self.variables,
            **event,
        }
        environment.update({token: self.token() for token in job.get("id_tokens", {})})
        for key, value in job["variables"].items():
            environment[key] = _VARIABLE.sub(lambda found: environment[found[1] or found[2]], str(value))
        depth = int(environment.get("GIT_DEPTH", "20"))
        for key in [key for key in environment if key.startswith("DOCKER_")]:
            del environment[key]
        environment.update(self.services)
        check_out(self.origin, checkout, ref, depth)
        for needed in job.get("needs", ()):
            _put(self._artifacts[needed], checkout)
        succeeded, output = _in_one_shell([*job.get("before_script", ()), *job["script"]], checkout, environment)
        output += _in_one_shell(job.get("after_script", ()), checkout, environment)[1]
        paths: Sequence[str] = job.get("artifacts", {}).get("paths", ())
        self._artifacts[name] = {path: (checkout / path).read_bytes() for path in paths if (checkout / path).exists()}
        return Ran(succeeded, output, checkout, role=environment.get("AWS_ROLE_ARN", ""))


def check_out(origin: Path, folder: Path, ref: str, depth: int) -> None:
    """A checkout of a branch with so many commits of its history; all of it, and all branches, with 0."""
    options = ["--depth", str(depth)] if depth else []
    folder.parent.mkdir(parents=True, exist_ok=True)
    command = ["git", "clone", "--quiet", *options, "--branch", ref, origin.as_uri(), str(folder)]
    subprocess.run(command, check=True, capture_output=True)


def _in_one_shell(commands: Sequence[str], folder: Path, environment: Mapping[str, str]) -> tuple[bool, str]:
    """Whether the commands succeed, one after the other, and what they print."""
    return _bash(["-c", "\n".join(["set -eo pipefail", *commands])], folder, environment)


def _bash(arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> tuple[bool, str]:
    """Whether a shell succeeds, and what it prints."""
    ended = subprocess.run(
        ["bash", *arguments],
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    return ended.returncode == 0, ended.stdout


def _put(files: Mapping[str, bytes], folder: Path) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def _script(file: Path, body: str) -> None:
    file.write_text(f"#!/bin/sh\nset -eu\n{body}")
    file.chmod(0o755)
