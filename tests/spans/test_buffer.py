"""Bounded, never waiting, and every span counted in one place."""

import tracemalloc

import pytest

from kombu_zipkin.spans.buffer import HandOver, SpanBuffer, hand_over_list, weigh
from kombu_zipkin.tracing import Kind, SpanRecorder, Tracer
from tests.spans.making import make_span, make_spans

PLENTY = 1 << 20


def hand_over(count: int) -> HandOver:
    """Return a hand-over of so many spans."""
    return weigh(make_spans(count))


def test_a_full_buffer_drops_the_newest_and_counts_it() -> None:
    """What waits already has waited longer."""
    buffer = SpanBuffer(max_spans=5, max_bytes=PLENTY)
    first = hand_over(4)
    buffer.put(first)
    buffer.put(hand_over(2))
    assert buffer.take() is first
    assert buffer.take() is None
    counts = buffer.counts()
    assert (counts.created, counts.held, counts.dropped) == (6, 4, {"buffer_full": 2})


def test_encoded_lists_are_bounded_by_their_bytes() -> None:
    """Spans that py_zipkin encoded may be of any size."""
    buffer = SpanBuffer(max_spans=100, max_bytes=10)
    buffer.put(hand_over_list("x" * 11))
    assert buffer.counts().dropped == {"buffer_full": 1}


def test_spans_are_bounded_by_their_tags_too() -> None:
    """A few with large values may take more memory than thousands."""
    buffer = SpanBuffer(max_spans=1000, max_bytes=100_000)
    buffer.put(weigh([make_span(tags={"body": "x" * 60_000})]))
    buffer.put(weigh([make_span(tags={"body": "x" * 60_000})]))
    buffer.put(weigh([make_span(tags={"numbers": 7, "none": None})]))
    assert (buffer.counts().held, buffer.counts().dropped) == (2, {"buffer_full": 1})


def test_the_estimate_is_about_what_spans_take() -> None:
    """Half as much again, at most, either way."""
    tracer = Tracer("shop", recorder := SpanRecorder(), host="10.0.0.1")
    for _ in range(200):
        _trace(tracer)
    recorder.spans.clear()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(1000):
        _trace(tracer)
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert 0.66 < weigh(recorder.spans).size / taken < 1.5


def _trace(tracer: Tracer) -> None:
    with tracer.root("get /", kind=Kind.SERVER) as span:
        span.tag("http.method", "GET")
        span.tag("job.id", "8f3a" * 8)
        for _ in range(3):
            with tracer.child("do_stuff"):
                pass


def test_a_closed_buffer_takes_nothing_and_says_so() -> None:
    """A late span is counted too."""
    buffer = SpanBuffer(max_spans=5, max_bytes=PLENTY)
    buffer.close()
    buffer.put(hand_over(1))
    assert buffer.counts().dropped == {"closed": 1}


@pytest.mark.parametrize("acknowledged", [0, 2, 3])
def test_created_is_acknowledged_dropped_and_held(acknowledged: int) -> None:
    """At every moment."""
    buffer = SpanBuffer(max_spans=5, max_bytes=PLENTY)
    buffer.put(hand_over(3))
    buffer.take()
    buffer.acknowledged(acknowledged)
    buffer.dropped("too_large", 3 - acknowledged)
    counts = buffer.counts()
    assert counts.created == counts.acknowledged + sum(counts.dropped.values()) + counts.held == 3
