"""Which proxy the environment names for an address, by the rules of Go's ``golang.org/x/net/http/httpproxy``.

Docker, Pulumi's plugins and kubectl follow them, so that all go the same way. Python's own know neither
``10.0.0.0/8`` nor ``*.example``.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import SplitResult, urlsplit

_PORTS: Final = {"http": "80", "https": "443"}
_HOST_AND_PORT: Final = re.compile(r"(?:\[(?P<inner>[^\[\]]*)\]|(?P<host>[^:\[\]]*)):(?P<port>[^:\[\]]*)")

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class ProxyError(ValueError):
    """The environment names a proxy that cannot be used; the message names the variable, and shows no password."""


def proxy_for(url: SplitResult, environment: Mapping[str, str]) -> str:
    """The address of the proxy for a URL, with ``http://`` where it has no scheme; empty for none.

    ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``NO_PROXY`` are read, or else the same in lowercase.

    Raises:
        ProxyError: the variable for this URL holds no address of an HTTP proxy.
    """
    name = f"{url.scheme.upper()}_PROXY"
    proxy = _variable(environment, name)
    if not proxy or not _goes_through(url, _variable(environment, "NO_PROXY")):
        return ""
    problem = ProxyError(f"{name} is not the address of a proxy, such as http://proxy.example:3128")
    try:
        parts = urlsplit(proxy)
        parts = parts if parts.scheme and parts.netloc else urlsplit(f"http://{proxy}")
        usable = parts.scheme in _PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise problem from None
    if not usable:
        raise problem
    return parts.geturl()


def _variable(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name) or environment.get(name.lower()) or ""


def _goes_through(url: SplitResult, exceptions: str) -> bool:
    host = (url.hostname or "").lower()
    port = str(url.port or _PORTS.get(url.scheme, ""))
    address = _address(host)
    if host == "localhost" or (address and address.is_loopback):
        return False
    return not any(_is_excepted(host, address, port, entry) for entry in _entries(exceptions))


def _entries(exceptions: str) -> Iterator[str]:
    for entry in exceptions.split(","):
        text = entry.strip().lower()
        if text:
            yield text


def _is_excepted(host: str, address: _Address | None, port: str, entry: str) -> bool:
    if entry == "*":
        return True
    if "/" in entry and (network := _network(entry)):
        return address is not None and address in network
    split = _HOST_AND_PORT.fullmatch(entry)
    name, wanted = (split["inner"] or split["host"] or "", split["port"]) if split else (entry, "")
    if not name or wanted not in ("", port):
        return False
    excepted = _address(name)
    if excepted or address:
        return excepted == address
    name = name.removeprefix("*") if name.startswith("*.") else name
    return host.endswith(name) if name.startswith(".") else host == name or host.endswith(f".{name}")


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    if not re.fullmatch(r"[^/]+/[0-9]+", text):
        return None
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _address(text: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
