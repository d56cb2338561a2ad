"""The kinds that are served, and what the API server fixes in each at its creation.

The fields that cannot change are those of the API's own validation (`ValidateUpdate` of each kind in
kubernetes/kubernetes, `pkg/apis`). ConfigMap and Secret data could change, but the official plugin replaces the object
instead, so that whatever uses it by its generated name rolls; `enableConfigMapMutable` and `enableSecretMutable` of the
provider turn that off.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Readiness(Enum):
    """What has to be true of an object before a program's next step may rely on it."""

    NONE = "none"
    """That it exists."""
    DEPLOYMENT = "deployment"
    STATEFUL_SET = "stateful set"
    DAEMON_SET = "daemon set"
    JOB = "job"
    POD = "pod"
    CLAIM = "persistent volume claim"
    VOLUME = "persistent volume"
    NAMESPACE = "namespace"
    SERVICE = "service"
    INGRESS = "ingress"


@dataclass(frozen=True)
class Kind:
    """A kind of the Kubernetes API.

    `fixed` names the properties that a change of which replaces the object (patterns of `protocol.diff`), `mutable`
    those under them that can change all the same. `timeout` is how long readiness is waited for, in seconds.
    """

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True
    fixed: tuple[str, ...] = ()
    mutable: tuple[str, ...] = ()
    readiness: Readiness = Readiness.NONE
    timeout: float = 300

    @property
    def token(self) -> str:
        """The type token in a program: `kubernetes:apps/v1:Deployment`."""
        return f"kubernetes:{self.group or 'core'}/{self.version}:{self.kind}"

    @property
    def api_version(self) -> str:
        """As in a manifest: `apps/v1`, `v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str, name: str = "") -> str:
        """The address of an object, or of all of a namespace (of all namespaces, when that is empty)."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        scope = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{root}{scope}/{self.plural}" + (f"/{name}" if name else "")

    def identifier(self, namespace: str, name: str) -> str:
        """The resource's id in a stack: `namespace/name`, or the name alone."""
        return f"{namespace}/{name}" if self.namespaced else name


POD: Final = Kind(
    "", "v1", "Pod", "pods",
    fixed=("spec",),
    mutable=(
        "spec.activeDeadlineSeconds", "spec.tolerations", "spec.containers[*].image", "spec.initContainers[*].image",
    ),
    readiness=Readiness.POD,
)  # fmt: skip
NAMESPACE: Final = Kind("", "v1", "Namespace", "namespaces", namespaced=False, readiness=Readiness.NAMESPACE)
SECRET: Final = Kind("", "v1", "Secret", "secrets", fixed=("type", "data", "stringData"))
CONFIG_MAP: Final = Kind("", "v1", "ConfigMap", "configmaps", fixed=("data", "binaryData"))
REPLICA_SET: Final = Kind("apps", "v1", "ReplicaSet", "replicasets")
STORAGE_CLASS: Final = Kind(
    "storage.k8s.io", "v1", "StorageClass", "storageclasses", namespaced=False,
    fixed=("provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"),
)  # fmt: skip
EVENT: Final = Kind("", "v1", "Event", "events")

_SERVED: Final = (
    POD,
    NAMESPACE,
    SECRET,
    CONFIG_MAP,
    Kind("", "v1", "Service", "services", fixed=("spec.clusterIP",), readiness=Readiness.SERVICE, timeout=600),
    Kind("", "v1", "ServiceAccount", "serviceaccounts"),
    Kind(
        "", "v1", "PersistentVolumeClaim", "persistentvolumeclaims",
        fixed=(
            "spec.accessModes", "spec.dataSource", "spec.dataSourceRef", "spec.selector", "spec.storageClassName",
            "spec.volumeMode", "spec.volumeName",
        ),
        readiness=Readiness.CLAIM,
    ),
    Kind(
        "", "v1", "PersistentVolume", "persistentvolumes", namespaced=False,
        fixed=("spec.csi", "spec.hostPath", "spec.local", "spec.nfs", "spec.nodeAffinity", "spec.volumeMode"),
        readiness=Readiness.VOLUME,
    ),
    Kind("", "v1", "ResourceQuota", "resourcequotas", fixed=("spec.scopes", "spec.scopeSelector")),
    Kind("", "v1", "LimitRange", "limitranges"),
    Kind(
        "apps", "v1", "Deployment", "deployments",
        fixed=("spec.selector",), readiness=Readiness.DEPLOYMENT, timeout=600,
    ),
    Kind(
        "apps", "v1", "StatefulSet", "statefulsets",
        fixed=("spec.podManagementPolicy", "spec.selector", "spec.serviceName", "spec.volumeClaimTemplates"),
        readiness=Readiness.STATEFUL_SET, timeout=600,
    ),
    Kind(
        "apps", "v1", "DaemonSet", "daemonsets",
        fixed=("spec.selector",), readiness=Readiness.DAEMON_SET, timeout=600,
    ),
    Kind(
        "batch", "v1", "Job", "jobs",
        fixed=(
            "spec.backoffLimitPerIndex", "spec.completionMode", "spec.completions", "spec.managedBy",
            "spec.manualSelector", "spec.podFailurePolicy", "spec.selector", "spec.template",
        ),
        readiness=Readiness.JOB, timeout=600,
    ),
    Kind("batch", "v1", "CronJob", "cronjobs"),
    Kind("networking.k8s.io", "v1", "Ingress", "ingresses", readiness=Readiness.INGRESS, timeout=600),
    Kind("networking.k8s.io", "v1", "IngressClass", "ingressclasses", namespaced=False, fixed=("spec.controller",)),
    Kind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
    Kind("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
    Kind("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    Kind("rbac.authorization.k8s.io", "v1", "Role", "roles"),
    Kind("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", fixed=("roleRef",)),
    Kind("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", namespaced=False),
    Kind(
        "rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings",
        namespaced=False, fixed=("roleRef",),
    ),
    STORAGE_CLASS,
    Kind(
        "scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses",
        namespaced=False, fixed=("value", "preemptionPolicy"),
    ),
    # Kinds that a cluster has with what brings them, which programs make as CustomResource. The official plugin waits
    # for none of them.
    Kind("gateway.networking.k8s.io", "v1", "Gateway", "gateways"),
    Kind("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes"),
    Kind("monitoring.coreos.com", "v1", "PodMonitor", "podmonitors"),
    Kind("monitoring.coreos.com", "v1", "ServiceMonitor", "servicemonitors"),
)  # fmt: skip

BY_TOKEN: Final = {kind.token: kind for kind in _SERVED}
"""The served kinds by type token."""

_IDENTITY: Final = ("apiVersion", "kind", "metadata.name", "metadata.namespace")


def fixed_properties(kind: Kind, *, was_immutable: bool, mutable_data: bool) -> Iterable[str]:
    """The properties of an object whose change replaces it.

    Args:
        kind: its kind.
        was_immutable: whether the object as it is has `immutable: true` (Secret and ConfigMap).
        mutable_data: whether the provider is told to change a Secret's or ConfigMap's data in place.
    """
    fixed = [*_IDENTITY, *kind.fixed]
    if kind in (SECRET, CONFIG_MAP):
        if was_immutable:
            fixed.append("immutable")
        elif mutable_data:
            fixed = [*_IDENTITY, *(("type",) if kind is SECRET else ())]
    return fixed
