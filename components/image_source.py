"""Images that others have built: taken by digest, from settings or from another stack, and only if they are there."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import pulumi

from components.image_reference import parse
from components.registries import Registry
from components.registry import RegistryLogin
from components.registry_api import Outcome, find_image

_DIGEST_MARK: Final = "@sha256:"


def images_of_stack(stack: str, services: Sequence[str]) -> dict[str, pulumi.Output[str]]:
    """The images that another stack runs: its output ``images``, service to ``repository@sha256:…``.

    What was built once and tried there is what is deployed here. The engine ends with an error that names the stack if
    there is no such stack; a stack without an image of a service ends it likewise.
    """
    images = pulumi.StackReference(stack).get_output("images")

    def of_service(service: str) -> pulumi.Output[str]:
        return images.apply(lambda given: _image(given, stack, service))

    return {service: of_service(service) for service in services}


def checked(reference: pulumi.Input[str], registry: Registry, login: RegistryLogin | None) -> pulumi.Output[str]:
    """``reference`` (``<repository>@sha256:…``), once the registry has said that its digest is there.

    So a digest that is gone is found in the preview, and before a Deployment changes. Where the registry cannot be
    asked from here (no login, no route), a warning says so, and the nodes will find out. An image of ``registry`` is
    asked for at its push host: the pull host may be a name that only nodes know.
    """
    username = pulumi.Output.from_input(login.username if login else None)
    password = pulumi.Output.from_input(login.password if login else None)

    async def ask(values: Sequence[Any]) -> str:
        text, user, word = values
        return await asyncio.to_thread(_found, text, registry, user, word)

    # The password that goes in would make a secret of the reference, which is none.
    return pulumi.Output.unsecret(pulumi.Output.all(reference, username, password).apply(ask))


def _found(reference: str, registry: Registry, username: str | None, password: str | None) -> str:
    asked = registry.as_pushed(reference)
    # A login is for its own registry.
    known = parse(asked).host == parse(f"{registry.push_host}/any").host
    answer = find_image(asked, username or "", password or "") if known else find_image(asked)
    if answer.outcome is Outcome.PRESENT:
        return reference
    if answer.outcome is Outcome.MISSING or (answer.outcome is Outcome.REFUSED and known and username):
        raise pulumi.RunError(f"{answer.problem}\nNothing that runs was changed.")
    pulumi.log.warn(f"{answer.problem}\nWhether {reference} is there was not checked; the nodes will find out.")
    return reference


def _image(given: object, stack: str, service: str) -> str:
    images: Mapping[str, object] = cast("Mapping[str, object]", given) if isinstance(given, Mapping) else {}
    reference = images.get(service)
    if isinstance(reference, str) and _DIGEST_MARK in reference:
        return reference
    raise pulumi.RunError(
        f"the stack {stack!r} has no image of {service} in its output 'images' (it has: {', '.join(images) or 'none'});"
        " run `pulumi up` there first, or name another stack: pulumi config set --path images.stack <stack>"
    )
