"""What all services have in common: settings, logs, exit status, locks."""

import re
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

import pytest

from services.hasher.hasher import app as hasher
from services.hasher.hasher import runtime as hasher_runtime
from services.rng.rng import app as rng
from services.rng.rng import runtime as rng_runtime
from services.webui.webui import runtime as webui_runtime
from services.webui.webui import settings as webui
from services.worker.worker import redis_access
from services.worker.worker import runtime as worker_runtime
from services.worker.worker import settings as worker

from .harness import SERVICES, Fleet

NAMES = ("hasher", "rng", "webui", "worker")


def read_rng(variables: Mapping[str, str]) -> tuple[object, object]:
    environment = rng_runtime.Environment(variables)
    settings = rng.read_settings(environment)
    environment.check()
    return settings


def read_hasher(variables: Mapping[str, str]) -> tuple[object, object]:
    environment = hasher_runtime.Environment(variables)
    settings = hasher.read_settings(environment)
    environment.check()
    return settings


def read_webui(variables: Mapping[str, str]) -> tuple[object, object]:
    environment = webui_runtime.Environment(variables)
    settings = webui.read_settings(environment)
    environment.check()
    return settings


def read_worker(variables: Mapping[str, str]) -> tuple[object, object]:
    environment = worker_runtime.Environment(variables)
    settings = worker.read_settings(environment)
    environment.check()
    return settings


def problems(read: Callable[[Mapping[str, str]], object], **variables: str) -> list[str]:
    errors = (
        rng_runtime.SettingsError,
        hasher_runtime.SettingsError,
        webui_runtime.SettingsError,
        worker_runtime.SettingsError,
    )
    with pytest.raises(errors) as raised:
        read(variables)
    return raised.value.problems


@pytest.mark.parametrize("module", ["runtime", "logs", "metrics", "observation", "tracing"])
def test_the_copies_of_a_common_module_are_equal(module: str) -> None:
    assert len({(SERVICES / name / name / f"{module}.py").read_bytes() for name in NAMES}) == 1


def test_worker_and_webui_reach_redis_in_the_same_way() -> None:
    assert len({(SERVICES / name / name / "redis_access.py").read_bytes() for name in ("webui", "worker")}) == 1


@pytest.mark.parametrize("pair", [("rng", "hasher"), ("worker", "webui")])
def test_services_with_equal_needs_have_equal_locks_so_that_images_share_the_layer(pair: tuple[str, str]) -> None:
    assert len({(SERVICES / name / "requirements.txt").read_bytes() for name in pair}) == 1


@pytest.mark.parametrize("name", NAMES)
def test_every_locked_requirement_is_exact_and_hashed_and_no_index_is_named(name: str) -> None:
    lock = (SERVICES / name / "requirements.txt").read_text()
    assert "://" not in lock
    assert "index" not in lock
    for requirement in re.split(r"\n(?=[a-z])", lock.partition("\n#    uv")[2].partition("\n")[2]):
        assert re.match(r"[a-z0-9_.\[\]-]+==\S+ \\\n +--hash=sha256:[0-9a-f]{64}", requirement), requirement


def test_nothing_set_gives_the_documented_defaults() -> None:
    assert read_rng({}) == (rng_runtime.ServerSettings(8080, None, "info", 0.0, 10.0), rng.Settings(0.0, 0))
    assert read_hasher({})[1] == hasher.Settings(0.0)
    assert read_webui({})[1] == webui.RedisSettings("redis", 6379, None)
    assert read_worker({})[1] == worker.Settings(
        "http://rng", "http://hasher", redis_access.RedisSettings("redis", 6379, None), 0.0, 32, 200_000, 30.0
    )


def test_an_empty_variable_counts_as_not_set() -> None:
    assert read_rng({"PORT": "", "LOG_LEVEL": " "}) == read_rng({})


@pytest.mark.parametrize(
    ("read", "name", "value", "accepted"),
    [
        (read_rng, "PORT", "0", "from 1 to 65535"),
        (read_rng, "PORT", "http", "an integer"),
        (read_rng, "PORT", "9" * 50, "an integer"),
        (read_rng, "HOST", "http://x", "a host name or an IP address"),
        (read_rng, "LOG_LEVEL", "loud", "debug, info, warning, error"),
        (read_rng, "LOG_FORMAT", "xml", "json, text"),
        (read_rng, "LOG_REQUESTS_EVERY", "-1", "an integer from 0"),
        (read_rng, "METRICS_PORT", "70000", "from 1 to 65535"),
        (read_rng, "OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "http://host"),
        (read_rng, "DRAIN_SECONDS", "-1", "seconds from 0 to 600"),
        (read_rng, "GRACE_SECONDS", "nan", "seconds from 0 to 600"),
        (read_rng, "DELAY_SECONDS", "100ms", "seconds from 0 to 60, such as 0.1"),
        (read_rng, "CONCURRENCY", "1.5", "an integer"),
        (read_hasher, "DELAY_SECONDS", "inf", "seconds from 0 to 60"),
        (read_worker, "RNG_URL", "rng:80", "http://host"),
        (read_worker, "RNG_URL", "http://rng:port", "http://host"),
        (read_worker, "HASHER_URL", "http://hasher/?x=1", "without user, query"),
        (read_worker, "REDIS_HOST", "redis://redis", "without scheme or port"),
        (read_worker, "REDIS_PORT", "tcp", "from 1 to 65535"),
        (read_worker, "CONCURRENCY", "0", "from 1 to 1024"),
        (read_worker, "BUFFER_UNITS", "0", "from 1 to 10000000"),
        (read_worker, "REQUEST_SECONDS", "0", "from 0.1 to 600"),
        (read_webui, "REDIS_PASSWORD_FILE", "/does/not/exist", "a readable text file"),
    ],
)
def test_a_wrong_setting_is_told_with_its_name_value_and_what_is_accepted(
    read: Callable[[Mapping[str, str]], object], name: str, value: str, accepted: str
) -> None:
    (problem,) = problems(read, **{name: value})
    assert f"{name} is " in problem
    assert (value in problem) or float(value) == 0
    assert accepted in problem


def test_all_wrong_settings_are_told_at_once() -> None:
    told = problems(read_worker, PORT="x", CONCURRENCY="-1", RNG_URL="ftp://rng")
    assert {name for name in ("PORT", "CONCURRENCY", "RNG_URL") if any(name in problem for problem in told)} == {
        "PORT",
        "CONCURRENCY",
        "RNG_URL",
    }


def test_the_variable_that_kubernetes_sets_for_a_service_named_redis_is_understood() -> None:
    link = {"REDIS_PORT": "tcp://10.96.12.7:6380"}
    assert cast(webui.RedisSettings, read_webui(link)[1]).port == 6380
    assert cast(worker.Settings, read_worker(link)[1]).redis.port == 6380


def test_a_password_is_read_from_a_file_and_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("hunter2\n")
    settings = cast(worker.Settings, read_worker({"REDIS_PASSWORD_FILE": str(file)})[1])
    assert settings.redis.password == "hunter2"
    assert "hunter2" not in repr(settings)
    (problem,) = problems(read_worker, REDIS_PASSWORD="hunter2", REDIS_PASSWORD_FILE=str(file))
    assert "only one of" in problem
    assert "hunter2" not in problem
    (problem,) = problems(read_worker, RNG_URL="http://me:hunter2@rng")
    assert "hunter2" not in problem


def test_an_empty_password_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("\n")
    (problem,) = problems(read_worker, REDIS_PASSWORD_FILE=str(file))
    assert "a file that is not empty" in problem


@pytest.mark.parametrize("name", NAMES)
async def test_a_service_with_wrong_settings_says_so_in_one_line_and_ends_with_2(fleet: Fleet, name: str) -> None:
    service = fleet.launch(name, LOG_LEVEL="loud", DRAIN_SECONDS="long")
    assert await service.ended() == 2
    (line,) = service.events()
    assert line["msg"] == "settings refused"
    assert len(line["problems"]) == 2


async def test_a_port_that_is_taken_is_told_and_ends_with_1(fleet: Fleet) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        service = fleet.launch("rng", port)
        assert await service.ended() == 1
    assert service.event("cannot listen")["port"] == port
