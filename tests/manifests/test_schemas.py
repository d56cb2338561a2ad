"""The schemas that are made from an OpenAPI document and from CustomResourceDefinitions."""

from __future__ import annotations

from typing import Any

from tests.manifests.schemas import file_name, of_crd, of_openapi

META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
OPENAPI: dict[str, Any] = {
    "definitions": {
        META: {"type": "object", "properties": {"name": {"type": "string"}, "$ref": {"type": "string"}}},
        "thing": {
            "type": "object",
            "properties": {
                "apiVersion": {"type": "string"},
                "kind": {"type": "string"},
                "metadata": {"$ref": f"#/definitions/{META}"},
                "spec": {"$ref": "#/definitions/spec"},
            },
            "x-kubernetes-group-version-kind": [{"group": "apps.example.com", "version": "v1", "kind": "Thing"}],
        },
        "spec": {
            "type": "object",
            "properties": {
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "free": {"type": "object"},
                "port": {"$ref": "#/definitions/io.k8s.apimachinery.pkg.util.intstr.IntOrString"},
                "inner": {"$ref": "#/definitions/spec"},
            },
        },
        "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"type": "string", "format": "int-or-string"},
        "unused": {"type": "object"},
    }
}


def test_files_are_named_as_kubeconform_looks_for_them() -> None:
    assert file_name("v1", "Pod") == "pod-v1.json"
    assert file_name("apps/v1", "Deployment") == "deployment-apps-v1.json"
    assert file_name("networking.k8s.io/v1", "NetworkPolicy") == "networkpolicy-networking-v1.json"


def test_listed_fields_are_all_there_are_and_free_ones_stay_free() -> None:
    ((name, schema),) = of_openapi(OPENAPI)
    assert name == "thing-apps-v1.json"
    spec = schema["definitions"]["spec"]
    assert schema["additionalProperties"] is spec["additionalProperties"] is False
    assert spec["properties"]["labels"]["additionalProperties"] == {"type": "string"}
    assert "additionalProperties" not in spec["properties"]["free"]


def test_a_schema_holds_what_it_refers_to_and_no_more() -> None:
    ((_, schema),) = of_openapi(OPENAPI)
    assert set(schema["definitions"]) == {META, "spec", "io.k8s.apimachinery.pkg.util.intstr.IntOrString"}


def test_an_object_says_what_it_is() -> None:
    ((_, schema),) = of_openapi(OPENAPI)
    assert schema["properties"]["apiVersion"] == {"enum": ["apps.example.com/v1"]}
    assert schema["properties"]["kind"] == {"enum": ["Thing"]}
    assert schema["required"] == ["apiVersion", "kind", "metadata"]


def test_a_custom_resource_has_the_metadata_of_all_objects_and_keeps_its_unknown_fields_where_it_says_so() -> None:
    crd = {
        "spec": {
            "group": "example.com",
            "names": {"kind": "Route"},
            "versions": [
                {
                    "name": "v1",
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {
                                "metadata": {"type": "object"},
                                "port": {"x-kubernetes-int-or-string": True},
                                "any": {
                                    "type": "object",
                                    "properties": {"known": {"type": "string"}},
                                    "x-kubernetes-preserve-unknown-fields": True,
                                },
                            },
                        }
                    },
                }
            ],
        }
    }
    ((name, schema),) = of_crd(crd, OPENAPI)
    assert name == "route-example-v1.json"
    assert schema["properties"]["metadata"] == {"$ref": f"#/definitions/{META}"}
    assert META in schema["definitions"]
    assert schema["properties"]["port"] == {"anyOf": [{"type": "integer"}, {"type": "string"}]}
    assert schema["additionalProperties"] is False
    assert "additionalProperties" not in schema["properties"]["any"]
