from pathlib import Path

import pytest

from sandbox import files


def test_a_folder_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "tool"
    with files.folder(target) as staging:
        (staging / "program").write_text("x")
        assert not target.exists()
    assert (target / "program").read_text() == "x"


def test_a_folder_whose_making_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with files.folder(tmp_path / "tool") as staging:
            (staging / "half").write_text("x")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_was_making_is_removed_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / ".unfinished-abc" / "deep").mkdir(parents=True)
    (tmp_path / ".unfinished-file").write_text("x")
    (tmp_path / "kind-0123").mkdir()
    files.remove_unfinished(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kind-0123"]


def test_a_tree_that_go_made_read_only_can_be_removed(tmp_path: Path) -> None:
    module = tmp_path / "mod" / "example.com"
    module.mkdir(parents=True)
    (module / "go.mod").write_text("module example.com")
    module.chmod(0o555)
    files.remove(tmp_path / "mod")
    assert not (tmp_path / "mod").exists()


def test_a_digest_depends_on_names_and_contents_but_not_on_the_place(tmp_path: Path) -> None:
    for place in ("one", "two"):
        (tmp_path / place / "sub").mkdir(parents=True)
        (tmp_path / place / "sub" / "a").write_text("1")
        (tmp_path / place / "b").write_text("2")
    first = files.digest([tmp_path / "one"])
    assert first == files.digest([tmp_path / "two"])
    (tmp_path / "two" / "b").rename(tmp_path / "two" / "c")
    assert first != files.digest([tmp_path / "two"])
    (tmp_path / "one" / "b").write_text("3")
    assert first != files.digest([tmp_path / "one"])


def test_a_digest_keeps_texts_apart() -> None:
    assert files.digest(["ab", "c"]) != files.digest(["a", "bc"])


def test_a_link_can_be_pointed_elsewhere(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).touch()
        files.link(tmp_path / "bin" / "tool", tmp_path / name)
        assert (tmp_path / "bin" / "tool").resolve().name == name
    assert [path.name for path in (tmp_path / "bin").iterdir()] == ["tool"]
