"""SHA-256, by Flask's development server: ``python -m benchmarks.simplest.hasher PORT``."""

import hashlib
import sys

from flask import Flask, Response, request

app = Flask(__name__)


@app.post("/")
def digest() -> Response:
    """Give the lowercase hex digest of the body."""
    return Response(hashlib.sha256(request.get_data()).hexdigest(), content_type="text/plain")


if __name__ == "__main__":
    app.run(port=int(sys.argv[1]))
