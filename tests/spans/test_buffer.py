"""Bounded, never waiting, and every span counted in one place."""

import pytest

from kombu_zipkin.spans.buffer import HandOver, SpanBuffer
from tests.spans.making import make_spans


def hand_over(count: int) -> HandOver:
    """Return a hand-over of so many spans."""
    return HandOver(make_spans(count), b"", count)


def test_a_full_buffer_drops_the_newest_and_counts_it() -> None:
    """What waits already has waited longer."""
    buffer = SpanBuffer(max_spans=5, max_bytes=1000)
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
    buffer.put(HandOver(None, "x" * 11, 1))
    assert buffer.counts().dropped == {"buffer_full": 1}


def test_a_closed_buffer_takes_nothing_and_says_so() -> None:
    """A late span is counted too."""
    buffer = SpanBuffer(max_spans=5, max_bytes=10)
    buffer.close()
    buffer.put(hand_over(1))
    assert buffer.counts().dropped == {"closed": 1}


@pytest.mark.parametrize("acknowledged", [0, 2, 3])
def test_created_is_acknowledged_dropped_and_held(acknowledged: int) -> None:
    """At every moment."""
    buffer = SpanBuffer(max_spans=5, max_bytes=10)
    buffer.put(hand_over(3))
    buffer.take()
    buffer.acknowledged(acknowledged)
    buffer.dropped("too_large", 3 - acknowledged)
    counts = buffer.counts()
    assert counts.created == counts.acknowledged + sum(counts.dropped.values()) + counts.held == 3
