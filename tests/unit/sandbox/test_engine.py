from pathlib import Path

from sandbox import capabilities, engine, leftovers

RULES = """\
*filter
:INPUT ACCEPT [10:100]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [5:50]
:DOCKER - [0:0]
:DOCKER-USER - [0:0]
:MINE - [0:0]
-A INPUT -s 203.0.113.0/24 -j DROP
-A FORWARD -j DOCKER-USER
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i br-8251852f12c6 ! -o br-8251852f12c6 -j ACCEPT
-A FORWARD -i br-lan -j ACCEPT
-A FORWARD -j MINE
-A MINE -j ACCEPT
COMMIT"""


def test_only_what_docker_engine_added_to_the_firewall_is_taken_back() -> None:
    assert engine.without_docker(RULES.splitlines(), "ACCEPT") == [
        "*filter",
        ":INPUT ACCEPT [10:100]",
        ":FORWARD ACCEPT [0:0]",
        ":OUTPUT ACCEPT [5:50]",
        ":MINE - [0:0]",
        "-A INPUT -s 203.0.113.0/24 -j DROP",
        "-A FORWARD -i br-lan -j ACCEPT",
        "-A FORWARD -j MINE",
        "-A MINE -j ACCEPT",
        "COMMIT",
    ]


def test_a_policy_that_was_not_known_before_stays() -> None:
    assert ":FORWARD DROP [0:0]" in engine.without_docker(RULES.splitlines(), "")


def test_mounts_of_the_sandbox_are_found_innermost_first() -> None:
    mountinfo = [
        "22 1 254:0 / / rw - ext4 /dev/vda rw",
        "90 22 254:0 /c/docker /c/docker rw - ext4 /dev/vda rw",
        "91 90 0:50 / /c/docker/overlay2/x/merged rw - overlay overlay rw",
        "92 22 0:51 / /c/docker-of-others rw - tmpfs tmpfs rw",
        "93 22 0:52 / /c/run/with\\040space rw - tmpfs tmpfs rw",
    ]
    assert engine.mounts_under(mountinfo, [Path("/c/docker"), Path("/c/run")]) == [
        "/c/docker/overlay2/x/merged",
        "/c/run/with space",
        "/c/docker",
    ]


def test_a_machine_that_withholds_sys_resource_is_told_from_one_that_does_not(tmp_path: Path) -> None:
    status = tmp_path / "status"
    for bounding, lacks in (("000001fffeffffff", True), ("000001ffffffffff", False)):
        status.write_text(f"Name:\tx\nCapBnd:\t{bounding}\n")
        assert capabilities.lacks_sys_resource(status) is lacks
    assert not capabilities.lacks_sys_resource(tmp_path / "missing")


def test_processes_of_the_sandbox_are_told_from_a_shell_that_works_on_it() -> None:
    home = Path("/c/sandbox/pulumi-home")
    variables = {"PULUMI_HOME": str(home)}
    assert leftovers.belongs([f"{home}/plugins/resource-aws-v7/pulumi-resource-aws"], {}, home)
    assert leftovers.belongs(["python", "-m", "sandbox.plugins.aws"], {"PYTHONPATH": f"{home}/plugins/x/lib"}, home)
    assert leftovers.belongs(["/c/tools/pulumi", "up"], variables, home)
    assert not leftovers.belongs(["/bin/bash"], variables, home)
    assert not leftovers.belongs(["/usr/bin/pulumi", "up"], {"PULUMI_HOME": "/home/me/.pulumi"}, home)
