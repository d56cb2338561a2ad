"""Whether the hashes that were counted were really done, told from what others than the worker know."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping

RANDOM_BYTES = 32
COINS_EACH = 16
"""One digest in so many begins with the hex digit 0."""

_DEVIATIONS = 6.0
"""So far from what is expected an honest run gets once in five hundred million."""

_COUNT = re.compile(r"^dockercoins_http_request_duration_seconds_count\{.*\} (\d+(?:\.\d+)?)$", re.MULTILINE)


class DishonestError(Exception):
    """Hashes were counted that were not done; the message says what shows it."""


def verify(hashes: int, wallet: Mapping[bytes, bytes], served: Mapping[str, int] | None = None) -> None:
    """Raise DishonestError if there are ``complaints``, of which see there."""
    if found := complaints(hashes, wallet, served):
        raise DishonestError("; ".join(found))


def answered(metrics: str) -> int:
    """How many requests a service has answered by its own metrics, those of probes among them."""
    return sum(int(float(count)) for count in _COUNT.findall(metrics))


def complaints(hashes: int, wallet: Mapping[bytes, bytes], served: Mapping[str, int] | None = None) -> list[str]:
    """What shows that hashes were counted that were not done; empty for an honest run.

    Bytes that repeat give the same coin again, and a unit that was not done gives none: both leave too few coins.

    Args:
        hashes: how many were counted.
        wallet: hex digest to the bytes that it was made from.
        served: how many requests of units rng and hasher have answered, by their own count.
    """
    found: list[str] = []
    wrong = sum(hashlib.sha256(content).hexdigest().encode() != digest for digest, content in wallet.items())
    if wrong:
        found.append(f"{wrong} of {len(wallet)} coins are not the SHA-256 of their bytes")
    poor = sum(not digest.startswith(b"0") for digest in wallet)
    if poor:
        found.append(f"{poor} of {len(wallet)} coins do not begin with 0")
    odd = sum(len(content) != RANDOM_BYTES for content in wallet.values())
    if odd:
        found.append(f"{odd} of {len(wallet)} coins were not made from {RANDOM_BYTES} bytes")
    expected = hashes / COINS_EACH
    spread = math.sqrt(expected * (1 - 1 / COINS_EACH))
    if abs(len(wallet) - expected) > _DEVIATIONS * spread + 1:
        found.append(f"{hashes} hashes give about {expected:.0f} coins, give or take {spread:.0f}, not {len(wallet)}")
    content = b"".join(wallet.values())
    ones = sum(byte.bit_count() for byte in content)
    bits = len(content) * 8
    if abs(ones - bits / 2) > _DEVIATIONS * math.sqrt(bits) / 2:
        found.append(f"{ones} of {bits} random bits are 1")
    found += [
        f"{hashes} hashes were counted, but {service} answered {count} requests"
        for service, count in (served or {}).items()
        if count < hashes
    ]
    return found
