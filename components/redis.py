"""The redis of DockerCoins: what it keeps, where, how much of it, and who is let in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import pulumi
import pulumi_kubernetes as kubernetes

from components.microservice import CommandChecks

core = kubernetes.core.v1
meta = kubernetes.meta.v1

REDIS_USER: Final = 999
"""The user that the official image makes for its server."""

DATA_FOLDER: Final = "/data"
SECRET_FOLDER: Final = "/run/secrets/redis"  # noqa: S105 - a path
PASSWORD_FILE: Final = f"{SECRET_FOLDER}/password"
"""The file that clients read the password from."""

_PASSWORD_KEY: Final = "password"  # noqa: S105 - the name of a file
_CONFIGURATION_KEY: Final = "redis.conf"
_ASK: Final = "redis-cli ping | grep -q PONG"
_UNITS: Final = {"Ki": 1024, "Mi": 1024**2, "Gi": 1024**3, "Ti": 1024**4}
# What is left of the memory is for clients, fragmentation and the server itself. While the file of a redis that keeps
# one is rewritten, every page that changes stands in memory twice.
_SHARE_IN_MEMORY: Final = 0.75
_SHARE_WITH_FILE: Final = 0.5


@dataclass(frozen=True)
class RedisArgs:
    """What redis is like.

    Attributes:
        image: the whole reference of the official image.
        memory: what its pod may use (``256Mi``).
        storage: the size of the volume that coins are kept in (``1Gi``); without one, they are in memory alone.
        storage_class: the class of that volume; the cluster's default class without one.
        password: what clients have to know; without one, everybody is let in who can reach it.
    """

    image: pulumi.Input[str]
    memory: str = "256Mi"
    storage: str | None = None
    storage_class: str | None = None
    password: pulumi.Input[str] | None = field(default=None, repr=False)

    @property
    def command(self) -> tuple[str, ...]:
        """What runs. No secret is in it: whoever lists processes sees it."""
        configuration = (f"{SECRET_FOLDER}/{_CONFIGURATION_KEY}",) if self.password is not None else ()
        kept = ("--appendonly", "yes", "--appendfsync", "everysec") if self.storage else ("--appendonly", "no")
        return (
            "redis-server",
            *configuration,
            *("--save", ""),
            *kept,
            # All coins are one key, so that an eviction would take them all. Nothing is evicted: when it is full,
            # redis refuses writes, and workers stop mining and say so.
            *("--maxmemory", str(max_memory(self.memory, with_file=bool(self.storage)))),
            *("--maxmemory-policy", "noeviction"),
            # Other pods must be able to connect, also where no password is set.
            *("--protected-mode", "no"),
            *("--dir", DATA_FOLDER),
        )

    @property
    def checks(self) -> CommandChecks:
        """How its health is told."""
        # While it loads, redis answers a ping with an error, and redis-cli still exits with 0.
        ask = f'REDISCLI_AUTH="$(cat {PASSWORD_FILE})" {_ASK}' if self.password is not None else _ASK
        return CommandChecks(liveness=("redis-cli", "ping"), readiness=("sh", "-c", ask))


def max_memory(memory: str, *, with_file: bool) -> int:
    """How many bytes of data fit into a pod with this ``memory``, a number with ``Ki``, ``Mi``, ``Gi`` or ``Ti``.

    Raises:
        ValueError: it is no such number.
    """
    match = re.fullmatch(r"([0-9]+)(Ki|Mi|Gi|Ti)", memory)
    if not match:
        raise ValueError(f"memory {memory!r} is not a number with Ki, Mi, Gi or Ti")
    return int(int(match[1]) * _UNITS[match[2]] * (_SHARE_WITH_FILE if with_file else _SHARE_IN_MEMORY))


def configuration_file(password: str) -> str:
    """The part of redis' configuration that asks for a password, in its own quoting (``sds_splitargs`` in redis)."""
    quoted = password.replace("\\", "\\\\").replace('"', '\\"')
    return f'requirepass "{quoted}"\n'


def password_secret(
    password: pulumi.Input[str],
    *,
    namespace: pulumi.Input[str],
    labels: Mapping[str, pulumi.Input[str]],
    opts: pulumi.ResourceOptions,
) -> core.Secret:
    """The Secret with the password, as clients read it and as redis does.

    Another password is a Secret of another name, so that all who read it start again.
    """
    secret = pulumi.Output.secret(password)
    return core.Secret(
        "redis-password",
        metadata=meta.ObjectMetaArgs(namespace=namespace, labels=labels),
        type="Opaque",
        string_data={_PASSWORD_KEY: secret, _CONFIGURATION_KEY: secret.apply(configuration_file)},
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(replace_on_changes=["stringData", "data"])),
    )


def volume_claim(
    args: RedisArgs,
    storage: str,
    *,
    namespace: pulumi.Input[str],
    labels: Mapping[str, pulumi.Input[str]],
    opts: pulumi.ResourceOptions,
) -> core.PersistentVolumeClaim:
    """The claim of the volume that coins are kept in; a storage class that the cluster lacks is told before it."""
    found = (
        [kubernetes.storage.v1.StorageClass.get("redisStorageClass", args.storage_class, opts=opts)]
        if args.storage_class
        else []
    )
    return core.PersistentVolumeClaim(
        "redis",
        metadata=meta.ObjectMetaArgs(
            name="redis",
            namespace=namespace,
            labels=labels,
            # The pod waits for its volume; plugins before 4.27 wait in vain for a claim that is bound already.
            annotations={"pulumi.com/skipAwait": "true"},
        ),
        spec=core.PersistentVolumeClaimSpecArgs(
            access_modes=["ReadWriteOnce"],
            storage_class_name=args.storage_class,
            resources=core.VolumeResourceRequirementsArgs(requests={"storage": storage}),
        ),
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=found, delete_before_replace=True)),
    )
