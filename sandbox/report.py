"""What the user is told at the end: where the page is, and what to try next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .progress import duration
from .settings import STACK, Settings

ENTER = 'eval "$(make -s env)"'
"""How a shell comes to work on the sandbox."""


def ready(settings: Settings, outputs: Mapping[str, Any], seconds: float) -> str:
    """After `make up`.

    Args:
        settings: addresses.
        outputs: the stack's outputs.
        seconds: how long it took.
    """
    page = outputs.get("webui_url")
    namespace = str(outputs.get("namespace", f"dockercoins-{STACK}"))
    return f"""
DockerCoins is mining, {duration(seconds)} after the start:

  {page if isinstance(page, str) else settings.page}

What to try next:

  {ENTER}
      lets this shell's pulumi, kubectl and docker work on the sandbox.
  pulumi config set --stack {STACK} workerReplicas 10 && pulumi up --stack {STACK} --yes
      ten workers: the speed ends near 10 hashes/s, and the page shows it. Who holds them back?
  $EDITOR services/hasher/*.py && pulumi up --stack {STACK} --yes
      a change of one service builds and rolls that one alone.
  kubectl --namespace {namespace} get deployments,services,pods
      what runs.
  make logs, make logs SERVICE=worker
      what the pods say.
  make status, make down
      what is up; take all of it down and keep the cache.
"""


def platform(settings: Settings, seconds: float) -> str:
    """After `python -m sandbox platform`."""
    return (
        f"The platform is up, {duration(seconds)} after the start: registry {settings.registry_host}, "
        f"ECR API {settings.ecr_endpoint}, cluster {settings.context}.\n{ENTER} lets a shell work on it."
    )
