"""The page in a real browser, before the real application."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.integration.deployment import ROOT, Deployment, until

SIZES = {"phone": (360, 740), "laptop": (1280, 800), "projector": (1920, 1080)}
SCREENSHOTS = ROOT / "test-results"
PATIENCE_MS = 60_000


@contextmanager
def opened(
    browser: Browser, deployment: Deployment, size: str = "laptop", scheme: Literal["light", "dark"] = "light"
) -> Generator[Page]:
    """The page at a size; when it is closed, it must have asked no other host and have said nothing wrong."""
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page = context.new_page()
    home = deployment.url("/")
    elsewhere: list[str] = []
    mistakes: list[str] = []
    page.on("request", lambda request: None if request.url.startswith(home) else elsewhere.append(request.url))
    page.on("pageerror", lambda error: mistakes.append(str(error)))
    page.goto(home)
    try:
        yield page
    finally:
        context.close()
    assert elsewhere == []
    assert mistakes == []


def state(page: Page, kind: str) -> None:
    expect(page.locator("#state")).to_have_attribute("data-kind", kind, timeout=PATIENCE_MS)


def number(page: Page, element: str) -> float:
    text = page.locator(f"#{element}").inner_text().replace(",", "")
    return float(text) if text != "\N{EN DASH}" else 0


def picture(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", list(SIZES))
def test_the_page_shows_a_mine_at_work(
    browser: Browser, deployment: Deployment, size: str, scheme: Literal["light", "dark"]
) -> None:
    with opened(browser, deployment, size, scheme) as page:
        expect(page).to_have_url(deployment.url("/index.html"))
        state(page, "good")
        expect(page.locator("#state-words")).to_have_text("Mining")
        for service in ("worker", "rng", "hasher", "redis"):
            expect(page.locator(f"#service-{service}")).to_have_attribute("data-kind", "good", timeout=PATIENCE_MS)
        first = number(page, "hashes")
        until(lambda: number(page, "hashes") > first, "more hashes on the page")
        until(lambda: number(page, "speed") > 0, "a speed on the page")
        # One hash in sixteen is a coin, so the first may take a while.
        until(lambda: number(page, "coins") > 0, "a coin on the page", limit=120)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "it scrolls sideways"
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        luminance = sum(int(part) for part in background.strip("rgba()").split(",")[:3]) / 3
        assert (luminance < 100) == (scheme == "dark"), background
        picture(page, f"page-{size}-{scheme}")


def test_the_graph_has_a_line_and_its_words_for_those_who_cannot_see_it(
    browser: Browser, deployment: Deployment
) -> None:
    with opened(browser, deployment) as page:
        state(page, "good")
        until(lambda: page.locator("#graph path").count() > 0, "a line in the graph")
        words = page.locator("#graph-words")
        until(lambda: "highest" in words.inner_text(), "words for the graph")
        expect(page.locator("#graph")).to_have_attribute("aria-labelledby", "graph-words")
        expect(page.get_by_role("main")).to_be_visible()
        expect(page.get_by_role("status")).to_have_text("Mining")
        expect(page.get_by_role("heading", level=1)).to_have_text("DockerCoins")


def test_without_a_worker_the_page_says_so(browser: Browser, deployment: Deployment) -> None:
    deployment.kubectl("scale", "deployment/worker", "--replicas=0")
    try:
        with opened(browser, deployment) as page:
            expect(page.locator("#state-words")).to_have_text("No worker yet", timeout=PATIENCE_MS)
            picture(page, "page-no-worker")
    finally:
        deployment.kubectl("scale", "deployment/worker", "--replicas=1")


def test_redis_goes_away_and_comes_back_before_the_eyes_of_the_reader(browser: Browser, deployment: Deployment) -> None:
    with opened(browser, deployment) as page:
        expect(page.locator("#state-words")).to_have_text("Mining", timeout=PATIENCE_MS)
        deployment.kubectl("scale", "deployment/redis", "--replicas=0")
        try:
            # webui is not ready without redis, so its Service lets go of it: the page that is open cannot reach it.
            until(lambda: page.locator("#state").get_attribute("data-kind") != "good", "the page to notice")
            picture(page, "page-redis-away")
        finally:
            deployment.kubectl("scale", "deployment/redis", "--replicas=1")
        expect(page.locator("#state-words")).to_have_text("Mining", timeout=PATIENCE_MS)
