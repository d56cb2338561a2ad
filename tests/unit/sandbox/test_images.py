from pathlib import Path

import yaml

from sandbox import cluster, images, pulumi_home, settings
from sandbox.paths import CHECKOUT


def test_where_pip_fetches_from_is_handed_to_images_but_never_a_password() -> None:
    listing = "\n".join(
        [
            "global.index-url='https://pypi.example.com/simple'",
            "global.extra-index-url='https://user:secret@private.example.com/simple'",
            "global.cert='/etc/ssl/certs/ca-certificates.crt'",
            "install.trusted-host='pypi.example.com'",
            ":env:.default-timeout='180'",
            ":env:.find-links='/opt/wheels'",
        ]
    )
    assert images.pip_settings(listing) == {
        "index-url": "https://pypi.example.com/simple",
        "trusted-host": "pypi.example.com",
        "timeout": "180",
    }


def test_a_system_is_named_by_everything_but_the_packages_versions(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("1")
    system = images.System("trixie", ("redis-server",), contents=(script,))
    key = system.key()
    assert images.System("trixie", ("redis-server",), contents=(script,)).key() == key
    assert images.System("bookworm", ("redis-server",), contents=(script,)).key() != key
    script.write_text("2")
    assert system.key() != key
    assert images.python_system({}).key() != images.python_system({"timeout": "5"}).key()


def test_a_system_is_named_alike_in_every_checkout() -> None:
    for system in (images.python_system({}), images.redis_system(), images.node_system()):
        assert str(CHECKOUT) not in repr((system.hooks, system.changes))


def test_the_cluster_publishes_the_page_on_the_loopback_address_alone() -> None:
    read = settings.read(CHECKOUT / "Pulumi.dev.yaml")
    made = yaml.safe_load(cluster.configuration(read, "dockercoins/node:x", own_network=True))
    assert made["name"] == read.cluster
    assert made["networking"]["disableDefaultCNI"] is True
    (node,) = made["nodes"]
    assert node["extraPortMappings"] == [
        {"containerPort": read.page_port, "hostPort": read.page_port, "listenAddress": "127.0.0.1"}
    ]
    official = yaml.safe_load(cluster.configuration(read, "kindest/node:x", own_network=False))
    assert "disableDefaultCNI" not in official["networking"]


def test_plugins_have_the_versions_of_the_programs_packages() -> None:
    lines = [
        "pulumi==3.259.0",
        "pulumi-aws==7.51.1",
        "    # via x",
        "pulumi_docker==5.2.0",
        "pulumi-kubernetes==4.34.2",
    ]
    text = "\n".join(lines)
    assert pulumi_home.plugin_versions(text) == {"aws": "7.51.1", "docker": "5.2.0", "kubernetes": "4.34.2"}
