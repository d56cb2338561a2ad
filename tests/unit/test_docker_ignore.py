from pathlib import Path, PurePosixPath

import pytest

from components.docker_ignore import IgnoreRules, context_files


@pytest.mark.parametrize(
    ("rules", "ignored", "kept"),
    [
        ("tests", ["tests/a", "tests/b/c"], ["a/tests", "tests.py"]),
        ("*.md", ["README.md"], ["docs/a.md", "a.mdx"]),
        ("**/*.md", ["README.md", "docs/a.md", "a/b/c.md"], ["a.mdx"]),
        ("**/__pycache__", ["__pycache__/a", "a/b/__pycache__/c.pyc"], ["__pycache__2/a"]),
        ("*", ["a", "b/c"], []),
        ("*\n!app\n!app/*.py", ["b", "c/d"], ["app/a.py", "app/b"]),
        ("docs\n!docs/keep.md", ["docs/a.md"], ["docs/keep.md"]),
        ("!a\na", ["a"], []),
        ("# comment\n\n  spaced  ", ["spaced"], ["# comment"]),
        ("/rooted/", ["rooted/a"], ["b/rooted"]),
        ("a?c", ["abc"], ["ac", "a/c"]),
        ("[a-c].txt", ["b.txt"], ["d.txt"]),
        ("a/../b", ["b"], ["a/b"]),
        ("a**", ["ab/c", "a"], ["b/a"]),
        (r"a\*b", ["a*b"], ["axb"]),
    ],
)
def test_patterns_choose_as_the_builder_does(rules: str, ignored: list[str], kept: list[str]) -> None:
    parsed = IgnoreRules.parse(rules)
    assert [path for path in ignored if not parsed.ignores(PurePosixPath(path))] == []
    assert [path for path in kept if parsed.ignores(PurePosixPath(path))] == []


def test_the_dockerfile_is_seen_whatever_the_rules_say(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").touch()
    (tmp_path / ".dockerignore").write_text("*\n")
    (tmp_path / "other").touch()
    assert context_files(tmp_path) == [PurePosixPath(".dockerignore"), PurePosixPath("Dockerfile")]


def test_a_linked_folder_is_a_link_and_is_not_entered(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").touch()
    (tmp_path / "link").symlink_to("folder")
    assert context_files(tmp_path) == [PurePosixPath("folder/file"), PurePosixPath("link")]
