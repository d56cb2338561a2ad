"""The steps ``promote`` and ``rollback``: digests that were verified, deployed without building anything."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, cast

from pipelines import artifacts
from pipelines.artifacts import Artifacts
from pipelines.engine import Pulumi
from pipelines.errors import StepError

_DIGEST: Final = "@sha256:"


def promote(pulumi: Pulumi, verified: Path) -> dict[str, str]:
    """Let the stack deploy the images that ``verified`` names (what ``verify`` wrote for another stack).

    Its stack file says so from then on: ``images.source`` is ``prebuilt``, with a digest for each service. Preview and
    apply it like any other change; the preview looks every digest up in the registry.

    Raises:
        StepError: ``verified`` is missing or names no digests, or the stack's settings cannot be written.
    """
    images = _images(verified, "verify")
    _take(pulumi, images)
    return images


def roll_back(pulumi: Pulumi, files: Artifacts) -> dict[str, str]:
    """Bring back the images that ran before the last update, by digest; nothing is built, and nothing is deleted.

    Everything else stays as the update left it, the repositories and what was built too: an ordinary update goes on
    from there. The stack's own file is not changed.

    Raises:
        StepError: there is nothing to go back to, or it did not succeed; the message says what runs now.
    """
    made_by = f"apply --stack {pulumi.stack}"
    before = artifacts.read(files.good, made_by)
    if before.get("images") == {}:
        raise StepError(f"{pulumi.stack} ran nothing before the last update: there is nothing to go back to")
    images = _images(files.good, made_by)
    if images == pulumi.images() and not before.get("unfinished"):
        raise StepError(
            f"{pulumi.stack} runs the images already that ran before the last update: it is not they that broke it. "
            "Take the change of the settings back, preview and apply"
        )
    with settings_with(pulumi, files, images) as where:
        kept = [part for pattern in _KEPT for part in ("--exclude", pattern)]
        pulumi.succeed("up", files.events, "--yes", "--skip-preview", *where, *kept)
    return images


@contextmanager
def settings_with(pulumi: Pulumi, files: Artifacts, images: Mapping[str, str]) -> Generator[Sequence[str]]:
    """The stack's settings with these images, by digest, in a file that is there meanwhile: options for Pulumi.

    Raises:
        StepError: the stack has no file with settings here, or they cannot be written.
    """
    settings = files.folder / "settings.yaml"
    try:
        text = (pulumi.folder / f"Pulumi.{pulumi.stack.rpartition('/')[2]}.yaml").read_text()
    except FileNotFoundError as error:
        raise StepError(f"there is no {error.filename}: run this where the program is") from None
    files.folder.mkdir(parents=True, exist_ok=True)
    settings.write_text(text)
    where = ("--config-file", str(settings.resolve()))
    try:
        _take(pulumi, images, *where)
        yield where
    finally:
        settings.unlink()


_KEPT: Final = (
    "**docker:index/image:Image**",
    "**dockercoins:image:ServiceImage**",
    "**pulumi:providers:docker**",
    "**aws:ecr/**",
)
"""What a program that takes images by digest does not declare, and would delete: builds, and the repositories."""


def _take(pulumi: Pulumi, images: Mapping[str, str], *options: str) -> None:
    settings = ["images.source=prebuilt", *(f"images.digests.{name}={image}" for name, image in sorted(images.items()))]
    given = [part for item in settings for part in ("--plaintext", item)]
    pulumi.query("config", "set-all", "--path", *options, *given)


def _images(file: Path, made_by: str) -> dict[str, str]:
    given: object = artifacts.read(file, made_by).get("images")
    images = cast("dict[str, object]", given) if isinstance(given, dict) else {}
    found = {name: image for name, image in images.items() if isinstance(image, str) and _DIGEST in image}
    if not images or len(found) < len(images):
        raise StepError(f"{file} names no images by digest: run `{made_by}` again")
    return found
