"""hasher: the wire contract."""

import asyncio
import hashlib
import os
import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest

from services.hasher.hasher.app import MOST_BYTES

from .harness import Fleet


async def test_the_root_names_the_service_and_its_host(fleet: Fleet, http: aiohttp.ClientSession) -> None:
    hasher = await fleet.start("hasher")
    async with http.get(f"{hasher.url}/") as answer:
        assert (answer.status, answer.content_type) == (200, "text/plain")
        text = await answer.text()
    assert "hasher" in text
    assert socket.gethostname() in text


@pytest.mark.parametrize("length", [0, 1, 32, 65537, MOST_BYTES])
async def test_the_answer_is_the_lowercase_hex_sha256_and_nothing_else(
    fleet: Fleet, http: aiohttp.ClientSession, length: int
) -> None:
    hasher = await fleet.start("hasher")
    body = os.urandom(length)
    async with http.post(f"{hasher.url}/", data=body) as answer:
        assert (answer.status, answer.content_type) == (200, "text/plain")
        assert await answer.read() == hashlib.sha256(body).hexdigest().encode()


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "application/json", "text/plain"])
async def test_the_type_of_the_body_does_not_matter(
    fleet: Fleet, http: aiohttp.ClientSession, content_type: str
) -> None:
    hasher = await fleet.start("hasher")
    async with http.post(f"{hasher.url}/", data=b"a=b&c", headers={"Content-Type": content_type}) as answer:
        assert await answer.text() == hashlib.sha256(b"a=b&c").hexdigest()


async def test_a_body_in_chunks_is_hashed_as_a_whole(fleet: Fleet, http: aiohttp.ClientSession) -> None:
    hasher = await fleet.start("hasher")

    async def chunks() -> AsyncIterator[bytes]:
        for part in (b"one", b"two", b"three"):
            yield part

    async with http.post(f"{hasher.url}/", data=chunks()) as answer:
        assert await answer.text() == hashlib.sha256(b"onetwothree").hexdigest()


async def test_a_body_that_is_too_long_is_refused(fleet: Fleet, http: aiohttp.ClientSession) -> None:
    hasher = await fleet.start("hasher")
    async with http.post(f"{hasher.url}/", data=bytes(MOST_BYTES + 1)) as answer:
        assert answer.status == 413
        assert str(MOST_BYTES) in await answer.text()
    async with http.post(f"{hasher.url}/", data=b"") as answer:
        assert answer.status == 200


async def test_any_number_of_requests_sleep_at_a_time(fleet: Fleet, http: aiohttp.ClientSession) -> None:
    hasher = await fleet.start("hasher", DELAY_SECONDS=0.5)

    async def sha256() -> int:
        async with http.post(f"{hasher.url}/", data=b"x") as answer:
            return answer.status

    # One after the other, the eighty would take forty seconds; the client gives up after twenty.
    assert set(await asyncio.gather(*(sha256() for _ in range(80)))) == {200}
