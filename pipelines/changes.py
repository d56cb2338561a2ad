"""What a preview means for the running system: which images are new, and why; which Deployments get new pods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final, cast

from pipelines.events import UNKNOWN, Difference, Run, Step, at, is_secret

BUILD: Final = "docker:index/image:Image"
"""The type of an image that a stack builds."""

_DEPLOYMENT: Final = "kubernetes:apps/v1:Deployment"
_CONTAINER_IMAGE: Final = ".image"


@dataclass(frozen=True)
class Cause:
    """Why an image is another one: ``what`` differs, from ``before`` to ``after``; both are empty for content."""

    what: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True)
class ImageChange:
    """An image that is built, or goes elsewhere. ``before`` and ``after`` are ``repository:tag``, or empty."""

    name: str
    before: str
    after: str
    causes: tuple[Cause, ...]
    context: str
    """The folder that it is built from, relative to the program."""

    @property
    def is_new(self) -> bool:
        """Whether what it is named by is new; if not, it holds what it held before."""
        return self.before != self.after

    @property
    def has_new_content(self) -> bool:
        """Whether it is built from something else than before, and not only kept elsewhere."""
        return self.is_new and any(cause.what != "repository" for cause in self.causes)


@dataclass(frozen=True)
class Rollout:
    """What happens to the pods of a Deployment.

    ``rolls`` is ``yes`` where all its pods are replaced, ``no`` where only their number changes or nothing about them
    does, and ``maybe`` where its image is built again from what it was built from before: then an equal digest leaves
    the pods alone.
    """

    name: str
    operation: str
    rolls: str
    causes: tuple[str, ...]
    pods_before: int | None
    pods_after: int | None


@dataclass(frozen=True)
class Changes:
    """A preview, as a reviewer wants to know it."""

    images: tuple[ImageChange, ...]
    rollouts: tuple[Rollout, ...]
    steps: tuple[Step, ...]
    """All that changes."""
    unchanged: int

    def count(self, operation: str) -> int:
        """How many resources have this operation."""
        return sum(step.operation == operation for step in self.steps)

    def of(self, *operations: str) -> tuple[Step, ...]:
        """The steps with one of these operations, in the order of kind and name."""
        chosen = [step for step in self.steps if step.operation in operations]
        return tuple(sorted(chosen, key=lambda step: (step.kind, step.name)))


def understand(run: Run) -> Changes:
    """What the steps of a preview come to."""
    images = tuple(sorted((_image(step) for step in run.changes if _is_image(step)), key=lambda image: image.name))
    rebuilt = {image.name: image.has_new_content for image in images if image.is_new}
    # The image of a Deployment is told by the service that both are named for.
    deployments = [step for step in run.changes if step.type == _DEPLOYMENT]
    rollouts = sorted((_rollout(step, rebuilt) for step in deployments), key=lambda rollout: rollout.name)
    # A component is only what its parts are grouped by.
    steps = tuple(step for step in run.changes if not _groups(step))
    unchanged = sum(not _groups(step) for step in run.steps) - len(steps)
    return Changes(images, tuple(rollouts), steps, unchanged)


def is_provider(step: Step) -> bool:
    """Whether a step is about how a plugin is configured: of that, too, nothing exists anywhere."""
    return step.type.startswith("pulumi:providers:")


def _groups(step: Step) -> bool:
    """Whether a step is about a component or the stack, of which nothing exists anywhere."""
    package = step.type.partition(":")[0]
    return step.type == "pulumi:pulumi:Stack" or package == "dockercoins"


def _is_image(step: Step) -> bool:
    return step.type == BUILD and step.operation != "delete"


def _image(step: Step) -> ImageChange:
    before, after = _text(step.before.get("imageName")), _text(step.after.get("imageName"))
    context = _text(at(step.after, "build.context"))
    causes = [_cause(difference) for difference in step.differences]
    old, new = before.rpartition(":")[0], after.rpartition(":")[0]
    found = [cause for cause in causes if cause]
    if before and old != new:
        found.append(Cause("repository", old, new))
    if not before:
        found = [Cause("first build")]
    return ImageChange(step.name, before, after, tuple(found), str(PurePosixPath(context)) if context else "")


def _cause(difference: Difference) -> Cause | None:
    path, before, after = difference.path, shown(difference.before), shown(difference.after)
    if path == "build.contextDigest":
        return Cause("content")
    if path.startswith("build.args"):
        argument = path.removeprefix("build.args").strip('.[]"')
        return Cause(f"build argument {argument}" if argument else "build arguments", before, after)
    if path.startswith("build."):
        return Cause(path.removeprefix("build."), before, after)
    return None


def _rollout(step: Step, rebuilt: Mapping[str, bool]) -> Rollout:
    before, after = _pods(step.before), _pods(step.after)
    if step.operation in ("create", "delete"):
        return Rollout(step.name, step.operation, "no", (), before, after)
    template = [item for item in step.differences if item.path.startswith("spec.template")]
    images = [item for item in template if item.path.endswith(_CONTAINER_IMAGE)]
    same_content = bool(images) and all(item.after == UNKNOWN for item in images) and step.name not in rebuilt
    only_images = len(images) == len(template)
    rolls = "no" if not template else "maybe" if same_content and only_images else "yes"
    image = (
        "an image built again from equal content"
        if same_content
        else "a new image"
        if rebuilt.get(step.name, True)
        else "its image comes from another repository"
    )
    causes = dict.fromkeys(_reason(step, item, image) for item in template)
    # A version is the tag of the image, said once more.
    if images:
        causes.pop(_VERSION, None)
    return Rollout(step.name, step.operation, rolls, tuple(causes), before, after)


_VERSION: Final = "its version"
_VERSION_VARIABLE: Final = "SERVICE_VERSION"


def _reason(step: Step, difference: Difference, image: str) -> str:
    path = difference.path
    if path.endswith(_CONTAINER_IMAGE):
        return image
    if "app.kubernetes.io/version" in path:
        return _VERSION
    if ".env[" in path and path.endswith(".value"):
        name = _text(at(step.after, f"{path.removesuffix('.value')}.name")) or path
        return _VERSION if name == _VERSION_VARIABLE else f"{name}: {_turn(difference)}"
    return f"{path.removeprefix('spec.template.spec.').removeprefix('spec.template.')}: {_turn(difference)}"


def _turn(difference: Difference) -> str:
    return f"{shown(difference.before)} → {shown(difference.after)}"


def _pods(inputs: Mapping[str, object]) -> int | None:
    replicas = at(inputs, "spec.replicas")
    if isinstance(replicas, int | float):
        return int(replicas)
    return None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def shown(value: object) -> str:
    """A value as a reviewer may see it; a secret is never shown, nor is what lies in a list or mapping with one."""
    if _holds_secret(value):
        return "a secret"
    if isinstance(value, Mapping):
        return f"{{{', '.join(cast('Mapping[str, object]', value))}}}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(shown(item) for item in cast('Sequence[object]', value))}]"
    if isinstance(value, bool | None):
        return {True: "true", False: "false", None: "nothing"}[value]
    if value == UNKNOWN:
        return "known after the update"
    # JSON has one kind of number, and 10 replicas are no 10.0.
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _holds_secret(value: object) -> bool:
    if isinstance(value, Mapping):
        items = cast("Mapping[str, object]", value)
        return is_secret(items) or any(_holds_secret(item) for item in items.values())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return any(_holds_secret(item) for item in cast("Sequence[object]", value))
    return value == "[secret]"
