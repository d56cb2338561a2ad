import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from components.content_tag import TAG_LENGTH, ContextError, content_tag
from components.image_reference import parse

OPTIONS = {"platform": "linux/amd64", "arg:PYTHON_IMAGE": "python:3.13"}


def write(context: Path) -> Path:
    (context / "static").mkdir(parents=True)
    (context / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    (context / ".dockerignore").write_text("tests\n**/__pycache__\n")
    (context / "app.py").write_text("print('hello')\n")
    (context / "run").write_text("#!/bin/sh\n")
    (context / "run").chmod(0o755)
    (context / "static" / "page.html").write_text("<p>\n")
    (context / "link").symlink_to("app.py")
    return context


@pytest.fixture
def context(tmp_path: Path) -> Path:
    return write(tmp_path / "hasher")


def test_it_is_a_valid_tag(context: Path) -> None:
    tag = content_tag(context, OPTIONS)
    assert len(tag) == TAG_LENGTH
    assert parse(f"a:{tag}").tag == tag


def test_another_place_clock_umask_and_order_of_files_give_the_same_tag(context: Path, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        other = write(tmp_path / "elsewhere" / "hasher")
    finally:
        os.umask(before)
    for path in sorted(other.rglob("*"), reverse=True):
        os.utime(path, (time.time() - 1e6, time.time() - 1e6), follow_symlinks=False)
    # Written anew, so that the file system lists it last.
    (other / "app.py").unlink()
    (other / "app.py").write_text("print('hello')\n")
    (other / "app.py").chmod(0o600)
    assert content_tag(other, OPTIONS) == content_tag(context, OPTIONS)


def test_what_the_build_does_not_see_does_not_count(context: Path) -> None:
    before = content_tag(context, OPTIONS)
    (context / "tests").mkdir()
    (context / "tests" / "test_app.py").write_text("x")
    (context / "static" / "__pycache__").mkdir()
    (context / "static" / "__pycache__" / "a.pyc").write_text("x")
    assert content_tag(context, OPTIONS) == before


def change_content(context: Path) -> None:
    (context / "app.py").write_text("print('goodbye')\n")


def make_executable(context: Path) -> None:
    (context / "app.py").chmod(0o744)


def rename(context: Path) -> None:
    (context / "app.py").rename(context / "main.py")


def add_file(context: Path) -> None:
    (context / "static" / "empty").touch()


def move_a_byte(context: Path) -> None:
    (context / "app.py").write_text("print('hello')")
    (context / "run").write_text("\n#!/bin/sh\n")


def retarget_link(context: Path) -> None:
    (context / "link").unlink()
    (context / "link").symlink_to("run")


def change_dockerfile(context: Path) -> None:
    (context / "Dockerfile").write_text("FROM busybox\n")


@pytest.mark.parametrize(
    "change",
    [change_content, make_executable, rename, add_file, move_a_byte, retarget_link, change_dockerfile],
    ids=lambda change: change.__name__,
)
def test_a_change_of_what_is_built_changes_the_tag(context: Path, change: Callable[[Path], None]) -> None:
    before = content_tag(context, OPTIONS)
    change(context)
    assert content_tag(context, OPTIONS) != before


@pytest.mark.parametrize(
    "options",
    [{}, {**OPTIONS, "platform": "linux/arm64"}, {**OPTIONS, "arg:PYTHON_IMAGE": "python:3.14"}],
)
def test_a_change_of_how_it_is_built_changes_the_tag(context: Path, options: dict[str, str]) -> None:
    assert content_tag(context, options) != content_tag(context, OPTIONS)


def test_a_pipe_counts_without_being_read(context: Path) -> None:
    before = content_tag(context, OPTIONS)
    os.mkfifo(context / "pipe")
    assert content_tag(context, OPTIONS) != before


def test_a_socket_is_not_sent_to_the_builder_and_does_not_count(context: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content_tag(context, OPTIONS)
    monkeypatch.chdir(context)  # the path of a socket is short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        assert content_tag(context, OPTIONS) == before


def test_names_that_are_no_text_count(context: Path) -> None:
    before = content_tag(context, OPTIONS)
    (context / os.fsdecode(b"\xff\xfe")).touch()
    (context / "odd").symlink_to(os.fsdecode(b"\xff"))
    assert content_tag(context, OPTIONS) != before


def test_the_ignore_file_of_the_dockerfile_comes_before_the_contexts(context: Path) -> None:
    (context / "Dockerfile.dockerignore").write_text("static\n")
    before = content_tag(context, OPTIONS)
    (context / "static" / "page.html").write_text("changed")
    assert content_tag(context, OPTIONS) == before
    (context / "tests").mkdir()
    (context / "tests" / "test_app.py").touch()
    assert content_tag(context, OPTIONS) != before


@pytest.mark.parametrize("mark", ["\ufeff", ""])
def test_an_ignore_file_may_come_from_another_system(context: Path, mark: str) -> None:
    (context / ".dockerignore").write_text(f"{mark}tests\r\n**/__pycache__\r\n", newline="")
    before = content_tag(context, OPTIONS)
    (context / "tests").mkdir()
    (context / "tests" / "test_app.py").touch()
    assert content_tag(context, OPTIONS) == before


def test_a_pattern_that_is_none_is_told_with_its_file(context: Path) -> None:
    (context / ".dockerignore").write_text("a\n[b\n")
    with pytest.raises(ContextError, match=r"\.dockerignore: '\[b' is not a pattern"):
        content_tag(context, OPTIONS)
