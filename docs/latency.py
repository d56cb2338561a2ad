"""Times rng and hasher as a worker sees them, from inside the cluster.

kubectl exec --stdin deployment/worker -- python - < docs/latency.py
"""

import time
import urllib.request

REQUESTS = 10

for name, url, body in (("rng", "http://rng/32", None), ("hasher", "http://hasher/", b"x" * 32)):
    seconds = 0.0
    for _ in range(REQUESTS):
        headers = {"Content-Type": "application/octet-stream"}
        request = urllib.request.Request(url, data=body, headers=headers)  # noqa: S310 - http, as above
        start = time.monotonic()
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - http, as above
            answer.read()
        seconds += time.monotonic() - start
    print(f"{name} {seconds / REQUESTS:.2f} s")
