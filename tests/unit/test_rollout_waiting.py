"""Waiting for a rollout, against an API server of the test's own: what is asked, with whose credentials, until when."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from components.kubeconfig import ClusterAccess
from components.rollout.cluster import Cluster, ClusterError
from components.rollout.objects import Json, Object
from components.rollout.waiting import RolloutError, wait

Answer = tuple[int, Object]
Answers = Callable[[str], Answer]

DEPLOYMENTS = "/apis/apps/v1/namespaces/shop/deployments"
DONE: Object = {
    "metadata": {"name": "web", "uid": "d", "generation": 2, "resourceVersion": "7"},
    "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}},
    "status": {"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1},
}
UNFINISHED: Object = {**DONE, "status": {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 1}}


@dataclass
class Server:
    """The address of the API server, and what it was asked: paths, without watches, and values of `Authorization`."""

    address: str
    paths: list[str] = field(default_factory=list[str])
    logins: set[str] = field(default_factory=set[str])


@contextmanager
def api_server(answers: Answers) -> Generator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            server.logins.add(self.headers.get("Authorization", ""))
            if "watch=true" in url.query:
                status, body = 403, {"message": "watching is forbidden"}
            else:
                server.paths.append(url.path)
                status, body = answers(url.path)
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = Server(f"http://127.0.0.1:{http.server_address[1]}")
    thread = threading.Thread(target=http.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


def access(address: str, user: dict[str, Json] | None = None) -> ClusterAccess:
    document = {
        "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "clusters": [{"name": "test", "cluster": {"server": address}}],
        "users": [{"name": "test", "user": user or {"token": "a-token"}}],
    }
    return ClusterAccess("test", address, json.dumps(document))


def of_deployment(*states: Answer) -> Answers:
    """One state of the Deployment for each look, the last for all that follow; it has no pods."""
    left = list(states)

    def answer(path: str) -> Answer:
        if path == f"{DEPLOYMENTS}/web":
            return left.pop(0) if len(left) > 1 else left[0]
        return 200, {"items": []}

    return answer


def rolled_out(server: Server, seconds: float = 20) -> list[str]:
    shown: list[str] = []
    wait(Cluster(access(server.address)), "shop", "web", seconds=seconds, progress=shown.append)
    return shown


def test_what_is_rolled_out_already_takes_one_look() -> None:
    with api_server(of_deployment((200, DONE))) as server:
        assert rolled_out(server) == []
    assert server.paths.count(f"{DEPLOYMENTS}/web") == 1
    assert server.logins == {"Bearer a-token"}


def test_it_looks_until_no_old_pod_is_left_and_shows_what_is_missing() -> None:
    with api_server(of_deployment((200, UNFINISHED), (200, DONE))) as server:
        assert rolled_out(server) == ["rollout, 0 s: 0 of 1 new pods ready, 1 old to stop"]


@pytest.mark.parametrize("status", [500, 503, 429])
def test_an_api_server_that_is_busy_or_starting_is_asked_again(status: int) -> None:
    with api_server(of_deployment((status, {"message": "not now"}), (200, DONE))) as server:
        assert rolled_out(server) == ["rollout, 0 s: not now"]


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (403, "Deployment shop/web is not rolled out: deployments is forbidden"),
        (
            404,
            "Deployment shop/web is not rolled out: it does not exist on the cluster; `pulumi up --refresh` makes it",
        ),
    ],
)
def test_an_answer_that_stays_the_same_ends_the_wait_at_once(status: int, message: str) -> None:
    with (
        api_server(of_deployment((status, {"message": "deployments is forbidden"}))) as server,
        pytest.raises(RolloutError) as failed,
    ):
        rolled_out(server)
    assert message in str(failed.value)
    assert len(server.paths) == 1


def test_credentials_that_may_not_see_pods_are_enough() -> None:
    def answer(path: str) -> Answer:
        return (200, DONE) if path == f"{DEPLOYMENTS}/web" else (403, {"message": "forbidden"})

    with api_server(answer) as server:
        assert rolled_out(server) == []


def test_the_time_limit_says_what_is_missing_and_what_the_cluster_warned_of() -> None:
    events: list[Json] = [
        {"involvedObject": {"kind": "Pod", "name": name}, "reason": "FailedMount", "message": message}
        for name, message in (("web-1", "no volume"), ("website-1", "of another Deployment"), ("web-1", "no volume"))
    ]

    def answer(path: str) -> Answer:
        if path.endswith("/events"):
            return 200, {"items": events}
        return (200, UNFINISHED) if path == f"{DEPLOYMENTS}/web" else (200, {"items": []})

    with api_server(answer) as server, pytest.raises(RolloutError) as failed:
        rolled_out(server, seconds=0)
    assert str(failed.value) == (
        "Deployment shop/web is not rolled out: not ready after 0 s: 0 of 1 new pods ready, 1 old to stop\n"
        "Pod web-1: FailedMount: no volume"
    )


def test_pods_that_fail_alike_are_shown_once_and_early() -> None:
    def pod(name: str) -> Object:
        waiting: Object = {"reason": "InvalidImageName", "message": "couldn't parse image name"}
        return {
            "metadata": {"name": name, "ownerReferences": [{"uid": "r"}]},
            "status": {"containerStatuses": [{"name": "main", "state": {"waiting": waiting}}]},
        }

    replica_set: Object = {"metadata": {"uid": "r", "ownerReferences": [{"uid": "d"}]}}

    def answer(path: str) -> Answer:
        if path.endswith("/pods"):
            return 200, {"items": [pod("web-1"), pod("web-2")]}
        if path.endswith("/replicasets"):
            return 200, {"items": [replica_set]}
        return 200, UNFINISHED

    with api_server(answer) as server, pytest.raises(RolloutError) as failed:
        rolled_out(server, seconds=300)
    assert str(failed.value) == (
        "Deployment shop/web is not rolled out: pod web-1, container main: InvalidImageName: couldn't parse image name"
    )


def test_a_credential_plugin_gives_the_token(tmp_path: Path) -> None:
    plugin = tmp_path / "plugin.py"
    plugin.write_text(
        'print(\'{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",\''
        ' \'"status": {"token": "of-a-plugin"}}\')'
    )
    with api_server(of_deployment((200, DONE))) as server:
        cluster = Cluster(access(server.address, _exec(str(plugin))))
        wait(cluster, "shop", "web", seconds=5, progress=print)
    assert server.logins == {"Bearer of-a-plugin"}


def test_a_credential_plugin_that_fails_is_named_by_its_context(tmp_path: Path) -> None:
    plugin = tmp_path / "plugin.py"
    plugin.write_text("import sys; sys.exit('session expired, log in again')")
    with pytest.raises(ClusterError, match=r"credential plugin of the kubeconfig's context 'test' failed: .*expired"):
        Cluster(access("http://127.0.0.1:1", _exec(str(plugin))))


@pytest.mark.parametrize("user", [{"client-key-data": "no key", "client-certificate-data": "none"}, {"exec": {}}])
def test_credentials_that_cannot_be_read_are_named_by_their_context(user: dict[str, Json]) -> None:
    with pytest.raises(ClusterError, match="context 'test'") as error:
        Cluster(access("http://127.0.0.1:1", user))
    assert "no key" not in str(error.value)


def test_a_cluster_that_does_not_answer_is_named_and_may_answer_later() -> None:
    with pytest.raises(
        ClusterError, match=r"the cluster at http://127\.0\.0\.1:1 .* does not answer: .*refused"
    ) as error:
        Cluster(access("http://127.0.0.1:1")).get("/version")
    assert error.value.may_pass


def _exec(script: str) -> dict[str, Json]:
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": sys.executable,
            "args": [script],
            "interactiveMode": "Never",
        }
    }
