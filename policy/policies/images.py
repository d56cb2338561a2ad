"""Policies about the images of containers: where they come from, and what pins them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from .pods import containers_of
from .references import Reference, parse
from .rules import Resource, Rule, Setting, Settings, StackRule
from .values import at, elements

_OTHERS: Final = Setting(
    "others",
    ("library/redis", "library/python"),
    "Repositories of images that this project does not build, by the end of their path. All others are its own.",
)
_BUILT: Final = {"docker:index/image:Image": ("imageName",), "docker-build:index:Image": ("ref",)}
_TAGS_OF_BUILD: Final = "tags"


def _by_digest(resource: Resource, settings: Settings) -> Iterator[str]:
    for where, text, image in _images(resource):
        if not image.digest and not image.ends_with(settings.texts("others")):
            yield (
                f"{where}: the image {text} has no digest. Accepted is name@sha256:…, which a push gives. An image "
                "that is not this project's belongs into the setting `others`."
            )


def _pinned(resource: Resource, settings: Settings) -> Iterator[str]:
    for where, text, image in _images(resource):
        if not image.digest and not image.tag and image.ends_with(settings.texts("others")):
            yield f"{where}: the image {text} has neither a tag nor a digest. Accepted is name:tag or name@sha256:…."


def _no_latest(resource: Resource, _settings: Settings) -> Iterator[str]:
    named = [(where, text, image.tag) for where, text, image in _images(resource)]
    named += [(resource.title, text, parse(text).tag) for text in _names_of_build(resource)]
    for where, text, tag in named:
        if tag == "latest":
            yield (
                f"{where}: {text} has the tag latest, which means something else every day. "
                "Accepted is a tag that tells the content, or a digest."
            )


def _from_known_registries(resources: Sequence[Resource], settings: Settings) -> Iterator[tuple[Resource, str]]:
    own = tuple(settings.texts("registries")) or _registries_of_builds(resources)
    used = [(resource, *found) for resource in resources for found in _images(resource)]
    theirs = [entry for entry in used if not entry[3].ends_with(settings.texts("others"))]
    if not own:
        # Nothing is built: then all that the project has built before lies in one place.
        own = tuple(sorted({image.registry for _, _, _, image in theirs}))[:1]
    for resource, where, text, image in theirs:
        if not image.is_below(own):
            yield (
                resource,
                f"{where}: the image {text} is not from the stack's registry. Accepted is what lies below "
                f"{' or '.join(own)}; another place belongs into the setting `registries`, and an image that is not "
                "this project's into `others`.",
            )
    places = (*settings.texts("places"), *{place.partition("/")[0] for place in own})
    for resource, where, text, image in used:
        if image.ends_with(settings.texts("others")) and not image.is_below(places):
            yield (
                resource,
                f"{where}: the image {text} is of another place than {' or '.join(sorted(places))}. "
                "A mirror belongs into the setting `places`.",
            )


def _images(resource: Resource) -> Iterator[tuple[str, str, Reference]]:
    """Where an image is named, its reference as it is written there, and the parts of that."""
    for container in containers_of(resource):
        text = container.spec.get("image")
        if isinstance(text, str):
            yield f"{container.title}", text, parse(text)


def _names_of_build(resource: Resource) -> list[str]:
    """The references that a build of an image pushes to."""
    if resource.type not in _BUILT:
        return []
    values = [at(resource.properties, *_BUILT[resource.type]), *elements(at(resource.properties, _TAGS_OF_BUILD))]
    return [value for value in values if isinstance(value, str)]


def _registries_of_builds(resources: Sequence[Resource]) -> tuple[str, ...]:
    return tuple(sorted({parse(name).registry for resource in resources for name in _names_of_build(resource)}))


RULES: Final = (
    Rule("own-images-by-digest", "Images of this project are named by their digest.", _by_digest, (_OTHERS,)),
    Rule("other-images-pinned", "Images of others are named by a tag or a digest.", _pinned, (_OTHERS,)),
    Rule("no-latest", "No image is deployed or pushed as latest.", _no_latest),
)
"""Policies about one resource."""

STACK_RULES: Final = (
    StackRule(
        "images-from-known-registries",
        "Images come from the stack's registry, and those of others from places that are known.",
        _from_known_registries,
        (
            _OTHERS,
            Setting(
                "registries",
                (),
                "Where this project's images may come from, as hosts with the beginning of a path. Empty means where "
                "the stack pushes to; where it builds nothing, one place for all.",
            ),
            Setting("places", ("docker.io",), "Where images of others may come from, beside the stack's registry."),
        ),
    ),
)
"""Policies about all resources together."""
