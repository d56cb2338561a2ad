"""The step ``drift``: is everything still as the last update left it, and is every deployed digest still there?"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from components.docker_login import DockerLoginError, docker_login
from components.image_reference import ReferenceFormatError, parse
from components.registry_api import Answer, Outcome, UnaskableError, find_image
from pipelines import problems
from pipelines.artifacts import Artifacts
from pipelines.changes import BUILD, shown
from pipelines.engine import Pulumi
from pipelines.errors import StepError
from pipelines.events import Json, Run, Step
from pipelines.markdown import code, turn
from pipelines.promoting import settings_with

Find = Callable[[str], Answer]
"""Whether the registry has the image of a reference (``repository@sha256:…``)."""

_LOST: Final = "has gone"


@dataclass(frozen=True)
class Report:
    """What differs: resources, digests that the registry has no more, and those that it could not be asked for."""

    resources: tuple[Step, ...]
    gone: Mapping[str, str]
    """Service to what the registry said."""
    unknown: Mapping[str, str]

    @property
    def is_clean(self) -> bool:
        """Whether nothing differs, and everything could be looked at."""
        return not (self.resources or self.gone or self.unknown)

    def text(self, stack: str) -> str:
        """The report in Markdown: who differs, and how."""
        if self.is_clean:
            return f"### {code(stack)} is as it was left\n\nNo resource differs, and the registry has every digest.\n"
        parts = [f"### {code(stack)} is not as it was left"]
        if self.resources:
            lines = "\n".join(_resource(step) for step in self.resources)
            parts.append(
                f"#### Resources that differ\n\n{lines}\n\nSomebody changed these by hand, or something in the cluster "
                "did. `pulumi up --refresh` puts them right; a change that is to stay belongs into the program."
            )
        if self.gone:
            parts.append(
                f"#### Digests that are gone\n\n{_said(self.gone)}\n\nThe pods run on, and a node that has not pulled "
                "the image cannot start one. Push it again from its commit, or deploy another digest."
            )
        if self.unknown:
            parts.append(f"#### Digests that could not be looked up\n\n{_said(self.unknown)}")
        return "\n\n".join(parts) + "\n"


def drift(pulumi: Pulumi, files: Artifacts, find: Find) -> Report:
    """Compare the stack with what is there. Nothing is changed, the state included.

    Raises:
        StepError: the preview failed for another reason than a difference, or the stack was never deployed.
    """
    images = pulumi.images()
    if not images:
        raise StepError(f"the stack {pulumi.stack} has no images in its outputs: run `apply` first")
    # What was promoted is noted in no file that is kept: the program would build, and differ in all that follows.
    promoted = settings_with(pulumi, files, images) if is_promoted(pulumi) else nullcontext(())
    with promoted as options:
        done = pulumi.operation("preview", files.events, "--refresh", "--run-program", "--expect-no-changes", *options)
    differs = differing(done.run)
    if done.exit_code and not differs:
        raise StepError(problems.explain("looking for drift", done.run, done.said))
    answers = {service: find(reference) for service, reference in sorted(images.items())}
    return Report(
        resources=differs,
        gone={name: item.problem for name, item in answers.items() if item.outcome is Outcome.MISSING},
        unknown={
            name: item.problem
            for name, item in answers.items()
            if item.outcome not in (Outcome.MISSING, Outcome.PRESENT)
        },
    )


def is_promoted(pulumi: Pulumi) -> bool:
    """Whether the stack's settings here let it build its images, and the last update was given them by digest.

    Raises:
        StepError: the settings or the state cannot be read.
    """
    settings = cast("Json", json.loads(pulumi.query("config", "--json")))
    images = cast("Json", cast("Json", settings.get("dockercoins:images") or {}).get("objectValue") or {})
    if images.get("source", "build") != "build":
        return False
    state = cast("Json", json.loads(pulumi.query("stack", "export")))
    resources = cast("list[Json]", cast("Json", state.get("deployment") or {}).get("resources") or [])
    return not any(resource.get("type") == BUILD for resource in resources)


def differing(run: Run) -> tuple[Step, ...]:
    """The resources that are not as the state and the program have them, by kind and name."""
    return tuple(sorted(run.changes, key=lambda step: (step.kind, step.name)))


def find_in_registry(environment: Mapping[str, str]) -> Find:
    """Ask registries by ``REGISTRY_USERNAME`` and ``REGISTRY_PASSWORD``, or by the login of this machine's docker."""

    def find(reference: str) -> Answer:
        try:
            user, word = environment.get("REGISTRY_USERNAME", ""), environment.get("REGISTRY_PASSWORD", "")
            if user and word:
                return find_image(reference, user, word)
            login = docker_login(parse(reference).host, environment, Path.home())
            return find_image(reference, login.username, login.password, login.identity_token)
        except (ReferenceFormatError, UnaskableError, DockerLoginError) as error:
            return Answer(Outcome.UNREACHABLE, str(error))

    return find


def _resource(step: Step) -> str:
    lines = [f"- {step.kind} {code(step.name)}{_how(step)}"]
    lines += [f"  - {code(item.path)}: {turn(shown(item.before), shown(item.after))}" for item in step.differences]
    return "\n".join(lines)


def _how(step: Step) -> str:
    how = {"create": f" {_LOST}, and would be made again", "delete": " is there, and the program does not have it"}
    return how.get(step.operation, ":" if step.differences else " differs")


def _said(answers: Mapping[str, str]) -> str:
    return "\n".join(f"- {code(service)}: {problem}" for service, problem in answers.items())
