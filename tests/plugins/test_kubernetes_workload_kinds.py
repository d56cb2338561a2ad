"""The kinds around a workload: policies, budgets, autoscalers, ways from outside, and those that others bring."""

from __future__ import annotations

import secrets
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .kubernetes_support import (
    MERGE,
    Json,
    api,
    deployment_path,
    project,
    rewrite,
    scale,
    temporary_namespace,
    wait_for,
)

AROUND = """
meta = lambda name: {"name": name, "namespace": namespace}
selector = {"match_labels": {"app": "web"}}
deployment("web", replicas=2)
k8s.core.v1.ServiceAccount("web", metadata=meta("web"), automount_service_account_token=False, opts=in_cluster)
k8s.policy.v1.PodDisruptionBudget(
    "web", metadata=meta("web"),
    spec={"max_unavailable": budget, "selector": selector, "unhealthy_pod_eviction_policy": "AlwaysAllow"},
    opts=in_cluster,
)
k8s.networking.v1.NetworkPolicy(
    "default-deny", metadata=meta("default-deny"), spec={"pod_selector": {}, "policy_types": ["Ingress", "Egress"]},
    opts=in_cluster,
)
k8s.networking.v1.NetworkPolicy(
    "web", metadata=meta("web"),
    spec={
        "pod_selector": selector, "policy_types": ["Ingress", "Egress"],
        "ingress": [{"ports": [{"port": 80, "protocol": "TCP"}]}],
        "egress": [{"to": [{"namespace_selector": {"match_labels": {"kubernetes.io/metadata.name": "kube-system"}}}],
                    "ports": [{"port": 53, "protocol": "UDP"}]}],
    },
    opts=in_cluster,
)
k8s.autoscaling.v2.HorizontalPodAutoscaler(
    "other", metadata=meta("other"),
    spec={
        "scale_target_ref": {"api_version": "apps/v1", "kind": "Deployment", "name": "other"},
        "min_replicas": 1, "max_replicas": 3,
        "metrics": [{"type": "Resource", "resource": {
            "name": "cpu", "target": {"type": "Utilization", "average_utilization": 80}}}],
    },
    opts=in_cluster,
)
"""


@pytest.fixture
def namespace() -> Iterator[str]:
    with temporary_namespace() as name:
        yield name


def test_what_stands_around_a_workload_is_made_changed_and_quiet(tmp_path: Path, namespace: str) -> None:
    stack = project(tmp_path, namespace, "budget = 1\n" + AROUND)
    made = stack.up()
    assert made.succeeded, made.output
    policies = api().items(f"/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies")
    (denying,) = [item for item in policies if item["metadata"]["name"] == "default-deny"]
    assert denying["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert stack.preview("--expect-no-changes").succeeded
    assert stack.refresh("--expect-no-changes").succeeded
    rewrite(stack, 'budget = "50%"\n' + AROUND)
    changed = stack.up()
    assert changed.succeeded, changed.output
    budget = api().get(f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets/web")
    assert budget["spec"]["maxUnavailable"] == "50%"
    assert stack.destroy().succeeded
    assert not api().items(f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets")


OWNED = """
annotations = {"annotations": {"pulumi.com/patchForce": "true"}}
autoscaled = pulumi.ResourceOptions(ignore_changes=["spec.replicas"])
"""


def test_the_number_of_pods_goes_to_an_autoscaler_and_comes_back_without_a_reset(
    tmp_path: Path, namespace: str
) -> None:
    def replicas() -> int:
        return api().get(deployment_path(namespace, "web"))["spec"]["replicas"]

    def by_autoscaler(count: int) -> None:
        path = f"{deployment_path(namespace, 'web')}/scale?fieldManager=kube-controller-manager"
        assert api().request("PATCH", path, {"spec": {"replicas": count}}, MERGE)["kind"] == "Scale"

    fixed = OWNED + 'deployment("web", replicas=NUMBER, metadata=annotations)'
    owned = OWNED + 'deployment("web", replicas=None, metadata=annotations, opts=autoscaled, labels={"app": "web"})'
    stack = project(tmp_path, namespace, fixed.replace("NUMBER", "3"))
    assert stack.up().succeeded
    rewrite(stack, owned)
    handed_over = stack.up()
    assert handed_over.succeeded, handed_over.output
    assert replicas() == 3

    by_autoscaler(4)
    for outcome in (
        stack.preview("--expect-no-changes"),
        stack.refresh("--expect-no-changes"),
        stack.preview("--refresh", "--expect-no-changes"),
        stack.up("--expect-no-changes"),
    ):
        assert outcome.succeeded, outcome.output
    rewrite(stack, owned.replace("opts=autoscaled", 'opts=autoscaled, spec={"min_ready_seconds": 1}'))
    changed = stack.up()
    assert changed.succeeded, changed.output
    assert replicas() == 4, "a change of something else has reset the number"

    rewrite(stack, fixed.replace("NUMBER", "2"))
    back = stack.up()
    assert back.succeeded, back.output
    assert replicas() == 2


def test_a_workload_that_an_autoscaler_owns_from_the_start_is_quiet_too(tmp_path: Path, namespace: str) -> None:
    program = OWNED + 'deployment("web", replicas=None, metadata=annotations, opts=autoscaled)'
    stack = project(tmp_path, namespace, program)
    assert stack.up().succeeded
    scale(namespace, "web", 2)
    for outcome in (stack.refresh("--expect-no-changes"), stack.up("--expect-no-changes")):
        assert outcome.succeeded, outcome.output
    assert api().get(deployment_path(namespace, "web"))["spec"]["replicas"] == 2


def test_a_claim_that_no_volume_answers_ends_with_what_it_waits_for(tmp_path: Path, namespace: str) -> None:
    storage_class = f"plugin-test-{secrets.token_hex(4)}"
    stack = project(
        tmp_path,
        namespace,
        """
at_once = k8s.storage.v1.StorageClass(
    "at-once", metadata={"name": os.environ["CLASS"]}, provisioner="kubernetes.io/no-provisioner",
    volume_binding_mode="Immediate", opts=in_cluster,
)
k8s.core.v1.PersistentVolumeClaim(
    "coins",
    metadata={"name": "coins", "namespace": namespace, "annotations": {"pulumi.com/timeoutSeconds": "2"}},
    spec={"access_modes": ["ReadWriteOnce"], "storage_class_name": at_once.metadata.name,
          "resources": {"requests": {"storage": "1Mi"}}},
    opts=in_cluster,
)
""",
        CLASS=storage_class,
    )
    try:
        failed = stack.up()
        assert not failed.succeeded
        assert "PersistentVolumeClaim coins: not ready after 2 s: waiting for a volume" in failed.errors
    finally:
        assert stack.destroy().succeeded


def test_what_the_cluster_lacks_is_told_before_what_needs_it(tmp_path: Path, namespace: str) -> None:
    stack = project(
        tmp_path,
        namespace,
        """
found = k8s.storage.v1.StorageClass.get("redisStorageClass", "no-such-class", opts=in_cluster)
deployment("web", opts=pulumi.ResourceOptions(depends_on=[found]))
""",
    )
    preview = stack.preview()
    assert not preview.succeeded
    assert "'no-such-class' does not exist" in preview.errors
    assert "redisStorageClass" in preview.output


INGRESS = """
k8s.networking.v1.Ingress(
    "web", metadata={"name": "web", "namespace": namespace, "annotations": annotations},
    spec={"ingress_class_name": "nobody", "rules": [{"host": "web.example"}],
          "default_backend": {"service": {"name": "web", "port": {"number": 80}}}},
    opts=in_cluster,
)
"""


def test_an_ingress_waits_for_an_address_unless_it_is_told_not_to(tmp_path: Path, namespace: str) -> None:
    stack = project(tmp_path, namespace, 'annotations = {"pulumi.com/timeoutSeconds": "2"}' + INGRESS)
    failed = stack.up()
    assert not failed.succeeded
    assert "waiting for an address from the controller of the ingress class 'nobody'" in failed.errors
    rewrite(stack, 'annotations = {"pulumi.com/skipAwait": "true"}' + INGRESS)
    unawaited = stack.up()
    assert unawaited.succeeded, unawaited.output

    rewrite(stack, 'annotations = {"pulumi.com/timeoutSeconds": "60", "changed": "once more"}' + INGRESS)
    path = f"/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses/web"
    with stack.started("up") as running:
        wait_for(lambda: "changed" in api().get(path)["metadata"]["annotations"], "the change to be applied")
        address = {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}
        assert api().request("PATCH", f"{path}/status", address, MERGE)["kind"] == "Ingress"
        output, _ = running.communicate(timeout=60)
    assert running.returncode == 0, output


OF_OTHERS = """
route = k8s.apiextensions.CustomResource(
    "route", api_version="gateway.networking.k8s.io/v1", kind="HTTPRoute",
    metadata={"name": "route", "namespace": namespace},
    spec={"parentRefs": [{"name": "web", "namespace": "gateways"}], "hostnames": [host]}, opts=in_cluster,
)
k8s.apiextensions.CustomResource(
    "monitor", api_version="monitoring.coreos.com/v1", kind="PodMonitor",
    metadata={"name": "monitor", "namespace": namespace},
    spec={"selector": {}, "podMetricsEndpoints": [{"port": "metrics"}]}, opts=in_cluster,
)
"""


def test_kinds_that_others_bring_are_served_where_they_are_installed(tmp_path: Path, namespace: str) -> None:
    stack = project(tmp_path, namespace, 'host = "a.example"' + OF_OTHERS)
    absent = stack.up("--continue-on-error")
    assert not absent.succeeded
    for kind, group in (("HTTPRoute", "gateway.networking.k8s.io/v1"), ("PodMonitor", "monitoring.coreos.com/v1")):
        assert f"the cluster has no {kind} of {group}" in absent.errors

    with (
        _installed("gateway.networking.k8s.io", "HTTPRoute", "httproutes"),
        _installed("monitoring.coreos.com", "PodMonitor", "podmonitors"),
    ):
        made = stack.up()
        assert made.succeeded, made.output
        path = f"/apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/httproutes/route"
        assert api().get(path)["spec"]["hostnames"] == ["a.example"]
        assert stack.preview("--expect-no-changes").succeeded
        assert stack.refresh("--expect-no-changes").succeeded
        rewrite(stack, 'host = "b.example"' + OF_OTHERS)
        changed = stack.up()
        assert changed.succeeded, changed.output
        assert changed.ops()["route"] == "update"
        assert api().get(path)["spec"]["hostnames"] == ["b.example"]
        assert stack.destroy().succeeded
        assert not api().exists(path)


@contextmanager
def _installed(group: str, kind: str, plural: str) -> Generator[None]:
    """A kind as its owner would install it, without its schema."""
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    name = f"{plural}.{group}"
    schema: Json = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    body: Json = {
        "metadata": {
            "name": name,
            # The group of the Gateway API is protected: https://github.com/kubernetes/enhancements/pull/1111
            "annotations": {"api-approved.kubernetes.io": "unapproved, for tests only"},
        },
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
        },
    }
    if api().exists(f"{definitions}/{name}"):
        pytest.skip(f"the cluster has {name} already, with a schema of its own")
    assert api().request("POST", definitions, body)["kind"] == "CustomResourceDefinition"
    try:
        wait_for(lambda: api().exists(f"/apis/{group}/v1/namespaces/default/{plural}"), f"{name} to be served")
        yield
    finally:
        api().request("DELETE", f"{definitions}/{name}")
        wait_for(lambda: not api().exists(f"{definitions}/{name}"), f"{name} to be removed")
