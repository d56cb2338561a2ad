"""What the tests of the page have in common: a page at a size that may do nothing but show what webui says."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Literal, cast

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from tests.integration.deployment import ROOT

SIZES = {"phone": (360, 740), "laptop": (1280, 800), "projector": (1920, 1080)}
SCREENSHOTS = ROOT / "test-results"
PATIENCE_MS = 60_000

Scheme = Literal["light", "dark"]


@contextmanager
def opened(browser: Browser, home: str, size: str = "laptop", scheme: Scheme = "light") -> Generator[Page]:
    """The page at a size; when it is closed, it must have asked no other host and have made no mistake."""
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page = context.new_page()
    elsewhere: list[str] = []
    mistakes: list[str] = []

    def note(message: ConsoleMessage) -> None:
        # That an answer is missing or 503 is what some tests are about, and Chromium tells it as an error.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            mistakes.append(message.text)

    page.on("request", lambda request: None if request.url.startswith(home) else elsewhere.append(request.url))
    page.on("pageerror", lambda error: mistakes.append(str(error)))
    page.on("console", note)
    page.goto(home)
    try:
        yield page
    finally:
        context.close()
    assert elsewhere == []
    assert mistakes == [], "\n".join(mistakes)


def state(page: Page, words: str, kind: str) -> None:
    """Wait until the page tells this state."""
    expect(page.locator("#state-words")).to_have_text(words, timeout=PATIENCE_MS)
    expect(page.locator("#state")).to_have_attribute("data-kind", kind)


def number(page: Page, element: str) -> float:
    text = page.locator(f"#{element}").inner_text().replace(",", "")
    return float(text) if text != "\N{EN DASH}" else 0


def picture(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


_COUNT_PIXELS = """box => {
  const canvas = box.querySelector("canvas");
  const wanted = document.createElement("canvas").getContext("2d");
  wanted.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(box.dataset.wanted);
  wanted.fillRect(0, 0, 1, 1);
  const [red, green, blue] = wanted.getImageData(0, 0, 1, 1).data;
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let count = 0;
  for (let i = 0; i < data.length; i += 4) {
    count += data[i] === red && data[i + 1] === green && data[i + 2] === blue && data[i + 3] === 255;
  }
  return count;
}"""


def pixels(page: Page, graph: str, colour: str) -> int:
    """How many pixels of a graph have the colour that the style sheet names so; 0 before it is drawn."""
    box = page.locator(f"#{graph}")
    if box.locator("canvas").count() == 0:
        return 0
    box.evaluate("(box, wanted) => { box.dataset.wanted = wanted; }", colour)
    return cast(int, box.evaluate(_COUNT_PIXELS))


def barriers(page: Page) -> list[str]:
    """What axe-core finds that keeps people from using the page."""
    axe = cast(Any, Axe())  # its types say nothing of what is in an answer
    found = axe.run(page).response
    return [
        f"{violation['id']}: {node['html']}: {node['failureSummary']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]
