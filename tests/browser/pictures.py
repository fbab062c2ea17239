"""Take the pictures of the documents from the running system: ``python -m tests.browser.pictures``."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from playwright.sync_api import Browser, sync_playwright

from tests.browser.conftest import find_chromium
from tests.servers import Programs, RedisServer, ZipkinServer
from tests.servers.process import ROOT

FOLDER = ROOT / "docs" / "pictures"
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")

HEIGHTS = {"board": 760, "job": 1090}


def main() -> None:
    """Start everything, let some jobs run, and take each picture light and dark."""
    FOLDER.mkdir(exist_ok=True)
    zipkin = ZipkinServer()
    with TemporaryDirectory() as folder:
        redis = RedisServer(Path(folder))
        programs = Programs({"REDIS_URL": redis.url, "ZIPKIN_URL": zipkin.url})
        try:
            programs.start_worker()
            programs.start_producer()
            programs.start_relay()
            job_id = run_jobs(programs, zipkin)
            take(programs.url, {"board": "/", "job": f"/jobs/{job_id}"})
        finally:
            programs.close()
            redis.close()
            zipkin.close()


def run_jobs(programs: Programs, zipkin: ZipkinServer) -> str:
    """Run some of each kind; returns the id of the one whose page is shown."""
    post = [("do_stuff", {"seconds": 0.3}), ("flaky", {"failures": 2}), ("fail", {"message": "no such order"})]
    for task, arguments in [*post, ("demo", {}), ("fan_out", {"n": 3})]:
        _, shown = programs.post("/api/jobs", {"task": task, "arguments": arguments})
    zipkin.wait_for_trace(shown["trace_id"], 16, seconds=30)
    time.sleep(5)
    programs.post("/api/jobs", {"task": "do_stuff", "arguments": {"seconds": 8}})
    return str(shown["id"])


def take(url: str, pages: dict[str, str]) -> None:
    """Take each page in both schemes."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox", "--disable-gpu"])
        for scheme in SCHEMES:
            for name, path in pages.items():
                _take(browser, scheme, url + path, FOLDER / f"{name}-{scheme}.png")
        browser.close()


def _take(browser: Browser, scheme: Literal["light", "dark"], url: str, file: Path) -> None:
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": 1100, "height": HEIGHTS[file.stem.split("-")[0]]}
    )
    page = context.new_page()
    page.goto(url)
    page.wait_for_timeout(3500)
    page.screenshot(path=file)
    context.close()


if __name__ == "__main__":
    main()
