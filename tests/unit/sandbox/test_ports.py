import os
import socket
from pathlib import Path

import pytest

from sandbox import ports
from sandbox.errors import SandboxError


def test_a_taken_port_is_told_with_its_holder_and_the_setting_that_names_another() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        assert not ports.is_free(port)
        with pytest.raises(SandboxError) as raised:
            ports.require(port, "registry.host", "the registry")
    name = Path("/proc/self/comm").read_text().strip()
    assert str(raised.value) == (
        f"port {port}, meant for the registry, is taken by {name} (process {os.getpid()}). "
        "Stop that, or choose another port: dockercoins:registry.host in Pulumi.dev.yaml."
    )


def test_a_port_taken_on_all_addresses_is_not_free() -> None:
    with socket.create_server(("", 0)) as server:
        assert not ports.is_free(server.getsockname()[1])


def test_a_port_is_free_again_after_its_holder_has_gone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    ports.require(port, "registry.host", "the registry")
