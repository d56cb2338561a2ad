import io
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from components.ecr_lifecycle_preview import ListingError, main, read_images
from tests.unit.stacks import ROOT

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def detail(number: int, days: float, *tags: str, media_type: str = OCI_MANIFEST) -> dict[str, Any]:
    """One image as version 2 of the aws command prints it; one without a tag has no list of tags."""
    found: dict[str, Any] = {
        "registryId": "111122223333",
        "repositoryName": "dockercoins/rng",
        "imageDigest": f"sha256:{number:x}" + "0" * 63,
        "imageSizeInBytes": 25_000_000,
        "imagePushedAt": (NOW - timedelta(days=days)).isoformat(),
        "imageManifestMediaType": media_type,
    }
    return {**found, "imageTags": list(tags)} if tags else found


def listing(*details: dict[str, Any], **more: Any) -> str:
    return json.dumps({"imageDetails": details, **more})


def previewed(capsys: pytest.CaptureFixture[str], text: str, *arguments: str) -> tuple[list[str], str]:
    assert main(arguments, given=io.StringIO(text), now=NOW) == 0
    printed = capsys.readouterr()
    return printed.out.splitlines(), printed.err


def refused(capsys: pytest.CaptureFixture[str], text: str, *arguments: str) -> str:
    try:
        code = main(arguments, given=io.StringIO(text), now=NOW)
    except SystemExit as stop:
        code = stop.code
    printed = capsys.readouterr()
    assert code == 2
    assert printed.out == ""
    return printed.err


REPOSITORY = listing(
    detail(1, 40, "v1"),
    detail(2, 30, "v2"),
    detail(3, 20, "v3"),
    detail(4, 2, "v4"),
    detail(5, 9),
    detail(6, 3.5),
    detail(7, 50, "cache"),
)


def test_it_shows_what_goes_and_what_stays_and_by_which_rule(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--keep", "2", "--untagged-days", "7", "--deployed", "v1", "--mutable", "cache*")
    lines, warnings = previewed(capsys, REPOSITORY, *arguments)
    assert [line.rstrip() for line in lines] == [
        "         image                tags   pushed                age      size     because of",
        "stays    sha256:400000000000  v4     2026-02-27 12:00 UTC  2 days   25.0 MB  rule 4: Keep the newest 2 tagged"
        " images",
        "stays    sha256:600000000000  -      2026-02-26 00:00 UTC  3 days   25.0 MB  rule 3: Expire images without a"
        " tag after 7 days (it is younger)",
        "expires  sha256:500000000000  -      2026-02-20 12:00 UTC  9 days   25.0 MB  rule 3: Expire images without a"
        " tag after 7 days",
        "stays    sha256:300000000000  v3     2026-02-09 12:00 UTC  20 days  25.0 MB  rule 4: Keep the newest 2 tagged"
        " images",
        "expires  sha256:200000000000  v2     2026-01-30 12:00 UTC  30 days  25.0 MB  rule 4: Keep the newest 2 tagged"
        " images",
        "stays    sha256:100000000000  v1     2026-01-20 12:00 UTC  40 days  25.0 MB  rule 1: Never expire the deployed"
        " image v1",
        "stays    sha256:700000000000  cache  2026-01-10 12:00 UTC  50 days  25.0 MB  rule 2: Never expire what the"
        " mutable tag cache* names",
        "",
        "7 images: 2 would expire (50.0 MB), 5 stay",
    ]
    assert warnings == ""


def test_a_deployed_tag_that_no_image_has_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    _, warnings = previewed(capsys, REPOSITORY, "--deployed", "v1", "--deployed", "v9")
    assert warnings == "warning: no image in the input has the deployed tag 'v9'\n"


def test_an_empty_repository_is_no_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    lines, _ = previewed(capsys, listing())
    assert lines[-1] == "0 images: 0 would expire (0.0 MB), 0 stay"


def test_what_an_image_for_several_platforms_consists_of_is_told_to_stay(capsys: pytest.CaptureFixture[str]) -> None:
    for_several = listing(detail(1, 30, "v1", media_type=OCI_INDEX), detail(2, 30), detail(3, 30))
    lines, _ = previewed(capsys, for_several)
    assert lines[-1].startswith("Some images here are for several platforms.")
    one_each, _ = previewed(capsys, listing(detail(1, 30, "v1"), detail(2, 30)))
    assert one_each[-1].endswith("1 would expire (25.0 MB), 1 stay")


def test_an_image_for_several_platforms_counts_once_if_the_number_of_platforms_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    parts = [
        detail(3 * n + p, 30 - n, f"v{n}{end}") for n in range(3) for p, end in enumerate(("-amd64", "-arm64", ""))
    ]
    kept, _ = previewed(capsys, listing(*parts), "--keep", "2", "--platforms", "2")
    assert kept[-1].startswith("9 images: 3 would expire")
    assert {line.split()[2] for line in kept if line.startswith("expires")} == {"v0", "v0-amd64", "v0-arm64"}
    counted_each, _ = previewed(capsys, listing(*parts), "--keep", "2")
    assert counted_each[-1].startswith("9 images: 7 would expire")


@pytest.mark.parametrize("pushed", ["2026-02-27T12:00:00+00:00", "2026-02-27T13:00:00.5+01:00", 1772193600.25])
def test_times_are_read_as_either_version_of_the_aws_command_prints_them(pushed: str | float) -> None:
    (image,) = read_images(listing({**detail(1, 0, "v1"), "imagePushedAt": pushed}))
    assert image.pushed.replace(microsecond=0) == datetime(2026, 2, 27, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the input is empty"),
        ("An error occurred (RepositoryNotFoundException)", "the input is not JSON"),
        ("[]", "the input has no list 'imageDetails'"),
        ('{"images": []}', "the input has no list 'imageDetails'"),
        ('{"imageDetails": {}}', "the input has no list 'imageDetails'"),
        (listing(7), "image 1 of the input is not an object"),  # pyright: ignore[reportArgumentType] - on purpose
        (listing({}), "image 1 of the input has no imageDigest"),
        (listing({**detail(1, 1), "imageTags": "v1"}), "image 1 of the input has imageTags that are no list"),
        (
            listing(detail(1, 1), {**detail(2, 1), "imagePushedAt": "soon"}),
            "image 2 of the input has the imagePushedAt",
        ),
        (listing({"imageDigest": "sha256:1"}), "the imagePushedAt None, which is no time"),
        (listing(detail(1, 1), nextToken="abc"), "has only the first images"),
    ],
)
def test_an_input_that_is_no_listing_is_refused_with_the_reason(
    capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    with pytest.raises(ListingError):
        read_images(text)
    message = refused(capsys, text)
    assert said in message
    assert "to use it: aws ecr describe-images" in message


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--keep", "0"], "'0' is not a whole number from 1 to 9999"),
        (["--keep", "many"], "'many' is not a whole number"),
        (["--untagged-days", "-1"], "'-1' is not a whole number from 1 to 3650"),
        (["--deployed", ""], "'' is no tag"),
        (["--deployed", "a/b"], "'a/b' is no tag"),
        (["--mutable", "*"], "'*' is no filter for mutable tags"),
        (["--frobnicate"], "unrecognized arguments"),
    ],
)
def test_an_argument_that_cannot_be_used_is_refused_with_the_reason(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert said in refused(capsys, REPOSITORY, *arguments)


@pytest.mark.parametrize(("text", "code"), [(REPOSITORY, 0), ("nonsense", 2), ("\ufffd" * 3, 2)])
def test_the_command_ends_without_a_stack_trace(text: str, code: int) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "components.ecr_lifecycle_preview"],
        cwd=ROOT,
        input=text,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert ran.returncode == code
    assert "Traceback" not in ran.stderr


def test_the_command_says_what_it_reads_and_takes() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "components.ecr_lifecycle_preview", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for part in ("aws ecr describe-images", "--keep", "--untagged-days", "--deployed", "--mutable", "(default: 30)"):
        assert part in " ".join(ran.stdout.split())
