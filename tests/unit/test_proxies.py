"""Which proxy an address is reached by: the rules of the Go package that docker and Pulumi's plugins use."""

import random
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

import pytest

from components.proxies import ProxyError, proxy_for
from tests.unit import oracles
from tests.unit.oracles import SEED

PACKAGE: Final = "golang.org/x/net"
GENERATED: Final = 10_000
PROXY: Final = "http://proxy.example:3128"
HOSTS: Final = (
    *(
        "registry.corp",
        "a.registry.corp",
        "corp",
        "xcorp",
        "localhost",
        "a.localhost",
        "REGISTRY.corp",
        "registry.corp.",
    ),
    *("10.1.2.3", "192.0.2.7", "127.0.0.1", "127.9.9.9", "[::1]", "[2001:db8::1]", "[::ffff:10.1.2.3]"),
)
EXCEPTIONS: Final = (
    *("10.0.0.0/8", "10.1.2.3/8", "192.0.2.7", "192.0.2.7:5000", "2001:db8::/32", "[2001:db8::1]:5000", "2001:db8::1"),
    *("corp", ".corp", "*.corp", "*.registry.corp", "registry.corp:5000", ".registry.corp:443", "*", " corp ", "CORP"),
    *(
        "",
        ":5000",
        "10.0.0.0/33",
        "10.0.0.0/255.0.0.0",
        "/8",
        "a/b",
        "[::1]",
        "**corp",
        "*corp",
        "10.1.2",
        "..corp",
        ".",
    ),
)
PROXIES: Final = (
    PROXY,
    "proxy.example:3128",
    "127.0.0.1:3128",
    "https://proxy.example",
    "http://u:p@proxy.example",
    "",
)


def _questions(seed: int, number: int) -> Iterator[dict[str, str]]:
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    for _ in range(number):
        port = chance.choice(("", "", ":443", ":5000", ":80"))
        yield {
            "http": chance.choice(PROXIES),
            "https": chance.choice(PROXIES),
            "no": ",".join(chance.choice(EXCEPTIONS) for _ in range(chance.randint(0, 3))),
            "url": f"{chance.choice(('http', 'https'))}://{chance.choice(HOSTS)}{port}/v2/",
        }


def test_the_proxy_is_that_which_docker_and_the_plugins_use(capsys: pytest.CaptureFixture[str]) -> None:
    asked = list(_questions(SEED, GENERATED))
    theirs = oracles.answers("proxies", asked)
    different: list[object] = []
    for question, their in zip(asked, theirs, strict=True):
        names = {"http": "HTTP_PROXY", "https": "HTTPS_PROXY", "no": "NO_PROXY"}
        environment = {name: question[key] for key, name in names.items()}
        our = proxy_for(urlsplit(question["url"]), environment)
        if our != their.value:
            different.append((question, our, their))
    with capsys.disabled():
        print(oracles.compared("addresses", PACKAGE, theirs, len(different)))
    through = sum(bool(their.value) for their in theirs)
    assert different[:5] == []
    assert 0.2 < through / len(asked) < 0.8


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy"])
def test_a_variable_may_be_in_lowercase(name: str) -> None:
    assert proxy_for(urlsplit("https://r.example/v2/"), {name: PROXY}) == PROXY


@pytest.mark.parametrize(
    "proxy", ["socks5://us:s3cret@proxy.example", "http://us:s3cret@", "http://us:s3cret@[", "h:port"]
)
def test_what_is_no_proxy_is_refused_with_its_variable_and_without_its_password(proxy: str) -> None:
    with pytest.raises(ProxyError, match="HTTPS_PROXY is not the address of a proxy") as caught:
        proxy_for(urlsplit("https://r.example/v2/"), {"HTTPS_PROXY": proxy})
    assert "s3cret" not in str(caught.value)
