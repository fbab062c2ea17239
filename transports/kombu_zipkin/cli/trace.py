"""``kombu-zipkin trace``."""

import json
import re
import sys
from typing import Final
from urllib.parse import quote

import click
from rich.console import Console
from rich.text import Text

from kombu_zipkin.cli.errors import FAILED, one_sentence
from kombu_zipkin.cli.web_app import WebApp
from kombu_zipkin.errors import InvalidJob, Unavailable
from kombu_zipkin.zipkin import SpanNode, TraceTree, ZipkinClient

_TRACE_ID: Final = re.compile("[0-9a-f]{16}|[0-9a-f]{32}")
_JOB_SECONDS: Final = 3.0


@click.command()
@click.argument("trace_id", metavar="TRACE_OR_JOB")
@click.option("--zipkin-url", default="http://localhost:9411", show_default=True, envvar="ZIPKIN_URL", help="Zipkin.")
@click.option(
    "--url", default="http://localhost:5000", show_default=True, envvar="KOMBU_ZIPKIN_URL", help="The web app."
)
@click.option("--json", "as_json", is_flag=True, help="Print Zipkin's JSON.")
def trace(trace_id: str, zipkin_url: str, url: str, as_json: bool) -> None:
    """Draw a trace, by its id or by that of one of its jobs: start, duration, service, kind and name of every span.

    \b
    Example:
        kombu-zipkin trace 6a9f3c2ad1b0e7f8c3d4e5f60718293a
    """
    with one_sentence():
        zipkin = ZipkinClient(zipkin_url)
        spans = zipkin.trace(trace_id) if _TRACE_ID.fullmatch(trace_id) else None
        if not spans:
            own = _trace_of_job(url, trace_id)
            spans = zipkin.trace(own) if own else None
    if not spans:
        print(
            f"kombu-zipkin: Zipkin has no trace {trace_id}, nor one of such a job (yet); a span takes about a second "
            "to arrive",
            file=sys.stderr,
        )
        sys.exit(FAILED)
    if as_json:
        print(json.dumps(spans))
        return
    console = Console(highlight=False, soft_wrap=True)
    for line in draw(TraceTree.of(spans)):
        console.print(line)


def _trace_of_job(url: str, job_id: str) -> str | None:
    """Ask the web app for a job's trace; None where there is no such job, or no web app and it may be a trace's id.

    Raises:
        Unavailable: There is no web app, and it is no trace's id.
    """
    try:
        job: dict[str, str | None] = WebApp(url, timeout=_JOB_SECONDS).get(f"/api/jobs/{quote(job_id, safe='')}")
        return job["trace_id"]
    except Unavailable as error:
        if _TRACE_ID.fullmatch(job_id):
            return None
        said = f"trace id: expected 16 or 32 lower-hex characters, got {job_id!r:.60}; for a job's id ask the web app: "
        raise Unavailable(f"{said}{error}") from error
    except (InvalidJob, KeyError, TypeError):
        return None


def draw(tree: TraceTree) -> list[Text]:
    """Return a line for every span: milliseconds since the trace began, duration, then the tree."""
    lines = [Text(f"{'start ms':>10} {'took ms':>10}  service and span", style="dim")]
    lines += [_line(tree.started_us, depth, node) for depth, node in tree.walk()]
    return lines


def _line(begun_us: int, depth: int, node: SpanNode) -> Text:
    line = Text(f"{(node.started_us - begun_us) / 1000:10.1f} {node.duration_us / 1000:10.1f}  ")
    line.append("  " * depth)
    line.append(f"{node.service} ", style="cyan")
    line.append(node.name, style="bold")
    if node.kind:
        line.append(f" {node.kind}", style="dim")
    if node.error is not None:
        line.append(f"  error: {node.error}", style="red")
    return line
