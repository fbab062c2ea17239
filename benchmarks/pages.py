"""The pages with 10,000 jobs in the records, in a real browser: ``python -m benchmarks.pages``."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from playwright.sync_api import Page, sync_playwright

from benchmarks.goals import print_table, row
from benchmarks.processes import cpu_seconds
from kombu_zipkin.jobs import JobPublisher, JobState
from kombu_zipkin.tracing import NEVER, SpanRecorder, Tracer
from tests.browser.conftest import find_chromium
from tests.servers import Programs, RedisServer, ZipkinServer, wait_until

_JOBS: Final = 10_000
_LOADS: Final = 20
_STATES: Final = 10
_WATCHED_SECONDS: Final = 30.0
_PAINTED: Final = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
_NOTE_THE_END: Final = """(id) => {
  const look = () => {
    const row = document.getElementById("job-" + id)?.closest("tr");
    if (row && row.querySelector(".state.succeeded") && !window.ended) window.ended = Date.now();
  };
  window.ended = 0;
  new MutationObserver(look).observe(document.getElementById("jobs"), { childList: true, subtree: true });
}"""


def main() -> None:
    """Fill the records, then look."""
    with _system() as programs, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(base_url=programs.url, bypass_csp=True)  # to look inside
        parts = {
            "first": lambda: _first_screen(page),
            "states": lambda: _states(page, programs),
            "viewer": lambda: _viewer(page, programs),
        }
        print_table(parts, sys.argv[1:])


def _first_screen(page: Page) -> None:
    found = []
    for _ in range(_LOADS):
        page.goto("/")
        page.wait_for_function(_PAINTED)
        found.append(float(page.evaluate(_PAINTED)))
    row("first screen of the board: from the address to the first paint", found, "<= 300", "ms")


def _states(page: Page, programs: Programs) -> None:
    found = []
    for number in range(_STATES):
        page.goto("/")
        seconds = 1 + number * 0.07  # the page looks every 0.7 s: each job ends at another moment between two looks
        job: Any = programs.post("/api/jobs", {"task": "do_stuff", "arguments": {"seconds": seconds}})[1]
        page.evaluate(_NOTE_THE_END, job["id"])
        page.wait_for_function("window.ended")
        ended_ms = programs.get(f"/api/jobs/{job['id']}")[1]["finished_ms"]
        found.append(float(page.evaluate("window.ended")) - ended_ms)
    row("a job's end: from when it happened to when the board shows it", found, "<= 1000", "ms")
    row("the slowest of them", [max(found)], "<= 1000", "ms")


def _viewer(page: Page, programs: Programs) -> None:
    page.goto("about:blank")
    pid = programs["producer"].pid
    shares = []
    for address in ("about:blank", programs.url):
        page.goto(address)
        begun = cpu_seconds(pid)
        time.sleep(_WATCHED_SECONDS)
        shares.append(100 * (cpu_seconds(pid) - begun) / _WATCHED_SECONDS)
    row("one viewer of the board: the web app's share of a core", [shares[1] - shares[0]], "<= 5", "%")


@contextmanager
def _system() -> Iterator[Programs]:
    """Lend a running system in whose records there are the jobs."""
    zipkin = ZipkinServer()
    with TemporaryDirectory() as folder:
        redis = RedisServer(Path(folder))
        programs = Programs({"REDIS_URL": redis.url, "ZIPKIN_URL": zipkin.url})
        try:
            programs.start_worker()
            programs.start_producer()
            programs.start_relay()
            publisher = JobPublisher(redis.url, Tracer("filler", SpanRecorder(), sampler=NEVER))
            publisher.publish_many("do_stuff", [{"seconds": 0.0}] * _JOBS)
            wait_until(lambda: _ended(programs), f"{_JOBS} jobs to end", seconds=60)
            yield programs
        finally:
            programs.close()
            redis.close()
            zipkin.close()


def _ended(programs: Programs) -> bool:
    page: Any = programs.get("/api/jobs?state=queued&limit=1")[1]
    running: Any = programs.get(f"/api/jobs?state={JobState.RUNNING}&limit=1")[1]
    return not page["jobs"] and not running["jobs"]


if __name__ == "__main__":
    main()
