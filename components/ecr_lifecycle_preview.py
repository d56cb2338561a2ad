"""Shows what the clean-up of an ECR repository would expire, by which rule, and what it keeps and why.

    aws ecr describe-images --repository-name dockercoins/rng |
        python -m components.ecr_lifecycle_preview --keep 30 --untagged-days 7 --deployed <tag>

Nothing is asked of Amazon and nothing is changed: the images come from standard input, and the policy is the one that
the same values make in a stack (:func:`components.ecr_lifecycle.lifecycle_policy`).
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TextIO, cast

from components.ecr_lifecycle import KEEP_LIMIT, lifecycle_policy
from components.ecr_lifecycle_evaluator import Image, Verdict, evaluate
from components.ecr_tag_filters import TagFilterError, check_tag_filters
from components.image_reference import TAG_LIMIT

DAYS_LIMIT: Final = 3650
"""The most days that images without a tag may be kept here."""

PLATFORMS_LIMIT: Final = 9
"""The most platforms that an image may be for here."""

_LISTING: Final = "aws ecr describe-images --repository-name <name>"
_TAG = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9_.-]{{0,{TAG_LIMIT - 1}}}")
_SHOWN_DIGEST: Final = len("sha256:") + 12
_INDEX_TYPES: Final = frozenset(
    {"application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"}
)
_HEADINGS: Final = ("", "image", "tags", "pushed", "age", "size", "because of")


class ListingError(ValueError):
    """A text that is not what ``aws ecr describe-images`` prints; the message says what is wrong."""


def read_images(text: str) -> list[Image]:
    """The images in the JSON that ``aws ecr describe-images`` prints (``DescribeImages`` of the ECR API).

    Raises:
        ListingError: the text is something else, or only a part of the listing.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        what = f"not JSON ({error})" if text.strip() else "empty"
        raise ListingError(f"the input is {what}") from None
    details = cast("dict[str, Any]", document).get("imageDetails") if isinstance(document, dict) else None
    if not isinstance(details, list):
        raise ListingError("the input has no list 'imageDetails'")
    if cast("dict[str, Any]", document).get("nextToken"):
        raise ListingError(
            "the input has only the first images of the repository; leave out --max-items and --no-paginate"
        )
    return [_image(number, detail) for number, detail in enumerate(cast("list[object]", details), start=1)]


def table(verdicts: Sequence[Verdict], now: datetime) -> list[str]:
    """The lines of a table with what becomes of each image, newest first, and a summary."""
    newest_first = sorted(verdicts, key=lambda verdict: verdict.image.pushed, reverse=True)
    rows = [_HEADINGS, *(_row(verdict, now) for verdict in newest_first)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    gone = [verdict.image for verdict in verdicts if verdict.expires]
    lines.append("")
    lines.append(
        f"{_counted(len(verdicts), 'image')}: {len(gone)} would expire ({_size(sum(image.size for image in gone))}),"
        f" {len(verdicts) - len(gone)} stay"
    )
    kept_indexes = [verdict for verdict in verdicts if not verdict.expires and verdict.image.media_type in _INDEX_TYPES]
    if kept_indexes and any(not image.tags for image in gone):
        lines.append(
            "Some images here are for several platforms. What they consist of may have no tag, and stays as long as"
            " they do, even where this says that it would expire: the listing does not tell which those are."
        )
    return lines


def main(arguments: Sequence[str], *, given: TextIO, now: datetime) -> int:
    """Print the table for the listing in ``given``; the exit code is 0, or 2 if the input or an argument is wrong."""
    chosen = _parser().parse_args(arguments)
    try:
        check_tag_filters(chosen.mutable)
    except TagFilterError as error:
        return _refuse(str(error))
    if given.isatty():
        return _refuse("the images are read from standard input, and nothing is connected to it")
    try:
        images = read_images(given.read())
    except (ListingError, UnicodeDecodeError) as error:
        return _refuse(str(error))
    policy = lifecycle_policy(
        chosen.keep,
        chosen.deployed,
        untagged_days=chosen.untagged_days,
        mutable_tags=chosen.mutable,
        platforms=chosen.platforms,
    )
    print("\n".join(table(evaluate(policy, images, now), now)))
    for tag in sorted(set(chosen.deployed) - {tag for image in images for tag in image.tags}):
        print(f"warning: no image in the input has the deployed tag {tag!r}", file=sys.stderr)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m components.ecr_lifecycle_preview",
        description="Show what the clean-up of an ECR repository would expire, and what it keeps, and by which rules.",
        epilog=f"The images are read from standard input: {_LISTING} | %(prog)s --deployed <tag>",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--keep",
        type=_within(1, KEEP_LIMIT),
        default=30,
        metavar="N",
        help="how many of the newest tagged images stay (default: %(default)s)",
    )
    parser.add_argument(
        "--platforms",
        type=_within(1, PLATFORMS_LIMIT),
        default=1,
        metavar="N",
        help="how many platforms each image is for, as many as `platforms` has in the stack (default: %(default)s)",
    )
    parser.add_argument(
        "--untagged-days",
        type=_within(1, DAYS_LIMIT),
        default=7,
        metavar="N",
        help="how many days images without a tag stay (default: %(default)s)",
    )
    parser.add_argument(
        "--deployed",
        type=_tag,
        action="append",
        default=list[str](),
        metavar="TAG",
        help="the tag of an image that runs, which stays however old it is; may be given several times",
    )
    parser.add_argument(
        "--mutable",
        action="append",
        default=list[str](),
        metavar="FILTER",
        help="a filter for mutable tags, whose images stay, such as cache or cache-*; may be given several times",
    )
    return parser


def _within(least: int, most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} to {most}")
        return int(text)

    return number


def _tag(text: str) -> str:
    if not _TAG.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no tag: 1 to {TAG_LIMIT} letters, digits, '_', '.' and '-', without '.' or '-' first"
        )
    return text


def _refuse(problem: str) -> int:
    print(f"{problem}\nto use it: {_LISTING} | python -m components.ecr_lifecycle_preview", file=sys.stderr)
    return 2


def _image(number: int, detail: object) -> Image:
    where = f"image {number} of the input"
    if not isinstance(detail, dict):
        raise ListingError(f"{where} is not an object")
    entries = cast("dict[str, Any]", detail)
    digest, size = entries.get("imageDigest"), entries.get("imageSizeInBytes")
    tags: object = entries.get("imageTags") or list[str]()
    if not isinstance(digest, str):
        raise ListingError(f"{where} has no imageDigest")
    if not isinstance(tags, list):
        raise ListingError(f"{where} has imageTags that are no list")
    return Image(
        digest,
        tuple(str(tag) for tag in cast("list[object]", tags)),
        _time(where, entries.get("imagePushedAt")),
        size if isinstance(size, int) else 0,
        str(entries.get("imageManifestMediaType", "")),
    )


def _time(where: str, value: object) -> datetime:
    """A time as version 2 of the aws command prints it (ISO 8601) or as version 1 does (seconds since 1970)."""
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if isinstance(value, (int, float)):
            return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise ListingError(f"{where} has the imagePushedAt {value!r}, which is no time")


def _row(verdict: Verdict, now: datetime) -> tuple[str, ...]:
    image = verdict.image
    return (
        "expires" if verdict.expires else "stays",
        image.digest[:_SHOWN_DIGEST],
        ", ".join(image.tags) or "-",
        image.pushed.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        _counted((now - image.pushed).days, "day"),
        _size(image.size),
        _reason(verdict),
    )


def _reason(verdict: Verdict) -> str:
    rule = verdict.rule
    if rule is None:
        return "no rule is about it"
    reason = f"rule {rule.priority}: {rule.description}"
    return reason if verdict.expires or rule.count_type == "imageCountMoreThan" else f"{reason} (it is younger)"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _size(count: int) -> str:
    return f"{count / 1_000_000:.1f} MB"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], given=sys.stdin, now=datetime.now(UTC)))
