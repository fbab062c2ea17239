"""``kombu-zipkin trace``."""

import json
import sys

import click
from rich.console import Console
from rich.text import Text

from kombu_zipkin.cli.errors import FAILED, one_sentence
from kombu_zipkin.zipkin import SpanNode, TraceTree, ZipkinClient


@click.command()
@click.argument("trace_id")
@click.option("--zipkin-url", default="http://localhost:9411", show_default=True, envvar="ZIPKIN_URL", help="Zipkin.")
@click.option("--json", "as_json", is_flag=True, help="Print Zipkin's JSON.")
def trace(trace_id: str, zipkin_url: str, as_json: bool) -> None:
    """Draw the trace TRACE_ID as a tree: start, duration, service, kind and name of every span.

    \b
    Example:
        kombu-zipkin trace 6a9f3c2ad1b0e7f8c3d4e5f60718293a
    """
    with one_sentence():
        spans = ZipkinClient(zipkin_url).trace(trace_id)
    if not spans:
        print(
            f"kombu-zipkin: Zipkin has no trace {trace_id} (yet); a span takes about a second to arrive",
            file=sys.stderr,
        )
        sys.exit(FAILED)
    if as_json:
        print(json.dumps(spans))
        return
    console = Console(highlight=False, soft_wrap=True)
    for line in draw(TraceTree.of(spans)):
        console.print(line)


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
