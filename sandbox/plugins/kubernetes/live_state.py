"""What a live object says about the inputs that a program gave for it, and what of it is kept in the state.

The API server adds defaults, other controllers add fields, and quantities come back in another notation. None of that
is drift. What is: a value that the inputs set and that is another one now.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Final

from ..protocol.diff import parse_path
from ..protocol.values import Plain, Properties, Secret, properties, with_secrets_like
from .kinds import SECRET, Kind
from .objects import Object, child, children, text

INPUTS_KEY: Final = "__inputs"
API_VERSION_KEY: Final = "__initialApiVersion"
FIELD_MANAGER_KEY: Final = "__fieldManager"

# Set by the server alone (ObjectMeta of the API reference); never an input.
_SERVER_METADATA: Final = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
)
_SERVER_ANNOTATIONS: Final = (
    "deployment.kubernetes.io/revision",
    "deprecated.daemonset.template.generation",
    "kubectl.kubernetes.io/last-applied-configuration",
)
# What identifies an item of a list: the merge keys of the API (`x-kubernetes-list-map-keys`, `patchMergeKey`).
_LIST_KEYS: Final = ("containerPort", "port", "mountPath", "name", "ip", "key", "type", "topologyKey", "uid")

_BINARY: Final = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}
_DECIMAL: Final = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1), "k": Decimal("1e3"),
    "M": Decimal("1e6"), "G": Decimal("1e9"), "T": Decimal("1e12"), "P": Decimal("1e15"), "E": Decimal("1e18"),
}  # fmt: skip


def quantity(value: Plain) -> Decimal | None:
    """The number that a resource quantity stands for (`500m`, `1Gi`, `0.5`, 2), or None when it is no quantity."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return Decimal(str(value))
    if not isinstance(value, str) or not value[:1].lstrip("+-").replace(".", "0").isdigit():
        return None
    for suffix, factor in _BINARY.items():
        if value.endswith(suffix):
            return _scaled(value.removesuffix(suffix), Decimal(factor))
    suffix = value[-1] if value[-1] in _DECIMAL else ""
    return _scaled(value.removesuffix(suffix), _DECIMAL[suffix])


def _scaled(digits: str, factor: Decimal) -> Decimal | None:
    try:
        return Decimal(digits) * factor
    except InvalidOperation:
        return None


def means_the_same(wanted: Plain, live: Plain, *, is_quantity: bool) -> bool:
    """Whether a live value is what the input asked for, in the same or another notation."""
    if isinstance(wanted, bool) or isinstance(live, bool):
        return wanted is live
    if wanted == live:
        return True
    if wanted in (None, "", [], {}) and live in (None, "", [], {}):
        return True  # the API drops what is empty
    if is_quantity and wanted is not None and live is not None:
        wanted_quantity, live_quantity = quantity(wanted), quantity(live)
        return wanted_quantity is not None and wanted_quantity == live_quantity
    return False


def project(inputs: Object, live: Object, kind: Kind) -> Object:
    """The inputs as the live object has them: what they set and the object has not is gone, nothing else is added."""
    if kind is SECRET and "stringData" in inputs:
        live = {**live, "stringData": _decoded(child(live, "data"))}
    projected = _project(inputs, live, in_quantities=False)
    return projected if isinstance(projected, dict) else {}


def _project(wanted: Plain, live: Plain, *, in_quantities: bool) -> Plain:
    if isinstance(wanted, dict) and isinstance(live, dict):
        result: Object = {}
        for key, item in wanted.items():
            if means_the_same(item, live.get(key), is_quantity=in_quantities):
                result[key] = item
            elif key in live:
                nested = in_quantities or key in ("limits", "requests", "hard", "capacity", "overhead", "sizeLimit")
                result[key] = _project(item, live[key], in_quantities=nested)
        return result
    if isinstance(wanted, list) and isinstance(live, list):
        return _project_list(wanted, live, in_quantities=in_quantities)
    return wanted if means_the_same(wanted, live, is_quantity=in_quantities) else live


def _project_list(wanted: list[Plain], live: list[Plain], *, in_quantities: bool) -> list[Plain]:
    """Items of keyed lists are matched by their key, others by position; items that others added to a keyed list are
    left out, as the server keeps them through every apply.
    """
    if _is_keyed(wanted):
        by_key = {_key(item): item for item in live}
        return [
            _project(item, by_key[_key(item)], in_quantities=in_quantities) for item in wanted if _key(item) in by_key
        ]
    return [
        _project(wanted[index], item, in_quantities=in_quantities) if index < len(wanted) else item
        for index, item in enumerate(live)
    ]


def _is_keyed(items: list[Plain]) -> bool:
    keys = [_key(item) for item in items]
    return bool(items) and None not in keys and len(set(keys)) == len(keys)


def _key(item: Plain) -> tuple[str, str] | None:
    if not isinstance(item, dict):
        return None
    # A port is told apart by its protocol too.
    protocol = str(item.get("protocol", "TCP")) if "containerPort" in item or "port" in item else ""
    for key in _LIST_KEYS:
        if key in item:
            return f"{key}/{protocol}", str(item[key])
    return None


def _decoded(data: Object) -> Object:
    decoded: Object = {}
    for key, value in data.items():
        try:
            decoded[key] = base64.b64decode(str(value), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            decoded[key] = value
    return decoded


def importable(live: Object) -> Object:
    """Everything in a live object that a program could have set: for an import, when there are no inputs yet."""
    metadata = {key: item for key, item in child(live, "metadata").items() if key not in _SERVER_METADATA}
    annotations = {key: item for key, item in child(metadata, "annotations").items() if key not in _SERVER_ANNOTATIONS}
    metadata.pop("annotations", None)
    if annotations:
        metadata["annotations"] = annotations
    return {**{key: item for key, item in live.items() if key != "status"}, "metadata": metadata}


def sent(inputs: Object, kind: Kind) -> Object:
    """The inputs as they are sent to the API server.

    A Secret's `stringData` goes as `data`: the server would merge it there itself, but would not remove a key that the
    next apply leaves out, as it does not know who owns it (kubernetes/kubernetes#123519).
    """
    if kind is not SECRET or "stringData" not in inputs:
        return inputs
    encoded: Object = {
        key: base64.b64encode(str(value).encode()).decode() for key, value in child(inputs, "stringData").items()
    }
    rest = {key: item for key, item in inputs.items() if key != "stringData"}
    return {**rest, "data": {**child(inputs, "data"), **encoded}}


def state(inputs: Properties, live: Object, kind: Kind, field_manager: str) -> Properties:
    """The outputs to keep for a resource: the live object, with the inputs and the field manager that it came from.

    The keys are the official plugin's, so that a stack can go from one to the other. A Secret's data is always secret;
    any other secret is where the inputs have one.
    """
    outputs = with_secrets_like(inputs, properties(live))
    kept = dict(inputs)
    if kind is SECRET:
        outputs, kept = data_secret(outputs), data_secret(kept)
    outputs[INPUTS_KEY] = kept
    outputs[API_VERSION_KEY] = kind.api_version
    outputs[FIELD_MANAGER_KEY] = field_manager
    return outputs


def data_secret(obj: Properties) -> Properties:
    """A Secret's properties with its data secret, whatever the program says of it."""
    return {
        key: Secret(item) if key in ("data", "stringData") and not isinstance(item, Secret) else item
        for key, item in obj.items()
    }


def inputs_value(inputs: Object, secrets_of: Properties, kind: Kind) -> Properties:
    """Plain inputs as they go into the state: secret where `secrets_of` is, and the data of a Secret always."""
    values = with_secrets_like(secrets_of, properties(inputs))
    return data_secret(values) if kind is SECRET else values


def respecting(manifest: Object, live: Object, field_manager: str, ignored: Iterable[str]) -> Object:
    """A manifest that leaves alone the fields that the resource option `ignoreChanges` names.

    What others alone own is left out, so that it is neither fought nor shared. All else is applied with its live value,
    as an apply without it would remove it. Paths into lists are not heeded; the official plugin does not either.
    """
    for written in ignored:
        keys = [step for step in parse_path(written) if isinstance(step, str)]
        if not keys or keys != list(parse_path(written)):
            continue
        owners = _owners(live, tuple(keys))
        parent = child(live, *keys[:-1])
        if owners and field_manager not in owners:
            manifest = _replaced(manifest, keys, None)
        elif keys[-1] in parent:
            manifest = _replaced(manifest, keys, parent[keys[-1]])
    return manifest


def _replaced(obj: Object, keys: Sequence[str], value: Plain) -> Object:
    """A copy with another value in one place; None leaves that place out."""
    if len(keys) > 1:
        value = _replaced(child(obj, keys[0]), keys[1:], value)
    rest = {key: item for key, item in obj.items() if key != keys[0]}
    return rest if value is None else {**rest, keys[0]: value}


def _owners(live: Object, path: tuple[str, ...]) -> set[str]:
    """The field managers that own a field or something in it."""
    return {
        text(entry, "manager")
        for entry in children(live, "metadata", "managedFields")
        if _covers_field(child(entry, "fieldsV1"), path)
    }


def owns(live: Mapping[str, Plain], field_manager: str, path: tuple[str | int, ...]) -> bool:
    """Whether a field manager owns a field by an earlier apply (`metadata.managedFields`).

    Server-side apply removes a field that the manifest does not name any more only then. Lists are not looked into:
    who owns one is taken to own its items.
    """
    for entry in children(live, "metadata", "managedFields"):
        if entry.get("manager") == field_manager and entry.get("operation") == "Apply":
            return _covers_field(child(entry, "fieldsV1"), path)
    return False


def _covers_field(fields: Object, path: tuple[str | int, ...]) -> bool:
    for step in path:
        if isinstance(step, int):
            return True
        if f"f:{step}" not in fields:
            return False
        fields = child(fields, f"f:{step}")
    return True
