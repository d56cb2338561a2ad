"""The sandbox from its first `up` to its `down`, killed in each of its phases in between.

The tests of this file go through one sandbox's life in the order in which they stand.
"""

import ipaddress
import json
import os
import re
import socket
import subprocess
from pathlib import Path

import pytest

from sandbox.node import SERVICES
from tests.plugins.engine_support import wait_until

from .place import Kill, Place, docker, interrupt, kill, kill_child, shared, terminate

UNITS = ("service-addresses.service", "kubelet.service")
REFUSED = 7
"""The exit code of curl where nobody takes the connection: https://curl.se/docs/manpage.html."""


def assert_nothing_is_left(place: Place, before: set[str]) -> None:
    """A volume that others remove with its container has none for a moment, so that is waited for."""
    wait_until(lambda: shared() <= before, f"{shared() - before} to go", limit=20)
    assert place.traces() == set()


@pytest.fixture(scope="module")
def before() -> set[str]:
    return shared()


PLATFORM_PHASES = [
    pytest.param(None, r"program's packages: installing", kill, id="packages"),
    pytest.param(None, r"(registry server|ECR API): starting", kill, id="containers"),
    pytest.param("cluster", r"Preparing nodes", kill, id="node"),
    pytest.param("cluster", r"Starting control-plane", interrupt, id="control plane, Ctrl-C"),
    pytest.param("cluster", r"Starting control-plane", kill_child("kind"), id="control plane, kind itself"),
    pytest.param(
        None, r"(redis in the cluster: loading|registry in the cluster: conn)", terminate, id="node's content"
    ),
]


@pytest.mark.parametrize(("log", "pattern", "how"), PLATFORM_PHASES)
def test_a_platform_interrupted_in_a_phase_converges(
    place: Place, before: set[str], log: str | None, pattern: str, how: Kill
) -> None:
    assert_nothing_is_left(place, before)
    running = place.start("platform")
    running.wait_for(place.log(log) if log else None, pattern)
    how(running)
    assert running.end().code != 0
    place.must("platform")
    assert "unreachable" not in place.run("status").output
    place.must("down")


def test_a_half_made_platform_is_taken_down_without_a_trace(place: Place, before: set[str]) -> None:
    running = place.start("platform")
    running.wait_for(place.log("cluster"), r"Starting control-plane")
    kill(running)
    running.end()
    place.must("down")
    assert not place.state.exists()
    assert_nothing_is_left(place, before)


def test_a_taken_port_is_told_before_anything_runs_on_it(place: Place) -> None:
    with socket.create_server(("127.0.0.1", place.settings.registry_port)):
        outcome = place.run("platform")
    assert outcome.code == 1
    assert f"port {place.settings.registry_port}, meant for the registry, is taken by" in outcome.output
    assert f"(process {os.getpid()})" in outcome.output
    assert "dockercoins:registry.host in Pulumi.dev.yaml" in outcome.output
    assert "Traceback" not in outcome.output


def test_a_second_command_waits_for_the_first_and_says_for_whom(place: Place) -> None:
    first = place.start("platform")
    first.wait_for(None, r"image")
    second = place.start("platform")
    second.wait_for(None, rf"waiting for `sandbox platform` \(process {first.process.pid}, since ")
    assert first.end().code == 0
    assert second.end().code == 0


def test_the_first_up_ends_with_a_page_that_shows_mining(place: Place) -> None:
    stack_file = (place.checkout / "Pulumi.dev.yaml").read_text()
    output = place.must("up")
    assert f"\n  {place.settings.page}/\n" in output
    assert place.mines()
    assert (place.checkout / "Pulumi.dev.yaml").read_text() == stack_file


def test_a_second_up_changes_nothing(place: Place) -> None:
    names = [place.settings.registry_container, place.settings.ecr_container]
    started = docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", *names)
    output = place.must("up")
    assert re.search(r"\n {4}\d+ unchanged\n", output)
    assert "created" not in output.partition("Resources:")[2]
    assert docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", *names) == started
    place.pulumi("preview", "--expect-no-changes")


def test_metrics_follow_in_the_background_and_can_be_waited_for(place: Place) -> None:
    place.must("metrics")
    assert re.search(r"^metrics-server +up ", place.must("status"), re.MULTILINE)


def test_status_tells_each_part_and_where_it_came_from(place: Place) -> None:
    outcome = place.run("status")
    assert outcome.code == 0, outcome.output
    for part in ("Docker Engine", "registry", "ECR API", "cluster", "pulumi", "plugin docker", "stack dev", "page"):
        assert re.search(rf"^{part}\S* +(up|ready|deployed) ", outcome.output, re.MULTILINE), outcome.output


STACK_PHASES = [
    pytest.param(r"ecr:Repository \S+ creating", kill, id="repositories"),
    pytest.param(r"index:Image \S+ creating", kill_child("pulumi"), id="images, pulumi itself"),
    pytest.param(r"Deployment \S+ creating", interrupt, id="deployments, Ctrl-C"),
    pytest.param(r"Deployment \S+ creating", kill_child("pulumi"), id="deployments, pulumi itself"),
]


@pytest.mark.parametrize(("pattern", "how"), STACK_PHASES)
def test_an_update_interrupted_in_a_phase_converges(place: Place, pattern: str, how: Kill) -> None:
    place.pulumi("destroy", "--yes", "--skip-preview")
    running = place.start("up")
    running.wait_for(None, pattern)
    how(running)
    assert running.end().code != 0
    place.converge()
    assert place.mines()
    state = json.loads((place.state / "pulumi-backend" / ".pulumi" / "stacks" / "dockercoins" / "dev.json").read_text())
    assert not state["checkpoint"]["latest"].get("pending_operations")
    place.pulumi("preview", "--expect-no-changes")


def test_stopped_containers_are_started_again(place: Place) -> None:
    node = f"{place.settings.cluster}-control-plane"
    made = docker("inspect", "--format", "{{.Id}}", node)
    docker("stop", place.settings.registry_container, place.settings.ecr_container, node)
    place.must("up")
    assert docker("inspect", "--format", "{{.Id}}", node) == made
    assert place.mines()


def test_an_address_of_no_service_is_refused_in_the_node_from_its_start(place: Place) -> None:
    node = f"{place.settings.cluster}-control-plane"
    if not docker("inspect", "--format", "{{.Config.Image}}", node).startswith("dockercoins/"):
        pytest.skip("the node is kind's own image")
    started = docker("exec", node, "systemctl", "show", "--property=ActiveEnterTimestampMonotonic", "--value", *UNITS)
    refusing, kubelet = (int(moment) for moment in started.split())
    assert 0 < refusing < kubelet
    address = str(ipaddress.ip_network(SERVICES)[-2])
    asked = subprocess.run(
        ["docker", "exec", node, "curl", "--silent", "--max-time", "10", f"https://{address}/"], check=False
    )
    assert asked.returncode == REFUSED


def test_an_ecr_api_that_forgot_everything_and_a_lost_cluster_are_made_good(place: Place) -> None:
    docker("rm", "--force", "--volumes", place.settings.ecr_container, f"{place.settings.cluster}-control-plane")
    place.must("up")
    assert place.mines()
    place.pulumi("preview", "--expect-no-changes")


def test_a_registry_with_another_password_is_made_anew(place: Place) -> None:
    passwords = place.state / "registry" / "htpasswd"
    passwords.write_text("AWS:$2b$06$invalidinvalidinvalidinvalidinvalidinvalidinvalidinvalid\n")
    docker("restart", place.settings.registry_container)
    place.must("platform")


def test_down_leaves_nothing_but_the_cache(place: Place, before: set[str]) -> None:
    place.must("down")
    assert not place.state.exists()
    assert_nothing_is_left(place, before)
    assert not docker("images", "--quiet", "--filter", f"reference={place.settings.registry_host}/*/*")
    assert (place.cache / "dockercoins" / "durations.json").exists()


def test_down_of_nothing_is_no_mistake(place: Place, before: set[str]) -> None:
    place.must("down")
    assert_nothing_is_left(place, before)


def test_a_stack_file_that_cannot_be_served_is_refused_before_anything_is_done(place: Place, tmp_path: Path) -> None:
    file = place.checkout / "Pulumi.dev.yaml"
    text = file.read_text()
    file.write_text(text.replace("awsRegion: us-east-1", "awsRegion: nowhere"))
    try:
        outcome = place.run("up")
    finally:
        file.write_text(text)
    assert outcome.code == 1
    assert outcome.output.startswith("error: Pulumi.dev.yaml: dockercoins:awsRegion is 'nowhere'")
    assert not place.state.exists()
