"""A Secret that lets pods pull from a registry that asks for a login."""

from __future__ import annotations

import base64
import json

import pulumi
import pulumi_kubernetes as kubernetes

from components.registry import RegistryLogin


def docker_config(server: str, username: str, password: str) -> str:
    """The JSON that a Secret of type ``kubernetes.io/dockerconfigjson`` holds for one server.

    The format is that of Docker's ``config.json``: ``auth`` is ``user:password`` in base64.
    """
    auth = base64.b64encode(f"{username}:{password}".encode()).decode()
    return json.dumps({"auths": {server: {"username": username, "password": password, "auth": auth}}})


class PullSecret(pulumi.ComponentResource):
    """A pull secret with fixed credentials; ``secret_name`` is the name that a pod's ``imagePullSecrets`` gives."""

    secret_name: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        namespace: pulumi.Input[str],
        login: RegistryLogin,
        provider: kubernetes.Provider,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the Secret in ``namespace``."""
        super().__init__("dockercoins:kubernetes:PullSecret", name, None, opts)
        config = pulumi.Output.all(login.username, login.password).apply(
            lambda values: base64.b64encode(docker_config(login.server, *values).encode()).decode()
        )
        secret = kubernetes.core.v1.Secret(
            name,
            metadata=kubernetes.meta.v1.ObjectMetaArgs(namespace=namespace),
            type="kubernetes.io/dockerconfigjson",
            data={".dockerconfigjson": pulumi.Output.secret(config)},
            opts=pulumi.ResourceOptions(parent=self, provider=provider),
        )
        self.secret_name = secret.metadata.name
        self.register_outputs({"secret_name": self.secret_name})
