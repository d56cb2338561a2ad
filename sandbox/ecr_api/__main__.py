"""Starts the API: `python -m sandbox.ecr_api -H 0.0.0.0 -p 5000`."""

import moto.ecr
import moto.ecr.models
import moto.server

from .models import ecr_backends

# The server takes a service's registries from its package, and other services of moto take them from its models.
moto.ecr.ecr_backends = ecr_backends  # pyright: ignore[reportPrivateImportUsage] - `moto.backends` reads it
moto.ecr.models.ecr_backends = ecr_backends

moto.server.main()
