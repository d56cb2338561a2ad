"""The page in a real browser, before services that are plain processes: states, bottleneck, history, accessibility."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.integration.deployment import until
from tests.services.harness import Fleet, Redis, Service, free_port

from .pages import PATIENCE_MS, SIZES, Scheme, barriers, number, opened, picture, pixels, state

ResultT = TypeVar("ResultT")

COURSE = {"DELAY_SECONDS": 0.1}
ONE_BY_ONE = {**COURSE, "CONCURRENCY": 1}


def run(coroutine: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Run it in a thread of its own: playwright has an event loop at work in this one."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(asyncio.run, coroutine).result()


class Mine:
    """The services with the delays of the course, and as many workers as a test wants."""

    def __init__(self, folder: Path, password: str | None = None) -> None:
        (folder / "redis").mkdir()
        self.fleet = Fleet(folder)
        self.redis = Redis(folder / "redis", password)
        self.port = free_port()
        self.servers: dict[str, Service] = {}
        run(self.redis.start())

    @property
    def home(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start_webui(self, **settings: object) -> Service:
        return run(self.fleet.start("webui", self.port, **self.redis.settings, **settings))

    def start_servers(self) -> None:
        for name, settings in (("rng", ONE_BY_ONE), ("hasher", COURSE)):
            self.servers[name] = run(self.fleet.start(name, **settings))

    def start_workers(self, count: int) -> list[Service]:
        urls: dict[str, object] = {f"{name.upper()}_URL": server.url for name, server in self.servers.items()}
        return [run(self.fleet.start("worker", **ONE_BY_ONE, **urls, **self.redis.settings)) for _ in range(count)]

    def close(self) -> None:
        self.fleet.close()
        self.redis.close()


@pytest.fixture
def mine(tmp_path: Path) -> Generator[Mine]:
    mine = Mine(tmp_path)
    yield mine
    mine.close()


@pytest.fixture
def busy(mine: Mine) -> Mine:
    """A mine with two workers, which has drawn a line."""
    mine.start_webui()
    mine.start_servers()
    mine.start_workers(2)
    return mine


def drawn(page: Page) -> None:
    until(lambda: pixels(page, "speed-graph", "--line") > 0, "a line in the graph")


def verdict(page: Page, words: str) -> None:
    expect(page.locator("#bottleneck")).to_have_text(words, timeout=PATIENCE_MS)


def test_the_page_shows_that_rng_becomes_the_bottleneck_when_workers_are_added(browser: Browser, mine: Mine) -> None:
    mine.start_webui()
    mine.start_servers()
    mine.start_workers(1)
    with opened(browser, mine.home) as page:
        verdict(page, "No service holds the others back.")
        expect(page.locator("#service-rng .words")).to_have_text("up")
        picture(page, "page-one-worker")
        mine.start_workers(7)
        verdict(page, "rng holds the others back: the workers wait for it most of the time.")
        expect(page.locator("#service-rng .words")).to_have_text("up, holds the others back")
        expect(page.locator("#service-hasher .words")).to_have_text("up")
        expect(page.locator("#workers")).to_have_text("8")
        widths = {
            part: page.locator(f"#part-{part} .part-bar").evaluate("bar => bar.getBoundingClientRect().width")
            for part in ("worker", "rng", "hasher")
        }
        assert widths["rng"] > 1.5 * max(widths["worker"], widths["hasher"])
        expect(page.locator("#part-rng .part-words")).to_have_text("waiting for rng")
        # The speed is a mean of ten seconds.
        until(lambda: 8 < number(page, "speed") < 11.5, "ten hashes a second")
        picture(page, "page-bottleneck")


def test_without_a_worker_the_page_says_so_and_with_the_first_it_mines(browser: Browser, mine: Mine) -> None:
    mine.start_webui()
    with opened(browser, mine.home, "phone") as page:
        state(page, "No worker yet", "unknown")
        expect(page.locator("#service-worker .words")).to_have_text("none yet")
        verdict(page, "Not measured: the workers tell it while they mine.")
        expect(page.locator("#advice")).to_have_text("Nothing is mined until a worker runs.")
        picture(page, "page-no-worker-phone")
        mine.start_servers()
        mine.start_workers(1)
        state(page, "Mining", "good")
        expect(page.locator("#advice")).to_be_hidden()


def test_redis_goes_away_and_comes_back_before_the_eyes_of_old_and_new_readers(browser: Browser, busy: Mine) -> None:
    with opened(browser, busy.home) as page:
        state(page, "Mining", "good")
        until(lambda: number(page, "hashes") > 0, "hashes")
        busy.redis.kill()
        state(page, "redis is away", "bad")
        expect(page.locator("#service-redis .words")).to_have_text("does not answer")
        assert number(page, "hashes") > 0, "what was known stays on the page"
        with opened(browser, busy.home, "phone", "dark") as new_page:
            state(new_page, "redis is away", "bad")
            picture(new_page, "page-redis-away-phone")
        run(busy.redis.start())
        state(page, "Mining", "good")


def test_servers_that_do_not_answer_are_named(browser: Browser, busy: Mine) -> None:
    with opened(browser, busy.home) as page:
        state(page, "Mining", "good")
        busy.servers["hasher"].kill()
        state(page, "hasher does not answer", "bad")
        expect(page.locator("#service-hasher")).to_have_attribute("data-kind", "bad")


def test_a_password_that_redis_refuses_is_told_with_what_to_do_about_it(browser: Browser, tmp_path: Path) -> None:
    mine = Mine(tmp_path, password="right")
    try:
        mine.start_webui(REDIS_PASSWORD="wrong")
        with opened(browser, mine.home) as page:
            state(page, "redis refuses the password", "bad")
            expect(page.locator("#advice")).to_contain_text("REDIS_PASSWORD")
            expect(page.locator("#service-redis .words")).to_have_text("refuses the password")
            picture(page, "page-password-refused")
            assert not any(secret in page.content() for secret in ('right"', "wrong"))
    finally:
        mine.close()


def test_the_page_connects_again_after_webui_was_away(browser: Browser, busy: Mine) -> None:
    with opened(browser, busy.home) as page:
        state(page, "Mining", "good")
        next(service for service in busy.fleet.processes if service.name == "webui").kill()
        state(page, "Connecting\N{HORIZONTAL ELLIPSIS}", "unknown")
        picture(page, "page-connecting")
        busy.start_webui()
        state(page, "Mining", "good")


def test_the_history_survives_a_reload_also_where_webui_was_replaced(browser: Browser, busy: Mine) -> None:
    def remembered(page: Page) -> list[list[float]]:
        return json.loads(page.evaluate("localStorage.getItem('dockercoins.samples')") or "[]")

    with opened(browser, busy.home) as page:
        drawn(page)
        until(lambda: len(remembered(page)) > 3, "samples to be kept")
        first = remembered(page)[0]
        next(service for service in busy.fleet.processes if service.name == "webui").kill()
        busy.start_webui()
        page.reload()
        state(page, "Mining", "good")
        drawn(page)
        until(lambda: len(remembered(page)) > 3, "samples to be kept again")
        assert remembered(page)[0] == first
        # One who was never here gets what webui has.
        with opened(browser, busy.home) as new_page:
            drawn(new_page)


def test_what_a_browser_has_kept_wrongly_is_no_trouble(browser: Browser, busy: Mine) -> None:
    keep = "wrong => addEventListener('pagehide', () => localStorage.setItem('dockercoins.samples', wrong))"
    with opened(browser, busy.home) as page:
        for wrong in ('"x"', "[[1]]", "[[1, null, 2, 3, 4]]", "{"):
            page.evaluate(keep, wrong)
            page.reload()
            state(page, "Mining", "good")


def test_a_moment_of_the_graphs_can_be_read(browser: Browser, busy: Mine) -> None:
    with opened(browser, busy.home) as page:
        drawn(page)
        box = page.locator("#speed-graph .u-over").bounding_box()
        assert box
        page.mouse.move(box["x"] + box["width"] - 3, box["y"] + box["height"] / 2)
        moment = page.locator("#moment")
        expect(moment).to_contain_text("hashes per second, 2 workers, rng ")
        expect(moment).to_contain_text("hasher ")
        page.mouse.move(0, 0)
        expect(moment).to_have_text("Point at a graph to read a moment.")


def test_all_that_the_graphs_show_is_within_reach_of_keys_and_in_words(browser: Browser, busy: Mine) -> None:
    with opened(browser, busy.home) as page:
        drawn(page)
        page.keyboard.press("Tab")
        expect(page.locator("summary")).to_be_focused()
        page.keyboard.press("Enter")
        row = page.locator("#figures tr").first
        expect(row).to_be_visible()
        until(lambda: "2" in row.locator("td").nth(1).inner_text(), "the workers in the table")
        until(lambda: row.locator("td").nth(2).inner_text().endswith(" ms"), "the latency of rng in the table")
        for graph, words in (("speed-graph", "highest"), ("answers-graph", "hasher lowest")):
            named = page.get_by_role("img").and_(page.locator(f"#{graph}"))
            labels = (named.get_attribute("aria-labelledby") or "").split()
            until(lambda labels=labels, words=words: words in page.locator(f"#{labels[-1]}").inner_text(), words)
        expect(page.get_by_role("main")).to_be_visible()
        expect(page.get_by_role("heading", level=1)).to_have_text("DockerCoins")
        picture(page, "page-figures")


def test_a_screen_reader_is_told_changes_of_state_and_not_each_figure(browser: Browser, busy: Mine) -> None:
    watch = """() => {
      window.told = [];
      for (const region of document.querySelectorAll("[role=status], [aria-live]")) {
        new MutationObserver(() => window.told.push(region.textContent.trim())).observe(
          region, { characterData: true, childList: true, subtree: true });
      }
    }"""
    with opened(browser, busy.home) as page:
        state(page, "Mining", "good")
        expect(page.locator("#bottleneck")).not_to_contain_text("Not measured", timeout=PATIENCE_MS)
        page.evaluate(watch)
        first = number(page, "hashes")
        until(lambda: number(page, "hashes") > first + 15, "more hashes")
        assert page.evaluate("window.told") == []
        busy.redis.kill()
        state(page, "redis is away", "bad")
        assert "redis is away" in page.evaluate("window.told")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", list(SIZES))
def test_nothing_keeps_people_from_using_the_page(browser: Browser, busy: Mine, size: str, scheme: Scheme) -> None:
    with opened(browser, busy.home, size, scheme) as page:
        state(page, "Mining", "good")
        drawn(page)
        page.locator("summary").click()
        assert barriers(page) == []
        busy.redis.kill()
        state(page, "redis is away", "bad")
        assert barriers(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "it scrolls sideways"


def test_the_graphs_follow_the_scheme_while_the_page_is_open(browser: Browser, busy: Mine) -> None:
    def recoloured(scheme: Scheme) -> Callable[[], bool]:
        page.emulate_media(color_scheme=scheme)
        return lambda: pixels(page, "speed-graph", "--line") > 0

    with opened(browser, busy.home) as page:
        drawn(page)
        until(recoloured("dark"), "the line in the colour of the dark scheme")
        until(recoloured("light"), "the line in the colour of the light scheme")
