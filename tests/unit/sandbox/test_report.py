import os
import re
from pathlib import Path

import pytest

from sandbox import doctor, environment, report, settings
from sandbox.paths import CHECKOUT, Paths, cache_root


@pytest.fixture
def read() -> settings.Settings:
    return settings.read(CHECKOUT / "Pulumi.dev.yaml")


def test_the_report_tells_the_page_and_commands_that_exist(read: settings.Settings) -> None:
    text = report.ready(read, {"webui_url": "http://localhost:30080/", "namespace": "dockercoins-dev"}, 83.0)
    assert "1 min 23 s after the start:\n\n  http://localhost:30080/\n" in text
    assert 'eval "$(make -s env)"' in text
    targets = set(re.findall(r"^([a-z]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake (?:-s )?([a-z]+)", text)) <= targets
    keys = set(re.findall(r"config set --stack dev (\w+)", text))
    assert keys
    assert all(f"\n  {key}:\n" in (CHECKOUT / "Pulumi.yaml").read_text() for key in keys)


def test_the_report_knows_the_page_even_where_the_stack_does_not_tell_it(read: settings.Settings) -> None:
    assert read.page in report.ready(read, {}, 1.0)


def test_the_environment_can_be_taken_over_by_a_shell_and_puts_our_programs_first(
    read: settings.Settings, tmp_path: Path
) -> None:
    paths = Paths(tmp_path / "with space")
    text = environment.exports(paths, read, "/usr/bin")
    assert f"export PATH='{paths.bin}:/usr/bin'\n" in text
    assert f"export KUBECONFIG='{paths.kubeconfig}'\n" in text


def test_taking_the_environment_over_twice_does_not_make_our_programs_the_machines(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    path = os.pathsep.join([str(paths.bin), "/usr/bin", "/bin"])
    assert environment.user_path({"PATH": path}, paths) == "/usr/bin:/bin"


def test_the_cache_is_where_the_user_wants_it() -> None:
    assert cache_root({"XDG_CACHE_HOME": "/big/disk"}) == Path("/big/disk/dockercoins")
    assert cache_root({"XDG_CACHE_HOME": "relative"}) == Path.home() / ".cache" / "dockercoins"
    assert cache_root({}) == Path.home() / ".cache" / "dockercoins"


def test_sockets_stand_where_their_paths_are_not_too_long() -> None:
    assert Paths(Path("/home/me/.cache/dockercoins")).engine == Path("/home/me/.cache/dockercoins/sandbox/run/docker")
    deep = Paths(Path("/home") / ("x" * 60) / "dockercoins")
    assert str(deep.engine).startswith("/run/dockercoins-")
    assert deep.engine != Paths(Path("/home") / ("y" * 60) / "dockercoins").engine


GIB = 1024**3


@pytest.mark.parametrize(
    ("system", "memory", "disk", "told"),
    [
        ("Linux", 16, 100, ""),
        ("Darwin", 16, 100, "runs on Linux, this is Darwin"),
        ("Linux", 2, 100, "2.0 GiB of memory; the sandbox needs 4 GiB"),
        ("Linux", 16, 5, "5.0 GiB left; the sandbox needs 20 GiB there now"),
    ],
)
def test_a_machine_that_cannot_do_it_is_told_so(system: str, memory: int, disk: int, told: str) -> None:
    verdict = doctor.verdict(
        system=system, memory=memory * GIB, disk=disk * GIB, needed_disk=20 * GIB, folder=Path("/cache")
    )
    assert told in verdict
    assert bool(verdict) == bool(told)
