"""What a platform team would try: take pods away, roll out under load, scale, run out of room, let the wrong pod in."""

from __future__ import annotations

import base64
import json
import secrets
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.deployment import SERVICES, Deployment, asking, create, get, until

PASSWORDS = (secrets.token_hex(16), secrets.token_hex(16))

# Asks hasher over and over until its standard input ends, on new connections and on one that is kept.
_CALLER = """
import http.client, json, sys, threading
done, failures, answers = threading.Event(), [], [0, 0]
def ask(which):
    kept = None
    while not done.wait(0.01):
        connection = kept or http.client.HTTPConnection("hasher", timeout=10)
        try:
            connection.request("GET", "/")
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                failures.append(f"answered {answer.status}")
            answers[which] += 1
            kept = connection if which and not answer.will_close else None
        except Exception as error:
            failures.append(repr(error))
            kept = None
        if kept is None:
            connection.close()
threads = [threading.Thread(target=ask, args=(which,)) for which in (0, 1)]
[thread.start() for thread in threads]
sys.stdin.read()
done.set()
[thread.join() for thread in threads]
print(json.dumps({"failures": failures, "answers": answers}))
"""


@pytest.fixture(scope="module")
def workloads(tmp_path_factory: pytest.TempPathFactory) -> Generator[Deployment]:
    """The application with coins in a volume, a password, and two pods where a lost call would be noticed."""
    settings = {"redisStorage": "64Mi", "redisStorageClass": "standard", "hasherReplicas": "2", "webuiReplicas": "2"}
    deployment = create(Path(tmp_path_factory.mktemp("workloads")), **settings)
    deployment.project.set_config("redisPassword", PASSWORDS[0], secret=True)
    with _volume(deployment):
        try:
            deployment.outcomes["first up"] = deployment.project.up()
            assert deployment.outcomes["first up"].succeeded, deployment.outcomes["first up"].output
            until(lambda: deployment.page()["coins"] > 0, "a coin")
            yield deployment
        finally:
            outcome = deployment.project.destroy()
            assert outcome.succeeded, outcome.output


def test_each_pod_has_an_account_of_its_own_and_no_token(workloads: Deployment) -> None:
    for pod in workloads.objects("pods").values():
        assert pod["spec"]["serviceAccountName"] == pod["metadata"]["labels"]["app.kubernetes.io/name"]
        volumes = [volume for volume in pod["spec"].get("volumes", []) if "projected" in volume]
        assert volumes == []
    assert set(workloads.objects("poddisruptionbudgets")) == {"hasher", "webui"}


def test_a_pod_that_is_not_restricted_is_refused(workloads: Deployment) -> None:
    ran = subprocess.run(
        ["kubectl", "--namespace", workloads.name, "run", "rogue", "--image=pause", "--privileged"],
        env=dict(workloads.project.environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode != 0
    assert 'violates PodSecurity "restricted:v1.34"' in ran.stderr


def test_redis_lets_in_nobody_without_the_password_and_it_is_shown_nowhere(workloads: Deployment) -> None:
    assert "NOAUTH" in workloads.kubectl("exec", "deployment/redis", "--", "redis-cli", "dbsize")
    assert _redis(workloads, "ping") == "PONG"
    shown = workloads.project.state_text() + workloads.outcomes["first up"].output
    shown += workloads.kubectl("get", "deployments,pods", "--output", "json")
    processes = workloads.kubectl(
        "exec", "deployment/redis", "--", "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"
    )
    assert "redis-server" in processes
    encoded = base64.b64encode(PASSWORDS[0].encode()).decode()
    assert PASSWORDS[0] not in shown + processes
    assert encoded not in shown + processes
    assert encoded in json.dumps(workloads.project.export(show_secrets=True))


def test_metrics_have_a_port_of_their_own(workloads: Deployment) -> None:
    for service in SERVICES:
        ask = 'import urllib.request; print(urllib.request.urlopen("http://localhost:9090/metrics").read().decode())'
        told = workloads.kubectl("exec", f"deployment/{service}", "--", "python3", "-c", ask)
        assert "# TYPE dockercoins_" in told, told
        version = workloads.objects("deployments")[service]["metadata"]["labels"]["app.kubernetes.io/version"]
        assert f'version="{version}"' in told
    assert get(workloads.url("/metrics")).status == 404


def test_what_the_cluster_lacks_is_told_by_the_preview(workloads: Deployment) -> None:
    workloads.configure(redisStorageClass="no-such-class", webuiServiceType="ClusterIP")
    workloads.configure(webuiIngress={"host": "coins.example.com", "class": "no-such-controller"})
    try:
        preview = workloads.project.preview()
    finally:
        workloads.configure(redisStorageClass="standard", webuiServiceType="NodePort", webuiIngress=None)
    assert not preview.succeeded
    assert "'no-such-controller' does not exist" in preview.output or "'no-such-class' does not exist" in preview.output
    assert "Traceback" not in preview.output


@pytest.mark.parametrize("service", ["redis", *SERVICES])
def test_no_coin_is_lost_with_a_pod(workloads: Deployment, service: str) -> None:
    before, hashes = _coins(workloads), workloads.page()["hashes"]
    pods = set(_pods(workloads, service))
    # As a node that dies: nothing is told to stop, nothing is written in a hurry.
    workloads.kubectl("delete", "pod", f"--selector=app.kubernetes.io/name={service}", "--grace-period=0", "--force")
    until(lambda: not pods & set(_pods(workloads, service)), f"the pods of {service} to be gone")
    until(lambda: all(_ready(workloads, service)), f"{service} to be back", limit=90)
    until(lambda: workloads.page()["hashes"] > hashes + 5, "mining to go on", limit=90)
    until(lambda: _coins(workloads) > before, "all coins of before, and a new one")


def test_a_rollout_under_load_loses_no_call(workloads: Deployment) -> None:
    pods = {service: set(_pods(workloads, service)) for service in ("hasher", "webui")}
    for service in pods:
        _change(workloads, service)
    with _calling(workloads) as told, asking(workloads.url("/json")) as failures:
        outcome = workloads.project.up()
        assert outcome.succeeded, outcome.output
        for service, old in pods.items():
            until(lambda old=old, service=service: not old & set(_pods(workloads, service)), "the old pods to go")
    assert failures == []
    assert told["failures"] == []
    assert all(count > 50 for count in told["answers"]), told


def test_the_page_can_be_reached_by_an_ingress_instead(workloads: Deployment) -> None:
    workloads.configure(webuiServiceType="ClusterIP", webuiIngress={"host": "coins.example.com", "tlsSecret": "coins"})
    by_ingress = workloads.project.up()
    try:
        assert by_ingress.succeeded, by_ingress.output
        assert workloads.project.outputs()["webui_url"] == "https://coins.example.com/"
        assert "webui_port_forward" not in workloads.project.outputs()
        (rule,) = workloads.objects("ingresses")["webui"]["spec"]["rules"]
        assert rule["host"] == "coins.example.com"
        assert workloads.project.preview("--refresh", "--expect-no-changes").succeeded
    finally:
        workloads.configure(webuiServiceType="NodePort", webuiIngress=None)
        back = workloads.project.up()
    assert back.succeeded, back.output
    assert workloads.objects("ingresses") == {}
    until(lambda: workloads.page()["hashes"] > 0, "the page at the node's port")


def test_an_autoscaler_takes_over_without_a_reset_and_gives_back(workloads: Deployment) -> None:
    workloads.configure(hasherReplicas=None, autoscale={"hasher": {"min": 3, "max": 4, "cpu": 1000}})
    scaled = workloads.project.up()
    assert scaled.succeeded, scaled.output
    until(lambda: len(_ready(workloads, "hasher")) == 3, "the autoscaler to heed its minimum", limit=90)
    for outcome in (
        workloads.project.preview("--refresh", "--expect-no-changes"),
        # By the plugin, a refresh changes what the program only reads: the StorageClass.
        workloads.project.refresh(),
        workloads.project.up("--expect-no-changes"),
    ):
        assert outcome.succeeded, outcome.output
    assert workloads.objects("deployments")["hasher"]["spec"]["replicas"] == 3
    workloads.configure(hasherReplicas="2", autoscale=None)
    back = workloads.project.up()
    assert back.succeeded, back.output
    assert workloads.objects("horizontalpodautoscalers") == {}
    # The engine deletes last, so the autoscaler may have spoken once more after the Deployment was set.
    settled = workloads.project.up("--refresh")
    assert settled.succeeded, settled.output
    assert workloads.objects("deployments")["hasher"]["spec"]["replicas"] == 2


def test_a_full_redis_stops_the_mine_and_throws_nothing_away(workloads: Deployment) -> None:
    limit = _redis(workloads, "config", "get", "maxmemory").split()[-1]
    _redis(workloads, "config", "set", "maxmemory", "1")
    try:
        until(lambda: "OOM" in _redis(workloads, "incr", "full"), "redis to be full")
        before, hashes = _coins(workloads), workloads.page()["hashes"]
        assert workloads.page()["hashes"] == hashes
    finally:
        _redis(workloads, "config", "set", "maxmemory", limit)
    until(lambda: workloads.page()["hashes"] > hashes, "mining to go on")
    assert before <= _coins(workloads)


def test_another_password_reaches_all_who_need_it(workloads: Deployment) -> None:
    before = _coins(workloads)
    workloads.project.set_config("redisPassword", PASSWORDS[1], secret=True)
    changed = workloads.project.up()
    assert changed.succeeded, changed.output
    rolled = {step.name for step in changed.steps if step.type.endswith(":Deployment") and step.op != "same"}
    assert rolled == {"redis", "webui", "worker"}
    until(lambda: workloads.page()["hashes"] > 0, "the page to be let in", limit=90)
    hashes = workloads.page()["hashes"]
    until(lambda: workloads.page()["hashes"] > hashes + 3, "mining to go on", limit=90)
    assert before <= _coins(workloads)
    assert PASSWORDS[1] not in changed.output + workloads.project.state_text()


def test_pods_for_which_there_is_no_room_fail_the_update_with_the_quota_s_words(workloads: Deployment) -> None:
    _settle(workloads)
    serving = set(_pods(workloads, "hasher"))
    _change(workloads, "hasher")
    workloads.kubectl("create", "quota", "tight", f"--hard=pods={len(workloads.objects('pods'))}")
    try:
        until(lambda: "hard" in workloads.objects("resourcequotas")["tight"]["status"], "the quota to be in force")
        with _calling(workloads) as told:
            outcome = workloads.project.up()
        assert not outcome.succeeded
        assert f"{_not_rolled_out(workloads)}no pod can be created: FailedCreate: pods " in outcome.errors
        assert "exceeded quota: tight" in outcome.errors
        assert serving == set(_pods(workloads, "hasher"))
        assert told["failures"] == []
    finally:
        workloads.kubectl("delete", "resourcequota", "tight")
    until(lambda: not _lacks_pods(workloads, "hasher"), "the cluster to try again", limit=180)
    again = workloads.project.up()
    assert again.succeeded, again.output


@pytest.mark.parametrize(
    ("line", "mistake", "words"),
    [
        (
            "allow_privilege_escalation=False",
            'allow_privilege_escalation=self._name == "hasher"',
            ("no pod can be created: ", 'violates PodSecurity "restricted:v1.34": allowPrivilegeEscalation != false'),
        ),
        (
            "if args.pull_secret else None",
            'if args.pull_secret and self._name != "hasher" else None',
            ("pod hasher-", "ErrImagePull: failed to pull and unpack image"),
        ),
    ],
    ids=["policy", "image"],
)
def test_pods_that_cannot_start_fail_the_update_with_their_own_reason_and_the_old_ones_serve(
    workloads: Deployment, line: str, mistake: str, words: tuple[str, str]
) -> None:
    _settle(workloads)
    serving = set(_pods(workloads, "hasher"))
    _change(workloads, "hasher")
    file = workloads.folder / "components" / "microservice.py"
    content = file.read_text()
    assert content.count(line) == 1
    file.write_text(content.replace(line, mistake))
    try:
        with _calling(workloads) as told, asking(workloads.url("/json")) as failures:
            outcome = workloads.project.up()
        assert not outcome.succeeded
        start, reason = words
        assert _not_rolled_out(workloads) + start in outcome.errors
        assert reason in outcome.errors
        assert serving <= set(_pods(workloads, "hasher"))
        assert told["failures"] == []
        assert failures == []
    finally:
        file.write_text(content)
    again = workloads.project.up()
    assert again.succeeded, again.output


def _not_rolled_out(deployment: Deployment) -> str:
    """How the message about a failed rollout of hasher begins."""
    return f"Deployment {deployment.name}/hasher is not rolled out: "


def _pods(deployment: Deployment, service: str) -> list[str]:
    """The uids of a service's pods."""
    listed = deployment.objects("pods", f"--selector=app.kubernetes.io/name={service}")
    return [pod["metadata"]["uid"] for pod in listed.values()]


def _ready(deployment: Deployment, service: str) -> list[bool]:
    """Which of the pods that a Deployment wants are ready."""
    found = deployment.objects("deployments")[service]
    ready = found["status"].get("readyReplicas", 0)
    return [number < ready for number in range(found["spec"]["replicas"])]


def _settle(deployment: Deployment) -> None:
    """Wait until pods of earlier versions are gone."""
    wanted = len(SERVICES) + 3
    until(lambda: len(deployment.objects("pods")) == wanted, f"{wanted} pods to be left", limit=90)


def _lacks_pods(deployment: Deployment, name: str) -> bool:
    """Whether the last attempt to make a pod of a Deployment failed."""
    conditions = deployment.objects("deployments")[name]["status"]["conditions"]
    return any(item["type"] == "ReplicaFailure" and item["status"] == "True" for item in conditions)


def _redis(deployment: Deployment, *command: str) -> str:
    """What redis answers to somebody with the password."""
    script = 'REDISCLI_AUTH="$(cat /run/secrets/redis/password)" redis-cli "$@"'
    return deployment.kubectl("exec", "deployment/redis", "--", "sh", "-c", script, "redis-cli", *command).strip()


def _coins(deployment: Deployment) -> set[str]:
    return set(_redis(deployment, "hkeys", "wallet").split())


def _change(deployment: Deployment, service: str) -> None:
    """Make another version of a service that does the same."""
    dockerfile = deployment.folder / "services" / service / "Dockerfile"
    dockerfile.write_text(f'{dockerfile.read_text()}\nLABEL change="{secrets.token_hex(4)}"\n')


@contextmanager
def _calling(deployment: Deployment) -> Generator[dict[str, list[Any]]]:
    """Call hasher from a worker's pod, as a worker does, while the block runs; what came of it is told at its end."""
    told: dict[str, list[Any]] = {}
    command = ["kubectl", "--namespace", deployment.name, "exec", "--stdin", "deployment/worker", "--"]
    with subprocess.Popen(
        [*command, "python3", "-c", _CALLER],
        env=dict(deployment.project.environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as caller:
        try:
            yield told
        finally:
            output, errors = caller.communicate(timeout=60)
    assert output, errors
    told.update(json.loads(output))


@contextmanager
def _volume(deployment: Deployment) -> Generator[None]:
    """A volume on the node for the stack's redis alone: the sandbox's class makes none by itself."""
    listed = json.loads(deployment.kubectl("get", "nodes", "--output", "json"))
    node = listed["items"][0]["metadata"]["name"]
    path = f"/var/lib/{deployment.name}"
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": deployment.name},
        "spec": {
            "capacity": {"storage": "64Mi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "standard",
            "local": {"path": path},
            "claimRef": {"namespace": deployment.name, "name": "redis"},
            "nodeAffinity": {
                "required": {
                    "nodeSelectorTerms": [
                        {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}
                    ]
                }
            },
        },
    }
    _on_node(node, "mkdir", path)
    file = deployment.folder.parent / "volume.json"
    file.write_text(json.dumps(volume))
    deployment.kubectl("create", "--filename", str(file))
    try:
        yield
    finally:
        deployment.kubectl("delete", "persistentvolume", deployment.name)
        _on_node(node, "rm", "-r", path)


def _on_node(node: str, *command: str) -> None:
    subprocess.run(["docker", "exec", node, *command], check=True, capture_output=True, timeout=60)
