"""``kombu-zipkin verify``."""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Final

import click

from kombu_zipkin.cli.errors import fail, one_sentence
from kombu_zipkin.cli.screen import json_option, number, print_grade, print_json
from kombu_zipkin.cli.web_app import WebApp
from kombu_zipkin.zipkin import SpanNode, TraceTree, ZipkinClient

SHAPE: Final = (
    ("index", "SERVER", "webapp", None),
    ("do_stuff", "", "webapp", "index"),
    ("publish demo", "PRODUCER", "webapp", "index"),
    ("wait in jobs", "", "redis", "publish demo"),
    ("index_service1", "CONSUMER", "worker", "publish demo"),
    ("service1_do_stuff", "", "worker", "index_service1"),
)
"""The trace of ``/demo``: name, kind, service and parent of every span."""

EDGES: Final = (("webapp", "redis"), ("redis", "worker"))
"""The edges it draws on Zipkin's dependency page."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold, and what was found instead where it does not."""

    what: str
    fault: str | None = None


@click.command()
@click.option(
    "--url", default="http://localhost:5000", show_default=True, envvar="KOMBU_ZIPKIN_URL", help="The web app."
)
@click.option("--zipkin-url", default="http://localhost:9411", show_default=True, envvar="ZIPKIN_URL", help="Zipkin.")
@click.option("--timeout", default=30.0, show_default=True, metavar="SECONDS", help="How long to wait for the trace.")
@json_option
def verify(url: str, zipkin_url: str, timeout: float, as_json: bool) -> None:
    """Post one job of the 2017 demo, and check its whole trace through Zipkin's API, a line a check.

    Exit 1 where a check does not hold.

    \b
    Example:
        kombu-zipkin verify --url http://localhost:5000 --zipkin-url http://localhost:9411
    """
    with one_sentence():
        client = ZipkinClient(zipkin_url)
        client.health()  # raises where nobody answers: then no job is posted
        posted = WebApp(url).get("/demo")
        if not as_json:
            print(f"     posted job {posted['id']}, trace {posted['trace_id']}")
        checks = []
        for check in _checks(client, posted["trace_id"], time.monotonic() + timeout):
            checks.append(check)
            if not as_json:
                _show(check)
    faults, link = sum(check.fault is not None for check in checks), posted["links"]["trace"]
    if as_json:
        said = {"holds": not faults, "job": posted["id"], "trace_id": posted["trace_id"], "trace": link}
        print_json({**said, "checks": [asdict(check) for check in checks]})
    else:
        print(f"\n{link}")
    if faults:
        fail(f"{number(faults, 'check')} failed; to look for the cause: kombu-zipkin doctor")


def _show(check: Check) -> None:
    if check.fault is None:
        print_grade("ok", check.what)
    else:
        print_grade("FAIL", f"{check.what}: {check.fault}")


def check_shape(tree: TraceTree) -> Iterator[Check]:
    """Check a ``/demo`` trace span by span."""
    parents = {id(child): node for _, node in tree.walk() for child in node.children}
    for name, kind, service, parent in SHAPE:
        found = [node for _, node in tree.walk() if node.name == name]
        what = f"span {name!r}: {kind or 'local'} of {service}, {f'below {parent!r}' if parent else 'the root'}"
        if len(found) != 1:
            yield Check(what, f"found {len(found)} of that name")
        else:
            above = parents.get(id(found[0]))
            yield Check(what, _difference(found[0], kind, service, parent, above))
    count = sum(1 for _ in tree.walk())
    yield Check(f"{len(SHAPE)} spans in all", None if count == len(SHAPE) else f"found {count}")
    yield Check("one root: nothing is missing", None if len(tree.roots) == 1 else f"found {len(tree.roots)}")


def _difference(node: SpanNode, kind: str, service: str, parent: str | None, above: SpanNode | None) -> str | None:
    if (node.kind, node.service) != (kind, service):
        return f"found {node.kind or 'local'} of {node.service}"
    if node.span.get("shared"):
        return "its id is shared with another span"
    name_above = above.name if above is not None else None
    return None if name_above == parent else f"found below {name_above!r}"


def _checks(client: ZipkinClient, trace_id: str, until: float) -> Iterator[Check]:
    tree = _wait_for_trace(client, trace_id, until)
    if tree is None:
        yield Check("the trace reaches Zipkin", "it did not; are worker and relay running?")
        return
    yield from check_shape(tree)
    edges = [(edge.parent, edge.child) for edge in client.dependencies(end_ms=int((time.time() + 3600) * 1000))]
    for parent, child in EDGES:
        found = ", ".join(f"{one} -> {other}" for one, other in edges) or "none"
        yield Check(f"dependency {parent} -> {child}", None if (parent, child) in edges else f"found {found}")


def _wait_for_trace(client: ZipkinClient, trace_id: str, until: float) -> TraceTree | None:
    """Return the trace once it is complete, or as it is when the time is up; None when Zipkin never had it."""
    spans = client.trace(trace_id)
    while (spans is None or len(spans) < len(SHAPE)) and time.monotonic() < until:
        time.sleep(0.2)
        spans = client.trace(trace_id)
    return TraceTree.of(spans) if spans else None
