"""The page's files, held in memory, with the headers that a browser should get with them."""

import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

STATIC = Path(__file__).with_name("static")

# A page that loads nothing from elsewhere, runs no script of anybody else, and cannot be framed.
# https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Content-Security-Policy
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True)
class Asset:
    """One file and the tag of its content."""

    body: bytes
    content_type: str
    etag: str

    @classmethod
    def load(cls, path: Path) -> "Asset":
        """Read a file."""
        body = path.read_bytes()
        content_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        return cls(body, content_type, hashlib.sha256(body).hexdigest()[:32])

    def respond(self, request: web.Request) -> web.Response:
        """Give the file, or 304 to one who has it.

        A browser asks each time (``no-cache``): the files are small, and after a new release, or between two replicas
        of different releases, a page must not meet another release's script.
        """
        known = request.if_none_match or ()
        if any(tag.value in {self.etag, "*"} for tag in known):
            response = web.Response(status=304)
        else:
            response = web.Response(body=self.body, content_type=self.content_type, charset=self._charset())
        response.etag = self.etag
        response.headers["Cache-Control"] = "no-cache"
        return response

    def _charset(self) -> str | None:
        return None if self.content_type.startswith("image/") else "utf-8"


def load_assets(folder: Path = STATIC) -> dict[str, Asset]:
    """Read all files of the folder and its folders; the key is the path after the first slash."""
    return {
        path.relative_to(folder).as_posix(): Asset.load(path) for path in sorted(folder.rglob("*")) if path.is_file()
    }


async def add_security_headers(_: web.Request, response: web.StreamResponse) -> None:
    """Add them to every answer, and do not tell the versions of the server."""
    response.headers.popall("Server", None)
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
