"""The kubernetes plugin's rules that need no cluster: names, replacements, drift, readiness, settings."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sandbox.plugins.kubernetes.apply import field_manager
from sandbox.plugins.kubernetes.kinds import BY_TOKEN, CONFIG_MAP, SECRET, Kind, Readiness, fixed_properties
from sandbox.plugins.kubernetes.kubeconfig import KubeconfigError, select_context
from sandbox.plugins.kubernetes.live_state import importable, means_the_same, owns, project, quantity, sent, state
from sandbox.plugins.kubernetes.naming import NamingError, auto_name, choose_name, name_problem
from sandbox.plugins.kubernetes.objects import Object
from sandbox.plugins.kubernetes.pods import problems
from sandbox.plugins.kubernetes.rollout import Doubts, Failed, Ready, Waiting, status
from sandbox.plugins.kubernetes.settings import difference
from sandbox.plugins.kubernetes.settings import problems as settings_problems
from sandbox.plugins.protocol.diff import compare
from sandbox.plugins.protocol.provider import Autonaming, AutonamingMode
from sandbox.plugins.protocol.values import UNKNOWN, Properties, Secret

DEPLOYMENT = BY_TOKEN["kubernetes:apps/v1:Deployment"]
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
REPORTED: Object = {"updatedReplicas": 2, "availableReplicas": 2, "replicas": 2}
REPLACEMENTS: list[tuple[str, Properties, Properties, bool]] = [
    ("apps/v1:Deployment", {"metadata": {"name": "a"}}, {"metadata": {"name": "b"}}, True),
    ("apps/v1:Deployment", {"metadata": {"namespace": "a"}}, {"metadata": {"namespace": "b"}}, True),
    ("apps/v1:Deployment", {"metadata": {"labels": {"a": "1"}}}, {"metadata": {}}, False),
    ("apps/v1:Deployment", {"spec": {"replicas": 1}}, {"spec": {"replicas": 2}}, False),
    ("apps/v1:StatefulSet", {"spec": {"serviceName": "a"}}, {"spec": {"serviceName": "b"}}, True),
    ("core/v1:Service", {"spec": {"clusterIP": "None"}}, {"spec": {}}, True),
    ("core/v1:Service", {"spec": {"ports": [{"port": 1}]}}, {"spec": {"ports": [{"port": 2}]}}, False),
    ("core/v1:Secret", {"type": "Opaque"}, {"type": "kubernetes.io/tls"}, True),
    ("core/v1:Secret", {"stringData": {"a": "1"}}, {"stringData": {"a": "2"}}, True),
    ("core/v1:ConfigMap", {"data": {"a": "1"}}, {"data": {"a": "2"}}, True),
    ("batch/v1:Job", {"spec": {"template": {"a": 1}}}, {"spec": {"template": {"a": 2}}}, True),
    ("batch/v1:Job", {"spec": {"parallelism": 1}}, {"spec": {"parallelism": 2}}, False),
    ("core/v1:Pod", {"spec": {"containers": [{"image": "a"}]}}, {"spec": {"containers": [{"image": "b"}]}}, False),
    ("core/v1:Pod", {"spec": {"containers": [{"args": ["a"]}]}}, {"spec": {"containers": [{"args": []}]}}, True),
    ("rbac.authorization.k8s.io/v1:RoleBinding", {"roleRef": {"name": "a"}}, {"roleRef": {"name": "b"}}, True),
    ("storage.k8s.io/v1:StorageClass", {"provisioner": "a"}, {"provisioner": "b"}, True),
    (
        "core/v1:PersistentVolumeClaim",
        {"spec": {"storageClassName": "a"}},
        {"spec": {"storageClassName": "b"}},
        True,
    ),
    (
        "core/v1:PersistentVolumeClaim",
        {"spec": {"resources": {"requests": {"storage": "1Gi"}}}},
        {"spec": {"resources": {"requests": {"storage": "2Gi"}}}},
        False,
    ),
]


class TestNames:
    def test_a_name_is_the_same_for_a_seed_and_another_for_another(self) -> None:
        assert auto_name("web", b"seed") == auto_name("web", b"seed")
        assert auto_name("web", b"seed") != auto_name("web", b"other")
        assert auto_name("web", b"") != auto_name("web", b"")

    def test_a_long_name_is_cut_to_what_a_label_takes(self) -> None:
        name = auto_name("a" * 53 + ".-" + "b" * 30, b"seed")
        assert len(name) <= 63
        assert name_problem(name) is None

    def test_the_stack_s_autonaming_is_heeded(self) -> None:
        assert choose_name("web", b"", Autonaming("mine", AutonamingMode.ENFORCE)) == "mine"
        assert choose_name("web", b"", Autonaming("mine", AutonamingMode.PROPOSE)) == "mine"
        with pytest.raises(NamingError, match=r"give metadata\.name"):
            choose_name("web", b"", Autonaming("", AutonamingMode.DISABLE))

    @pytest.mark.parametrize("name", ["Upper", "under_score", "-dash", "dot.", ""])
    def test_a_name_that_no_server_takes_is_told(self, name: str) -> None:
        assert name_problem(name)

    def test_a_resource_keeps_its_field_manager_and_has_one_of_its_own(self) -> None:
        first = field_manager("urn:a", {})
        assert first == field_manager("urn:a", {})
        assert first != field_manager("urn:b", {})
        assert field_manager("urn:a", {}, "kept") == "kept"
        annotated: Object = {"metadata": {"annotations": {"pulumi.com/patchFieldManager": "chosen"}}}
        assert field_manager("urn:a", annotated, "kept") == "chosen"


@pytest.mark.parametrize(("token", "old", "new", "replaces"), REPLACEMENTS)
def test_what_the_server_fixes_at_creation_replaces(
    token: str, old: Properties, new: Properties, *, replaces: bool
) -> None:
    kind = BY_TOKEN[f"kubernetes:{token}"]
    fixed = fixed_properties(kind, was_immutable=False, mutable_data=False)
    diff = compare(old, new, replace_on=fixed, except_on=kind.mutable)
    assert diff
    assert bool(diff.replaces) is replaces


@pytest.mark.parametrize("kind", [SECRET, CONFIG_MAP])
def test_data_is_changed_in_place_when_the_provider_says_so_unless_it_is_immutable(kind: Kind) -> None:
    mutable = fixed_properties(kind, was_immutable=False, mutable_data=True)
    assert not compare({"data": {"a": "1"}}, {"data": {"a": "2"}}, replace_on=mutable).replaces
    immutable = fixed_properties(kind, was_immutable=True, mutable_data=True)
    assert compare({"data": {"a": "1"}}, {"data": {"a": "2"}}, replace_on=immutable).replaces
    assert compare({"immutable": True}, {"immutable": False}, replace_on=immutable).replaces


class TestDrift:
    @pytest.mark.parametrize(
        ("one", "other"),
        [("500m", "0.5"), ("1Gi", "1024Mi"), (1, "1"), ("1k", 1000), ("100", "1e2"), ("0.5Gi", "512Mi")],
    )
    def test_quantities_are_numbers_not_texts(self, one: str | int, other: str | int) -> None:
        assert quantity(one) == quantity(other) is not None
        assert means_the_same(one, other, is_quantity=True)

    @pytest.mark.parametrize("value", ["", "abc", None, True, "1Zi", "latest"])
    def test_other_values_are_no_quantities(self, value: str | bool | None) -> None:
        assert quantity(value) is None

    def test_a_change_of_what_the_inputs_set_is_seen_and_nothing_else(self) -> None:
        inputs: Object = {
            "metadata": {"name": "web", "labels": {"a": "1"}},
            "spec": {
                "replicas": 1,
                "template": {"spec": {"containers": [_container(cpu="0.5"), {"name": "b", "args": ["x"]}]}},
            },
        }
        live: Object = {
            "metadata": {"name": "web", "labels": {"a": "1", "injected": "yes"}, "uid": "u"},
            "spec": {
                "replicas": 3,
                "revisionHistoryLimit": 10,
                "template": {
                    "spec": {
                        "containers": [
                            {"name": "sidecar", "image": "proxy"},
                            {**_container(cpu="500m"), "imagePullPolicy": "Always"},
                            {"name": "b", "args": ["y"]},
                        ]
                    }
                },
            },
            "status": {"replicas": 3},
        }
        assert project(inputs, live, DEPLOYMENT) == {
            "metadata": {"name": "web", "labels": {"a": "1"}},
            "spec": {
                "replicas": 3,
                "template": {"spec": {"containers": [_container(cpu="0.5"), {"name": "b", "args": ["y"]}]}},
            },
        }

    def test_what_was_removed_is_gone_and_what_is_empty_is_not_missed(self) -> None:
        inputs: Object = {"metadata": {"labels": {"a": "1", "b": "2"}}, "spec": {"x": {}, "env": [{"name": "A"}]}}
        live: Object = {"metadata": {"labels": {"a": "1"}}, "spec": {"env": []}}
        assert project(inputs, live, DEPLOYMENT) == {"metadata": {"labels": {"a": "1"}}, "spec": {"x": {}, "env": []}}

    def test_a_secret_s_text_is_compared_with_what_the_server_made_of_it(self) -> None:
        inputs: Object = {"stringData": {"a": "one", "b": "two"}}
        live: Object = {"data": {"a": _encoded("one"), "b": _encoded("changed")}}
        assert project(inputs, live, SECRET) == {"stringData": {"a": "one", "b": "changed"}}

    def test_a_secret_s_text_is_sent_as_data_so_that_a_dropped_key_goes(self) -> None:
        manifest: Object = {"stringData": {"a": "one"}, "data": {"b": "eA=="}}
        assert sent(manifest, SECRET) == {"data": {"a": _encoded("one"), "b": "eA=="}}

    def test_an_import_takes_all_but_what_the_server_alone_sets(self) -> None:
        live: Object = {
            "apiVersion": "v1",
            "metadata": {
                "name": "a",
                "uid": "u",
                "managedFields": [],
                "annotations": {"deployment.kubernetes.io/revision": "1", "mine": "x"},
            },
            "spec": {"a": 1},
            "status": {"b": 2},
        }
        assert importable(live) == {
            "apiVersion": "v1",
            "metadata": {"name": "a", "annotations": {"mine": "x"}},
            "spec": {"a": 1},
        }

    def test_only_fields_of_our_last_apply_can_be_removed(self) -> None:
        fields: Object = {
            "f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:containers": {'k:{"name":"a"}': {}}}}}
        }
        live: Object = {"metadata": {"managedFields": [{"manager": "us", "operation": "Apply", "fieldsV1": fields}]}}
        assert owns(live, "us", ("spec", "replicas"))
        assert owns(live, "us", ("spec", "template", "spec", "containers", 0, "args"))
        assert not owns(live, "us", ("spec", "paused"))
        assert not owns(live, "them", ("spec", "replicas"))

    def test_the_state_keeps_secrets_secret_in_the_live_object_and_in_the_inputs(self) -> None:
        inputs: Properties = {"spec": {"token": Secret("open-sesame")}}
        kept = state(inputs, {"spec": {"token": "open-sesame"}}, DEPLOYMENT, "us")
        assert "open-sesame" not in str(kept)
        assert kept["__fieldManager"] == "us"
        secret = state({"stringData": {"a": "b"}}, {"data": {"a": "Yg=="}}, SECRET, "us")
        assert secret["data"] == Secret({"a": "Yg=="})
        assert secret["__inputs"] == {"stringData": Secret({"a": "b"})}


class TestReadiness:
    @pytest.mark.parametrize(
        ("spec", "reported", "expected"),
        [
            ({"replicas": 2}, REPORTED, Ready()),
            ({}, {"updatedReplicas": 1, "availableReplicas": 1, "replicas": 1}, Ready()),
            ({"replicas": 0}, {}, Ready()),
            ({"paused": True, "replicas": 2}, {}, Ready()),
            ({"replicas": 2}, {**REPORTED, "observedGeneration": 1}, Waiting("waiting for the controller")),
            ({"replicas": 2}, {"updatedReplicas": 1, "replicas": 2}, Waiting("1 of 2 pods created")),
            ({"replicas": 2}, {**REPORTED, "replicas": 3}, Waiting("0 of 2 new pods ready, 1 old to go")),
            ({"replicas": 2}, {**REPORTED, "availableReplicas": 1}, Waiting("1 of 2 pods ready")),
            (
                {"replicas": 2},
                {"conditions": [{"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "no"}]},
                Failed("no", settle=10.0),
            ),
        ],
    )
    def test_a_deployment_is_ready_when_all_its_new_pods_are_and_the_old_are_gone(
        self, spec: Object, reported: Object, expected: object
    ) -> None:
        obj: Object = {
            "metadata": {"generation": 2},
            "spec": spec,
            "status": {"observedGeneration": 2, **reported},
        }
        assert status(Readiness.DEPLOYMENT, obj, [], NOW) == expected

    def test_what_may_pass_is_believed_once_it_has_lasted(self) -> None:
        doubts, beyond, ready = Doubts(), Failed("beyond the deadline", settle=10), Ready(3, "it has just been started")
        assert doubts.resolved(beyond, 100) == Waiting("beyond the deadline")
        assert doubts.resolved(beyond, 109.9) == Waiting("beyond the deadline")
        assert doubts.resolved(beyond, 110) == beyond
        waiting = Waiting("0 of 1 new pods ready")
        assert doubts.resolved(waiting, 111) == waiting
        assert doubts.resolved(beyond, 112) == Waiting("beyond the deadline"), "it is new again after it had passed"
        assert doubts.resolved(ready, 130) == Waiting("ready, but it has just been started: it must stay up for 3 s")
        assert doubts.resolved(ready, 133) == ready
        assert doubts.resolved(Ready(), 133) == Ready()

    @pytest.mark.parametrize(("finished", "settles"), [("2026-01-01T11:59:50Z", True), ("2026-01-01T10:00:00Z", False)])
    def test_a_pod_that_crashed_a_moment_ago_must_stay_ready_for_a_while(self, finished: str, *, settles: bool) -> None:
        ended: Object = {"exitCode": 1, "finishedAt": finished}
        restarted: Object = {"name": "main", "state": {"running": {}}, "lastState": {"terminated": ended}}
        pod: Object = {"status": {"containerStatuses": [restarted]}}
        obj: Object = {
            "metadata": {"generation": 1},
            "status": {"observedGeneration": 1, "updatedReplicas": 1, "availableReplicas": 1, "replicas": 1},
        }
        seen = status(Readiness.DEPLOYMENT, obj, [pod], NOW)
        assert isinstance(seen, Ready)
        assert (seen.settle > 0) is settles

    @pytest.mark.parametrize(
        ("started", "probes", "settles"),
        [
            ("2026-01-01T11:59:59Z", {}, True),
            ("2026-01-01T11:59:59Z", {"livenessProbe": {"exec": {"command": ["true"]}}}, True),
            ("2026-01-01T11:59:59Z", {"readinessProbe": {"exec": {"command": ["true"]}}}, False),
            ("2026-01-01T11:59:59Z", {"startupProbe": {"exec": {"command": ["true"]}}}, False),
            ("2026-01-01T11:58:00Z", {}, False),
        ],
    )
    def test_a_container_that_no_probe_asks_must_stay_up_for_a_moment(
        self, started: str, probes: Object, *, settles: bool
    ) -> None:
        pod: Object = {
            "spec": {"containers": [{"name": "main", **probes}]},
            "status": {
                "conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [{"name": "main", "ready": True, "state": {"running": {"startedAt": started}}}],
            },
        }
        obj: Object = {
            "metadata": {"generation": 1},
            "status": {"observedGeneration": 1, "updatedReplicas": 1, "availableReplicas": 1, "replicas": 1},
        }
        for seen in (status(Readiness.DEPLOYMENT, obj, [pod], NOW), status(Readiness.POD, pod, [], NOW)):
            assert isinstance(seen, Ready)
            assert (seen.settle > 0) is settles

    def test_a_refusal_to_create_pods_becomes_certain(self) -> None:
        refused: Object = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "quota"}
        obj: Object = {"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "conditions": [refused]}}
        seen = status(Readiness.DEPLOYMENT, obj, [], NOW)
        assert isinstance(seen, Waiting)
        assert [(problem.message, problem.certain_after) for problem in seen.problems] == [("FailedCreate: quota", 15)]

    @pytest.mark.parametrize(
        ("waiting", "restarts", "message", "certain_after"),
        [
            ({"reason": "ImagePullBackOff", "message": "not found"}, 0, "ImagePullBackOff: not found", 30),
            ({"reason": "CreateContainerConfigError", "message": "no secret"}, 0, "no secret", 30),
            ({"reason": "InvalidImageName", "message": "bad"}, 0, "InvalidImageName: bad", 0),
            ({"reason": "CrashLoopBackOff"}, 1, "crashed 2 times, last with exit code 3", None),
            ({"reason": "CrashLoopBackOff"}, 2, "crashed 3 times, last with exit code 3", 0),
        ],
    )
    def test_a_container_s_trouble_is_told_and_certain_in_time(
        self, waiting: Object, restarts: int, message: str, certain_after: float | None
    ) -> None:
        container: Object = {
            "name": "main",
            "restartCount": restarts,
            "state": {"waiting": waiting},
            "lastState": {"terminated": {"exitCode": 3}},
        }
        pod: Object = {"metadata": {"name": "p"}, "status": {"containerStatuses": [container]}}
        (found,) = problems(pod)
        assert message in found.message
        assert found.certain_after == certain_after

    def test_a_pod_on_its_way_or_going_has_no_trouble(self) -> None:
        creating: Object = {"name": "main", "state": {"waiting": {"reason": "ContainerCreating"}}}
        assert problems({"metadata": {"name": "p"}, "status": {"containerStatuses": [creating]}}) == []
        failed: Object = {"name": "main", "state": {"terminated": {"exitCode": 1}}}
        leaving: Object = {"name": "p", "deletionTimestamp": "now"}
        assert problems({"metadata": leaving, "status": {"containerStatuses": [failed]}}) == []

    def test_a_crash_in_a_job_is_the_job_s_own_affair(self) -> None:
        crashed: Object = {"name": "main", "restartCount": 5, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
        pod: Object = {"metadata": {"name": "p"}, "status": {"containerStatuses": [crashed]}}
        seen = status(Readiness.JOB, {"status": {}}, [pod], NOW)
        assert isinstance(seen, Waiting)
        assert [problem.certain_after for problem in seen.problems] == [None]
        done: Object = {
            "status": {"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}
        }
        assert isinstance(status(Readiness.JOB, done, [], NOW), Failed)

    @pytest.mark.parametrize(
        ("readiness", "obj", "ready"),
        [
            (Readiness.SERVICE, {"spec": {"type": "ClusterIP"}}, True),
            (Readiness.SERVICE, {"spec": {"type": "LoadBalancer"}}, False),
            (
                Readiness.SERVICE,
                {"spec": {"type": "LoadBalancer"}, "status": {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}},
                True,
            ),
            (Readiness.INGRESS, {"spec": {}}, False),
            (Readiness.NAMESPACE, {"status": {"phase": "Active"}}, True),
            (Readiness.NAMESPACE, {"metadata": {"deletionTimestamp": "t"}, "status": {"phase": "Active"}}, False),
            (Readiness.CLAIM, {"status": {"phase": "Pending"}}, False),
            (Readiness.CLAIM, {"status": {"phase": "Bound"}}, True),
            (Readiness.POD, {"status": {"phase": "Succeeded"}}, True),
            (Readiness.NONE, {}, True),
        ],
    )
    def test_other_kinds_have_their_own_sign(self, readiness: Readiness, obj: Object, *, ready: bool) -> None:
        assert isinstance(status(readiness, obj, [], NOW), Ready) is ready


def _kubeconfig(server: str = "https://one", **changes: Any) -> str:  # pyright: ignore[reportExplicitAny] - JSON
    return json.dumps(
        {
            "current-context": "main",
            "contexts": [{"name": "main", "context": {"cluster": "c", "user": "u", "namespace": "n"}}],
            "clusters": [{"name": "c", "cluster": {"server": server}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            **changes,
        }
    )


class TestSettings:
    @pytest.mark.parametrize(
        ("old", "new", "replaces"),
        [
            ({"clusterIdentifier": "a"}, {"clusterIdentifier": "b"}, True),
            ({"clusterIdentifier": "a"}, {}, False),
            ({}, {"clusterIdentifier": "a"}, False),
            ({"kubeconfig": _kubeconfig()}, {"kubeconfig": _kubeconfig("https://two")}, True),
            ({"kubeconfig": _kubeconfig()}, {"kubeconfig": _kubeconfig(users=[{"name": "u", "user": {}}])}, False),
            (
                {"kubeconfig": _kubeconfig(), "clusterIdentifier": "a"},
                {"kubeconfig": _kubeconfig("https://two"), "clusterIdentifier": "a"},
                False,
            ),
            ({"kubeconfig": _kubeconfig()}, {"kubeconfig": UNKNOWN}, True),
            (
                {"kubeconfig": _kubeconfig(), "clusterIdentifier": "a"},
                {"kubeconfig": UNKNOWN, "clusterIdentifier": "a"},
                False,
            ),
            ({"namespace": "a"}, {"namespace": "b"}, False),
        ],
    )
    def test_only_another_cluster_replaces(self, old: Properties, new: Properties, *, replaces: bool) -> None:
        diff = difference(old, new)
        assert diff
        assert bool(diff.replaces) is replaces

    def test_every_setting_that_is_not_accepted_is_told_at_once(self) -> None:
        found = settings_problems({"context": 3, "strictMode": "perhaps"})
        assert [failure.property for failure in found] == ["context", "strictMode"]
        strict = settings_problems({"strictMode": "true", "context": "a"})
        assert [failure.property for failure in strict] == ["kubeconfig"]

    def test_a_context_is_selected_by_name_with_its_namespace(self) -> None:
        selected = select_context(_kubeconfig(), None)
        assert (selected.name, selected.namespace, selected.server) == ("main", "n", "https://one")
        assert "'t'" not in repr(selected)
        with pytest.raises(KubeconfigError, match="no context 'other'; it has: main"):
            select_context(_kubeconfig(), "other")
        with pytest.raises(KubeconfigError, match="no current-context"):
            select_context(_kubeconfig(**{"current-context": ""}), None)
        with pytest.raises(KubeconfigError, match="names the cluster 'c', which it lacks"):
            select_context(_kubeconfig(clusters=[]), None)

    def test_several_files_are_merged_and_paths_in_them_are_theirs(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one, two = tmp_path / "a" / "one", tmp_path / "b" / "two"
        for path in (one, two):
            path.parent.mkdir()
        one.write_text(_kubeconfig())
        cluster = {"server": "https://two", "certificate-authority": "ca.crt"}
        two.write_text(
            json.dumps(
                {
                    "contexts": [{"name": "second", "context": {"cluster": "d", "user": "v"}}],
                    "clusters": [{"name": "d", "cluster": cluster}],
                    "users": [{"name": "v", "user": {"exec": {"command": "./get-token"}}}],
                }
            )
        )
        monkeypatch.setenv("KUBECONFIG", f"{one}:{two}:{tmp_path / 'absent'}")
        assert select_context("", "").server == "https://one"
        second = select_context("", "second")
        assert second.cluster["certificate-authority"] == str(two.parent / "ca.crt")
        assert str(two.parent / "get-token") in json.dumps(second.document)
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "absent"))
        with pytest.raises(KubeconfigError, match="no kubeconfig: looked at"):
            select_context("", "")


def _container(cpu: str) -> Object:
    return {"name": "a", "image": "i", "resources": {"requests": {"cpu": cpu}}}


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
