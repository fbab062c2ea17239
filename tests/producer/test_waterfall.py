"""Bars of a waterfall: where they begin, how wide they are, whose spans lack."""

from typing import Any

import pytest

from kombu_zipkin.jobs import Attempt, Job, JobState
from producer.waterfall import draw


def span(name: str, at_ms: float, took_ms: float, *, id: str, parent: str | None = None, **more: Any) -> dict[str, Any]:  # noqa: A002
    """Make a span as Zipkin's API writes it; times from the trace's beginning."""
    made = {"traceId": "a" * 32, "id": id, "name": name, "timestamp": int(1_700_000_000_000_000 + at_ms * 1000)}
    made.update(duration=int(took_ms * 1000), localEndpoint={"serviceName": more.pop("service", "webapp")}, **more)
    return made if parent is None else {**made, "parentId": parent}


def job(**more: Any) -> Job:
    """Make a job that has ended after one attempt."""
    given = {"history": (Attempt(1, 1, 2, "acknowledged"),), "state": JobState.SUCCEEDED, **more}
    return Job("j1", "charge", {}, "jobs", given.pop("state"), "a" * 32, given.pop("sampled", True), 1, **given)


ROOT = span("post", 0, 10, id="1", kind="SERVER")
PUBLISH = span("publish", 2, 1, id="2", parent="1", kind="PRODUCER", tags={"job.id": "j1"})
WAIT = span("wait in jobs", 3, 77, id="3", parent="2", service="redis")
PROCESS = span("process", 80, 20, id="4", parent="2", kind="CONSUMER", service="worker", tags={"job.id": "j1"})


def test_bars_stand_where_the_spans_were() -> None:
    """In percent of the whole trace, whose end may be long after its root's."""
    drawn = draw([PROCESS, WAIT, ROOT, PUBLISH], [job()])
    assert [(row.name, row.depth, row.left, row.width) for row in drawn.rows] == [
        ("post", 0, 0, 10), ("publish", 1, 2, 1), ("wait in jobs", 2, 3, 77), ("process", 2, 80, 20),
    ]  # fmt: skip
    assert [row.name for row in drawn.rows if row.is_wait] == ["wait in jobs"]
    assert list(drawn.services) == ["webapp", "redis", "worker"]
    assert (drawn.took_ms, drawn.missing) == (100, [])


@pytest.mark.parametrize(
    ("spans", "jobs", "missing"),
    [
        ([ROOT, PUBLISH, WAIT, PROCESS], [job()], []),
        ([ROOT, PUBLISH], [job()], ["the worker of charge"]),
        (
            [ROOT, PUBLISH],
            [job(state=JobState.RUNNING, history=(Attempt(1, 1),))],
            ["the worker of charge, which is running"],
        ),
        ([ROOT, PUBLISH, WAIT, PROCESS], [job(history=(Attempt(1, 1, 2), Attempt(2, 3, 4)))], ["the worker of charge"]),
        ([ROOT, PUBLISH], [job(sampled=False)], []),
        ([WAIT, PROCESS], [job()], ["whoever called redis, worker"]),
        ([ROOT], [], []),
    ],
)
def test_spans_that_lack_are_told_by_whose_they_are(
    spans: list[dict[str, Any]], jobs: list[Job], missing: list[str]
) -> None:
    """A span whose parent is not there, an attempt without its span."""
    assert draw(spans, jobs).missing == missing


def test_a_wait_that_is_told_and_not_there_lacks() -> None:
    """It comes with an earlier batch than the attempt's span, which may arrive later."""
    told = {**PROCESS, "tags": {"job.id": "j1", "job.queue_time_ms": "77.0"}}
    assert draw([ROOT, PUBLISH, told], [job()]).missing == ["the queue"]
    assert draw([ROOT, PUBLISH, WAIT, told], [job()]).missing == []


def test_odd_traces_are_drawn_as_far_as_they_go() -> None:
    """Without times, outside of the trace, very many."""
    assert draw([{"traceId": "a", "id": "1"}], []).rows[0].width > 0
    tiny = draw([ROOT, span("tick", 10, 0, id="9", parent="1")], []).rows[1]
    assert tiny.left + tiny.width <= 100
    assert tiny.width > 0
    many = draw([ROOT, *(span("x", 1, 1, id=f"x{n}", parent="1") for n in range(700))], [])
    assert (len(many.rows), many.left_out) == (500, 201)
