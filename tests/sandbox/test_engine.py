"""A Docker Engine that the sandbox starts and stops, in a network and a mount namespace of the test's own."""

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import psutil
import pytest

from sandbox import capabilities, paths
from sandbox.toolchain import LIMITED, Builder

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None or shutil.which("dockerd") is None,
    reason="needs root, unshare (util-linux) and dockerd",
)

LIFE = """
import json, os, socket, subprocess, sys
from pathlib import Path
from sandbox import engine
from sandbox.errors import SandboxError
from sandbox.paths import Paths
from sandbox.progress import Step

paths = Paths(Path(sys.argv[1]))
limited = Path(sys.argv[2]) if sys.argv[2] else None
paths.make()
mine = engine.Engine(paths, os.environ["PATH"])

def traces():
    mounts = [line for line in Path("/proc/self/mounts").read_text().splitlines() if str(paths.root) in line]
    saved = subprocess.run(["iptables-save"], capture_output=True, text=True).stdout.splitlines()
    # An empty table is as good as none.
    rules = [line.split(" [")[0] for line in saved if line.startswith("-A") or " DROP " in line]
    return {"links": sorted(name for _, name in socket.if_nameindex()), "mounts": mounts, "rules": rules,
            "forwarding": Path("/proc/sys/net/ipv4/ip_forward").read_text()}

out = {"before": traces()}
docker = mine.ensure(Step("engine"), limited)
first = mine.started()
out["root"] = docker.output("info", "--format", "{{.DockerRootDir}}").strip()
docker.output("network", "create", "of-the-sandbox")
out["during"] = traces()
mine.ensure(Step("again"), limited)
out["same"] = mine.started() == first
os.kill(first.pid, 9)
while first.running():
    pass
mine.ensure(Step("after a kill"), limited)
out["another"] = mine.started().pid != first.pid
docker.output("network", "rm", "of-the-sandbox")
out["pid"] = mine.started().pid
mine.stop(Step("stop"))
out["after"] = traces()
mine.stop(Step("stop again"))
print(json.dumps(out))
"""


def _run(script: str, folder: Path, *arguments: str, socket: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "DOCKER_HOST": f"unix://{socket or folder / 'docker.sock'}",
        "PYTHONPATH": str(paths.CHECKOUT),
    }
    return subprocess.run(
        ["unshare", "--net", "--mount", "--", sys.executable, "-c", textwrap.dedent(script), str(folder), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_an_engine_that_the_sandbox_started_is_stopped_without_a_trace(tmp_path: Path) -> None:
    limited = Builder(paths.of_user(), "").built(LIMITED)
    assert limited is not None or not capabilities.lacks_sys_resource()
    completed = _run(LIFE, tmp_path, str(limited.path) if limited and capabilities.lacks_sys_resource() else "")
    assert completed.returncode == 0, completed.stderr + (tmp_path / "sandbox/logs/docker-engine.log").read_text()
    seen: dict[str, Any] = json.loads(completed.stdout.splitlines()[-1])
    assert seen["root"] == str(tmp_path / "docker")
    assert seen["same"], "an engine that runs is not started again"
    assert seen["another"], "an engine that was killed is started again"
    assert "docker0" in seen["during"]["links"]
    assert seen["after"] == seen["before"]
    assert not psutil.pid_exists(seen["pid"])


def test_an_engine_that_cannot_start_is_told_with_its_last_words(tmp_path: Path) -> None:
    script = """
    import os, sys
    from pathlib import Path
    from sandbox import engine
    from sandbox.errors import SandboxError
    from sandbox.paths import Paths
    from sandbox.progress import Step
    paths = Paths(Path(sys.argv[1]))
    paths.make()
    try:
        engine.Engine(paths, os.environ["PATH"]).ensure(Step("engine"), None)
    except SandboxError as error:
        print(error)
    """
    completed = _run(script, tmp_path, socket=tmp_path / "no" / "such" / "folder" / "docker.sock")
    assert completed.stdout.startswith("Docker Engine ended at once:\n"), completed.stdout + completed.stderr
    assert "no such file or directory" in completed.stdout
    assert f"The whole log: {tmp_path}/sandbox/logs/docker-engine.log" in completed.stdout
