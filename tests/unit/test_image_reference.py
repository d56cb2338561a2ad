import os
import re
import string
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.image_reference import ImageReference, ReferenceFormatError, describe, main, parse

SHA256 = "sha256:" + "0123456789abcdef" * 4
ROOT = Path(__file__).resolve().parent.parent.parent
HOSTS = ["", "localhost/", "Registry/", "a-b.io/", "index.docker.io/", "docker.io:443/", "[::1]:5000/", "10.0.0.1:80/"]
COMPONENTS = ["a", "alpine", "library", "a_b", "a__0", "0--b---c", "local"]
TAGS = ["", ":1", ":v1.0-rc.1", ":_"]


def _joined(host: str, components: list[str], tag: str) -> str:
    return f"{host}{'/'.join(components)}{tag}"


REFERENCES = st.builds(
    _joined,
    st.sampled_from(HOSTS),
    st.lists(st.sampled_from(COMPONENTS), min_size=1, max_size=4),
    st.sampled_from(TAGS),
)


@pytest.mark.parametrize(
    ("text", "full", "short"),
    [
        ("alpine", "docker.io/library/alpine:latest", "alpine"),
        ("library/alpine", "docker.io/library/alpine:latest", "alpine"),
        ("docker.io/alpine:3", "docker.io/library/alpine:3", "alpine:3"),
        ("index.docker.io/library/alpine:latest", "docker.io/library/alpine:latest", "alpine:latest"),
        ("jpetazzo/clock", "docker.io/jpetazzo/clock:latest", "jpetazzo/clock"),
        ("localhost/hasher", "localhost/hasher:latest", "localhost/hasher"),
        ("localhost:5001/a/b:1", "localhost:5001/a/b:1", "localhost:5001/a/b:1"),
        ("[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a"),
        ("Registry/a", "Registry/a:latest", "Registry/a"),
        (f"a/b@{SHA256}", f"docker.io/a/b@{SHA256}", f"a/b@{SHA256}"),
        (f"a.b/c:d@{SHA256}", f"a.b/c:d@{SHA256}", f"a.b/c:d@{SHA256}"),
        ("library/a/b", "docker.io/library/a/b:latest", "library/a/b"),
        ("docker.io/a.b/c", "docker.io/a.b/c:latest", "a.b/c"),
        ("my_registry.local/app:1", "my_registry.local/app:1", "my_registry.local/app:1"),
        (
            "gcr.io/google-containers/alpine-with-bash:1.0",
            "gcr.io/google-containers/alpine-with-bash:1.0",
            "gcr.io/google-containers/alpine-with-bash:1.0",
        ),
        (
            "registry.mycompany.io:5000/myimage:awesome",
            "registry.mycompany.io:5000/myimage:awesome",
            "registry.mycompany.io:5000/myimage:awesome",
        ),
    ],
)
def test_a_reference_has_one_long_and_one_short_form(text: str, full: str, short: str) -> None:
    reference = parse(text)
    assert reference.full == full
    assert reference.short == short


@pytest.mark.parametrize(
    ("text", "part", "position", "problem"),
    [
        ("", None, 0, "it is empty"),
        ("a" * 64, None, 0, "an image's id"),
        ("https://a.b/c", "host", 0, "'https://' is a URL's scheme"),
        ("-host.io/a", "host", 0, "'-' cannot stand here"),
        ("a.b-/c", "host", 3, "'-' cannot stand here"),
        ("a..b/c", "host", 1, "'.' cannot stand here"),
        ("a b.c/d", "host", 1, "' ' cannot stand here"),
        ("a.b:/c", "host", 3, "':' without a port"),
        ("a.b:80x/c", "host", 6, "'x' cannot stand here"),
        ("[::1/a", "host", 4, "']' is missing"),
        ("[::g]/a", "host", 3, "'g' cannot stand here"),
        ("Alpine", "repository", 0, "'A' is a capital letter, and a repository must be lowercase"),
        ("a.b/c-D", "repository", 6, "'D' is a capital letter"),
        ("a_b.c/d*", "repository", 7, "'*' is not allowed"),
        ("\u0430lpine", "repository", 0, "'\u0430' (U+0430) is not allowed"),
        ("alpine\n", "repository", 6, r"'\n' is not allowed"),
        ("a//b", "repository", 2, "a component is empty"),
        ("/a", "repository", 0, "a component is empty"),
        ("a.b/", "repository", 4, "a component is empty"),
        (":5000", "repository", 0, "a component is empty"),
        ("a__b___c", "repository", 4, "'___' inside the component 'a__b___c'"),
        ("a/-b", "repository", 2, "the component '-b' starts with '-'"),
        ("docker.io/b-", "repository", 11, "the component 'b-' ends with '-'"),
        ("a/" + "b" * 254, "repository", 255, "256 characters; at most 255"),
        ("b" * 248, "repository", 247, "256 characters; at most 255"),
        ("a:", "tag", 2, "':' without a tag"),
        ("a:.b", "tag", 2, "'.' cannot stand here"),
        ("a.b:80/c:d:e", "tag", 10, "':' cannot stand here"),
        ("a:" + "t" * 129, "tag", 130, "129 characters; at most 128"),
        ("a@", "digest", 2, "'@' without a digest"),
        (
            "a:b@md5:" + "0" * 32,
            "digest",
            4,
            "the algorithm 'md5' is not known; a digest is sha256 or sha384 or sha512",
        ),
        ("a@sha256", "digest", 8, "':' is missing"),
        ("a@sha256:12", "digest", 11, "2 digits; sha256 is written as 64"),
        ("a@sha256:" + "0" * 65, "digest", 73, "65 digits; sha256 is written as 64"),
        ("a@sha256:0" + "A" * 63, "digest", 10, "'A' cannot stand here; sha256 is written as 64 lowercase"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, part: str | None, position: int, problem: str) -> None:
    with pytest.raises(ReferenceFormatError) as error:
        parse(text)
    assert (error.value.part, error.value.position) == (part, position)
    place = f"{part}, character {position + 1}: " if part else ""
    assert str(error.value).startswith(f"{text!r} is not an image reference: {place}")
    assert problem in str(error.value)


@given(REFERENCES, st.data())
def test_a_character_that_no_part_may_have_is_found_wherever_it_is(reference: str, data: st.DataObject) -> None:
    assert parse(reference)
    place = data.draw(st.integers(0, len(reference)))
    with pytest.raises(ReferenceFormatError) as error:
        parse(f"{reference[:place]}*{reference[place:]}")
    # Punctuation before it is wrong too, once what it leads to is.
    assert re.fullmatch(r"[._:-]*", reference[error.value.position : place])
    assert error.value.position <= place


@given(st.text(min_size=1).map(lambda text: f"{text}*"))
def test_whatever_is_refused_is_refused_in_one_line_with_a_place_in_it(text: str) -> None:
    with pytest.raises(ReferenceFormatError) as error:
        parse(text)
    assert 0 <= error.value.position < len(text)
    assert str(error.value).isprintable()


@given(st.text(alphabet=string.ascii_letters + string.digits + "./:@_-[]", max_size=80))
def test_the_full_form_of_whatever_is_accepted_means_the_same(text: str) -> None:
    try:
        reference = parse(text)
    except ReferenceFormatError:
        return
    again = parse(reference.full)
    assert (again.repository, again.digest) == (reference.repository, reference.digest)
    assert again.host == reference.host


@given(REFERENCES)
def test_the_short_form_means_the_same(text: str) -> None:
    assert parse(parse(text).short) == parse(text)


@pytest.mark.parametrize("text", ["a.b/" + "c" * 255, "c" * 247, "a:" + "t" * 128, "[AB::1]/c", "A1/c"])
def test_what_is_just_allowed_is_accepted(text: str) -> None:
    assert parse(text).short == text


def test_a_host_with_an_underscore_is_none() -> None:
    assert parse("my_registry.local/app") == ImageReference("", "my_registry.local/app")


def _command(
    *arguments: str | bytes, stdout: int | IO[str] = subprocess.PIPE, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "components.image_reference", *arguments],
        cwd=ROOT,
        env=os.environ | (environment or {}),
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )


def test_a_learner_sees_each_part_and_what_was_left_out() -> None:
    ended = _command("alpine", "registry.mycompany.io:5000/myimage:awesome")
    assert ended.returncode == 0
    assert ended.stderr == ""
    assert ended.stdout == (
        "alpine\n"
        "  host        docker.io  (not given: Docker Hub)\n"
        "  path        library/alpine  (library/ is added: an official image of Docker Hub)\n"
        "  tag         latest  (not given: the default)\n"
        "  digest      (none)\n"
        "  long form   docker.io/library/alpine:latest\n"
        "  short form  alpine\n"
        "\n"
        "registry.mycompany.io:5000/myimage:awesome\n"
        "  host        registry.mycompany.io:5000\n"
        "  path        myimage\n"
        "  tag         awesome\n"
        "  digest      (none)\n"
        "  long form   registry.mycompany.io:5000/myimage:awesome\n"
        "  short form  registry.mycompany.io:5000/myimage:awesome\n"
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("index.docker.io/a/b", "host        docker.io  (index.docker.io is the same place)"),
        ("docker.io/a/b", "host        docker.io\n"),
        ("localhost:5000", "host        docker.io  (not given: Docker Hub)"),
        ("my_registry.local/a", "host        (none)  (my_registry.local would be one, but a host has no '_')"),
        ("docker.io/library/a", "path        library/a\n"),
        ("docker.io/a", "path        library/a  (library/ is added"),
        (f"a@{SHA256}", "tag         (none)  (the digest says which image)"),
        (f"a:b@{SHA256}", "tag         b  (the digest decides)"),
        (f"a:b@{SHA256}", f"digest      {SHA256}\n"),
        ("docker.io/a.b/c", "short form  a.b/c  (it would be read as something else: use the long form)"),
        ("library/" + "a" * 64, "(it would be read as something else: use the long form)"),
    ],
)
def test_what_a_text_means_and_does_not_say_is_told(text: str, line: str) -> None:
    assert line in f"{describe(text)}\n"


def test_a_learner_sees_what_is_wrong_and_the_rest_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["Bad/Name:x:y", "alpine"]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("'Bad/Name:x:y' is not an image reference: repository, character 5: 'N'")
    assert "docker.io/library/alpine:latest" in captured.out


@pytest.mark.parametrize("text", [b"\xff", "é/ü", "\U0001f40b", "", " ", "a\nb", "-", "--", "a@b"])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_bad_input_is_one_line_on_standard_error(text: str | bytes, encoding: str) -> None:
    ended = _command(text, environment={"PYTHONIOENCODING": encoding})
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "is not an image reference: " in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_how_it_is_used_is_told_to_whoever_gives_or_asks_nothing_else() -> None:
    usage = "usage: python -m components.image_reference REFERENCE...\n"
    silent, asked = _command(), _command("--help")
    assert (silent.returncode, silent.stdout, silent.stderr) == (2, "", usage)
    assert (asked.returncode, asked.stdout, asked.stderr) == (0, usage, "")


def test_it_ends_without_a_word_where_nobody_reads() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = _command("alpine", stdout=writing)
    finally:
        os.close(writing)
    assert (ended.returncode, ended.stderr) == (1, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_cannot_be_written_is_an_error() -> None:
    with Path("/dev/full").open("w") as full:
        ended = _command("alpine", stdout=full)
    assert ended.returncode == 1
    assert ended.stderr == "cannot write: [Errno 28] No space left on device\n"


def test_a_digest_needs_no_tag() -> None:
    assert ImageReference("a.b", "c", None, SHA256).full == f"a.b/c@{SHA256}"
