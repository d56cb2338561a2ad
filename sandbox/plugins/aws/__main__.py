"""Starts the aws plugin: `python -m sandbox.plugins.aws`."""

from ..protocol.server import serve
from .provider import AwsProvider

serve(AwsProvider())
