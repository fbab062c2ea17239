"""One bad span among many: found in few POSTs, and its neighbours delivered."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kombu_zipkin.errors import ZipkinUnavailable
from kombu_zipkin.relay.backlog import Backlog, Bounds
from kombu_zipkin.relay.delivery import Delivery
from kombu_zipkin.relay.posting import Posting
from kombu_zipkin.relay.window import Window
from kombu_zipkin.runtime import Metrics
from kombu_zipkin.spans import Entry, Received, Settlement, compress, encode
from kombu_zipkin.zipkin import ZipkinClient
from tests.relay.sink import ACCEPTED, Answer, Sink
from tests.servers import ZipkinServer
from tests.spans.making import make_spans

ZIPKINS_WORDS = "UPPER should be lower-hex encoded with no prefix reading List<Span> from json"


@pytest.fixture
def posting_to() -> Iterator[Callable[[str], Posting]]:
    """Make a way to post to an address."""
    clients = []

    def make(url: str) -> Posting:
        clients.append(ZipkinClient(url))
        return Posting(clients[-1], Window(1), Backlog(Bounds(10_000, 1 << 20), 1), Metrics())

    yield make
    for client in clients:
        client.close()


def received(spans: list[bytes], number: int) -> Received:
    """Return an entry as it comes out of the stream."""
    entry = Entry(compress(b",".join(spans)), len(spans), "feed", number, 1_700_000_000_000)
    return Received(f"{number}-0", entry, [])


def entries_of(sizes: list[int], bad: set[int]) -> list[Received]:
    """Return entries of these sizes whose spans are numbered through; the bad ones say so in their name."""
    spans = [
        encode(span).replace(b'"name":"s', b'"name":"bad' if number in bad else b'"name":"s')
        for number, span in enumerate(make_spans(sum(sizes), "s"))
    ]
    begins = [sum(sizes[:number]) for number in range(len(sizes))]
    return [
        received(spans[begin : begin + size], number + 1)
        for number, (begin, size) in enumerate(zip(begins, sizes, strict=True))
    ]


def refusing(text: str) -> Callable[[list[dict[str, Any]]], Answer]:
    """Refuse every list with a bad span, in these words."""
    return lambda spans: (400, text, {}) if any(span["name"].startswith("bad") for span in spans) else ACCEPTED


def settled(delivery: Delivery, held: list[Received]) -> list[Settlement]:
    """Deliver, and return what became of the entries."""
    return [settlement for known in delivery.deliver(held) for settlement in known]


def dead_names(settlements: list[Settlement]) -> int:
    """Return how many spans were buried; each must be a bad one."""
    spans = [record.fields[record.fields.index("span") + 1] for each in settlements for record in each.dead]
    assert all(isinstance(span, bytes) and b'"name":"bad' in span for span in spans)
    return len(spans)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_k_bad_spans_among_n_need_at_most_so_many_posts(
    posting_to: Callable[[str], Posting], data: st.DataObject
) -> None:
    """1 + 2k * ceil(log2 n), however they are spread over entries; each good span is accepted once."""
    sizes = data.draw(st.lists(st.integers(1, 40), min_size=1, max_size=12))
    bad = data.draw(st.sets(st.integers(0, sum(sizes) - 1), min_size=1, max_size=6))
    sink = Sink(refusing(ZIPKINS_WORDS))
    try:
        settlements = settled(Delivery(posting_to(sink.url)), entries_of(sizes, bad))
        n, k = sum(sizes), len(bad)
        assert len(sink.posts) <= 1 + 2 * k * math.ceil(math.log2(n)) if n > 1 else len(sink.posts) == 1
        assert len(sink.accepted) == len(set(sink.accepted)) == n - k
    finally:
        sink.close()
    assert sorted(settlement.received.id for settlement in settlements) == sorted(
        f"{i + 1}-0" for i in range(len(sizes))
    )
    assert (sum(settlement.delivered for settlement in settlements), dead_names(settlements)) == (n - k, k)


def test_the_real_zipkin_is_asked_no_more_often(zipkin: ZipkinServer, posting_to: Callable[[str], Posting]) -> None:
    """Its own words are believed at once; the first and the last of a hundred are bad, and one between."""
    spans = [encode(span) for span in make_spans(100)]
    for number in (0, 41, 99):
        spans[number] = b'{"traceId":"UPPER","id":"a2fb4a1d1a96d312","name":"bad"}'
    held = [received(spans[begin : begin + 10], begin + 1) for begin in range(0, 100, 10)]
    before = zipkin.posts()
    settlements = settled(Delivery(posting_to(zipkin.url)), held)
    assert zipkin.posts() - before <= 1 + 2 * 3 * math.ceil(math.log2(100))
    assert (sum(settlement.delivered for settlement in settlements), dead_names(settlements)) == (97, 3)


def test_a_refusal_in_other_words_is_asked_about_again(sink: Sink, posting_to: Callable[[str], Posting]) -> None:
    """A proxy refused it once; Zipkin takes it."""
    refused: list[int] = []

    def answer(spans: list[dict[str, Any]]) -> Answer:
        if any(span["name"].startswith("bad") for span in spans) and len(refused) < 3:
            refused.append(len(spans))
            return 400, "<html>Bad Request", {}
        return ACCEPTED

    sink.answer = answer
    settlements = settled(Delivery(posting_to(sink.url)), entries_of([8], {2}))
    assert refused == [8, 4, 1]
    assert [(settlement.delivered, settlement.dead) for settlement in settlements] == [(8, [])]


def test_a_refusal_of_everything_makes_no_dead_letter(sink: Sink, posting_to: Callable[[str], Posting]) -> None:
    """Not even of a span that is alone; the empty list is refused as well."""
    sink.answer = lambda spans: (400, "<html>Bad Request", {})
    for sizes in ([1], [3, 1], [7]):
        with pytest.raises(ZipkinUnavailable, match="400"):
            settled(Delivery(posting_to(sink.url)), entries_of(sizes, set()))
    sink.posts.clear()
    with pytest.raises(ZipkinUnavailable, match="400"):
        settled(Delivery(posting_to(sink.url)), entries_of([500], set()))
    assert len(sink.posts) < 20, "it is not asked about each of them"


def test_a_dead_letter_tells_how_often_it_was_tried(sink: Sink, posting_to: Callable[[str], Posting]) -> None:
    """With the answer, the producer and the time it was first seen."""
    sink.answer = refusing(ZIPKINS_WORDS)
    (settlement,) = settled(Delivery(posting_to(sink.url)), entries_of([4], {0}))
    ((record),) = settlement.dead
    fields = dict(zip(record.fields[::2], record.fields[1::2], strict=True))
    assert (fields["reason"], fields["status"], fields["answer"]) == ("refused by Zipkin", 400, ZIPKINS_WORDS)
    assert (fields["attempts"], fields["producer"], fields["first_seen_ms"]) == (3, "feed", 1_700_000_000_000)


def test_a_span_that_is_too_large_alone_becomes_a_dead_letter(sink: Sink, posting_to: Callable[[str], Posting]) -> None:
    """And the others go through, in halves."""
    sink.answer = lambda spans: (
        (413, "", {}) if len(spans) > 2 or any(span["name"].startswith("bad") for span in spans) else ACCEPTED
    )
    (settlement,) = settled(Delivery(posting_to(sink.url)), entries_of([8], {5}))
    assert (settlement.delivered, dead_names([settlement])) == (7, 1)


def test_an_entry_that_zipkin_fails_on_does_not_stop_the_others(
    sink: Sink, posting_to: Callable[[str], Posting]
) -> None:
    """With 500, again and again: the others are delivered, of it no dead letter is made."""
    sink.answer = lambda spans: (
        (500, "NullPointerException", {}) if any(span["name"].startswith("bad") for span in spans) else ACCEPTED
    )
    held, known = entries_of([2, 2, 2, 2, 2], {5}), []
    delivery = Delivery(posting_to(sink.url))

    def deliver(attempt: int) -> None:
        for settlements in delivery.deliver(held, attempt=attempt):
            known.extend(settlements)

    with pytest.raises(ZipkinUnavailable):
        deliver(1)
    assert known == [], "the first time it may be Zipkin that is unwell"
    with pytest.raises(ZipkinUnavailable):
        deliver(2)
    assert sorted(settlement.received.id for settlement in known) == ["1-0", "2-0", "4-0", "5-0"]
