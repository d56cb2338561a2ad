"""The page in a real browser, before the real application in its cluster."""

import pytest
from playwright.sync_api import Browser, expect

from tests.integration.deployment import Deployment, until

from .pages import PATIENCE_MS, SIZES, Scheme, number, opened, picture, pixels, state


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", list(SIZES))
def test_the_page_shows_a_mine_at_work(browser: Browser, deployment: Deployment, size: str, scheme: Scheme) -> None:
    with opened(browser, deployment.url("/"), size, scheme) as page:
        expect(page).to_have_url(deployment.url("/index.html"))
        state(page, "Mining", "good")
        for service in ("worker", "rng", "hasher", "redis"):
            expect(page.locator(f"#service-{service}")).to_have_attribute("data-kind", "good", timeout=PATIENCE_MS)
        first = number(page, "hashes")
        until(lambda: number(page, "hashes") > first, "more hashes on the page")
        until(lambda: number(page, "speed") > 0, "a speed on the page")
        # One hash in sixteen is a coin, so the first may take a while.
        until(lambda: number(page, "coins") > 0, "a coin on the page", limit=120)
        assert number(page, "workers") == 1
        for graph, colour in (("speed-graph", "--line"), ("answers-graph", "--rng"), ("answers-graph", "--hasher")):
            until(lambda graph=graph, colour=colour: pixels(page, graph, colour) > 0, f"{colour} in {graph}")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "it scrolls sideways"
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        luminance = sum(int(part) for part in background.strip("rgba()").split(",")[:3]) / 3
        assert (luminance < 100) == (scheme == "dark"), background
        picture(page, f"page-{size}-{scheme}")


def test_without_a_worker_the_page_says_so(browser: Browser, deployment: Deployment) -> None:
    deployment.kubectl("scale", "deployment/worker", "--replicas=0")
    try:
        with opened(browser, deployment.url("/")) as page:
            state(page, "No worker yet", "unknown")
            picture(page, "page-no-worker")
    finally:
        deployment.kubectl("scale", "deployment/worker", "--replicas=1")


def test_redis_goes_away_and_comes_back_before_the_eyes_of_old_and_new_readers(
    browser: Browser, deployment: Deployment
) -> None:
    with opened(browser, deployment.url("/")) as page:
        state(page, "Mining", "good")
        deployment.kubectl("scale", "deployment/redis", "--replicas=0")
        try:
            state(page, "redis is away", "bad")
            # One who comes now can load the page, since webui stays ready, and reads what is the matter.
            with opened(browser, deployment.url("/")) as new_page:
                state(new_page, "redis is away", "bad")
                picture(new_page, "page-redis-away")
        finally:
            deployment.kubectl("scale", "deployment/redis", "--replicas=1")
        state(page, "Mining", "good")
