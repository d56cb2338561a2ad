import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from sandbox import processes
from sandbox.errors import SandboxError
from sandbox.paths import CHECKOUT


def test_a_failure_is_told_with_the_command_and_its_last_words(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with pytest.raises(processes.CommandError) as raised:
        processes.stream(["sh", "-c", "echo reading; echo no space left >&2; exit 3"], log=log)
    assert "failed with exit code 3:\nreading\nno space left\nThe whole log: " in str(raised.value)
    assert log.read_text().endswith("reading\nno space left\n")


def test_a_full_disk_is_told_first(tmp_path: Path) -> None:
    with pytest.raises(processes.CommandError, match=r"^the disk is full") as raised:
        processes.stream(["sh", "-c", "echo 'write x: no space left on device'; exit 1"], log=tmp_path / "log")
    assert "write x: no space left on device" in str(raised.value)


def test_a_missing_program_is_told() -> None:
    with pytest.raises(SandboxError, match="no-such-program"):
        processes.output(["no-such-program"])


def test_a_command_that_hangs_is_ended(tmp_path: Path) -> None:
    mark = f"sleep {os.getpid() + 100000}"
    with pytest.raises(SandboxError, match="gave no answer within"):
        processes.output(["sh", "-c", f"{mark} & wait"], timeout=0.5)
    commands = [process.info["cmdline"] for process in psutil.process_iter(["cmdline"])]
    assert mark.split() not in commands


def test_input_reaches_the_program(tmp_path: Path) -> None:
    assert processes.output(["cat"], stdin="hello") == "hello"
    lines: list[str] = []
    processes.stream(["cat"], log=tmp_path / "log", stdin="a\nb\n", on_line=lines.append)
    assert lines == ["a", "b"]


def test_a_followed_command_is_shown_as_it_goes_and_its_silence_is_reported(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_SILENCE", 0.2)
    seen: list[bytes] = []

    def silent(seconds: float) -> None:
        assert seconds > 0
        seen.append(capfdbinary.readouterr().out)
        (tmp_path / "go").touch()

    waits = "echo one; until [ -e go ]; do sleep 0.05; done; echo two >&2; exit 3"
    code = processes.followed(["sh", "-c", waits], env=os.environ, cwd=tmp_path, log=tmp_path / "log", silent=silent)
    assert code == 3
    assert seen[0] == b"one\n"
    assert capfdbinary.readouterr().out == b"two\n"
    assert (tmp_path / "log").read_text() == "one\ntwo\n"


def test_programs_end_with_a_killed_parent(tmp_path: Path) -> None:
    if processes.succeeds(["sh", "-c", "! command -v setpriv"]):
        pytest.skip("needs setpriv (util-linux)")
    script = textwrap.dedent(f"""
        from pathlib import Path
        from sandbox import processes
        processes.stream(["sh", "-c", "echo $$; exec sleep 600"], log=Path({str(tmp_path / "log")!r}),
                         on_line=lambda line: print(line, flush=True))
    """)
    with subprocess.Popen([sys.executable, "-c", script], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.send_signal(signal.SIGKILL)
        assert child.wait(10) is None or not child.is_running()
