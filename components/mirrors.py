"""Takes images of other registries from a mirror or a pull-through cache instead."""

from __future__ import annotations

from collections.abc import Mapping

from components.image_reference import ReferenceFormatError, parse


def mirrored(reference: str, mirrors: Mapping[str, str]) -> str:
    """``reference`` as the mirror of its host has it; one of a host without a mirror stays as it is.

    ``mirrors`` maps a host to ``<host>[/<path>]``, which stands in its place: with ``docker.io`` at
    ``harbor.mycompany.io/hub``, ``redis:8`` is ``harbor.mycompany.io/hub/library/redis:8``.

    Raises:
        ReferenceFormatError: the reference, or what it becomes, is none.
    """
    image = parse(reference)
    mirror = mirrors.get(image.host)
    return reference if mirror is None else parse(image.under(mirror)).full


def mirror_problem(host: str, mirror: str) -> str | None:
    """Why ``mirror`` cannot stand in for the images of ``host``, ``None`` if it can."""
    try:
        upstream = parse(f"{host}/any/image")
        if upstream.host != host:
            return f"{host!r} is no host of images; {upstream.host!r} may be meant"
        place = parse(f"{mirror}/any/image")
    except ReferenceFormatError as error:
        return str(error)
    first = mirror.partition("/")[0]
    return None if place.host == first else f"{first!r} is no host: it has neither a '.' nor a port"
