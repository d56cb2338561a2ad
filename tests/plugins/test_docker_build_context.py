"""The build context of the docker plugin: the files that go into a build, and their digest."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from components.content_tag import content_tag
from sandbox.plugins.docker import build_context
from sandbox.plugins.docker.build_context import IgnoreRules, file_mode, files, ignore_rules
from sandbox.plugins.docker.client import find_docker

from .docker_support import write_context

FILES = {
    "Dockerfile": "FROM scratch\nCOPY . /\n",
    "app/main.py": "print(1)\n",
    "app/data/a.txt": "a",
    "run.sh": "#!/bin/sh\n",
}


@pytest.fixture
def context(tmp_path: Path) -> Path:
    return write_context(tmp_path / "context", FILES)


def digest(context: Path, dockerfile: Path) -> str:
    return build_context.digest(str(context), str(dockerfile))


OFFICIAL = "74b57601153342bddb36ff85d143deee0848fc900236ea1d71f0fe1a02c245ab"
"""The digest of `official_context`, made by a Go program with the libraries of the official plugin (fsutil 2026-11)."""


@pytest.fixture
def official_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A small context with everything that the official plugin's digest tells apart, relative to the working folder."""
    monkeypatch.chdir(tmp_path)
    context = write_context(
        Path("app"),
        {".dockerignore": "*.log\n", "Dockerfile": "FROM scratch\n", "a/b": "1", "a.txt": "2", "c.log": "3"},
    )
    for name, mode in ((".dockerignore", 0o644), ("Dockerfile", 0o640), ("a/b", 0o755), ("a.txt", 0o664)):
        (context / name).chmod(mode)
    (context / "to-a-file").symlink_to("a/../a.txt")
    (context / "to-a-folder").symlink_to("a")
    os.mkfifo(context / "pipe")
    (context / "pipe").chmod(0o600)
    return "./app"


def test_the_digest_is_the_official_plugins(official_context: str) -> None:
    def sha256(content: str) -> bytes:
        return hashlib.sha256(content.encode()).digest()

    records = [
        # The Dockerfile comes first, under this name and with no mode, and once more as a file of the context.
        b"Dockerfile----------" + sha256("FROM scratch\n"),
        b".dockerignore-rw-r--r--" + sha256("*.log\n"),
        b"Dockerfile-rw-r-----" + sha256("FROM scratch\n"),
        # A folder comes before a name that only goes on otherwise, and is no record itself.
        b"a/b-rwxr-xr-x" + sha256("1"),
        b"a.txt-rw-rw-r--" + sha256("2"),
        b"pipeprw-------" + sha256(""),
        # A link is where it leads to, from the working folder; links lead through other links.
        b"to-a-fileLrwxrwxrwx" + sha256("app/a.txt"),
        b"to-a-folderLrwxrwxrwx" + sha256("app/a"),
    ]
    made = build_context.digest(official_context, f"{official_context}/Dockerfile")
    assert made == hashlib.sha256(b"".join(record + b"\0" for record in records)).hexdigest()
    assert made == OFFICIAL


def test_another_umask_is_another_digest(context: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    old_umask = os.umask(0o077)
    try:
        write_context(other, FILES)
    finally:
        os.umask(old_umask)
    assert digest(other, other / "Dockerfile") != digest(context, context / "Dockerfile")


@pytest.mark.xfail(strict=True, reason="images are built from the checkout itself, with the modes that its umask gave")
def test_checkouts_that_differ_by_umask_are_one_image_with_one_tag(context: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(context, other)
    for path in [other, *other.rglob("*")]:
        path.chmod(path.stat().st_mode | 0o020)
    tags = {content_tag(folder, {}) for folder in (context, other)}
    assert len(tags) == 1
    assert len({digest(folder, folder / "Dockerfile") for folder in (context, other)}) == 1


def test_the_digest_is_the_same_whatever_the_clock_the_order_and_the_place(context: Path, tmp_path: Path) -> None:
    other = write_context(tmp_path / "elsewhere" / "deep", dict(reversed(FILES.items())))
    for path in other.rglob("*"):
        os.utime(path, (1, 1))
    assert digest(other, other / "Dockerfile") == digest(context, context / "Dockerfile")


@pytest.mark.parametrize(
    ("mode", "text"),
    [
        (0o100644, "-rw-r--r--"),
        (0o106755, "ugrwxr-xr-x"),
        (0o101777, "trwxrwxrwx"),
        (0o120777, "Lrwxrwxrwx"),
        (0o010600, "prw-------"),
        (0o020666, "Dcrw-rw-rw-"),
        (0o060660, "Drw-rw----"),
    ],
)
def test_a_mode_is_written_as_go_writes_it(mode: int, text: str) -> None:
    assert file_mode(mode) == text


def test_the_digest_does_not_depend_on_the_order_in_which_files_are_listed(
    context: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listed_backwards(folder: Path, rules: IgnoreRules) -> list[str]:
        return list(reversed(list(files(folder, rules))))

    before = digest(context, context / "Dockerfile")
    monkeypatch.setattr(build_context, "files", listed_backwards)
    assert digest(context, context / "Dockerfile") == before


def _change_content(context: Path) -> None:
    (context / "app" / "main.py").write_text("print(2)\n")


def _rename(context: Path) -> None:
    (context / "run.sh").rename(context / "start.sh")


def _make_executable(context: Path) -> None:
    (context / "run.sh").chmod(0o755)


def _add(context: Path) -> None:
    (context / "app" / "empty").touch()


def _remove(context: Path) -> None:
    (context / "app" / "data" / "a.txt").unlink()


def _link(context: Path) -> None:
    (context / "link").symlink_to("run.sh")


def _change_dockerfile(context: Path) -> None:
    (context / "Dockerfile").write_text("FROM scratch\n")


@pytest.mark.parametrize(
    "change", [_change_content, _rename, _make_executable, _add, _remove, _link, _change_dockerfile]
)
def test_the_digest_changes_with_what_a_build_can_see(context: Path, change: Callable[[Path], None]) -> None:
    before = digest(context, context / "Dockerfile")
    change(context)
    assert digest(context, context / "Dockerfile") != before


def test_a_links_target_counts_and_not_what_is_behind_it(context: Path, tmp_path: Path) -> None:
    outside = write_context(tmp_path / "outside", {"one": "1", "two": "1"})
    link = context / "link"
    link.symlink_to(outside / "one")
    first = digest(context, context / "Dockerfile")
    (outside / "one").write_text("changed")
    assert digest(context, context / "Dockerfile") == first
    link.unlink()
    link.symlink_to(outside / "two")
    assert digest(context, context / "Dockerfile") != first


@pytest.mark.parametrize("target", ["nowhere", "link"])
def test_a_link_that_leads_nowhere_is_named(context: Path, target: str) -> None:
    (context / "link").symlink_to(target)
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the file says which
        digest(context, context / "Dockerfile")
    assert str(caught.value.filename).endswith(target)


def test_an_ignored_file_does_not_count(context: Path) -> None:
    (context / ".dockerignore").write_text("*.log\n")
    before = digest(context, context / "Dockerfile")
    (context / "trace.log").write_text("noise")
    assert digest(context, context / "Dockerfile") == before


def test_a_dockerfile_outside_of_the_context_counts(context: Path, tmp_path: Path) -> None:
    outside = tmp_path / "Other.Dockerfile"
    outside.write_text("FROM scratch\n")
    before = digest(context, outside)
    outside.write_text("FROM scratch\nLABEL a=b\n")
    assert digest(context, outside) != before


def test_a_file_that_cannot_be_read_is_named(context: Path) -> None:
    (context / "app" / "loop").symlink_to("loop")
    shutil.rmtree(context / "app" / "data")
    # Even root cannot read a link to itself as the Dockerfile.
    with pytest.raises(OSError, match="loop"):
        digest(context, context / "app" / "loop")


IGNORE_CASES = {
    "a name matches at the root only": ("*.pyc\n", "a.pyc", "app/a.pyc"),
    "two stars match at every depth": ("**/*.pyc\n", "app/a.pyc", "app/a.py"),
    "a folder takes its files with it": ("app/data\n", "app/data/a.txt", "app/main.py"),
    "a leading slash means nothing": ("/app\n", "app/main.py", "run.sh"),
    "a trailing slash means nothing": ("run.sh/\n", "run.sh", "Dockerfile"),
    "a question mark is one character": ("run.?h\n", "run.sh", "run.ssh"),
    "a class": ("[a-c].txt\n", "b.txt", "d.txt"),
    "a negated class": ("[^a].txt\n", "b.txt", "a.txt"),
    "comments and blanks": ("# run.sh\n\n  app  \n", "app/main.py", "run.sh"),
    "the last match decides": ("*.md\n!README.md\nREADME.md\n", "README.md", "run.sh"),
    "an exception": ("*\n!app\n", "run.sh", "app/main.py"),
    "an exception at any depth": ("**\n!**/*.py\n", "app/data/a.txt", "app/main.py"),
    "an escaped star": ("a\\*b\n", "a*b", "axb"),
    "a dot is a dot": ("a.txt\n", "a.txt", "a_txt"),
    "two stars before a name": ("**b\n", "app/x-b", "app/b-x"),
    "two stars within a name": ("a**b\n", "ax/b", "axb"),
    "two stars in the middle": ("app/**/a.txt\n", "app/x/y/a.txt", "x/app/a.txt"),
    "dots are resolved": ("./app/../run.sh\n", "run.sh", "app/main.py"),
}


@pytest.mark.parametrize(("text", "ignored", "kept"), IGNORE_CASES.values(), ids=list(IGNORE_CASES))
def test_ignore_rules(text: str, ignored: str, kept: str) -> None:
    rules = IgnoreRules(text)
    assert rules.ignores(ignored)
    assert not rules.ignores(kept)


@pytest.mark.parametrize("pattern", ["a[b", "!"])
def test_a_pattern_that_is_not_well_formed_is_told_with_its_file(context: Path, pattern: str) -> None:
    (context / ".dockerignore").write_text(f"{pattern}\n")
    with pytest.raises(ValueError, match=rf"\.dockerignore: '{re.escape(pattern)}' is not a pattern"):
        ignore_rules(context, context / "Dockerfile")


@pytest.mark.parametrize(
    "rules",
    [
        "",
        "*.txt\n",
        "**/*.txt\n!app/data/keep.txt\n",
        "*\n!app\napp/**/*.log\n",
        "app/*/deep\n!app/data/deep/a.py\n",
        "**/data\n",
        "[^a]*\n",
    ],
)
def test_the_files_are_those_that_buildkit_copies(tmp_path: Path, rules: str) -> None:
    context = write_context(
        tmp_path / "context",
        {
            **FILES,
            "app/data/keep.txt": "k",
            "app/data/deep/a.py": "p",
            "app/data/deep/b.log": "l",
            "top.txt": "t",
            "other/data/x": "x",
        },
    )
    (context / "link").symlink_to("run.sh")
    # Its rules are those of the Dockerfile, which lies outside and so is no part of the comparison.
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text("FROM scratch\nCOPY . /\n")
    (tmp_path / "Dockerfile.dockerignore").write_text(rules)
    archive = tmp_path / "out.tar"
    built = subprocess.run(
        [find_docker(), "build", "-q", "-f", str(dockerfile), "--output", f"type=tar,dest={archive}", str(context)],
        env={**os.environ, "DOCKER_BUILDKIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    with tarfile.open(archive) as tar:
        copied = sorted(member.name for member in tar if not member.isdir())
    assert sorted(files(context, ignore_rules(context, dockerfile))) == copied
