"""The build context of the docker plugin: the files that go into a build, and their digest."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.plugins.docker import build_context
from sandbox.plugins.docker.build_context import IgnoreRules, digest, files, ignore_rules
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


def test_the_digest_is_the_same_whatever_the_umask_the_clock_the_order_and_the_place(
    context: Path, tmp_path: Path
) -> None:
    before = digest(context, context / "Dockerfile")
    other = tmp_path / "elsewhere" / "deep"
    other.mkdir(parents=True)
    old_umask = os.umask(0o077)
    try:
        write_context(other, dict(reversed(FILES.items())))
    finally:
        os.umask(old_umask)
    for path in other.rglob("*"):
        os.utime(path, (1, 1))
    assert (other / "run.sh").stat().st_mode != (context / "run.sh").stat().st_mode
    assert digest(other, other / "Dockerfile") == before


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


def test_a_links_target_counts_and_not_what_is_behind_it(context: Path) -> None:
    link = context / "link"
    link.symlink_to("/outside/one")
    first = digest(context, context / "Dockerfile")
    link.unlink()
    link.symlink_to("/outside/two")
    assert digest(context, context / "Dockerfile") != first


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


def test_a_pipe_in_the_context_stops_nothing(context: Path) -> None:
    before = digest(context, context / "Dockerfile")
    os.mkfifo(context / "pipe")
    assert digest(context, context / "Dockerfile") == before


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
    "two stars in the middle": ("app/**/a.txt\n", "app/x/y/a.txt", "x/app/a.txt"),
    "dots are resolved": ("./app/../run.sh\n", "run.sh", "app/main.py"),
}


@pytest.mark.parametrize(("text", "ignored", "kept"), IGNORE_CASES.values(), ids=list(IGNORE_CASES))
def test_ignore_rules(text: str, ignored: str, kept: str) -> None:
    rules = IgnoreRules(text)
    assert rules.ignores(ignored)
    assert not rules.ignores(kept)


def test_a_pattern_that_is_not_well_formed_is_told_with_its_file(context: Path) -> None:
    (context / ".dockerignore").write_text("a[b\n")
    with pytest.raises(ValueError, match=r"\.dockerignore: 'a\[b' is not a pattern"):
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
