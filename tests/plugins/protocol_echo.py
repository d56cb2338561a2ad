"""A plugin for the tests of the protocol: it serves `echo:index:Thing`, and fails where it is told to."""

from __future__ import annotations

from sandbox.plugins.protocol.provider import (
    CheckRequest,
    CheckResult,
    CreateRequest,
    CreateResult,
    Failure,
    InitFailed,
    InvokeRequest,
    InvokeResult,
    Provider,
    ProviderError,
    ReadRequest,
    ReadResult,
)
from sandbox.plugins.protocol.server import serve
from sandbox.plugins.protocol.values import plain, unwrap


class Echo(Provider):
    package = "echo"
    version = "1.2.3"
    types = ("echo:index:Thing",)
    functions = ("echo:index:say",)

    def check(self, request: CheckRequest) -> CheckResult:
        failures = [Failure("size", "expected a number")] if request.inputs.get("size") == "big" else []
        return CheckResult({key: unwrap(value) for key, value in request.inputs.items()}, failures)

    def create(self, request: CreateRequest) -> CreateResult:
        plainly = {key: unwrap(value) for key, value in request.inputs.items()}
        match plainly.get("then"):
            case "fail":
                raise ProviderError("it cannot be done: say something else")
            case "break":
                secret = plain(request.inputs["password"])
                raise KeyError(secret)
            case "half":
                raise InitFailed("half", plainly, plainly, ["the first reason", "the second"])
            case "wait":
                request.log.status("waiting")
                request.cancelled.wait()
                raise InitFailed("waited", plainly, plainly, ["cancelled"])
            case _:
                return CreateResult("made", plainly)

    def read(self, request: ReadRequest) -> ReadResult | None:
        if request.id == "gone":
            return None
        plainly = {key: unwrap(value) for key, value in request.inputs.items()}
        return ReadResult(request.id, plainly, plainly)

    def invoke(self, request: InvokeRequest) -> InvokeResult:
        return InvokeResult({"said": request.arguments.get("what")})


if __name__ == "__main__":
    serve(Echo())
