"""The step ``verify``: whether what was deployed runs, and keeps the application's promise, seen from outside."""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Final, cast

import urllib3

from pipelines import artifacts, deployed
from pipelines.artifacts import Artifacts
from pipelines.engine import Pulumi
from pipelines.errors import StepError

_BETWEEN: Final = 1.0  # seconds between two questions
_PATIENCE: Final = urllib3.Timeout(connect=5, read=10)
_REDIRECTS: Final = urllib3.Retry(total=5, connect=0, read=0, status=0, other=0, redirect=5)


class _NotYetError(Exception):
    """The promise is not kept so far; the message says what was seen."""


@dataclass(frozen=True)
class Smoke:
    """The promise: within ``limit`` seconds the page answers at ``url``, its count of hashes grows, and it stays so."""

    url: str
    limit: float
    credentials: str | None = None
    """``user:password`` where the way to the page asks for one."""
    steady: float = 5
    """Seconds for which all answers have to be right: just after an update, pods of the version before give some."""

    def test(self, tell: Callable[[str], None]) -> None:
        """Ask until the promise is kept.

        Raises:
            StepError: it was not within the limit; the message says what was seen last.
        """
        began = time.monotonic()
        self._until(began, self._page)
        tell(f"the page answers ({time.monotonic() - began:.0f} s)")
        first = self._until(began, self._hashes)

        now = self._until(began, lambda: self._grown(first))
        tell(f"hashes grow: {first} → {now} ({time.monotonic() - began:.0f} s)")
        self._until(began, self._stays)
        tell(f"it stays so for {self.steady:.0f} s ({time.monotonic() - began:.0f} s)")

    def _stays(self) -> int:
        end = time.monotonic() + self.steady
        first = self._hashes()
        while time.monotonic() < end:
            time.sleep(_BETWEEN)
            self._page()
            self._hashes()
        return self._grown(first)

    def _grown(self, first: int) -> int:
        now = self._hashes()
        # Less than before is a new count, which begins at 0 when redis does.
        if now == first:
            raise _NotYetError(f"the count of hashes stays at {now}: worker, rng, hasher or redis does not work")
        return now

    def _until(self, began: float, question: Callable[[], int]) -> int:
        while True:
            try:
                return question()
            except _NotYetError as not_yet:
                if time.monotonic() - began > self.limit:
                    raise StepError(f"{self.url} was not right within {self.limit:.0f} s: {not_yet}") from None
            time.sleep(_BETWEEN)

    def _page(self) -> int:
        if b"<html" not in self._get("/").lower():
            raise _NotYetError("it answers with something else than a page")
        return 0

    def _hashes(self) -> int:
        try:
            counted: object = json.loads(self._get("/json"))
        except ValueError:
            raise _NotYetError("/json answers with something else than JSON") from None
        hashes = cast("Mapping[str, object]", counted).get("hashes") if isinstance(counted, dict) else None
        if not isinstance(hashes, int | float):
            raise _NotYetError("/json tells no hashes")
        return int(hashes)

    def _get(self, path: str) -> bytes:
        # Each on a connection of its own, as one that is kept goes on to a pod that gets no new ones.
        login = urllib3.make_headers(basic_auth=self.credentials) if self.credentials else {}
        headers = {**login, "Connection": "close"}
        try:
            answer = urllib3.request(
                "GET", f"{self.url.rstrip('/')}{path}", headers=headers, timeout=_PATIENCE, retries=_REDIRECTS
            )
        except urllib3.exceptions.HTTPError as error:
            raise _NotYetError(f"no answer ({error})") from None
        if answer.status != 200:  # noqa: PLR2004 - OK
            raise _NotYetError(f"{path} answers {answer.status}")
        return answer.data


def verify(
    pulumi: Pulumi,
    files: Artifacts,
    *,
    limit: float,
    url: str | None,
    credentials: str | None,
    tell: Callable[[str], None],
) -> None:
    """Look at the rollouts on the cluster, test the application from outside, and note the images as verified.

    The page alone proves nothing: while new pods crash, those of the version before go on answering.

    Raises:
        StepError: an image of the stack's outputs is not rolled out, or the promise was not kept, each within
            ``limit`` seconds; or the stack names no address.
    """
    files.verified.unlink(missing_ok=True)
    outputs = pulumi.outputs()
    address = url or str(outputs.get("webui_url") or "")
    if not address:
        raise StepError(f"the stack {pulumi.stack} has no output webui_url: run `apply` first, or give --url")
    deployed.check(outputs, pulumi.environment, limit=limit, tell=tell)
    tell("every image of the stack is rolled out")
    forward = None if url else outputs.get("webui_port_forward")
    with _forwarded(pulumi, str(forward)) if forward else contextlib.nullcontext():
        Smoke(address, limit, credentials).test(tell)
    artifacts.write(files.verified, {"stack": pulumi.stack, "images": pulumi.images()})


@contextlib.contextmanager
def _forwarded(pulumi: Pulumi, command: str) -> Generator[None]:
    """The command that the stack's outputs name for reaching a page that is inside the cluster, while it is needed."""
    try:
        process = subprocess.Popen(
            shlex.split(command),
            cwd=pulumi.folder,
            env=dict(pulumi.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        raise StepError(f"kubectl is not on PATH, and the page is reached by: {command}") from None
    try:
        yield
    finally:
        process.terminate()
        process.wait()
