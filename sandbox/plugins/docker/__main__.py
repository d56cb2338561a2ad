"""Starts the docker plugin: `python -m sandbox.plugins.docker`."""

from ..protocol.server import serve
from .provider import DockerProvider

serve(DockerProvider())
