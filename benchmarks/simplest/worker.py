"""One unit after the other: ``python -m benchmarks.simplest.worker RNG HASHER REDIS`` (URLs, and redis's port)."""

import sys
import time

import redis
import requests

_SECONDS = 10


def main(rng: str, hasher: str, port: int) -> None:
    """Mine until killed, and count once a second."""
    store = redis.Redis(port=port)
    counted, since = 0, time.monotonic()
    while True:
        if time.monotonic() - since > 1:
            store.incrby("hashes", counted)
            counted, since = 0, time.monotonic()
        content = requests.get(f"{rng}/32", timeout=_SECONDS).content
        digest = requests.post(hasher, data=content, timeout=_SECONDS).text
        counted += 1
        if digest.startswith("0"):
            store.hset("wallet", digest, content)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
