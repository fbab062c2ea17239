"""From our pages into Zipkin's, and back."""

import re

from playwright.sync_api import Page, expect

from tests.producer.test_pages import post_job
from tests.servers import Programs, ZipkinServer


def test_a_trace_is_linked_once_zipkin_has_it_and_zipkin_links_back(
    page: Page, system: Programs, zipkin: ZipkinServer
) -> None:
    """The board's link, Zipkin's page of the trace, its "View Logs", our page of the trace."""
    job = post_job(system, "do_stuff", seconds=0)
    page.goto("/")
    row = page.locator("tr", has=page.locator(f"#job-{job['id']}"))
    link = row.get_by_role("link", name="in Zipkin")
    expect(link).to_be_visible(timeout=10_000)
    assert zipkin.api.trace(job["trace_id"])
    link.click()
    expect(page).to_have_url(f"{zipkin.url}/zipkin/traces/{job['trace_id']}")
    expect(page.locator("body")).to_contain_text("process do_stuff", timeout=20_000)
    menu = page.get_by_role("button", name="Span Table").locator("xpath=following::button[1]")  # it has no name
    menu.click()
    with page.context.expect_page() as opened:
        page.get_by_text("View Logs").click()
    ours = opened.value
    expect(ours).to_have_url(f"{system.url}/trace/{job['trace_id']}")
    expect(ours.locator("main")).to_contain_text(job["id"][:12])


def test_searches_find_what_they_are_for(page: Page, system: Programs, zipkin: ZipkinServer) -> None:
    """By task and by job; Zipkin searches at once."""
    job = post_job(system, "flaky", failures=0)
    zipkin.wait_for_trace(job["trace_id"], 4)
    for link in ("#same-task", "#same-job"):
        page.goto(f"/jobs/{job['id']}")
        page.locator(link).click()
        expect(page).to_have_url(re.compile(re.escape(f"{zipkin.url}/zipkin/?")))
        expect(page.get_by_role("row", name="webapp: post /api/jobs").first).to_be_visible(timeout=20_000)
