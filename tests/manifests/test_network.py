"""Every pair of pods is open or closed as the diagram says, by an analyzer of the policies that stacks declare."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import pytest

from tests.manifests.network import ANYWHERE, Connection, connections, pod
from tests.manifests.rendering import STACKS, objects
from tests.unit.recording import Record

NODE_LOCAL_DNS = "169.254.20.10"
SERVICES = ("hasher", "redis", "rng", "webui", "worker")
BUILT = ("hasher", "rng", "webui", "worker")

DIAGRAM = (
    Connection("worker", "rng", "TCP 8080"),
    Connection("worker", "hasher", "TCP 8080"),
    Connection("worker", "redis", "TCP 6379"),
    Connection("webui", "redis", "TCP 6379"),
)


def names_are_looked_up(*services: str) -> Iterator[Connection]:
    for service in services:
        for server in ("kube-system/kube-dns", NODE_LOCAL_DNS):
            for protocol in ("TCP", "UDP"):
                yield Connection(service, server, f"{protocol} 53")


NAMES = frozenset(names_are_looked_up("worker", "webui"))

SURROUNDINGS = (
    *pod("kube-system", "kube-dns", {"k8s-app": "kube-dns"}),
    *pod("kube-system", "other", {"app": "other"}),
    *pod("monitoring", "prometheus", {"app": "prometheus"}),
    *pod("ingress-nginx", "controller", {"app": "controller"}),
    *pod("elsewhere", "stranger", {"app": "stranger"}),
    # As bold as can be: it bears the label of a pod that may do much, in a namespace where it means nothing.
    *pod("elsewhere", "impostor", {"app.kubernetes.io/name": "worker"}),
)
OTHERS = ("kube-system/kube-dns", "kube-system/other", "monitoring/prometheus", "ingress-nginx/controller")
STRANGERS = ("elsewhere/stranger", "elsewhere/impostor")


def everybody_sees_the_page() -> Iterator[Connection]:
    # Within the namespace nobody who may not open a connection can use it.
    for source in (ANYWHERE, *OTHERS, *STRANGERS):
        yield Connection(source, "webui", "TCP 8080")


def metrics_are_read() -> Iterator[Connection]:
    for service in BUILT:
        yield Connection("monitoring/prometheus", service, "TCP 9090")


def traces_are_sent() -> Iterator[Connection]:
    for service in BUILT:
        yield Connection(service, "monitoring/prometheus", "TCP 4318")
    # Who sends traces looks up where to.
    yield from names_are_looked_up("hasher", "rng")


def the_pull_secret_is_renewed() -> Iterator[Connection]:
    # The address of the cluster's API, and those of the registry's, are not known beforehand.
    for source in ("pull", "pull-first-run-0a1b2c3"):
        for target in (ANYWHERE, *OTHERS, *STRANGERS):
            yield Connection(source, target, "all")


EXPECTED: dict[str, set[Connection]] = {
    "default": {*DIAGRAM, *NAMES},
    "dev": {*DIAGRAM, *NAMES, *everybody_sees_the_page()},
    "prod": {*DIAGRAM, *NAMES, *everybody_sees_the_page(), *metrics_are_read()},
    "full": {
        *DIAGRAM,
        *NAMES,
        Connection("ingress-nginx/controller", "webui", "TCP 8080"),
        *metrics_are_read(),
        *traces_are_sent(),
        *the_pull_secret_is_renewed(),
    },
    "route": {*DIAGRAM, *NAMES, *everybody_sees_the_page(), *metrics_are_read()},
}


def namespace(stack: str) -> str:
    return f"dockercoins-{stack}"


def judged(stack: str, documents: list[Record]) -> set[Connection]:
    """The connections in the company of pods elsewhere, and of one in the namespace that nobody foresaw."""
    newcomer = pod(namespace(stack), "newcomer", {"app.kubernetes.io/name": "newcomer"})
    return connections([*newcomer, *documents, *SURROUNDINGS], namespace(stack))


def matrix(stack: str, found: set[Connection]) -> str:
    """Each pair of pods of the application, open or closed."""
    names = [*SERVICES, "newcomer"]
    open_pairs = {(connection.source, connection.target) for connection in found}
    rows = [
        f"{source:<10}" + "".join(f"{'open' if (source, target) in open_pairs else '-':>10}" for target in names)
        for source in names
    ]
    return "\n".join([f"{stack:<10}" + "".join(f"{target:>10}" for target in names), *rows])


@pytest.mark.parametrize("stack", STACKS)
def test_every_pair_is_open_or_closed_as_the_diagram_says(stack: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = judged(stack, objects(stack))
    with capsys.disabled():
        print(f"\n{matrix(stack, found)}")
    assert (sorted(map(str, found - EXPECTED[stack])), sorted(map(str, EXPECTED[stack] - found))) == ([], [])


def without(policy: str) -> Callable[[list[Record]], list[Record]]:
    def change(documents: list[Record]) -> list[Record]:
        return [entry for entry in documents if entry["kind"] != "NetworkPolicy" or entry["metadata"]["name"] != policy]

    return change


def loosened(policy: str, part: str, field: str) -> Callable[[list[Record]], list[Record]]:
    def change(documents: list[Record]) -> list[Record]:
        changed = copy.deepcopy(documents)
        for entry in changed:
            if entry["kind"] == "NetworkPolicy" and entry["metadata"]["name"] == policy:
                del entry["spec"][part][0][field]
        return changed

    return change


@pytest.mark.parametrize(
    "change",
    [
        *(pytest.param(without(policy), id=f"no {policy}") for policy in ("default-deny", *SERVICES)),
        pytest.param(loosened("rng", "ingress", "from"), id="anybody calls rng"),
        pytest.param(loosened("redis", "ingress", "from"), id="anybody calls redis"),
        pytest.param(loosened("webui", "egress", "to"), id="webui calls anybody"),
    ],
)
def test_a_broken_policy_is_noticed(change: Callable[[list[Record]], list[Record]]) -> None:
    assert judged("default", change(objects("default"))) != EXPECTED["default"]


def test_without_policies_everything_is_open() -> None:
    documents = [entry for entry in objects("default") if entry["kind"] != "NetworkPolicy"]
    found = judged("default", documents)
    assert {
        Connection(source, target, "all") for source in SERVICES for target in SERVICES if source != target
    } <= found
