"""Strict JSON schemas of Kubernetes objects, made from what the projects publish in their Go modules.

The cluster's own OpenAPI document describes the built-in kinds, and CustomResourceDefinitions the others. Either leaves
open what it does not know; here an unknown field is a mistake, as it is for the API server with strict field
validation (https://kubernetes.io/docs/reference/using-api/api-concepts/#field-validation).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, cast

import yaml

Schema = dict[str, Any]

LOCATION: Final = "{{.ResourceKind}}{{.KindSuffix}}.json"
"""How kubeconform finds the schema of an object in the folder of them."""

_INT_OR_STRING: Final[Schema] = {"anyOf": [{"type": "integer"}, {"type": "string"}]}
_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
# Written as a string in the specification, and taken as a number too: https://kubernetes.io/docs/reference/
# kubernetes-api/common-definitions/quantity/.
_SPECIAL: Final[Mapping[str, Schema]] = {
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": _INT_OR_STRING,
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"anyOf": [{"type": "number"}, {"type": "string"}]},
}
_REFERENCE: Final = "#/definitions/"
_KEPT: Final = (
    *("type", "enum", "required", "pattern", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"),
    *("uniqueItems", "minProperties", "maxProperties", "multipleOf", "description"),
)


def file_name(api_version: str, kind: str) -> str:
    """The file of a kind's schema, as :data:`LOCATION` spells it."""
    group, _, version = api_version.rpartition("/")
    suffix = "-".join(part for part in (group.partition(".")[0], version) if part)
    return f"{kind}-{suffix}.json".lower()


def of_openapi(document: Mapping[str, Any]) -> Iterator[tuple[str, Schema]]:
    """The files for an OpenAPI document (version 2) of a cluster: one for each version of each kind."""
    definitions = cast("dict[str, Schema]", document["definitions"])
    strict = {name: _SPECIAL.get(name) or _strict(definition) for name, definition in definitions.items()}
    for name, definition in definitions.items():
        # Those that belong to every group, as the options of a deletion, are no objects.
        kinds = definition.get("x-kubernetes-group-version-kind", [])
        if len(kinds) != 1 or "metadata" not in definition.get("properties", {}):
            continue
        group, version, kind = (str(kinds[0][key]) for key in ("group", "version", "kind"))
        api_version = f"{group}/{version}" if group else version
        yield file_name(api_version, kind), _whole(strict[name], api_version, kind, strict)


def of_crd(document: Mapping[str, Any], openapi: Mapping[str, Any]) -> Iterator[tuple[str, Schema]]:
    """The files for a CustomResourceDefinition: one for each version. ``openapi`` describes their metadata."""
    definitions = cast("dict[str, Schema]", openapi["definitions"])
    strict = {name: _SPECIAL.get(name) or _strict(definition) for name, definition in definitions.items()}
    spec = cast("Schema", document["spec"])
    for version in cast("list[Schema]", spec["versions"]):
        api_version, kind = f"{spec['group']}/{version['name']}", str(spec["names"]["kind"])
        schema = _strict(version["schema"]["openAPIV3Schema"])
        schema["properties"]["metadata"] = {"$ref": f"{_REFERENCE}{_META}"}
        yield file_name(api_version, kind), _whole(schema, api_version, kind, strict)


def write(openapi: Path, crds: Iterable[Path], folder: Path) -> int:
    """Write all files into a folder, and give how many there are.

    Args:
        openapi: a cluster's OpenAPI document (version 2).
        crds: files with a CustomResourceDefinition each; what else is in them is passed over.
        folder: where to.
    """
    document = json.loads(openapi.read_text())
    files = dict(of_openapi(document))
    for path in crds:
        for entry in yaml.load_all(path.read_text(), Loader=yaml.CSafeLoader):
            if entry and entry.get("kind") == "CustomResourceDefinition":
                files |= of_crd(entry, document)
    for name, schema in files.items():
        (folder / name).write_text(json.dumps(schema))
    return len(files)


def _whole(schema: Schema, api_version: str, kind: str, definitions: Mapping[str, Schema]) -> Schema:
    """The schema of an object, with all that it refers to."""
    properties = {**schema["properties"], "apiVersion": {"enum": [api_version]}, "kind": {"enum": [kind]}}
    # What the cluster keeps about an object, nobody declares; it is often of another strictness.
    required = sorted({*schema.get("required", []), "apiVersion", "kind", "metadata"})
    root = {**schema, "properties": properties, "required": required}
    needed = set(_referred(root))
    while more := {name for known in needed for name in _referred(definitions[known])} - needed:
        needed |= more
    return {**root, "definitions": {name: definitions[name] for name in sorted(needed)}}


def _referred(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, entry in cast("Schema", value).items():
            # A CustomResourceDefinition has a field of that name.
            if key == "$ref" and isinstance(entry, str):
                yield entry.removeprefix(_REFERENCE)
            else:
                yield from _referred(entry)
    elif isinstance(value, list):
        for entry in cast("list[Any]", value):
            yield from _referred(entry)


def _strict(schema: Schema) -> Schema:
    """The same without what JSON Schema does not know, and closed where its fields are listed."""
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}
    if schema.get("x-kubernetes-int-or-string"):
        return _INT_OR_STRING
    result: Schema = {key: schema[key] for key in _KEPT if key in schema}
    for key in ("allOf", "anyOf", "oneOf"):
        # They add conditions to fields that are listed beside them, so they are not closed themselves.
        if key in schema:
            result[key] = [_conditions(entry) for entry in schema[key]]
    if "items" in schema:
        result["items"] = _strict(schema["items"])
    if "properties" in schema:
        result["properties"] = {name: _strict(entry) for name, entry in schema["properties"].items()}
    others: object = schema.get("additionalProperties")
    if isinstance(others, dict):
        result["additionalProperties"] = _strict(cast("Schema", others))
    elif others is None and "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        result["additionalProperties"] = False
    return result


def _conditions(schema: Any) -> Any:
    if isinstance(schema, dict):
        known = cast("Schema", schema)
        return {key: _conditions(entry) for key, entry in known.items() if not key.startswith("x-kubernetes")}
    if isinstance(schema, list):
        return [_conditions(entry) for entry in cast("list[Any]", schema)]
    return schema
