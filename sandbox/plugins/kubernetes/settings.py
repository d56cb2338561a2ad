"""The provider's own configuration: what is accepted, and whether a change of it means another cluster."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ..protocol.diff import Change, Diff, compare
from ..protocol.provider import Failure
from ..protocol.values import Properties, Value, contains_unknown, get_bool, get_string, unwrap
from .kubeconfig import KubeconfigError, select_context

CLUSTER_IDENTIFIER: Final = "clusterIdentifier"
_SELECTORS: Final = ("kubeconfig", "context", "cluster")
_BOOLEANS: Final = (
    "deleteUnreachable",
    "enableConfigMapMutable",
    "enableSecretMutable",
    "enableServerSideApply",
    "skipUpdateUnreachable",
    "strictMode",
    "suppressDeprecationWarnings",
    "suppressHelmHookWarnings",
)


@dataclass(frozen=True)
class Settings:
    """The provider's configuration. Empty texts mean what kubectl would do."""

    kubeconfig: str = ""
    context: str = ""
    cluster: str = ""
    namespace: str = ""
    delete_unreachable: bool = False
    mutable_config_maps: bool = False
    mutable_secrets: bool = False
    request_timeout: float | None = None
    """Seconds."""

    @classmethod
    def parse(cls, inputs: Properties) -> Settings:
        """The settings in a configuration that `problems` found nothing wrong with.

        The environment variables are the official plugin's.
        """
        return cls(
            kubeconfig=get_string(inputs, "kubeconfig") or "",
            context=get_string(inputs, "context") or "",
            cluster=get_string(inputs, "cluster") or "",
            namespace=get_string(inputs, "namespace") or "",
            delete_unreachable=_flag(inputs, "deleteUnreachable", "PULUMI_K8S_DELETE_UNREACHABLE"),
            mutable_config_maps=_flag(inputs, "enableConfigMapMutable", "PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE"),
            mutable_secrets=_flag(inputs, "enableSecretMutable", "PULUMI_K8S_ENABLE_SECRET_MUTABLE"),
            request_timeout=_request_timeout(inputs),
        )


def problems(inputs: Properties) -> list[Failure]:
    """What of a configuration is not accepted. Unknown values are left for later."""
    found: list[Failure] = []
    for key in (*_SELECTORS, "namespace", CLUSTER_IDENTIFIER):
        try:
            get_string(inputs, key)
        except ValueError as error:
            found.append(Failure(key, str(error)))
    for key in _BOOLEANS:
        try:
            get_bool(inputs, key, default=False)
        except ValueError as error:
            found.append(Failure(key, str(error)))
    if found:
        return found
    if not get_bool(inputs, "enableServerSideApply", default=True):
        found.append(Failure("enableServerSideApply", "this stand-in applies on the server only: leave it out"))
    if get_string(inputs, "renderYamlToDirectory"):
        found.append(Failure("renderYamlToDirectory", "this stand-in renders no YAML; the official plugin does"))
    if get_bool(inputs, "skipUpdateUnreachable", default=False):
        found.append(Failure("skipUpdateUnreachable", "this stand-in does not serve it; the official plugin does"))
    if get_bool(inputs, "strictMode", default=False):
        found.extend(
            Failure(key, f"strict mode requires the provider's {key}")
            for key in ("kubeconfig", "context")
            if not unwrap(inputs.get(key))
        )
    return found


def difference(old: Properties, new: Properties) -> Diff:
    """How two configurations differ; it replaces every resource only if they name different clusters.

    With an unchanged `clusterIdentifier` they never do, with another one they do. Without, the cluster entry of the
    kubeconfig's context decides; where that is not known yet, the worst is assumed.
    """
    diff = compare(old, new)
    if not diff:
        return diff
    changed = {str(change.path[0]) for change in diff.changes}
    replacing: set[str] = set()
    if CLUSTER_IDENTIFIER in changed and old.get(CLUSTER_IDENTIFIER) and new.get(CLUSTER_IDENTIFIER):
        replacing.add(CLUSTER_IDENTIFIER)
    if not (CLUSTER_IDENTIFIER not in changed and new.get(CLUSTER_IDENTIFIER)):
        selectors = changed.intersection(_SELECTORS)
        unknown = {key for key in selectors if contains_unknown(new.get(key))}
        replacing |= unknown or (selectors if selectors and _clusters_differ(old, new) else set())
    return Diff(tuple(Change(change.path, change.kind, str(change.path[0]) in replacing) for change in diff.changes))


def _clusters_differ(old: Properties, new: Properties) -> bool:
    try:
        before, after = (
            select_context(
                get_string(inputs, "kubeconfig"), get_string(inputs, "context"), get_string(inputs, "cluster")
            )
            for inputs in (old, new)
        )
    except KubeconfigError:
        # One of the two cannot be read (any more): nothing says that the cluster is another one.
        return False
    return before.cluster != after.cluster


def _flag(inputs: Properties, key: str, variable: str) -> bool:
    return get_bool(inputs, key, default=os.environ.get(variable) == "true")


def _request_timeout(inputs: Properties) -> float | None:
    given: Value = unwrap(inputs.get("kubeClientSettings"))
    if isinstance(given, str):  # provider configuration arrives as JSON text
        given = json.loads(given or "{}")
    limit = given.get("timeout") if isinstance(given, Mapping) else None
    if limit is None:
        limit = os.environ.get("PULUMI_K8S_CLIENT_TIMEOUT")
    return float(limit) if isinstance(limit, int | float | str) else None
