"""Random bytes, by Flask's development server: ``python -m benchmarks.simplest.rng PORT``."""

import os
import sys

from flask import Flask, Response

app = Flask(__name__)


@app.get("/<int:count>")
def random_bytes(count: int) -> Response:
    """Give so many random bytes."""
    return Response(os.urandom(count), content_type="application/octet-stream")


if __name__ == "__main__":
    app.run(port=int(sys.argv[1]))
