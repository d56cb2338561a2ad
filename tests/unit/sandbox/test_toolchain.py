from pathlib import Path

import pytest

from sandbox import toolchain
from sandbox.toolchain import Program


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("go version go1.26.8 linux/amd64", (1, 26, 8)),
        ("kind v0.33.0 go1.26.8 linux/amd64", (0, 33, 0)),
        ("Client Version: v1.32.4-dispatcher\nKustomize Version: v5.5.0", (1, 32, 4)),
        ("Docker version 20.10.24+dfsg1, build 297e128", (20, 10, 24)),
        ("v3.259.0", (3, 259, 0)),
        ("go version devel", None),
    ],
)
def test_versions_are_read_as_the_programs_print_them(text: str, version: tuple[int, int, int] | None) -> None:
    assert toolchain.version_of(text) == version


def test_kubectl_may_be_one_minor_version_from_the_cluster() -> None:
    major, minor, _ = toolchain.version_of(toolchain.KUBERNETES) or (0, 0, 0)
    assert [toolchain.suitable_kubectl((major, minor + skew, 0)) for skew in (-2, -1, 0, 1, 2)] == [
        *(False, True, True, True, False)
    ]


def _program(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\necho '{text}'\n")
    (folder / name).chmod(0o755)


def test_the_first_program_on_path_with_a_suitable_version_is_taken(tmp_path: Path) -> None:
    _program(tmp_path / "old", "kind", "kind v0.20.0")
    _program(tmp_path / "broken", "kind", "what?")
    _program(tmp_path / "good", "kind", "kind v0.33.0")
    search = ":".join(str(tmp_path / name) for name in ("none", "old", "broken", "good"))
    found = toolchain.on_path("kind", ["version"], toolchain.suitable_kind, search)
    assert found is not None
    assert (found.path, found.version, found.origin) == (tmp_path / "good" / "kind", "0.33.0", "on the machine")


def test_no_program_is_taken_where_none_is_suitable(tmp_path: Path) -> None:
    _program(tmp_path / "old", "kind", "kind v0.20.0")
    assert toolchain.on_path("kind", ["version"], toolchain.suitable_kind, str(tmp_path / "old")) is None


def test_a_build_is_named_by_its_pins_sources_and_flags(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(toolchain, "_MODULES", tmp_path)
    module = tmp_path / "tool"
    module.mkdir()
    (module / "go.mod").write_text("module tool\n\ngo 1.24.0\n")
    (module / "main.go").write_text("package main\n")
    (module / "README").write_text("not a part of it")
    keys = [
        *(Program("tool").key, Program("tool", ldflags="-X a=b").key, Program("tool", package="example.com/x").key),
        *(Program("tool", gcflags=("x=-l",)).key, Program("tool", embeds=(("example.com/x", "a.json"),)).key),
    ]
    (module / "README").write_text("changed")
    assert Program("tool").key == keys[0]
    (module / "go.sum").write_text("example.com/x v1.0.0 h1:abc\n")
    keys.append(Program("tool").key)
    (module / "main.go").write_text("package main // changed\n")
    keys.append(Program("tool").key)
    assert len(set(keys)) == 7


def test_every_pinned_module_asks_for_a_go_that_the_fallback_from_pypi_is() -> None:
    fallback = toolchain.version_of(toolchain.GO_PACKAGE[1])
    assert fallback is not None
    assert fallback >= toolchain.needed_go(toolchain.PROGRAMS)


def test_programs_share_what_go_has_compiled() -> None:
    """Go compiles a package once for all programs only if its module, and all that it needs, have one version."""
    folders = {program.folder for program in toolchain.PROGRAMS if (program.folder / "go.sum").exists()}
    wanted: dict[str, dict[str, list[str]]] = {}
    for folder in sorted(folders - {toolchain.KIND.folder}):  # kind is small, and shares little
        for module, version in toolchain.pinned(folder).items():
            # The provider does not compile with the engine's version of Pulumi.
            if not module.startswith("github.com/pulumi/pulumi/") and version != "v0.0.0":
                wanted.setdefault(module, {}).setdefault(version, []).append(folder.name)
    assert {module: versions for module, versions in wanted.items() if len(versions) > 1} == {}


@pytest.mark.parametrize("program", toolchain.PROGRAMS, ids=lambda program: program.name)
def test_every_program_has_its_pins(program: Program) -> None:
    assert (program.folder / "go.mod").exists()
    if program.package != ".":
        assert (program.folder / "go.sum").exists()
