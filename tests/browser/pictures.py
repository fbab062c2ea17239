"""Take the pictures of the documents from the running system: ``python -m tests.browser.pictures``."""

import io
import os
import pty
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple

from playwright.sync_api import Browser, sync_playwright
from rich.console import Console
from rich.terminal_theme import DEFAULT_TERMINAL_THEME, SVG_EXPORT_THEME
from rich.text import Text

from kombu_zipkin.zipkin import ZipkinLinks
from tests.browser.conftest import find_chromium
from tests.servers import Programs, RedisServer, ZipkinServer
from tests.servers.process import ROOT
from tests.servers.programs import KOMBU_ZIPKIN

FOLDER = ROOT / "docs" / "pictures"
COLUMNS = 108

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
THEMES = {"light": DEFAULT_TERMINAL_THEME, "dark": SVG_EXPORT_THEME}


class View(NamedTuple):
    """A page, and how high its picture is."""

    name: str
    url: str
    height: int
    wait_ms: int = 3500


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
            env = {"REDIS_URL": redis.url, "ZIPKIN_URL": zipkin.url, "KOMBU_ZIPKIN_URL": programs.url}
            with sync_playwright() as playwright:
                options = ["--no-sandbox", "--disable-gpu"]
                browser = playwright.chromium.launch(executable_path=find_chromium(), args=options)
                take_zipkin(browser, programs, zipkin)
                job_id = run_jobs(programs, zipkin)
                printed = in_a_terminal(["trace", job_id], env)
                for scheme in SCHEMES:
                    _take(browser, View(f"board-{scheme}", programs.url, 760), scheme)
                    _take(browser, View(f"job-{scheme}", f"{programs.url}/jobs/{job_id}", 1150), scheme)
                    _draw(browser, scheme, printed)
                browser.close()
        finally:
            programs.close()
            redis.close()
            zipkin.close()


def take_zipkin(browser: Browser, programs: Programs, zipkin: ZipkinServer) -> None:
    """Take Zipkin's pages after the demo alone: a fan-out's loop between worker and queue draws badly there."""
    traces = [programs.get("/demo")[1]["trace_id"] for _ in range(5)]
    for trace_id in traces:
        zipkin.wait_for_trace(trace_id, 6)
    links = ZipkinLinks(zipkin.url)
    _take(browser, View("zipkin-trace", links.trace(traces[-1]), 480, 6000), "light")
    _take(browser, View("zipkin-dependencies", links.dependencies(), 480, 6000), "light")


def run_jobs(programs: Programs, zipkin: ZipkinServer) -> str:
    """Run some of each kind; returns the id of the one whose page is shown."""
    post = [("do_stuff", {"seconds": 0.3}), ("flaky", {"failures": 2}), ("fail", {"message": "no such order"})]
    for task, arguments in [*post, ("fan_out", {"n": 3})]:
        _, shown = programs.post("/api/jobs", {"task": task, "arguments": arguments})
    zipkin.wait_for_trace(shown["trace_id"], 16, seconds=30)
    time.sleep(5)
    programs.post("/api/jobs", {"task": "do_stuff", "arguments": {"seconds": 8}})
    return str(shown["id"])


def in_a_terminal(argv: list[str], env: Mapping[str, str]) -> Text:
    """Run a command of ours as in a terminal; returns what it printed, with its colours, below the command itself."""
    ours, theirs = pty.openpty()
    sized = {**os.environ, **env, "COLUMNS": str(COLUMNS), "LINES": "50", "TERM": "xterm-256color"}
    sized.pop("NO_COLOR", None)
    process = subprocess.Popen([*KOMBU_ZIPKIN, *argv], env=sized, cwd=ROOT, stdout=theirs, stderr=theirs)
    os.close(theirs)
    printed = b""
    while True:
        try:
            some = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not some:
            break
        printed += some
    os.close(ours)
    process.wait()
    typed = f"$ kombu-zipkin {' '.join(argv)}\n"
    return Text.from_ansi(typed + printed.decode().replace("\r\n", "\n"))


def _take(browser: Browser, view: View, scheme: Scheme) -> None:
    context = browser.new_context(color_scheme=scheme, viewport={"width": 1100, "height": view.height})
    page = context.new_page()
    page.goto(view.url)
    page.wait_for_timeout(view.wait_ms)
    page.screenshot(path=FOLDER / f"{view.name}.png")
    context.close()


def _draw(browser: Browser, scheme: Scheme, printed: Text) -> None:
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(printed)
    drawing = console.export_svg(title="kombu-zipkin trace", theme=THEMES[scheme])
    context = browser.new_context(viewport={"width": 1100, "height": 900}, offline=True)
    page = context.new_page()
    page.set_content(f"<body style='margin:0'>{drawing}</body>")
    page.locator("svg").screenshot(path=FOLDER / f"terminal-{scheme}.png", omit_background=True)
    context.close()


if __name__ == "__main__":
    main()
