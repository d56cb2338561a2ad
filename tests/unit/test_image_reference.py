import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.image_reference import ImageReference, ReferenceFormatError, main, parse

SHA256 = "sha256:" + "0123456789abcdef" * 4


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
    ("text", "problem"),
    [
        ("", "it is empty"),
        ("a" * 64, "an image's id"),
        ("Alpine", "must be lowercase"),
        ("a//b", "an empty component"),
        ("a/", "an empty component"),
        ("a__b___c", "the component 'a__b___c'"),
        ("-a", "the component '-a'"),
        ("a:", "the tag ''"),
        ("a:.b", "the tag '.b'"),
        ("a:" + "t" * 129, "129 characters; at most 128"),
        ("a/" + "b" * 254, "256 characters; at most 255"),
        ("a@sha256:12", "the digest 'sha256:12'"),
        ("a@md5:" + "0" * 32, "the digest's algorithm 'md5'"),
        ("a@sha256:" + "A" * 64, "64 lowercase hexadecimal digits"),
        ("-host.io/a", "the host '-host.io'"),
        ("http://a.b/c", "the host 'http:'"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(ReferenceFormatError) as error:
        parse(text)
    assert repr(text) in str(error.value)
    assert problem in str(error.value)


@given(st.text(alphabet=string.ascii_letters + string.digits + "./:@_-[]", max_size=80))
def test_the_full_form_of_whatever_is_accepted_means_the_same(text: str) -> None:
    try:
        reference = parse(text)
    except ReferenceFormatError:
        return
    again = parse(reference.full)
    assert (again.host, again.path, again.digest) == (reference.host, reference.path, reference.digest)
    assert parse(reference.short) == reference


def test_a_learner_sees_each_part(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["registry.mycompany.io:5000/myimage:awesome"]) == 0
    shown = capsys.readouterr().out
    assert "host        registry.mycompany.io:5000" in shown
    assert "path        myimage" in shown
    assert "tag         awesome" in shown
    assert "digest      (none)" in shown


def test_a_learner_sees_what_is_wrong_and_the_rest_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["Bad/Name:x:y", "alpine"]) == 1
    captured = capsys.readouterr()
    assert "is not an image reference" in captured.err
    assert "docker.io/library/alpine:latest" in captured.out


def test_a_digest_needs_no_tag() -> None:
    assert ImageReference("a.b", "c", None, SHA256).full == f"a.b/c@{SHA256}"
