"""A policy about tags of AWS resources."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from .rules import Resource, Rule, Setting, Settings
from .values import UNKNOWN, at, mapping

# A provider puts its default tags among the tags of each resource before it is judged, and all of them into tagsAll.
_TAGS: Final = ("tags", "tagsAll")


def _required(resource: Resource, settings: Settings) -> Iterator[str]:
    given = [at(resource.properties, name) for name in _TAGS]
    if not resource.type.startswith("aws:") or UNKNOWN in given:
        return
    # Whether another type takes tags is seen only where it has some.
    if not any(isinstance(value, dict) for value in given) and resource.type not in settings.texts("types"):
        return
    tags = {name: value for values in given for name, value in mapping(values).items()}
    missing = [name for name in settings.texts("required") if tags.get(name) in {None, ""}]
    if missing:
        yield (
            f"{resource.title}: it has the tags {', '.join(sorted(tags)) or 'none'}, and not {', '.join(missing)}. "
            f"Accepted is a value for each of {', '.join(settings.texts('required'))}: put them into the default tags "
            "of the provider."
        )


RULES: Final = (
    Rule(
        "required-tags",
        "AWS resources tell whose they are.",
        _required,
        (
            Setting("required", ("project", "stack", "managed-by"), "Tags that each resource has to have."),
            Setting(
                "types",
                (
                    "aws:ecr/repository:Repository",
                    "aws:iam/role:Role",
                    "aws:kms/key:Key",
                    "aws:s3/bucket:Bucket",
                    "aws:secretsmanager/secret:Secret",
                ),
                "Types that have to have tags. Others are held to it if they have any.",
            ),
        ),
    ),
)
"""Policies about one resource."""
