"""So many browsers that have the page open: ``python -m benchmarks.browsers URL COUNT``.

Each asks for the URL once a second on a connection of its own that it keeps, at a moment of the second of its own. They
go when standard input ends. Prints ``STARTED`` when they begin, and at the end an ``Attendance`` as JSON.

It is a process of its own, so that what it takes of the processor can be told.
"""

from __future__ import annotations

import asyncio
import json
import math
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import aiohttp
import uvloop

from benchmarks.attendance import Attendance

STARTED: Final = "started"
_PATIENCE: Final = aiohttp.ClientTimeout(total=30)


@dataclass
class _Lesson:
    """What all browsers note down together; times are those of the monotonic clock.

    That of uvloop's event loop stands still for a millisecond at a time.
    """

    ends: float = math.inf
    last_answer: float = 0.0
    latencies: list[float] = field(default_factory=list[float])
    failures: Counter[str] = field(default_factory=Counter[str])
    connections: int = 0


async def browse(url: str, count: int, leaving: asyncio.Event) -> Attendance:
    """Let so many browsers ask until ``leaving`` is set; what was due until then is still asked."""
    lesson = _Lesson()
    processor, began = time.process_time(), time.monotonic()
    browsers = [asyncio.create_task(_browser(url, began + number / count, lesson)) for number in range(count)]
    await leaving.wait()
    lesson.ends = time.monotonic()
    await asyncio.gather(*browsers)
    return Attendance(
        browsers=count,
        seconds=max(lesson.ends, lesson.last_answer) - began,
        latencies=tuple(lesson.latencies),
        failures=dict(lesson.failures),
        connections=lesson.connections,
        processor=time.process_time() - processor,
    )


async def _browser(url: str, due: float, lesson: _Lesson) -> None:
    async def connected(*_: object) -> None:
        lesson.connections += 1

    tracing = aiohttp.TraceConfig()
    tracing.on_connection_create_end.append(connected)
    connector = aiohttp.TCPConnector(limit=1)
    async with aiohttp.ClientSession(connector=connector, timeout=_PATIENCE, trace_configs=[tracing]) as session:
        while due < lesson.ends:
            await asyncio.sleep(due - time.monotonic())
            if due >= lesson.ends:
                break
            # A timer may be early by less than a millisecond, which is not to make an answer look faster.
            wanted = min(due, time.monotonic())
            failure = await _failure(session, url)
            lesson.last_answer = time.monotonic()
            if failure:
                lesson.failures[failure] += 1
            else:
                lesson.latencies.append((lesson.last_answer - wanted) * 1000)
            due += 1


async def _failure(session: aiohttp.ClientSession, url: str) -> str | None:
    """Ask once, and say what is wrong with the answer."""
    try:
        async with session.get(url) as answer:
            content: Any = await answer.json()
            if answer.status != 200:  # noqa: PLR2004 - OK
                return f"answered {answer.status}"
            return None if isinstance(content, dict) and "hashes" in content else "answers without hashes"
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        return type(error).__name__


async def _until_input_ends(url: str, count: int) -> Attendance:
    leaving = asyncio.Event()
    browsing = asyncio.create_task(browse(url, count, leaving))
    print(STARTED, flush=True)
    await asyncio.to_thread(sys.stdin.buffer.read)
    leaving.set()
    return await browsing


def main(arguments: Sequence[str]) -> None:
    """Browse, as the module says."""
    url, count = arguments
    print(json.dumps(asdict(uvloop.run(_until_input_ends(url, int(count))))))


if __name__ == "__main__":
    main(sys.argv[1:])
