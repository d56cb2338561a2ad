"""Holds a `pulumi up` until its Deployments are rolled out."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from threading import Lock, Thread

import pulumi
import pulumi_kubernetes as kubernetes

from components.kubeconfig import ClusterAccess
from components.rollout.cluster import Cluster, ClusterError
from components.rollout.waiting import RolloutError, wait


class Rollouts:
    """Looks at the rollouts on one cluster by itself.

    Pulumi's kubernetes plugin can report a Deployment as updated while its new pods crash (docs/upstream.md), and
    waits for its whole time limit where nothing can change any more.
    """

    def __init__(self, access: ClusterAccess, *, wait: bool = True) -> None:
        """Look by ``access``, which is that of the Deployments' provider; without ``wait``, do not look."""
        self._access = access
        self._looks = wait
        self._connecting = Lock()
        self._connected: Cluster | None = None

    def finished(self, deployment: kubernetes.apps.v1.Deployment, seconds: int) -> pulumi.Output[pulumi.Resource]:
        """The Deployment, once every pod is of its current version and ready, and no other is left.

        A preview does not look. An update that leaves the Deployment unchanged looks once, and fails if the rollout
        has failed.

        Args:
            deployment: what to look at; its annotation ``pulumi.com/skipAwait`` leaves the waiting to this.
            seconds: how long the rollout may take.

        Raises:
            pulumi.RunError: (the output) the rollout failed; the message has the last lines of its containers.
        """
        if pulumi.runtime.is_dry_run() or not self._looks:
            return pulumi.Output.from_input(deployment)

        async def rolled_out(names: Sequence[str]) -> pulumi.Resource:
            loop = asyncio.get_running_loop()

            def show(line: str) -> None:
                with contextlib.suppress(RuntimeError):  # the program has ended, and its event loop is closed
                    loop.call_soon_threadsafe(lambda: pulumi.log.info(line, deployment, ephemeral=True))

            namespace, name = names
            try:
                await _in_thread(lambda: wait(self._cluster(), namespace, name, seconds=seconds, progress=show))
            except (RolloutError, ClusterError) as error:
                raise pulumi.RunError(str(error)) from None
            return deployment

        metadata = deployment.metadata
        return pulumi.Output.all(metadata.namespace, metadata.name).apply(rolled_out)

    def _cluster(self) -> Cluster:
        with self._connecting:
            self._connected = self._connected or Cluster(self._access)
            return self._connected


async def _in_thread(work: Callable[[], None]) -> None:
    """Run ``work`` in a thread that does not keep the program from ending when another rollout has failed.

    Not in the event loop's own pool: the SDK's calls of the engine go through that, and would wait with it.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def resolve(error: Exception | None) -> None:
        if done.cancelled():
            return
        if error:
            done.set_exception(error)
        else:
            done.set_result(None)

    def run() -> None:
        error: Exception | None = None
        try:
            work()
        except Exception as failure:  # raised where it is awaited
            error = failure
        with contextlib.suppress(RuntimeError):  # as above
            loop.call_soon_threadsafe(resolve, error)

    Thread(target=run, name="rollout", daemon=True).start()
    await done
