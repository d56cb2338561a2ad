"""Asking a registry for an image: what is said about each answer, and where the credentials go."""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import socket
import ssl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
import urllib3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from components.registry_api import Answer, Outcome, RegistryApi, find_image
from components.registry_challenges import Challenge, challenges
from components.registry_http import is_loopback
from tests.registry_server import RegistryServer, Reply, Request, error, serve

MANIFEST: Final = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json"}).encode()
DIGEST: Final = f"sha256:{hashlib.sha256(MANIFEST).hexdigest()}"
ABSENT: Final = f"sha256:{'0' * 64}"
PATH: Final = "team/app"
USER: Final = "robot$ci"
PASSWORD: Final = "pâss:word-of-the-robot"
LOGIN: Final = f"Basic {base64.b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"
AT_ONCE: Final = urllib3.Retry(3, status_forcelist=(429, 503), raise_on_status=False, retry_after_max=0)


def manifest(request: Request) -> Reply:
    """Answer as a registry that asks nobody for a login."""
    if request.path == "/v2/":
        return Reply(200, {})
    if request.path == f"/v2/{PATH}/manifests/{DIGEST}":
        return Reply(200, MANIFEST, {"Docker-Content-Digest": DIGEST, "Content-Type": "application/vnd.oci.image.x"})
    if request.path.startswith(f"/v2/{PATH}/"):
        return error(404, "MANIFEST_UNKNOWN", "manifest unknown")
    return error(404, "NAME_UNKNOWN", "repository name not known to registry")


def basic(request: Request) -> Reply:
    """Answer as a registry that asks for a user and a password."""
    if request.headers.get("authorization") != LOGIN:
        return error(401, "UNAUTHORIZED", "authentication required", WWW_Authenticate='Basic realm="here"')
    return manifest(request)


def ask(server: RegistryServer, path: str = PATH, digest: str = DIGEST, **more: Any) -> Answer:
    return replace(RegistryApi(server.host, retries=AT_ONCE), **more).find(path, digest)


def login(server: RegistryServer, **more: Any) -> Answer:
    return ask(server, username=USER, password=PASSWORD, **more)


def test_an_image_that_is_there_is_no_problem() -> None:
    with serve(manifest) as server:
        assert find_image(f"{server.host}/{PATH}:1@{DIGEST}") == Answer(Outcome.PRESENT)
        assert server.asked() == ["GET /v2/", f"HEAD /v2/{PATH}/manifests/{DIGEST}"]
        accepted = server.requests[-1].headers["accept"]
        for kind in ("oci.image.index.v1", "oci.image.manifest.v1", "docker.distribution.manifest.v2"):
            assert f"application/vnd.{kind}+json" in accepted
        assert "authorization" not in server.requests[-1].headers


def test_an_image_that_is_missing_is_named_with_what_the_registry_said() -> None:
    with serve(manifest) as server:
        problem = find_image(f"{server.host}/{PATH}@{ABSENT}").problem
        assert problem == (
            f"registry {server.host} has no image {ABSENT} in the repository {PATH}: "
            "HTTP 404 Not Found, MANIFEST_UNKNOWN: manifest unknown"
        )
        other = ask(server, "team/other", ABSENT)
        assert other.outcome is Outcome.MISSING
        assert other.problem.startswith(
            f"registry {server.host} has no repository team/other, and so no image {ABSENT}"
        )


@pytest.mark.parametrize("reference", ["localhost:5000/app:1", "localhost:5000/app@sha256:12", ""])
def test_a_reference_without_a_good_digest_is_an_error_of_the_caller(reference: str) -> None:
    with pytest.raises(ValueError, match=r"digest|not an image reference"):
        find_image(reference)


def test_a_server_without_head_is_asked_by_get() -> None:
    with serve(lambda request: Reply(405) if request.method == "HEAD" else manifest(request)) as server:
        assert ask(server).outcome is Outcome.PRESENT
        assert ask(server, digest=ABSENT).outcome is Outcome.MISSING


def test_a_page_in_the_place_of_a_registry_is_no_image() -> None:
    page = Reply(200, b"<html>It works!</html>", {"Content-Type": "text/html"})
    with serve(lambda _: page) as server:
        answer = ask(server)
        assert answer.outcome is Outcome.UNREACHABLE
        assert answer.problem.endswith("with something else (text/html); is it a registry?")


def test_a_server_that_is_no_registry_does_not_miss_an_image() -> None:
    with serve(lambda _: Reply(404, b"<html>nothing here</html>")) as server:
        answer = ask(server)
        assert answer.outcome is Outcome.UNREACHABLE
        assert "does not answer as one" in answer.problem


def test_a_login_is_given_where_it_is_asked_for() -> None:
    with serve(basic) as server:
        assert login(server).outcome is Outcome.PRESENT
        assert [request.headers.get("authorization") for request in server.requests] == [None, LOGIN]


def test_a_login_that_is_not_asked_for_is_not_given() -> None:
    with serve(manifest) as server:
        assert login(server).outcome is Outcome.PRESENT
        assert all("authorization" not in request.headers for request in server.requests)


def test_a_login_that_is_asked_for_at_the_image_alone_is_given_there() -> None:
    with serve(lambda request: Reply(200) if request.path == "/v2/" else basic(request)) as server:
        assert login(server).outcome is Outcome.PRESENT


def test_a_missing_login_is_told() -> None:
    with serve(basic) as server:
        answer = ask(server)
        assert answer.outcome is Outcome.REFUSED
        assert f"registry {server.host} asks for a login and there is none, to show {PATH}@{DIGEST}" in answer.problem
        assert answer.problem.endswith("HTTP 401 Unauthorized, UNAUTHORIZED: authentication required")


def test_a_refused_login_names_the_user_and_never_the_password() -> None:
    said = f"no account for {USER} with {PASSWORD}"
    with serve(lambda request: error(401, "UNAUTHORIZED", said, WWW_Authenticate="Basic")) as server:
        answer = login(server)
        assert answer.outcome is Outcome.REFUSED
        assert f"refuses to show {PATH}@{DIGEST} to user '{USER}': HTTP 401 Unauthorized" in answer.problem
        assert PASSWORD not in answer.problem
        # An account may be locked after a few of them.
        assert sum("authorization" in request.headers for request in server.requests) <= 2
    assert PASSWORD not in repr(RegistryApi("localhost", USER, PASSWORD))


def test_a_user_without_the_right_is_told() -> None:
    def denying(request: Request) -> Reply:
        return basic(request) if request.path == "/v2/" else error(403, "DENIED", "your token has expired")

    with serve(denying) as server:
        answer = login(server)
        assert answer.outcome is Outcome.REFUSED
        assert answer.problem == (
            f"registry {server.host} does not let user '{USER}' pull {PATH}@{DIGEST}: "
            "HTTP 403 Forbidden, DENIED: your token has expired"
        )


def bearer(service: Callable[[], str], granted: str = "t0k3n") -> Callable[[Request], Reply]:
    """Answer as a registry that sends to a token service."""

    def answer(request: Request) -> Reply:
        if request.headers.get("authorization") == f"Bearer {granted}":
            return manifest(request)
        asked = f'Bearer realm="http://{service()}/token?of=ours",service="the, registry"'
        if request.path != "/v2/":
            asked += f',scope="repository:{PATH}:pull,push"'
        return error(401, "UNAUTHORIZED", "a token is needed", WWW_Authenticate=asked)

    return answer


@pytest.mark.parametrize("key", ["token", "access_token"])
def test_a_token_is_fetched_with_the_login_and_shown_to_the_registry(key: str) -> None:
    def grant(request: Request) -> Reply:
        return Reply(200, {key: "t0k3n"}) if request.headers.get("authorization") == LOGIN else Reply(401)

    with serve(grant) as tokens, serve(bearer(lambda: tokens.host)) as server:
        assert login(server).outcome is Outcome.PRESENT
        (request,) = tokens.requests
        assert request.path == "/token"
        assert request.query == {"of": "ours", "service": "the, registry", "scope": f"repository:{PATH}:pull"}
        assert all(request.headers.get("authorization") in (None, "Bearer t0k3n") for request in server.requests)


def test_a_token_is_fetched_by_anybody_where_anybody_may() -> None:
    with serve(lambda _: Reply(200, {"token": "t0k3n"})) as tokens, serve(bearer(lambda: tokens.host)) as server:
        assert ask(server).outcome is Outcome.PRESENT
        assert "authorization" not in tokens.requests[0].headers


def test_a_token_is_fetched_again_with_the_scope_that_an_image_asks_for() -> None:
    def grant(request: Request) -> Reply:
        return Reply(200, {"token": "t0k3n" if request.query["scope"].endswith("pull,push") else "too-little"})

    with serve(grant) as tokens, serve(bearer(lambda: tokens.host)) as server:
        assert ask(server).outcome is Outcome.PRESENT
        assert len(tokens.requests) == 2


TOKEN_FAILURES = {
    "refused": (Reply(401, {"details": "incorrect username or password"}), Outcome.REFUSED, "incorrect username"),
    "forbidden": (error(403, "DENIED", "not yours"), Outcome.REFUSED, "HTTP 403 Forbidden, DENIED: not yours"),
    "broken": (Reply(500), Outcome.UNREACHABLE, "HTTP 500 Internal Server Error"),
    "empty": (Reply(200, {"token": ""}), Outcome.UNREACHABLE, "answers without a token"),
    "no JSON": (Reply(200, b"hello"), Outcome.UNREACHABLE, "answers without a token"),
    "a header": (Reply(200, {"token": "a\r\nHost: b"}), Outcome.UNREACHABLE, "answers without a token"),
}


@pytest.mark.parametrize(("reply", "outcome", "reason"), TOKEN_FAILURES.values(), ids=list(TOKEN_FAILURES))
def test_a_token_service_that_gives_none_is_named(reply: Reply, outcome: Outcome, reason: str) -> None:
    with serve(lambda _: reply) as tokens, serve(bearer(lambda: tokens.host)) as server:
        answer = login(server)
        assert answer.outcome is outcome
        assert f"registry {server.host} " in answer.problem
        assert f"{PATH}@{DIGEST}" in answer.problem
        assert f"its token service {tokens.host} answers " in answer.problem
        assert reason in answer.problem


@pytest.mark.parametrize("realm", ["http://auth.invalid/token", "ftp://localhost/", "//localhost/token", "none", ""])
def test_no_password_goes_to_a_token_service_in_the_clear(realm: str) -> None:
    asked = f'Bearer realm="{realm}"'
    with serve(lambda _: error(401, "UNAUTHORIZED", "x", WWW_Authenticate=asked)) as server:
        answer = login(server)
        assert answer.outcome is Outcome.UNREACHABLE
        assert f"a token service at {realm!r}: only https" in answer.problem
        assert all("authorization" not in request.headers for request in server.requests)


def test_a_redirect_to_another_host_is_followed_without_the_login() -> None:
    with serve(manifest) as other:

        def redirecting(request: Request) -> Reply:
            answer = basic(request)
            if answer.status != 200 or request.path == "/v2/":
                return answer
            return Reply(307, headers={"Location": f"http://{other.host}{request.path}"})

        with serve(redirecting) as server:
            assert login(server).outcome is Outcome.PRESENT
            assert server.requests[-1].headers["authorization"] == LOGIN
    assert other.requests
    assert all("authorization" not in request.headers for request in other.requests)


def test_a_redirect_on_the_same_host_keeps_the_login() -> None:
    def redirecting(request: Request) -> Reply:
        if request.path.startswith("/v2/old/"):
            return Reply(301, headers={"Location": f"/v2/{PATH}/{request.path.removeprefix('/v2/old/')}"})
        return basic(request)

    with serve(redirecting) as server:
        assert login(server, path="old").outcome is Outcome.PRESENT


def test_a_redirect_into_the_clear_is_not_followed() -> None:
    with serve(lambda request: Reply(307, headers={"Location": "http://mirror.invalid/v2/"})) as server:
        answer = ask(server)
        assert answer.outcome is Outcome.UNREACHABLE
        assert "'http://mirror.invalid/v2/': only https, or this machine, is safe" in answer.problem


def test_redirects_without_an_end_are_given_up() -> None:
    with serve(lambda request: Reply(307, headers={"Location": request.path})) as server:
        assert "more than 5 redirects" in ask(server).problem
        assert len(server.requests) == 6


@pytest.mark.parametrize("status", [429, 503])
def test_a_registry_that_is_busy_is_asked_again(status: int) -> None:
    busy = [2]

    def answer(request: Request) -> Reply:
        if request.method == "HEAD" and busy[0]:
            busy[0] -= 1
            return error(status, "TOOMANYREQUESTS", "later", Retry_After="3600")
        return manifest(request)

    with serve(answer) as server:
        assert ask(server).outcome is Outcome.PRESENT
        assert busy == [0]


def test_a_registry_that_stays_busy_is_told_with_what_it_said() -> None:
    said = error(429, "TOOMANYREQUESTS", "You have reached your pull rate limit.", Retry_After="3600")
    with serve(lambda request: Reply(200) if request.path == "/v2/" else said) as server:
        answer = ask(server)
        assert answer.outcome is Outcome.UNREACHABLE
        assert "HTTP 429 Too Many Requests, TOOMANYREQUESTS: You have reached your pull rate limit." in answer.problem
        assert server.asked().count(f"GET /v2/{PATH}/manifests/{DIGEST}") == 4


def test_waiting_for_a_busy_registry_has_a_limit() -> None:
    patience = RegistryApi("localhost").retries
    assert patience.total == 3
    assert patience.retry_after_max <= 30
    assert {429, 500, 502, 503, 504} <= set(patience.status_forcelist)


def test_a_registry_where_nobody_listens_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    answer = RegistryApi(f"localhost:{port}", retries=AT_ONCE).find(PATH, DIGEST)
    assert answer.outcome is Outcome.UNREACHABLE
    assert answer.problem.startswith(f"registry localhost:{port} cannot be asked for {PATH}@{DIGEST}: ")
    assert "Connection refused" in answer.problem
    assert not caplog.records


def test_a_registry_that_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        answer = RegistryApi(host, retries=urllib3.Retry(0), timeout=urllib3.Timeout(0.2)).find(PATH, DIGEST)
        assert answer.outcome is Outcome.UNREACHABLE
        assert "timed out" in answer.problem


@pytest.mark.parametrize(
    ("host", "asked"),
    [
        ("docker.io", "registry-1.docker.io:443"),
        ("registry.invalid", "registry.invalid:443"),
        ("registry.invalid:5000", "registry.invalid:5000"),
    ],
)
def test_a_registry_elsewhere_is_asked_by_https_alone_and_through_the_proxy(
    monkeypatch: pytest.MonkeyPatch, host: str, asked: str
) -> None:
    with serve(lambda _: Reply(403)) as proxy:
        monkeypatch.setenv("https_proxy", f"http://us%40er:secret@{proxy.host}")
        monkeypatch.setenv("http_proxy", f"http://{proxy.host}")
        monkeypatch.setenv("no_proxy", "")
        answer = RegistryApi(host, USER, PASSWORD, retries=urllib3.Retry(0)).find(PATH, DIGEST)
        assert answer.outcome is Outcome.UNREACHABLE
        assert answer.problem.startswith(f"registry {host} cannot be asked for")
        # A tunnel, whose inside the proxy cannot read.
        (request,) = proxy.requests
        assert (request.method, request.path) == ("CONNECT", asked)
        assert request.headers["proxy-authorization"] == f"Basic {base64.b64encode(b'us@er:secret').decode()}"
        assert "authorization" not in request.headers


def test_this_machine_is_asked_without_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.invalid:3128")
    with serve(manifest) as server:
        assert ask(server).outcome is Outcome.PRESENT
        assert ask(replace(server), digest=ABSENT).outcome is Outcome.MISSING


@pytest.mark.parametrize("host", ["localhost", "localhost:5001", "127.0.0.1:5001", "127.8.9.1", "[::1]", "[::1]:5001"])
def test_a_loopback_address_is_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["localhost.example.com", "registry.invalid:5001", "10.0.0.1", "[2001:db8::1]:5001"])
def test_another_address_is_not_this_machine(host: str) -> None:
    assert not is_loopback(host)


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's side of TLS for localhost, and the file with the authority that its clients must trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "ca.crt", folder / "server.key"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    return context, public


def test_the_authorities_that_docker_trusts_for_a_registry_are_trusted(tmp_path: Path) -> None:
    context, authority = certificate(tmp_path)

    with serve(basic, context) as secure:

        def to_https(request: Request) -> Reply:
            return Reply(307, headers={"Location": f"https://{secure.host}{request.path}"})

        with serve(to_https) as server:
            refused = login(server, certificates=tmp_path)
            assert refused.outcome is Outcome.UNREACHABLE
            assert f"{secure.host}: " in refused.problem
            assert "certificate verify failed" in refused.problem
            assert not secure.requests

            (tmp_path / secure.host).mkdir()
            (tmp_path / secure.host / "ca.crt").write_bytes(authority.read_bytes())
            # It is reached, and does not get the login that is meant for the other one.
            assert login(server, certificates=tmp_path).outcome is Outcome.REFUSED
            assert secure.requests


def test_a_registry_on_this_machine_may_speak_https_alone(tmp_path: Path) -> None:
    context, authority = certificate(tmp_path)
    with serve(basic, context) as secure:
        (tmp_path / secure.host).mkdir()
        (tmp_path / secure.host / "ca.crt").write_bytes(authority.read_bytes())
        assert login(secure, certificates=tmp_path).outcome is Outcome.PRESENT


def test_what_a_registry_says_is_one_short_line() -> None:
    with serve(lambda _: error(403, "DENIED", "no\n\x1b[31m" + "way " * 500)) as server:
        problem = ask(server).problem
        assert problem.isprintable()
        assert len(problem) < 700


CHALLENGES: dict[str, tuple[list[str], list[Challenge]]] = {
    "basic": (['Basic realm="a b"'], [Challenge("basic", {"realm": "a b"})]),
    "no parameters": (["Basic"], [Challenge("basic")]),
    "bearer": (
        ['Bearer realm="https://a/token",service=reg,scope="repository:a/b:pull,push"'],
        [Challenge("bearer", {"realm": "https://a/token", "service": "reg", "scope": "repository:a/b:pull,push"})],
    ),
    "two in one": (
        ['Bearer Realm="https://a", BASIC realm="b \\"c\\""'],
        [Challenge("bearer", {"realm": "https://a"}), Challenge("basic", {"realm": 'b "c"'})],
    ),
    "two headers": (["Negotiate", 'Basic realm=""'], [Challenge("negotiate"), Challenge("basic", {"realm": ""})]),
    "none": ([], []),
}


@pytest.mark.parametrize(("headers", "found"), CHALLENGES.values(), ids=list(CHALLENGES))
def test_challenges_are_read(headers: list[str], found: list[Challenge]) -> None:
    assert challenges(headers) == found
