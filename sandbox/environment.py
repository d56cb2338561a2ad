"""The environment in which `pulumi`, `kubectl` and `docker` work on the sandbox."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping

from .ecr import CREDENTIALS
from .paths import CHECKOUT, Paths
from .settings import PASSPHRASE, STACK, Settings


def variables(paths: Paths, settings: Settings, search: str) -> dict[str, str]:
    """The variables that differ from the user's own environment.

    Args:
        paths: where the sandbox is.
        settings: what it serves.
        search: the user's PATH, which stays behind the sandbox's own programs.
    """
    return {
        "PULUMI_HOME": str(paths.pulumi_home),
        "PULUMI_BACKEND_URL": f"file://{paths.pulumi_backend}",
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_SKIP_UPDATE_CHECK": "1",
        # An `up` that was killed leaves objects that the state does not know. The cluster is the sandbox's own, so that
        # whatever has their names is ours. It is a setting of the provider, and so holds for every command.
        "PULUMI_K8S_UPSERT_EXISTING_OBJECTS": "true",
        # Selecting a stack would be remembered for the checkout; this is for the shell alone.
        "PULUMI_STACK": STACK,
        # For another checkout, such as that of a hook, which has no environment of its own.
        "PULUMI_PYTHON_CMD": str(CHECKOUT / ".venv" / "bin" / "python"),
        "KUBECONFIG": str(paths.kubeconfig),
        **CREDENTIALS,
        "AWS_REGION": settings.region,
        "PATH": f"{paths.bin}{os.pathsep}{search}",
    }


def exports(paths: Paths, settings: Settings, search: str) -> str:
    """Shell commands that set those variables, for `eval`."""
    return "".join(
        f"export {name}={shlex.quote(value)}\n" for name, value in variables(paths, settings, search).items()
    )


def user_path(environment: Mapping[str, str], paths: Paths) -> str:
    """The PATH without the sandbox's own programs, as `eval "$(make -s env)"` may have put them there."""
    own = str(paths.bin)
    return os.pathsep.join(folder for folder in environment.get("PATH", "").split(os.pathsep) if folder != own)
