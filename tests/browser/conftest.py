import os
import shutil
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# What the browser would ask of others by itself is switched off, so that every request seen is one of the page's.
_QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)


def _chromium() -> Path:
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        subprocess.run(["apt-get", "install", "-qq", "-y", "--no-install-recommends", "chromium"], check=True)
        found = shutil.which("chromium")
    if found is None:
        pytest.fail("these tests drive a real browser: install chromium (`apt-get install chromium`)")
    return Path(found)


# Not longer than a module: an event loop runs as long as it is open, and tests of other files bring their own.
@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    """A headless Chromium."""
    # Chromium's own sandbox does not work for root.
    arguments = [*_QUIET, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=_chromium(), args=arguments)
        yield running
        running.close()
