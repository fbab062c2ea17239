"""``kombu-zipkin trace``."""

import re
import time
from typing import Any, Final
from urllib.parse import quote

import click

from kombu_zipkin.cli.errors import fail, one_sentence
from kombu_zipkin.cli.screen import console, json_option, print_json
from kombu_zipkin.cli.waterfall import ASCII, BLOCKS, drawn, plain
from kombu_zipkin.cli.web_app import ENDED, WebApp
from kombu_zipkin.errors import InvalidJob, Unavailable
from kombu_zipkin.outages import public_address
from kombu_zipkin.zipkin import TraceTree, ZipkinClient

_TRACE_ID: Final = re.compile("[0-9a-f]{16}|[0-9a-f]{32}")
_JOB_SECONDS: Final = 3.0
_LOOK_SECONDS: Final = 0.25
_QUIET_SECONDS: Final = 1.0  # spans come within about a second of each other


@click.command()
@click.argument("trace_id", metavar="TRACE_OR_JOB")
@click.option("--zipkin-url", default="http://localhost:9411", show_default=True, envvar="ZIPKIN_URL", help="Zipkin.")
@click.option(
    "--url", default="http://localhost:5000", show_default=True, envvar="KOMBU_ZIPKIN_URL", help="The web app."
)
@click.option(
    "--wait", type=click.FloatRange(0), metavar="SECONDS", help="Wait for it to arrive whole; exit 1 if it has not."
)
@click.option("--width", type=click.IntRange(40, 1000), metavar="N", help="Columns, instead of the terminal's.")
@json_option
def trace(trace_id: str, zipkin_url: str, url: str, wait: float | None, width: int | None, as_json: bool) -> None:
    """Draw a trace, by its id or by that of one of its jobs: a bar for every span, from its start to its end.

    Time in a queue is hatched, errors are red and have a line of their own. In a pipe, without --width, it is start,
    duration and tree alone, a line a span. --json prints what Zipkin has.

    \b
    Example:
        kombu-zipkin trace 6a9f3c2ad1b0e7f8c3d4e5f60718293a
        kombu-zipkin trace 0a056a4d9bfa493b92ac7bbc68fcd330 --wait 10
    """
    with one_sentence():
        zipkin = ZipkinClient(zipkin_url)
        looked = _Looked(zipkin, WebApp(url, timeout=_JOB_SECONDS), trace_id)
        is_whole = looked.wait(wait) if wait is not None else True
        spans = looked.spans or looked.look()
    if not spans:
        where = public_address(zipkin_url)
        fail(
            f"Zipkin on {where} has no trace {trace_id}, nor one of such a job (yet); a span takes about a second to "
            "arrive: --wait 10"
        )
    if as_json:
        print_json(spans)
    else:
        _print(spans, width)
    if not is_whole:
        fail(f"the trace was not whole after {wait:g} s; to look for the cause: kombu-zipkin doctor")


def _print(spans: list[dict[str, Any]], width: int | None) -> None:
    to, tree = console(), TraceTree.of(spans)
    lines = plain(tree)
    if width is not None or to.is_terminal:
        ink = ASCII if to.options.ascii_only else BLOCKS
        lines = drawn(tree, str(spans[0].get("traceId", "")), width or to.width, ink)
    for line in lines:
        to.print(line, soft_wrap=True)


class _Looked:
    """Looks for a trace by its own id, or by a job's.

    Args:
        zipkin: Has the traces.
        app: Knows the jobs.
        wanted: The id.
    """

    def __init__(self, zipkin: ZipkinClient, app: WebApp, wanted: str) -> None:
        self._zipkin = zipkin
        self._app = app
        self._wanted = wanted
        self._is_open = False
        self.spans: list[dict[str, Any]] | None = None

    def look(self) -> list[dict[str, Any]] | None:
        """Return the spans that Zipkin has now; None for none.

        Raises:
            Unavailable: Zipkin does not answer; or no web app does, and it is no trace's id.
        """
        self.spans = self._zipkin.trace(self._wanted) if _TRACE_ID.fullmatch(self._wanted) else None
        if not self.spans:
            own = self._trace_of_job()
            self.spans = self._zipkin.trace(own) if own else None
        return self.spans

    def wait(self, seconds: float) -> bool:
        """Look until the job is over, every parent there, and nothing more comes; returns whether that was in time."""
        until, count, since = time.monotonic() + seconds, 0, time.monotonic()
        while True:
            found, now = self.look() or [], time.monotonic()
            if len(found) != count or self._is_open:
                count, since = len(found), now
            if found and now - since >= _QUIET_SECONDS and not TraceTree.of(found).orphans:
                return True
            if now >= until:
                return False
            time.sleep(_LOOK_SECONDS)

    def _trace_of_job(self) -> str | None:
        """Ask the web app for a job's trace; None for no such job, or no web app where it may be a trace's id."""
        try:
            job: dict[str, str | None] = self._app.get(f"/api/jobs/{quote(self._wanted, safe='')}")
            self._is_open = job["state"] not in ENDED
            return job["trace_id"]
        except Unavailable as error:
            if _TRACE_ID.fullmatch(self._wanted):
                return None
            expected = f"trace id: expected 16 or 32 lower-hex characters, got {self._wanted!r:.60}"
            raise Unavailable(f"{expected}; for a job's id ask the web app: {error}") from error
        except (InvalidJob, KeyError, TypeError):
            return None
