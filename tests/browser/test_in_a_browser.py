"""What a person does on the pages."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.servers import Programs, RedisServer, ZipkinServer


def test_a_job_is_posted_and_followed_without_a_reload(page: Page, zipkin: ZipkinServer) -> None:
    """From the form to its end, its trace drawn below, to Zipkin and back."""
    page.goto("/")
    form = page.locator("form", has=page.get_by_role("heading", name="do_stuff"))
    form.get_by_label("seconds").fill("3")
    form.get_by_role("button").click()
    expect(page).to_have_url(re.compile(r"/jobs/\w+$"))
    page.evaluate("window.sameDocument = true")
    expect(page.locator("h1 .state")).to_have_text(re.compile("running|queued"))
    expect(page.locator("h1 .state")).to_have_text("succeeded", timeout=10_000)
    expect(page.locator(".legend")).to_contain_text("complete", timeout=15_000)
    assert page.locator(".waterfall li").count() == 5
    assert page.evaluate("window.sameDocument") is True
    row = page.locator(".waterfall summary", has_text="process do_stuff")
    row.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".waterfall details[open]")).to_contain_text("job.attempt")
    with page.expect_navigation():
        page.get_by_role("link", name="Trace in Zipkin").click()
    assert page.url.startswith(f"{zipkin.url}/zipkin/traces/")


def test_the_board_shows_what_happens_elsewhere(page: Page, system: Programs) -> None:
    """A job that somebody else posts is there within a second or two, and its state changes in place."""
    page.goto("/")
    page.evaluate("window.sameDocument = true")
    _, job = system.post("/api/jobs", {"task": "do_stuff", "arguments": {"seconds": 3}})
    row = page.locator("tr", has=page.locator(f"#job-{job['id']}"))
    expect(row.locator(".state")).to_have_text("running", timeout=10_000)
    expect(row.locator(".state")).to_have_text("succeeded", timeout=10_000)
    assert page.evaluate("window.sameDocument") is True
    page.get_by_label("Job or trace id").fill(job["id"])
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/jobs/{job['id']}$"))


def test_a_dead_job_is_run_again_by_keyboard_alone(page: Page, system: Programs) -> None:
    """Tab to the button, Enter."""
    _, job = system.post("/api/jobs", {"task": "fail", "arguments": {}})
    page.goto(f"/jobs/{job['id']}")
    expect(page.locator("#retry")).to_be_visible(timeout=10_000)
    first = page.locator("time").nth(1).get_attribute("datetime")
    page.locator("#retry").focus()
    page.keyboard.press("Enter")
    expect(page.locator("time").nth(1)).not_to_have_attribute("datetime", str(first), timeout=10_000)
    expect(page.locator("h1 .state")).to_have_text("dead-lettered")


def test_a_hostile_job_is_text(page: Page, system: Programs) -> None:
    """No script of its own runs, no element of its own appears."""
    hostile = "<img src=x onerror=window.owned=1><script>window.owned=1</script>"
    _, job = system.post("/api/jobs", {"task": "fail", "arguments": {"message": hostile}})
    page.goto(f"/jobs/{job['id']}")
    expect(page.locator("main")).to_contain_text(hostile, timeout=10_000)
    page.goto("/dead")
    expect(page.locator("main")).to_contain_text(hostile)
    assert page.evaluate("window.owned") is None
    assert page.locator("main img, main script").count() == 0


@pytest.mark.parametrize("path", ["/", "/dead", "/jobs/{job}", "/trace/{trace}"])
def test_a_phone_needs_no_sideways_scrolling(browser: Browser, system: Programs, path: str) -> None:
    """At 360 pixels; tables scroll in themselves."""
    _, job = system.post("/api/jobs", {"task": "fan_out", "arguments": {"n": 2}})
    context = browser.new_context(base_url=system.url, viewport={"width": 360, "height": 740})
    page = context.new_page()
    page.goto(path.format(job=job["id"], trace=job["trace_id"]))
    page.wait_for_timeout(2500)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    context.close()


def test_the_board_tells_of_redis_and_of_itself(browser: Browser, own_redis: RedisServer, zipkin: ZipkinServer) -> None:
    """Redis stopped and started, the web app stopped and started: the page says so and goes on."""
    own = Programs({"REDIS_URL": own_redis.url, "ZIPKIN_URL": zipkin.url})
    own.start_producer()
    context = browser.new_context(base_url=own.url)
    page = context.new_page()
    try:
        page.goto("/")
        expect(page.locator("#jobs")).to_contain_text("None yet")
        own_redis.stop()
        expect(page.locator("#jobs")).to_contain_text("Redis does not answer", timeout=10_000)
        own_redis.start()
        expect(page.locator("#jobs")).to_contain_text("None yet", timeout=10_000)
        own.kill("producer")
        expect(page.locator("#away")).to_contain_text("The web app does not answer", timeout=10_000)
        own.start_producer()
        expect(page.locator("#away")).to_be_hidden(timeout=15_000)
    finally:
        context.close()
        own.close()


def test_a_dead_letter_is_replayed_and_thrown_away(page: Page, system: Programs) -> None:
    """On the page of the dead letters; throwing away needs the tick beside it."""
    _, job = system.post("/api/jobs", {"task": "fail", "arguments": {"message": "for the browser"}})
    page.goto(f"/jobs/{job['id']}")
    expect(page.locator("h1 .state")).to_have_text("dead-lettered", timeout=10_000)
    began = page.locator("tbody time").get_attribute("datetime")
    page.goto("/dead?reason=for the browser")
    letter = page.locator("li", has=page.locator(f"#letter-{job['id']}"))
    letter.locator("summary").click()
    letter.get_by_role("button", name="Run it again").click()
    expect(page.get_by_role("status").last).to_have_text("1 put back into their queues.")
    page.goto(f"/jobs/{job['id']}")
    expect(page.locator("tbody time")).not_to_have_attribute("datetime", str(began), timeout=10_000)
    expect(page.locator("h1 .state")).to_have_text("dead-lettered", timeout=10_000)
    page.goto("/dead?reason=for the browser")
    letter.locator("summary").click()
    letter.get_by_role("button", name="Throw it away").click()
    expect(letter).to_be_visible()  # the browser asks for the tick
    letter.get_by_label("for good").check()
    letter.get_by_role("button", name="Throw it away").click()
    expect(page.get_by_role("status").last).to_have_text("1 thrown away.")
    expect(letter).to_have_count(0)
