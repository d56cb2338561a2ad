"""Mocks that record what a program asks the engine for."""
# Pulumi's mocks and its global settings have no types.
# pyright: reportUnknownMemberType=false, reportAttributeAccessIssue=false

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import grpc
import pulumi
from pulumi.runtime import config, mocks, rpc, settings, stack

Record = dict[str, Any]

DIGEST = "sha256:" + "ab" * 32


class _Failed(grpc.RpcError):
    """How the engine tells that a provider's function failed."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNKNOWN

    def details(self) -> str:
        return str(self)


@dataclass
class Recorder(mocks.Mocks):
    """Answers as the providers would, and keeps every resource, every call and the stack's outputs.

    ``digests`` has those of images by their resources' names. What was ``pushed_before`` has its digest in a preview.
    """

    resources: list[mocks.MockResourceArgs] = field(default_factory=list[mocks.MockResourceArgs])
    calls: list[mocks.MockCallArgs] = field(default_factory=list[mocks.MockCallArgs])
    outputs: Record = field(default_factory=dict[str, Any])
    requests: dict[tuple[str, str], Any] = field(default_factory=dict[tuple[str, str], Any])
    local_image_id: bool = False
    digests: dict[str, str] = field(default_factory=dict[str, str])
    pushed_before: bool = False
    account: str = "111122223333"
    stacks: dict[str, Record] = field(default_factory=dict[str, Any])

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, Record]:
        self.resources.append(args)
        state = dict(cast("Record", args.inputs))
        if args.typ == "docker:index/image:Image":
            if self.local_image_id:
                state["repoDigest"] = DIGEST
            elif self.pushed_before or not pulumi.runtime.is_dry_run():
                digest = self.digests.get(args.name, DIGEST)
                state["repoDigest"] = f"{state['imageName'].rpartition(':')[0]}@{digest}"
        if args.typ == "pulumi:pulumi:StackReference":
            state["outputs"] = self.stacks[state["name"]]
        if args.typ.startswith("kubernetes:"):
            state["metadata"] = {"name": f"{args.name}-0a1b2c3", **state.get("metadata", {})}
        return f"{args.name}-id", state

    def call(self, args: mocks.MockCallArgs) -> tuple[Record, list[tuple[str, str]] | None]:
        self.calls.append(args)
        if args.token == "aws:index/getCallerIdentity:getCallerIdentity":
            if not self.account.isdigit():
                raise _Failed(self.account)
            arn = f"arn:aws:iam::{self.account}:user/someone"
            return {"accountId": self.account, "arn": arn, "id": self.account, "userId": "AIDA"}, []
        if args.token == "aws:ecr/getAuthorizationToken:getAuthorizationToken":
            return {"userName": "AWS", "password": "a-token", "proxyEndpoint": "", "expiresAt": "", "id": "r"}, []
        raise AssertionError(f"the program calls {args.token}, which no test expects")

    def of_type(self, typ: str) -> dict[str, Record]:
        """The inputs of every resource of a type, by the resource's name, with secrets laid open."""
        return {record.name: _laid_open(record.inputs) for record in self.resources if record.typ == typ}

    def request(self, typ: str, name: str) -> Any:
        """The whole registration request of a resource: its provider, dependencies, options."""
        return self.requests[(typ, name)]


def _laid_open(value: Any) -> Any:
    if rpc.is_rpc_secret(value):
        return _laid_open(rpc.unwrap_rpc_secret(value))
    if isinstance(value, dict):
        return {key: _laid_open(entry) for key, entry in cast("Record", value).items()}
    if isinstance(value, list):
        return [_laid_open(entry) for entry in cast("list[Any]", value)]
    return value


class _Monitor(mocks.MockMonitor):
    def __init__(self, recorder: Recorder) -> None:
        super().__init__(recorder)
        self.recorder = recorder

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the protocol's name
        self.recorder.requests[(request.type, request.name)] = request
        return super().RegisterResource(request)

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 - the protocol's name
        if request.urn.split("::")[2] == "pulumi:pulumi:Stack":
            self.recorder.outputs = rpc.deserialize_properties(request.outputs, keep_unknowns=True)
        return super().RegisterResourceOutputs(request)


def run(
    program: Callable[[], object],
    *,
    preview: bool = False,
    stack_name: str = "test",
    values: Mapping[str, str] | None = None,
    secret_keys: Sequence[str] = (),
    recorder: Recorder | None = None,
) -> Recorder:
    """Run a program as the engine would, wait until every resource is registered, and give the recorder."""
    used = recorder or Recorder()

    async def main() -> None:
        # A program that fails leaves futures behind that nobody asks for any more. asyncio would log them as they are
        # collected, at any moment, and a traceback that is formatted while another one is breaks Python 3.11's parser.
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        mocks.set_mocks(used, project="dockercoins", stack=stack_name, preview=preview, monitor=_Monitor(used))
        # A run that failed leaves its tasks behind, on a loop that is closed by now.
        settings.SETTINGS.rpc_manager.clear()
        settings.SETTINGS.outputs.clear()
        config.set_all_config(dict(values or {}), list(secret_keys))
        # set_mocks leaves a root behind whose outputs are closed already.
        settings.set_root_resource(cast("pulumi.Resource", None))

        def start() -> None:
            program()

        await stack.run_in_stack(start)

    contextvars.Context().run(asyncio.run, main())
    return used
