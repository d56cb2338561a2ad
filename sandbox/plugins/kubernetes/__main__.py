"""Runs the plugin: `python -m sandbox.plugins.kubernetes [engine address]`."""

from ..protocol.server import serve
from .provider import KubernetesProvider

serve(KubernetesProvider())
