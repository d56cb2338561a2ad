"""The program that renews a pull secret within a cluster, against servers that answer as AWS and Kubernetes do."""

from __future__ import annotations

import ast
import base64
import json
import ssl
import string
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from components import pull_secret, pull_secret_renewal
from components.pull_secret_renewal import __main__ as program
from components.pull_secret_renewal.aws import Aws, Token
from components.pull_secret_renewal.cluster import EXPIRES, RENEWED, Cluster, Target, docker_config
from components.pull_secret_renewal.exchange import send
from components.pull_secret_renewal.outcomes import (
    MisconfiguredError,
    RefusedError,
    RenewalError,
    UnavailableError,
)
from components.pull_secret_renewal.patience import Patience
from components.pull_secret_renewal.sigv4 import Credentials, signed

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
HOST = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
TARGET = Target("shop", "pull-1a2b3c4d", HOST)
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SESSION_TOKEN = "IQoJb3JpZ2luX2VjEXAMPLE"
PASSWORD = "the-password-of-the-registry"
GRANTED = {
    "authorizationData": [
        {
            "authorizationToken": base64.b64encode(f"AWS:{PASSWORD}".encode()).decode(),
            "expiresAt": NOW.timestamp() + 12 * 3600,
            "proxyEndpoint": f"https://{HOST}",
        }
    ]
}
ASSUMED = f"""<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithWebIdentityResult><Credentials>
    <AccessKeyId>ASIAEXAMPLE</AccessKeyId><SecretAccessKey>{SECRET_KEY}</SecretAccessKey>
    <SessionToken>{SESSION_TOKEN}</SessionToken><Expiration>2026-03-01T12:15:00Z</Expiration>
  </Credentials></AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>"""


def sts_error(code: str, message: str) -> str:
    return f"""<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
      <Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>r</RequestId>
    </ErrorResponse>"""


def kubernetes_error(code: int, message: str) -> str:
    return json.dumps({"kind": "Status", "status": "Failure", "message": message, "code": code})


@dataclass(frozen=True)
class Asked:
    """A request as the server got it."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Server:
    """Gives the answers that it was told to, the last one again and again, and keeps what it was asked."""

    address: str = ""
    answers: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    date: str = "Sun, 01 Mar 2026 12:00:00 GMT"
    asked: list[Asked] = field(default_factory=list[Asked])

    def will(self, *answers: tuple[int, str]) -> None:
        self.answers = list(answers)


@contextmanager
def serving(context: ssl.SSLContext | None = None) -> Generator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            state.asked.append(Asked(self.command, self.path, dict(self.headers.items()), body))
            status, text = state.answers.pop(0) if len(state.answers) > 1 else state.answers[0]
            self.send_response_only(status)
            self.send_header("Date", state.date)
            self.send_header("Location", "http://127.0.0.1:9/")
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = do_PATCH = answer  # noqa: N815 - the base class's names

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.address = f"{'https' if context else 'http'}://127.0.0.1:{server.server_port}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def server() -> Generator[Server]:
    with serving() as state:
        yield state


@pytest.fixture
def api() -> Generator[Server]:
    """A second server, for Kubernetes."""
    with serving() as state:
        yield state


@pytest.fixture
def account(tmp_path: Path) -> Path:
    """The folder that the kubelet gives a pod."""
    folder = tmp_path / "serviceaccount"
    folder.mkdir()
    (folder / "token").write_text("token-of-the-service-account\n")
    return folder


def with_key(server: Server, **more: str) -> dict[str, str]:
    return {
        "AWS_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": server.address,
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        **more,
    }


def with_role(server: Server, tmp_path: Path, **more: str) -> dict[str, str]:
    file = tmp_path / "identity"
    file.write_text("token-for-aws\n")
    return {
        "AWS_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": server.address,
        "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/pull",
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(file),
        **more,
    }


def aws(environment: Mapping[str, str], now: datetime = NOW) -> Aws:
    return Aws(environment, "pull-secret.shop", now=lambda: now)


def a_token(environment: Mapping[str, str], now: datetime = NOW) -> Token:
    api = aws(environment, now)
    return api.token(api.credentials())


class Time:
    """A clock that moves by pauses alone."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def patience(self, unavailable: float = 120, refused: float = 20, told: list[str] | None = None) -> Patience:
        heard: list[str] = [] if told is None else told
        return Patience(unavailable, refused, heard.append, clock=lambda: self.now, pause=self.pause)


# --- Signatures ---

WORDS = st.text(alphabet=string.printable, max_size=30).map(lambda text: " ".join(text.split()))
NAMES = st.text(alphabet=string.ascii_letters, min_size=1, max_size=12).map(lambda text: f"X-Test-{text}")


@given(
    path=st.text(alphabet=string.ascii_letters + string.digits + "-._~", max_size=20),
    headers=st.dictionaries(NAMES, WORDS, max_size=4),
    body=st.binary(max_size=200),
    key=st.text(alphabet=string.ascii_letters + string.digits + "/+", min_size=1, max_size=40),
    session=st.none() | st.text(alphabet=string.ascii_letters + "=/+", min_size=1, max_size=60),
    now=st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2099, 1, 1)),  # noqa: DTZ001 - botocore's are naive
    port=st.sampled_from(["", ":5000"]),
)
def test_a_signature_is_botocores(
    *, path: str, headers: dict[str, str], body: bytes, key: str, session: str | None, now: datetime, port: str
) -> None:
    path = path.strip(".")  # botocore resolves dots, which our address has not
    # One header under one spelling: the two sort spellings differently.
    headers = {name.lower(): value for name, value in headers.items()}
    url = f"https://api.ecr.eu-west-1.example{port}/{path}"
    who = Credentials("AKID", key, session)
    ours = signed(url, headers, body, who, service="ecr", region="eu-west-1", now=now.replace(tzinfo=UTC))
    request = AWSRequest("POST", url, data=body, headers=headers)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.auth.get_current_datetime", lambda: now)
        SigV4Auth(BotocoreCredentials("AKID", key, session), "ecr", "eu-west-1").add_auth(request)
    assert ours["Authorization"] == request.headers["Authorization"]
    assert ours["X-Amz-Date"] == request.headers["X-Amz-Date"]
    assert ours.get("X-Amz-Security-Token") == request.headers.get("X-Amz-Security-Token")


def test_credentials_do_not_show_their_secrets() -> None:
    shown = repr(Credentials("AKID", SECRET_KEY, SESSION_TOKEN)) + repr(Token("AWS", PASSWORD, None))
    for secret in (SECRET_KEY, SESSION_TOKEN, PASSWORD):
        assert secret not in shown


# --- Identity and token ---


def test_an_access_key_signs_the_request_for_a_token(server: Server) -> None:
    server.will((200, json.dumps(GRANTED)))
    token = a_token(with_key(server))
    assert (token.username, token.password, token.expires) == ("AWS", PASSWORD, NOW + timedelta(hours=12))
    (request,) = server.asked
    assert request.headers["X-Amz-Target"] == "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken"
    assert "Credential=AKIAEXAMPLE/20260301/eu-west-1/ecr/aws4_request" in request.headers["Authorization"]


def test_a_role_is_assumed_by_the_token_of_the_service_account(server: Server, tmp_path: Path) -> None:
    server.will((200, ASSUMED), (200, json.dumps(GRANTED)))
    assert a_token(with_role(server, tmp_path)).password == PASSWORD
    assume, get = server.asked
    form = {key: value for key, (value,) in parse_qs(assume.body.decode()).items()}
    assert form == {
        "Action": "AssumeRoleWithWebIdentity",
        "Version": "2011-06-15",
        "RoleArn": "arn:aws:iam::123456789012:role/pull",
        "RoleSessionName": "pull-secret.shop",
        "WebIdentityToken": "token-for-aws",
        "DurationSeconds": "900",
    }
    assert "Authorization" not in assume.headers
    assert "Credential=ASIAEXAMPLE/" in get.headers["Authorization"]
    assert get.headers["X-Amz-Security-Token"] == SESSION_TOKEN


def test_pod_identity_is_asked_with_the_pods_token(server: Server, tmp_path: Path) -> None:
    (tmp_path / "pod-token").write_text("token-for-the-agent")
    given = {"AccessKeyId": "ASIAPOD", "SecretAccessKey": SECRET_KEY, "Token": SESSION_TOKEN}
    server.will((200, json.dumps(given)), (200, json.dumps(GRANTED)))
    environment = {
        "AWS_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": server.address,
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{server.address}/v1/credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(tmp_path / "pod-token"),
    }
    assert a_token(environment).password == PASSWORD
    assert (server.asked[0].path, server.asked[0].headers["Authorization"]) == (
        "/v1/credentials",
        "token-for-the-agent",
    )
    assert "Credential=ASIAPOD/" in server.asked[1].headers["Authorization"]


def test_the_token_for_pod_identity_is_not_sent_in_plain_http_to_just_anybody() -> None:
    environment = {"AWS_REGION": "eu-west-1", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://elsewhere.example/"}
    with pytest.raises(MisconfiguredError, match="plain http"):
        aws(environment).credentials()


def test_a_pod_without_an_identity_is_told_what_it_could_have() -> None:
    with pytest.raises(MisconfiguredError, match=r"AWS_ACCESS_KEY_ID.*AWS_ROLE_ARN.*Pod Identity"):
        aws({"AWS_REGION": "eu-west-1"}).credentials()


@pytest.mark.parametrize(("content", "words"), [(None, "No such file"), ("", "is empty")])
def test_a_missing_web_identity_token_is_told_by_its_path(tmp_path: Path, content: str | None, words: str) -> None:
    environment = with_role(Server("http://127.0.0.1:9"), tmp_path)
    path = Path(environment["AWS_WEB_IDENTITY_TOKEN_FILE"])
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    with pytest.raises(MisconfiguredError, match=f"{path}.*{words}"):
        aws(environment).credentials()


@pytest.mark.parametrize(
    ("region", "endpoint"),
    [
        ("eu-west-1", "https://api.ecr.eu-west-1.amazonaws.com/"),
        ("us-gov-west-1", "https://api.ecr.us-gov-west-1.amazonaws.com/"),
        ("cn-north-1", "https://api.ecr.cn-north-1.amazonaws.com.cn/"),
    ],
)
def test_a_region_has_its_own_endpoint(region: str, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    urls: list[str] = []

    def sent(_method: str, url: str, *_rest: object) -> None:
        urls.append(url)
        raise UnavailableError

    monkeypatch.setattr("components.pull_secret_renewal.aws.send", sent)
    with pytest.raises(UnavailableError):
        aws({"AWS_REGION": region}).token(Credentials("AKID", SECRET_KEY))
    assert urls == [endpoint]


def test_sts_refuses_in_its_own_words(server: Server, tmp_path: Path) -> None:
    server.will((403, sts_error("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")))
    with pytest.raises(RefusedError) as refused:
        aws(with_role(server, tmp_path)).credentials()
    assert str(refused.value) == (
        "AWS STS refused AssumeRoleWithWebIdentity of arn:aws:iam::123456789012:role/pull: AccessDenied: "
        "Not authorized to perform sts:AssumeRoleWithWebIdentity (HTTP 403)"
    )


def test_ecr_refuses_in_its_own_words(server: Server) -> None:
    words = "User: arn:aws:iam::123456789012:user/ci is not authorized to perform: ecr:GetAuthorizationToken"
    server.will((400, json.dumps({"__type": "AccessDeniedException", "Message": words})))
    with pytest.raises(RefusedError) as refused:
        a_token(with_key(server))
    assert str(refused.value) == (
        f"Amazon ECR refused GetAuthorizationToken: AccessDeniedException: {words} (HTTP 400)"
    )


@pytest.mark.parametrize(
    "answer",
    [
        (400, json.dumps({"__type": "ThrottlingException", "message": "Rate exceeded"})),
        (500, json.dumps({"__type": "com.amazonaws.ecr#ServerException"})),
        (429, ""),
        (503, "<html><head></head>\n<body>Service Unavailable</body></html>"),
        (503, "<html>Service Unavailable</html>"),
        (200, "<html>a portal of a network</html>"),
        (200, json.dumps({"authorizationData": []})),
    ],
)
def test_what_may_pass_is_no_refusal(server: Server, answer: tuple[int, str]) -> None:
    server.will(answer)
    with pytest.raises(UnavailableError):
        a_token(with_key(server))


@pytest.mark.parametrize("answer", [(200, "no xml"), (200, "<Empty/>"), (400, sts_error("IDPCommunicationError", "m"))])
def test_an_answer_of_sts_that_may_pass_is_no_refusal(server: Server, tmp_path: Path, answer: tuple[int, str]) -> None:
    server.will(answer)
    with pytest.raises(UnavailableError):
        aws(with_role(server, tmp_path)).credentials()


def test_a_proxys_page_is_quoted(server: Server) -> None:
    server.will((403, "<html>\n  Blocked by   policy\n</html>"))
    with pytest.raises(
        RefusedError, match=r"refused GetAuthorizationToken: <html> Blocked by policy </html> \(HTTP 403\)"
    ):
        a_token(with_key(server))


@pytest.mark.parametrize(("minutes", "words"), [(17, "1020 s ahead of"), (-9, "540 s behind"), (3, None), (-3, None)])
def test_a_clock_that_is_off_is_named_as_the_cause(server: Server, minutes: int, words: str | None) -> None:
    server.will((400, json.dumps({"__type": "InvalidSignatureException", "message": "Signature expired"})))
    with pytest.raises(RefusedError) as refused:
        a_token(with_key(server), now=NOW + timedelta(minutes=minutes))
    assert ("NTP" in str(refused.value)) is (words is not None)
    assert (words or "") in str(refused.value)


def test_nobody_follows_a_redirect_with_credentials(server: Server) -> None:
    server.will((307, ""))
    with pytest.raises(RefusedError, match="HTTP 307"):
        a_token(with_key(server))
    assert len(server.asked) == 1


def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(UnavailableError, match=r"127\.0\.0\.1:9 does not answer: Connection refused"):
        send("GET", "http://127.0.0.1:9/", {})
    with pytest.raises(UnavailableError, match=r"nowhere\.invalid does not answer: "):
        send("GET", "https://nowhere.invalid/", {})
    with pytest.raises(MisconfiguredError, match="'ecr:5000' is no address"):
        send("GET", "ecr:5000", {})


# --- The Secret ---


def put(api: Server, account: Path) -> None:
    Cluster(api.address, account).put(TARGET, Token("AWS", PASSWORD, NOW + timedelta(hours=12)), NOW)


def test_the_secret_gets_the_login_and_nothing_else_of_it_changes(api: Server, account: Path) -> None:
    api.will((200, "{}"))
    put(api, account)
    (request,) = api.asked
    assert request.method == "PATCH"
    assert request.path == "/api/v1/namespaces/shop/secrets/pull-1a2b3c4d?fieldManager=pull-secret-renewal"
    assert request.headers["Authorization"] == "Bearer token-of-the-service-account"
    assert request.headers["Content-Type"] == "application/merge-patch+json"
    patch = json.loads(request.body)
    assert patch["metadata"] == {"annotations": {RENEWED: "2026-03-01T12:00:00Z", EXPIRES: "2026-03-02T00:00:00Z"}}
    assert set(patch) == {"metadata", "data"}
    assert set(patch["data"]) == {".dockerconfigjson"}
    config = json.loads(base64.b64decode(patch["data"][".dockerconfigjson"]))
    assert config["auths"][HOST]["password"] == PASSWORD


def test_the_login_is_written_as_the_first_one_was() -> None:
    assert docker_config(HOST, Token("AWS", PASSWORD, None)) == pull_secret.docker_config(HOST, "AWS", PASSWORD)


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (401, "Unauthorized", RefusedError),
        (403, 'secrets "pull-1a2b3c4d" is forbidden: User "x" cannot patch resource "secrets"', RefusedError),
        (404, 'secrets "pull-1a2b3c4d" not found', RefusedError),
        (422, "Secret is invalid", RefusedError),
        (409, "the object has been modified", UnavailableError),
        (429, "too many requests", UnavailableError),
        (500, "etcdserver: leader changed", UnavailableError),
    ],
)
def test_kubernetes_refuses_in_its_own_words(
    api: Server, account: Path, status: int, message: str, kind: type[RenewalError]
) -> None:
    api.will((status, kubernetes_error(status, message)))
    with pytest.raises(kind) as failure:
        put(api, account)
    assert f"the patch of Secret shop/pull-1a2b3c4d: {message} (HTTP {status})" in str(failure.value)
    assert ("pulumi up --refresh" in str(failure.value)) is (status == 404)


def test_the_token_is_read_anew_each_time(api: Server, account: Path) -> None:
    api.will((200, "{}"))
    put(api, account)
    (account / "token").write_text("the-next-one")
    put(api, account)
    assert [request.headers["Authorization"] for request in api.asked][1] == "Bearer the-next-one"
    (account / "token").unlink()
    with pytest.raises(MisconfiguredError, match="token: No such file"):
        put(api, account)


def test_only_the_clusters_own_authority_is_trusted(account: Path, tmp_path: Path) -> None:
    tls(tmp_path / "theirs")
    with serving(tls(tmp_path / "ours")) as api:
        api.will((200, "{}"))
        (account / "ca.crt").write_text((tmp_path / "ours.crt").read_text())
        put(api, account)
        (account / "ca.crt").write_text((tmp_path / "theirs.crt").read_text())
        with pytest.raises(RefusedError, match=r"certificate of 127\.0\.0\.1:\d+ is not trusted"):
            put(api, account)
        (account / "ca.crt").unlink()
        with pytest.raises(MisconfiguredError, match=r"ca\.crt: No such file"):
            put(api, account)
    assert len(api.asked) == 1


def test_the_cluster_is_found_by_the_pods_variables() -> None:
    assert Cluster.around({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}).address == "https://10.0.0.1:443"
    six = Cluster.around({"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"})
    assert six.address == "https://[fd00::1]:6443"
    with pytest.raises(MisconfiguredError, match="KUBERNETES_SERVICE_HOST"):
        Cluster.around({})


def tls(path: Path) -> ssl.SSLContext:
    """A server's side of TLS for 127.0.0.1, whose certificate is its own authority, in ``<path>.crt``."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, path.name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(minutes=5))
        .not_valid_after(datetime.now(UTC) + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path.with_suffix(".crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    path.with_suffix(".key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path.with_suffix(".crt"), path.with_suffix(".key"))
    return context


# --- Patience ---


def failing(*failures: RenewalError) -> Any:
    left = list(failures)

    def attempt() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return attempt


def test_who_does_not_answer_is_asked_again_with_longer_pauses() -> None:
    time, told = Time(), list[str]()
    attempt = failing(*(UnavailableError("ECR does not answer") for _ in range(7)))
    assert time.patience(told=told)(attempt) == "done"
    assert time.pauses == [1, 2, 4, 8, 16, 20, 20]
    assert told[0] == "ECR does not answer; trying again in 1 s"


def test_patience_ends_and_says_how_long_it_was() -> None:
    time = Time()
    with pytest.raises(UnavailableError, match=r"no answer \(tried 10 times in 111 s\)"):
        time.patience()(failing(*(UnavailableError("no answer") for _ in range(99))))
    assert time.now <= 120


def test_a_refusal_may_be_due_to_a_change_on_its_way_and_stands_after_a_moment() -> None:
    time = Time()
    assert time.patience()(failing(*(RefusedError("no") for _ in range(3)))) == "done"
    time = Time()
    with pytest.raises(RefusedError, match=r"no \(tried 5 times in 15 s\)"):
        time.patience()(failing(*(RefusedError("no") for _ in range(99))))


def test_what_cannot_pass_is_not_tried_twice() -> None:
    time = Time()
    with pytest.raises(MisconfiguredError, match=r"^nothing set$"):
        time.patience()(failing(MisconfiguredError("nothing set")))
    assert time.pauses == []


# --- The whole ---


@dataclass(frozen=True)
class Pod:
    """What the program finds around it."""

    aws: Server
    api: Server
    time: Time
    status: Path

    def renew(self, **more: str) -> int:
        """Run it, and give its exit code."""
        return program.run({**variables(self.aws), **more}, self.status)


def variables(server: Server) -> dict[str, str]:
    return {
        **with_key(server),
        "SECRET_NAMESPACE": "shop",
        "SECRET_NAME": "pull-1a2b3c4d",
        "REGISTRY_SERVER": HOST,
        "RETRY_SECONDS": "30",
        "KUBERNETES_SERVICE_HOST": "10.0.0.1",
    }


@pytest.fixture
def pod(server: Server, api: Server, account: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pod:
    time = Time()
    around = Cluster.around

    def patience(unavailable: float, refused: float, tell: Callable[[str], None]) -> Patience:
        return Patience(unavailable, refused, tell, clock=lambda: time.now, pause=time.pause)

    def cluster(environment: Mapping[str, str]) -> Cluster:
        around(environment)
        return Cluster(api.address, account)

    monkeypatch.setattr(program, "Patience", patience)
    monkeypatch.setattr(program.Cluster, "around", cluster)
    server.will((200, json.dumps(GRANTED)))
    api.will((200, "{}"))
    status = tmp_path / "termination-log"
    status.touch()
    return Pod(server, api, time, status)


def test_a_renewal_says_what_it_did_and_leaves_no_complaint(pod: Pod, capsys: pytest.CaptureFixture[str]) -> None:
    pod.aws.will((503, ""), (200, json.dumps(GRANTED)))
    pod.api.will((409, kubernetes_error(409, "modified")), (200, "{}"))
    assert pod.renew() == 0
    assert pod.status.read_text() == ""
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"renewed: Secret shop/pull-1a2b3c4d logs in to {HOST} until 2026-03-02 00:00 UTC"
    assert pod.time.pauses == [1, 1]


def test_a_refusal_stands_in_the_pods_status_with_no_secret_in_it(pod: Pod, capsys: pytest.CaptureFixture[str]) -> None:
    # What AWS quotes of a request whose signature does not fit.
    quoted = f"The Canonical String should have been 'POST\\n/\\nx-amz-security-token:{SESSION_TOKEN}\\n'"
    pod.aws.will((403, json.dumps({"__type": "InvalidSignatureException", "message": quoted})))
    assert pod.renew(AWS_SESSION_TOKEN=SESSION_TOKEN) == 1
    status = pod.status.read_text()
    assert status.startswith("Amazon ECR refused GetAuthorizationToken: InvalidSignatureException: The Canonical")
    assert "x-amz-security-token:(hidden)" in status
    printed = capsys.readouterr()
    for secret in (SESSION_TOKEN, SECRET_KEY, PASSWORD):
        assert secret not in status + printed.out + printed.err
    assert pod.api.asked == []
    assert pod.time.now <= 20


def test_the_last_failure_is_in_the_status_while_it_still_tries(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    pod.api.will((500, kubernetes_error(500, "etcdserver: no leader")))
    seen: list[str] = []
    pause = pod.time.pause

    def look(seconds: float) -> None:
        seen.append(pod.status.read_text())
        pause(seconds)

    monkeypatch.setattr(pod.time, "pause", look)
    assert pod.renew() == 1
    assert "etcdserver: no leader (HTTP 500); trying again in 1 s" in seen[0]
    assert len(pod.aws.asked) == 1, "a token that was given is asked for again"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"SECRET_NAME": ""}, "SECRET_NAME is not set"),
        ({"RETRY_SECONDS": "soon"}, "RETRY_SECONDS is 'soon': expected whole seconds"),
        ({"AWS_REGION": ""}, "AWS_REGION is not set"),
        ({"KUBERNETES_SERVICE_HOST": ""}, "KUBERNETES_SERVICE_HOST is not set"),
    ],
)
def test_a_missing_variable_is_named(pod: Pod, change: dict[str, str], words: str) -> None:
    assert pod.renew(**change) == 1
    assert words in pod.status.read_text()
    assert pod.time.pauses == []


def test_a_status_that_cannot_be_written_hides_no_failure(pod: Pod, capsys: pytest.CaptureFixture[str]) -> None:
    pod.status.unlink()
    assert pod.renew(SECRET_NAME="") == 1
    assert "SECRET_NAME is not set" in capsys.readouterr().out
    assert not pod.status.exists()


def test_it_stops_at_once_when_its_pod_is_ended(server: Server) -> None:
    server.will((503, ""))
    with subprocess.Popen(
        [sys.executable, "-B", "-m", "pull_secret_renewal"],
        cwd=Path(pull_secret_renewal.__file__).parent.parent,
        env=variables(server),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert "ECR did not serve" in process.stdout.readline()
        process.terminate()
        assert process.wait(10) == 1


def test_it_needs_nothing_but_pythons_own_library() -> None:
    folder = Path(pull_secret_renewal.__file__).parent
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert all(name.name.split(".")[0] in sys.stdlib_module_names for name in node.names), path
            if isinstance(node, ast.ImportFrom):
                assert node.level == 1 or str(node.module).split(".")[0] in sys.stdlib_module_names, path
