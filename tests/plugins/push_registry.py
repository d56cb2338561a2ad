"""A registry that takes a push as the distribution specification says, until it gives the error that a test wants.

Distribution has neither users with rights, nor immutable tags, nor quotas: what other registries answer is taken from
their documentation and from what people report of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager

from tests.registry_server import RegistryServer, Reply, Request, serve


def stage(request: Request) -> str:
    """Where in a push a request stands.

    In their order: `start` (is it a registry?), `question` (is this layer there?), `upload` (may it come?), `layer`
    (here it is), `manifest` (the image under its tag).
    """
    if request.path == "/v2/":
        return "start"
    if request.method == "PUT" and "/manifests/" in request.path:
        return "manifest"
    return {"POST": "upload", "PATCH": "layer", "PUT": "layer"}.get(request.method, "question")


class _Storage:
    """What was pushed."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}
        self._uploads: dict[str, bytes] = {}

    def take(self, request: Request) -> Reply:
        match stage(request):
            case "start":
                return Reply(200, {})
            case "upload":
                location = f"{request.path.rstrip('/')}/{len(self._uploads)}"
                self._uploads[location] = b""
                return Reply(202, headers={"Location": location, "Docker-Upload-UUID": location.rpartition("/")[2]})
            case "layer":
                return self._layer(request)
            case "manifest":
                return Reply(
                    201, headers={"Docker-Content-Digest": f"sha256:{hashlib.sha256(request.body).hexdigest()}"}
                )
            case _:
                digest = request.path.rpartition("/")[2]
                there = digest in self._blobs
                return Reply(200, self._blobs[digest], {"Docker-Content-Digest": digest}) if there else Reply(404)

    def _layer(self, request: Request) -> Reply:
        self._uploads[request.path] += request.body
        if request.method == "PATCH":
            received = f"0-{len(self._uploads[request.path]) - 1}"
            return Reply(202, headers={"Location": request.path, "Range": received})
        digest = request.query["digest"]
        self._blobs[digest] = self._uploads[request.path]
        return Reply(201, headers={"Docker-Content-Digest": digest})


@contextmanager
def push_registry(errors: Mapping[str, Callable[[Request], Reply]]) -> Generator[RegistryServer]:
    """Take pushes, except where there is an error for a stage, or for `every` one."""
    storage = _Storage()

    def answer(request: Request) -> Reply:
        return errors.get("every", errors.get(stage(request), storage.take))(request)

    with serve(answer) as server:
        yield server
