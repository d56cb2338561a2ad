"""A registry that keeps manifests, without the layers that they name, and answers as the specification has it."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from tests.registry_server import Reply, Request, error

DOCKER_IMAGE = "application/vnd.docker.distribution.manifest.v2+json"
OCI_IMAGE = "application/vnd.oci.image.manifest.v1+json"


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def image_manifest(media_type: str, marker: str) -> bytes:
    """The manifest of an image; images with other markers have other digests."""
    return json.dumps({"schemaVersion": 2, "mediaType": media_type, "annotations": {"marker": marker}}).encode()


@dataclass
class ManifestRegistry:
    """One repository, ``path``. With a ``user`` it asks for a login; ``immutable`` refuses a tag that is there."""

    path: str
    user: str = ""
    password: str = ""
    immutable: bool = False
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict[str, tuple[str, bytes]])

    def add(self, media_type: str, content: bytes, tag: str = "") -> str:
        """Keep a manifest, and give its digest."""
        digest = digest_of(content)
        self.manifests[digest] = (media_type, content)
        if tag:
            self.manifests[tag] = (media_type, content)
        return digest

    def tagged(self, tag: str) -> dict[str, Any]:
        """The manifest under a tag."""
        return json.loads(self.manifests[tag][1])

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        wanted = f"Basic {base64.b64encode(f'{self.user}:{self.password}'.encode()).decode()}"
        if self.user and request.headers.get("authorization") != wanted:
            return error(401, "UNAUTHORIZED", "authentication required", WWW_Authenticate='Basic realm="here"')
        if request.path == "/v2/":
            return Reply(200, {})
        prefix = f"/v2/{self.path}/manifests/"
        if not request.path.startswith(prefix):
            return error(404, "NAME_UNKNOWN", "repository name not known to registry")
        reference = request.path.removeprefix(prefix)
        return self._put(reference, request) if request.method == "PUT" else self._get(reference)

    def _get(self, reference: str) -> Reply:
        if reference not in self.manifests:
            return error(404, "MANIFEST_UNKNOWN", "manifest unknown")
        media_type, content = self.manifests[reference]
        return Reply(200, content, {"Content-Type": media_type, "Docker-Content-Digest": digest_of(content)})

    def _put(self, tag: str, request: Request) -> Reply:
        if self.immutable and tag in self.manifests:
            return error(400, "TAG_INVALID", f"The image tag '{tag}' already exists, and the tag is immutable.")
        gone = [
            entry["digest"]
            for entry in json.loads(request.body).get("manifests", [])
            if entry["digest"] not in self.manifests
        ]
        if gone:
            return error(400, "MANIFEST_BLOB_UNKNOWN", f"blob unknown to registry: {gone[0]}")
        digest = self.add(request.headers["content-type"], request.body, tag)
        return Reply(201, headers={"Docker-Content-Digest": digest})
