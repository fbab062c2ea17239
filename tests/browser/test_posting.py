"""Post from the forms: one, many, the demo; by keyboard; what is wrong beside its field."""

import re

from playwright.sync_api import Locator, Page, expect

from tests.servers import Programs


def form_of(page: Page, task: str) -> Locator:
    """Return a task's form."""
    return page.locator(f"#form-{task}")


def test_a_load_is_posted_with_progress(page: Page, system: Programs) -> None:
    """200 jobs at a rate; all of them end, and the page is still the same."""
    page.goto("/")
    form = form_of(page, "do_stuff")
    form.get_by_label("seconds").fill("0")
    form.get_by_text("Post many").click()
    form.get_by_label("How many").fill("200")
    form.get_by_label("A second").fill("100")
    form.get_by_role("button", name="Start the load").click()
    status = form.get_by_role("status")
    expect(status).to_contain_text("200 of 200 posted", timeout=20_000)
    expect(status).to_contain_text("done")
    expect(form.locator("progress")).to_have_attribute("value", "200")
    expect(page.locator(".counts")).to_contain_text("queued 0", timeout=15_000)
    expect(page.locator("#jobs tbody tr")).to_have_count(50)
    rate = re.search(r"([\d.]+) posted/s", page.locator(".pace").inner_text())
    assert rate is not None
    assert float(rate[1]) > 5


def test_a_load_is_stopped(page: Page, system: Programs) -> None:
    """And no more come."""
    page.goto("/")
    form = form_of(page, "do_stuff")
    form.get_by_label("seconds").fill("0")
    form.get_by_text("Post many").click()
    form.get_by_label("A second").press("Enter")
    expect(form.get_by_role("status")).to_contain_text(re.compile(r"^[1-9]\d* of 200 posted"))
    form.get_by_role("button", name="Stop").click()
    expect(form.get_by_role("status")).to_contain_text("stopped")
    expect(form.get_by_role("button", name="Start the load")).to_be_enabled()
    posted = form.get_by_role("status").inner_text()
    page.wait_for_timeout(300)
    assert form.get_by_role("status").inner_text() == posted


def test_a_refused_load_says_why_and_ends(page: Page) -> None:
    """All would be refused."""
    page.goto("/")
    form = form_of(page, "fetch")
    form.get_by_label("url").fill("x" * 66_000)
    form.get_by_text("Post many").click()
    form.get_by_role("button", name="Start the load").click()
    expect(form.get_by_role("status")).to_contain_text("expected at most 64 KiB")
    expect(form.get_by_role("status")).to_contain_text("stopped")


def test_a_fault_is_told_beside_its_field(page: Page) -> None:
    """By the server too, for what the browser lets pass; what was typed is kept."""
    page.goto("/")
    form = form_of(page, "fan_out")
    form.evaluate("form => { form.noValidate = true; }")
    form.get_by_label("n whole number").fill("101")
    form.get_by_role("button", name="Post fan_out").click()
    field = form_of(page, "fan_out").get_by_label("n whole number")
    expect(field).to_have_value("101")
    expect(field).to_have_accessible_description(re.compile("less than or equal to 100"))


def test_the_demo_is_a_button(page: Page) -> None:
    """It leads to the job, whose trace is that of the post of 2017."""
    page.goto("/")
    page.get_by_role("button", name="Run the demo of 2017").click()
    expect(page).to_have_url(re.compile(r"/jobs/\w+$"))
    expect(page.locator(".legend")).to_contain_text("complete", timeout=15_000)
    rows = page.locator(".waterfall .name").all_inner_texts()
    assert [re.sub(r"\s+", " ", row).strip() for row in rows] == [
        *("webapp index server", "webapp do_stuff", "webapp publish demo producer", "redis wait in jobs"),
        *("worker index_service1 consumer", "worker service1_do_stuff"),
    ]


def test_the_focus_stays_while_the_board_is_renewed(page: Page, system: Programs) -> None:
    """On the same job's link; and on the table when it is gone, so that Tab goes on from there."""
    _, job = system.post("/api/jobs", {"task": "do_stuff", "arguments": {"seconds": 0}})
    page.goto("/")
    link = page.locator(f"#job-{job['id']}")
    link.focus()
    system.post("/api/jobs", {"task": "do_stuff", "arguments": {"seconds": 0}})
    expect(page.locator("#jobs tbody tr").nth(1).locator("a").first).to_have_id(f"job-{job['id']}")
    expect(link).to_be_focused()
    page.evaluate("document.activeElement.id = 'gone'")
    system.post("/api/jobs", {"task": "do_stuff", "arguments": {"seconds": 0}})
    expect(page.locator("#jobs")).to_be_focused()


def test_a_job_is_posted_by_keyboard_alone(page: Page) -> None:
    """From the top of the page to the job's own, with Tab, Enter and what is typed."""
    page.goto("/")
    focused = None
    for _ in range(300):
        page.keyboard.press("Tab")
        focused = page.evaluate("document.activeElement.id")
        if focused == "do_stuff-seconds":
            break
    assert focused == "do_stuff-seconds"
    page.keyboard.type("0.01")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/jobs/\w+$"))
    expect(page.locator("h1 .state")).to_have_text("succeeded")
