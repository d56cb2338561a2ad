from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from .harness import Fleet, Redis


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "docker: builds and runs images; needs a Docker Engine")


@pytest.fixture
def fleet(tmp_path: Path) -> Generator[Fleet]:
    fleet = Fleet(tmp_path)
    yield fleet
    fleet.close()


@pytest_asyncio.fixture
async def redis(tmp_path: Path) -> AsyncGenerator[Redis]:
    folder = tmp_path / "redis"
    folder.mkdir()
    redis = Redis(folder)
    try:
        await redis.start()
        yield redis
    finally:
        redis.close()


@pytest_asyncio.fixture
async def http() -> AsyncGenerator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        yield session
