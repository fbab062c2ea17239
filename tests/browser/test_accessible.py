"""Everybody can use the pages: axe-core finds nothing, light and dark, wide and narrow."""

from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.producer.test_pages import post_job
from tests.servers import Programs

SERIOUS = ("serious", "critical")


def findings(page: Page) -> list[str]:
    """Return what axe-core holds to be serious, and where."""
    found: Any = Axe().run(page).response
    return [
        f"{each['id']}: {each['help']}: {node['html']}"
        for each in found["violations"]
        if each["impact"] in SERIOUS
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_serious_fault(browser: Browser, system: Programs, scheme: Literal["light", "dark"]) -> None:
    """The board, a refused form, jobs that failed and that fanned out with their traces, the dead letters."""
    failed, branched = post_job(system, "fail"), post_job(system, "fan_out", n=2)
    context = browser.new_context(base_url=system.url, color_scheme=scheme)
    page = context.new_page()
    found: dict[str, list[str]] = {}
    for path in ("/", f"/jobs/{failed['id']}", f"/jobs/{branched['id']}", "/dead", "/dead/spans", "/jobs/nobody"):
        page.goto(path)
        if path.startswith("/jobs/") and not path.endswith("nobody"):
            expect(page.locator(".waterfall li").first).to_be_visible(timeout=15_000)
        for details in page.locator("details").all():
            details.evaluate("details => { details.open = true; }")
        found[path] = findings(page)
    page.goto("/?q=nobody")
    found["a refusal"] = findings(page)
    context.close()
    assert {path: faults for path, faults in found.items() if faults} == {}


def test_axe_finds_what_is_wrong(page: Page) -> None:
    """The check itself can fail."""
    page.goto("/")
    page.evaluate("document.querySelector('[name=q]').closest('label').replaceWith(document.createElement('input'))")
    assert any(fault.startswith("label:") for fault in findings(page))
