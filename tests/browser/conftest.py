"""A Chromium for all browser tests, and a page for each that must not complain."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.servers import Programs

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium() -> str | None:
    """Return where this machine has a Chromium; None when it has none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium of this machine, without a window. No longer than its module: Playwright keeps an event loop running."""
    found = find_chromium()
    if found is None:
        pytest.skip("no Chromium on this machine")
    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=options)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, system: Programs) -> Iterator[Page]:
    """A page of the running web app; a script error, or something that the policy forbids, fails the test."""
    context = browser.new_context(base_url=system.url, viewport={"width": 1200, "height": 900})
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if "Content Security" in message.text else None)
    yield page
    context.close()
    assert faults == []
