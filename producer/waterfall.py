"""A trace as a waterfall: a row for every span, with where its bar stands."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kombu_zipkin.jobs import Job, JobState
from kombu_zipkin.zipkin import Bar, SpanNode, Timeline, TraceTree

_COLOURS: Final = 6
_LEAST_PERCENT: Final = 0.3  # a bar that can be seen
_ROWS: Final = 500
_OPEN: Final = (JobState.QUEUED, JobState.RUNNING, JobState.WAITING)


@dataclass(frozen=True, slots=True)
class Row:
    """One span.

    Attributes:
        id: The span's id.
        depth: How deep it lies in the tree.
        service: Who reported it.
        name: The span's name.
        kind: CLIENT, SERVER, PRODUCER, CONSUMER, or empty.
        is_wait: Whether it is time in a queue, or before another attempt.
        colour: Number of the service's colour.
        left: Where the bar begins, in percent of the trace's duration.
        width: How wide it is, in percent.
        starts_ms: Milliseconds after the trace began.
        took_ms: Milliseconds.
        error: What went wrong; None when nothing did.
        job_id: The job that it belongs to, or publishes; None for none.
        tags: Names and values.
    """

    id: str
    depth: int
    service: str
    name: str
    kind: str
    is_wait: bool
    colour: int
    left: float
    width: float
    starts_ms: float
    took_ms: float
    error: str | None
    job_id: str | None
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Waterfall:
    """A trace, drawn.

    Attributes:
        rows: In the order they are drawn; of a very large trace the first ones.
        services: By name, the number of each one's colour.
        took_ms: Milliseconds from the first span's start to the last one's end.
        left_out: How many spans are not among the rows.
        missing: In words, whose spans have not arrived; empty when the trace is complete.
    """

    rows: Sequence[Row]
    services: Mapping[str, int]
    took_ms: float
    left_out: int
    missing: Sequence[str]


def draw(spans: Iterable[Mapping[str, Any]], jobs: Sequence[Job]) -> Waterfall:
    """Draw a trace out of Zipkin's spans.

    Args:
        spans: As Zipkin's API returns them.
        jobs: The trace's jobs, to tell whether all of their spans are there.
    """
    tree = TraceTree.of(spans)
    line = Timeline.of(tree)
    services = {service: number % _COLOURS for service, number in line.services.items()}
    rows = [_row(bar, services[bar.node.service]) for bar in line.bars[:_ROWS]]
    nodes = [bar.node for bar in line.bars]
    return Waterfall(rows, services, line.took_ms, max(0, len(nodes) - _ROWS), _missing(tree, nodes, jobs))


def _row(bar: Bar, colour: int) -> Row:
    node = bar.node
    left = min(100 * bar.left, 100 - _LEAST_PERCENT)
    tags = {str(name): str(value) for name, value in node.span.get("tags", {}).items()}
    return Row(
        id=str(node.span.get("id", "")),
        depth=bar.depth,
        service=node.service,
        name=node.name,
        kind=node.kind,
        is_wait=node.is_wait,
        colour=colour,
        left=round(left, 3),
        width=round(min(max(_LEAST_PERCENT, 100 * bar.width), 100 - left), 3),
        starts_ms=bar.starts_ms,
        took_ms=bar.took_ms,
        error=node.error,
        job_id=tags.get("job.id"),
        tags=tags,
    )


def _missing(tree: TraceTree, nodes: Sequence[SpanNode], jobs: Sequence[Job]) -> list[str]:
    """Say whose spans have not come: a span's whose parent is not there, those of attempts, those of open jobs."""
    missing = []
    if tree.orphans:
        missing.append(f"whoever called {', '.join(sorted({node.service or 'a service' for node in tree.orphans}))}")
    attempts: dict[str, int] = {}
    for node in nodes:
        job_id = node.span.get("tags", {}).get("job.id")
        if node.kind == "CONSUMER" and job_id:
            attempts[job_id] = attempts.get(job_id, 0) + 1
    if _waits_missing(nodes):
        missing.append("the queue")
    sampled = [job for job in jobs if job.sampled]
    behind = {job.task for job in sampled if attempts.get(job.id, 0) < _ended(job)}
    still = {f"{job.task}, which is {job.state}" for job in sampled if job.state in _OPEN and job.task not in behind}
    missing += [f"the worker of {each}" for each in sorted(behind | still)]
    return missing


def _waits_missing(nodes: Sequence[SpanNode]) -> bool:
    """Whether an attempt says how long it waited, and the bar of that wait is not there."""
    told, drawn = Counter[str](), Counter[str]()
    for node in nodes:
        above = str(node.span.get("parentId", ""))
        told[above] += node.kind == "CONSUMER" and "job.queue_time_ms" in node.span.get("tags", {})
        drawn[above] += not node.kind and node.name.startswith("wait in ")
    return any(drawn[above] < count for above, count in told.items())


def _ended(job: Job) -> int:
    """How many attempts at a job are over, as its record tells."""
    return sum(attempt.ended_ms is not None for attempt in job.history)
