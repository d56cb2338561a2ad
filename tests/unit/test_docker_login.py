"""The login that docker has: from its file, from credential helpers that are real programs, or none."""

import base64
import json
import os
import textwrap
from pathlib import Path
from typing import Any

import pytest

from components import docker_login as module
from components.docker_login import DockerLogin, DockerLoginError, docker_login

HOST = "r.example:5000"
PAIR = base64.b64encode(b"robot$ci:pa:55").decode()
LOGIN = DockerLogin("robot$ci", "pa:55")


def configured(folder: Path, config: Any) -> dict[str, str]:
    """An environment whose docker has this configuration."""
    (folder / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    return {"DOCKER_CONFIG": str(folder), "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def helper(folder: Path, name: str, script: str) -> None:
    """A credential helper that is on the PATH of :func:`configured`."""
    program = folder / f"docker-credential-{name}"
    program.write_text(f"#!/bin/sh\n{textwrap.dedent(script)}")
    program.chmod(0o755)


def asked(folder: Path, config: Any, host: str = HOST) -> DockerLogin:
    return docker_login(host, configured(folder, config), folder / "nobody")


@pytest.mark.parametrize(
    "entry", [{"auth": PAIR}, {"username": "robot$ci", "password": "pa:55"}, {"auth": PAIR, "email": "me@r.example"}]
)
def test_a_login_in_the_file_is_read(tmp_path: Path, entry: dict[str, str]) -> None:
    assert asked(tmp_path, {"auths": {HOST: entry}}) == LOGIN


def test_a_login_that_docker_wrote_by_its_address_is_read(tmp_path: Path) -> None:
    assert asked(tmp_path, {"auths": {f"https://{HOST}/v1/": {"auth": PAIR}}}) == LOGIN


def test_docker_hub_has_a_key_of_its_own(tmp_path: Path) -> None:
    assert asked(tmp_path, {"auths": {"https://index.docker.io/v1/": {"auth": PAIR}}}, "docker.io") == LOGIN


def test_an_identity_token_comes_before_a_password(tmp_path: Path) -> None:
    entry = {"auth": base64.b64encode(b"00000000-0000-0000-0000-000000000000:").decode(), "identitytoken": "1dent1ty"}
    assert asked(tmp_path, {"auths": {HOST: entry}}) == DockerLogin(identity_token="1dent1ty")


@pytest.mark.parametrize(
    "config", ["", " \n", {}, {"auths": {}}, {"auths": {"other.example": {"auth": PAIR}}}, {"auths": {HOST: {}}}]
)
def test_without_a_login_there_is_none(tmp_path: Path, config: Any) -> None:
    assert asked(tmp_path, config) == DockerLogin()


def test_what_follows_the_object_is_not_looked_at(tmp_path: Path) -> None:
    assert asked(tmp_path, json.dumps({"auths": {HOST: {"auth": PAIR}}}) + "\n}") == LOGIN


def test_a_login_in_the_environment_comes_first(tmp_path: Path) -> None:
    environment = configured(tmp_path, {"auths": {HOST: {"auth": PAIR}, "other.example": {"auth": PAIR}}})
    pair = base64.b64encode(b"of:environment").decode()
    environment["DOCKER_AUTH_CONFIG"] = json.dumps({"auths": {HOST: {"auth": pair}}})
    assert docker_login(HOST, environment, tmp_path) == DockerLogin("of", "environment")
    assert docker_login("other.example", environment, tmp_path) == LOGIN


@pytest.mark.parametrize("text", ["{", "[]", "null", '{"auths": {"r.example:5000": {"auth": "§"}}}', '{"auths": []}'])
def test_a_broken_login_in_the_environment_is_passed_over_as_docker_does(tmp_path: Path, text: str) -> None:
    environment = configured(tmp_path, {"auths": {HOST: {"auth": PAIR}}}) | {"DOCKER_AUTH_CONFIG": text}
    assert docker_login(HOST, environment, tmp_path) == LOGIN


@pytest.mark.parametrize("broken", ['{"auths": {"s3cret": ', '{"s3cret"}', "s3cret", "\ud800s3cret"])
def test_a_broken_configuration_is_not_quoted_since_it_may_hold_a_password(tmp_path: Path, broken: str) -> None:
    (tmp_path / "config.json").write_bytes(broken.encode("utf-8", "surrogatepass"))
    with pytest.raises(DockerLoginError, match="it is no JSON") as caught:
        docker_login(HOST, {"DOCKER_CONFIG": str(tmp_path)}, tmp_path)
    assert "s3cret" not in str(caught.value)


def test_without_a_configuration_there_is_none(tmp_path: Path) -> None:
    assert docker_login(HOST, {}, tmp_path) == DockerLogin()


def test_the_configuration_is_that_of_the_user_unless_another_is_named(tmp_path: Path) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text(json.dumps({"auths": {HOST: {"auth": PAIR}}}))
    assert docker_login(HOST, {}, tmp_path) == LOGIN
    assert docker_login(HOST, {"DOCKER_CONFIG": str(tmp_path / "elsewhere")}, tmp_path) == DockerLogin()


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ("{", "cannot be read"),
        ("[]", "is no JSON object"),
        ({"auths": {HOST: {"auth": "§"}}}, f"the login for {HOST} in .* is no user and password in base64"),
        ({"auths": {HOST: {"auth": base64.b64encode(b"nocolon").decode()}}}, f"docker login {HOST}"),
    ],
)
def test_a_broken_configuration_is_told_with_its_place(tmp_path: Path, config: Any, told: str) -> None:
    with pytest.raises(DockerLoginError, match=told) as raised:
        asked(tmp_path, config)
    assert str(tmp_path / "config.json") in str(raised.value)


ANSWER = """
read -r server
echo "{\\"ServerURL\\": \\"$server\\", \\"Username\\": \\"$1 $server\\", \\"Secret\\": \\"s3cret\\"}"
"""


@pytest.mark.parametrize(
    "config",
    [
        {"credHelpers": {HOST: "here"}},
        {"credsStore": "here"},
        {"credHelpers": {HOST: "here"}, "credsStore": "elsewhere", "auths": {HOST: {"auth": PAIR}}},
        {"credsStore": "here", "auths": {HOST: {}}},
    ],
)
def test_a_helper_is_asked_for_the_registry_on_its_standard_input(tmp_path: Path, config: dict[str, Any]) -> None:
    helper(tmp_path, "here", ANSWER)
    assert asked(tmp_path, config) == DockerLogin(f"get {HOST}", "s3cret")


def test_a_helper_is_asked_for_docker_hub_by_its_key(tmp_path: Path) -> None:
    helper(tmp_path, "here", ANSWER)
    assert asked(tmp_path, {"credsStore": "here"}, "docker.io").username == "get https://index.docker.io/v1/"


def test_a_helper_for_other_registries_is_not_asked(tmp_path: Path) -> None:
    config = {"credHelpers": {"other.example": "missing"}, "auths": {HOST: {"auth": PAIR}}}
    assert asked(tmp_path, config) == LOGIN


def test_a_registry_may_be_taken_out_of_the_store(tmp_path: Path) -> None:
    assert (
        asked(tmp_path, {"credsStore": "missing", "credHelpers": {HOST: ""}, "auths": {HOST: {"auth": PAIR}}}) == LOGIN
    )


def test_the_token_of_a_helper_is_an_identity_token(tmp_path: Path) -> None:
    helper(tmp_path, "here", """echo '{"ServerURL": "", "Username": "<token>", "Secret": "1dent1ty"}'""")
    assert asked(tmp_path, {"credsStore": "here"}) == DockerLogin(identity_token="1dent1ty")


def test_a_helper_without_a_login_is_no_failure(tmp_path: Path) -> None:
    helper(tmp_path, "here", "echo 'credentials not found in native keychain'; exit 1")
    assert asked(tmp_path, {"credsStore": "here"}) == DockerLogin()


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo 'the keychain is locked' >&2; exit 3", "ended with code 3: the keychain is locked"),
        ("exit 1", "ended with code 1: it told nothing"),
        ("echo s3cret", "answered without a Username and a Secret"),
        ("echo '{}'", "answered without a Username and a Secret"),
    ],
)
def test_a_helper_that_fails_is_named_with_what_it_said(tmp_path: Path, script: str, told: str) -> None:
    helper(tmp_path, "here", script)
    with pytest.raises(
        DockerLoginError, match=rf"docker-credential-here, asked for the login for {HOST}, {told}"
    ) as raised:
        asked(tmp_path, {"credsStore": "here"})
    assert "s3cret" not in str(raised.value)


def test_a_helper_that_is_not_installed_is_named(tmp_path: Path) -> None:
    with pytest.raises(DockerLoginError, match=f"says that docker-credential-missing has the login for {HOST}"):
        asked(tmp_path, {"credsStore": "missing"})


def test_a_helper_that_never_answers_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.2)
    helper(tmp_path, "here", "exec sleep 60")
    with pytest.raises(DockerLoginError, match="gave no answer in"):
        asked(tmp_path, {"credsStore": "here"})


def test_no_secret_is_shown() -> None:
    assert "pa:55" not in repr(LOGIN)
    assert "1dent1ty" not in repr(DockerLogin(identity_token="1dent1ty"))
