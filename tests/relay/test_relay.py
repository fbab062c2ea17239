"""From the stream to Zipkin: settled after 2xx, kept otherwise."""

import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from kombu_zipkin.relay import Relay, RelaySettings
from kombu_zipkin.runtime import Health
from kombu_zipkin.spans import Piece, SpanGroup, StreamKeys, compress, encode, read_ledger
from tests.relay.feeding import Feed, encoded, wait_settled
from tests.relay.sink import ACCEPTED, Answer, Sink
from tests.servers import RedisServer, ZipkinServer, wait_until
from tests.spans.making import make_span, make_spans


def test_many_entries_reach_zipkin_span_for_span(
    zipkin: ZipkinServer, relaying: Callable[..., Any], feed: Feed, redis_url: str, namespace: str
) -> None:
    """Joined into few POSTs, opened nowhere."""
    spans = make_spans(300)
    for begin in range(0, 300, 10):
        feed.append([encode(span) for span in spans[begin : begin + 10]])
    with relaying(zipkin.url):
        tree = zipkin.wait_for_trace(spans[0].trace_id, 300)
        wait_settled(redis_url, namespace, 300)
    assert {node.span["id"] for _, node in tree.walk()} == {span.span_id for span in spans}


def test_a_post_is_not_traced_itself(
    sink: Sink, relaying: Callable[..., Any], feed: Feed, redis_url: str, namespace: str
) -> None:
    """And several entries make one POST."""
    feed.append(encoded(2))
    feed.append(encoded(3))
    with relaying(sink.url):
        wait_settled(redis_url, namespace, 5)
    assert [len(post) for post in sink.posts] == [5]
    assert sink.headers[0]["b3"] == "0"


@pytest.mark.parametrize("status", [503, 500, 429, 401, 404])
def test_nothing_is_settled_before_2xx(
    sink: Sink, relaying: Callable[..., Any], feed: Feed, redis_url: str, namespace: str, status: int
) -> None:
    """Whatever else Zipkin says, the entry stays, and no dead letter is made of it."""
    sink.answer = lambda spans: (status, "not now", {})
    feed.append(encoded(4))
    with relaying(sink.url) as health:
        wait_until(lambda: len(sink.posts) >= 2, "a second attempt")
        ledger = read_ledger(redis_url, stream=namespace)
        assert (ledger.waiting, ledger.totals.get("delivered", 0), ledger.totals.get("dead", 0)) == (4, 0, 0)
        assert "zipkin" in health.faults()
        sink.answer = lambda spans: ACCEPTED
        wait_settled(redis_url, namespace, 4)
        wait_until(lambda: not health.faults(), "the relay to be ready again")
    assert sink.posts[0] == sink.posts[-1], "sent again as it was"


def test_retry_after_is_obeyed(
    sink: Sink, relaying: Callable[..., Any], feed: Feed, caplog: pytest.LogCaptureFixture
) -> None:
    """Zipkin behind a proxy may ask for time."""
    caplog.set_level(logging.WARNING)
    sink.answer = lambda spans: (503, "", {"Retry-After": "120"}) if spans else ACCEPTED
    feed.append(encoded(1))
    with relaying(sink.url):
        wait_until(lambda: "next attempt in 120.0 s" in caplog.text, "the wait that was asked for")
    assert len(sink.posts) == 1


@pytest.mark.parametrize("when", ["0", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_a_retry_after_that_is_over_is_no_leave_to_ask_at_once(
    sink: Sink, relaying: Callable[..., Any], feed: Feed, when: str
) -> None:
    """Zero, or a date in the past: the back-off holds."""
    sink.answer = lambda spans: (503, "", {"Retry-After": when}) if spans else ACCEPTED
    feed.append(encoded(1))
    with relaying(sink.url):
        wait_until(lambda: sink.posts, "a first attempt")
        threading.Event().wait(1.0)
    assert len(sink.posts) < 30


def test_a_bad_span_becomes_a_dead_letter_and_its_neighbours_arrive(
    zipkin: ZipkinServer, relaying: Callable[..., Any], feed: Feed, redis_server: RedisServer, namespace: str
) -> None:
    """The real Zipkin refuses the whole list; the relay finds the one span."""
    spans = make_spans(20)
    good = [encode(span) for span in spans]
    bad = b'{"traceId":"UPPER","id":"a2fb4a1d1a96d312","name":"bad"}'
    feed.append(good[:7])
    feed.append([*good[7:12], bad, *good[12:15]])
    feed.append(good[15:])
    with relaying(zipkin.url):
        zipkin.wait_for_trace(spans[0].trace_id, 20)
        wait_settled(redis_server.url, namespace, 21)
    ledger = read_ledger(redis_server.url, stream=namespace)
    assert (ledger.totals["delivered"], ledger.totals["dead"]) == (20, 1)
    with redis_server.client() as client:
        ((_, letter),) = client.xrange(StreamKeys(namespace).dead)
    assert (letter["span"].encode(), letter["status"], letter["producer"]) == (bad, "400", "feed")


def test_a_corrupt_payload_costs_only_its_entry(
    zipkin: ZipkinServer, relaying: Callable[..., Any], feed: Feed, redis_server: RedisServer, namespace: str
) -> None:
    """Zipkin answers it with 500, which would otherwise mean: later."""
    spans = make_spans(6)
    good = [encode(span) for span in spans]
    feed.append(good[:3])
    feed.append(encoded(2), Piece(b"\xff\xff broken", 1, 20))
    feed.append(good[3:])
    with redis_server.client() as client:
        client.xadd(StreamKeys(namespace).stream, {"v": "9", "n": "2"})
    with relaying(zipkin.url):
        zipkin.wait_for_trace(spans[0].trace_id, 6)
        keys = StreamKeys(namespace)
        with redis_server.client() as client:
            wait_until(lambda: client.hget(keys.totals, "dead") == "4", "two dead entries of two spans")
            reasons = sorted(letter["reason"] for _, letter in client.xrange(keys.dead))
            assert client.xlen(keys.stream) == 0
    assert reasons[0].startswith("corrupt payload")
    assert reasons[1].startswith("missing fields: z, p")


def test_an_entry_that_closes_the_list_costs_its_neighbours_nothing(
    zipkin: ZipkinServer, relaying: Callable[..., Any], feed: Feed, redis_url: str, namespace: str
) -> None:
    """Zipkin would accept the POST and silently forget what comes after the bracket."""
    spans = make_spans(6)
    good = [encode(span) for span in spans]
    feed.append(good[:3])
    feed.append(good[:2], compress(b"],[".join(encoded(2))))
    feed.append(good[3:])
    with relaying(zipkin.url):
        zipkin.wait_for_trace(spans[0].trace_id, 6)
        wait_settled(redis_url, namespace, 8)
    assert read_ledger(redis_url, stream=namespace).totals["dead"] == 2


def test_what_finds_everything_too_large_is_not_asked_about_each_span(
    sink: Sink, relaying: Callable[..., Any], feed: Feed, redis_url: str, namespace: str
) -> None:
    """A proxy in trouble: the empty list is too large for it as well, so all is kept."""
    sink.answer = lambda spans: (413, "", {})
    feed.append(encoded(64))
    with relaying(sink.url) as health:
        wait_until(lambda: "zipkin" in health.faults() and len(sink.posts) >= 2, "two attempts")
        assert {len(post) for post in sink.posts} == {64}
        sink.answer = lambda spans: ACCEPTED
        wait_settled(redis_url, namespace, 64)


def test_what_is_too_large_goes_in_halves(
    sink: Sink, relaying: Callable[..., Any], feed: Feed, redis_url: str, namespace: str
) -> None:
    """Zipkin says 500 with the text of a 413."""

    def answer(spans: list[dict[str, Any]]) -> Answer:
        return (500, "413 Request Entity Too Large", {}) if len(spans) > 3 else ACCEPTED

    sink.answer = answer
    for begin in range(4):
        feed.append(encoded(2, f"{begin}"))
    with relaying(sink.url):
        wait_settled(redis_url, namespace, 8)
    assert len(sink.accepted) == len(set(sink.accepted)) == 8


def test_what_a_dead_relay_held_is_taken_over(
    sink: Sink, relaying: Callable[..., Any], feed: Feed, redis_url: str, namespace: str
) -> None:
    """After the claim time, by whichever relay is there."""
    feed.append(encoded(5))
    dead = SpanGroup(redis_url, "killed", stream=namespace)
    assert len(dead.read(10, 100)) == 1
    dead.close()
    with relaying(sink.url):
        wait_settled(redis_url, namespace, 5)
    assert len(sink.accepted) == 5


def test_two_relays_share_the_work_and_double_nothing(
    sink: Sink, relaying: Callable[..., Any], feed: Feed, redis_url: str, namespace: str
) -> None:
    """Each entry has one holder."""
    with relaying(sink.url), relaying(sink.url):
        for number in range(40):
            feed.append(encoded(3, f"{number}"))
        wait_settled(redis_url, namespace, 120)
    assert len(sink.accepted) == len(set(sink.accepted)) == 120


def test_an_outage_longer_than_the_claim_time_doubles_nothing(
    sink: Sink,
    relaying: Callable[..., Any],
    feed: Feed,
    redis_url: str,
    namespace: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A relay that waits for Zipkin renews what it holds; the other one leaves it alone."""
    caplog.set_level(logging.INFO)
    sink.answer = lambda spans: (503, "", {}) if spans else ACCEPTED
    feed.append(encoded(3))
    with relaying(sink.url), relaying(sink.url):
        wait_until(lambda: len(sink.posts) >= 1, "a first attempt")
        threading.Event().wait(3.0)
        sink.answer = lambda spans: ACCEPTED
        wait_settled(redis_url, namespace, 3)
    assert "took over" not in caplog.text


def test_a_relay_that_stops_leaves_no_consumer_behind(
    sink: Sink, relaying: Callable[..., Any], feed: Feed, redis_server: RedisServer, namespace: str
) -> None:
    """Unless it holds entries."""
    feed.append([encode(make_span())])
    with relaying(sink.url):
        wait_settled(redis_server.url, namespace, 1)
    with redis_server.client() as client:
        (group,) = client.xinfo_groups(StreamKeys(namespace).stream)
    assert group["consumers"] == 0


def test_a_relay_without_redis_is_not_ready_and_recovers(
    sink: Sink, own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """It says so once, and waits."""
    caplog.set_level(logging.INFO)
    own_redis.stop()
    settings = RelaySettings(redis_url=own_redis.url, zipkin_url=sink.url)
    stop, health = threading.Event(), Health(("redis", "zipkin"))
    thread = threading.Thread(target=Relay(settings, health=health).run, args=(stop,))
    thread.start()
    wait_until(lambda: "Connection" in health.faults().get("redis", ""), "the fault to be told")
    own_redis.start()
    wait_until(lambda: not health.faults(), "the relay to be ready")
    stop.set()
    thread.join(10)
    messages = [record.getMessage() for record in caplog.records if record.levelno >= logging.INFO]
    assert sum("unavailable" in message for message in messages) == 1
    assert sum("available again" in message for message in messages) == 1


@pytest.mark.parametrize(
    ("status", "text"), [(400, "<html>Bad Request"), (503, "com.linecorp.armeria.server.RequestTimeoutException")]
)
def test_an_outage_that_looks_like_a_refusal_makes_no_dead_letter(
    sink: Sink, relaying: Callable[..., Any], feed: Feed, redis_url: str, namespace: str, status: int, text: str
) -> None:
    """A proxy that refuses everything, and a Zipkin whose storage hangs."""
    sink.answer = lambda spans: (status, text, {})
    feed.append(encoded(5))
    feed.append(encoded(5))
    with relaying(sink.url):
        wait_until(lambda: len(sink.posts) >= 4, "some attempts")
        ledger = read_ledger(redis_url, stream=namespace)
        assert (ledger.waiting, ledger.totals.get("dead", 0)) == (10, 0)
        sink.answer = lambda spans: ACCEPTED
        wait_settled(redis_url, namespace, 10)
    assert read_ledger(redis_url, stream=namespace).totals["delivered"] == 10


@pytest.mark.parametrize("status", [400, 413])
def test_an_entry_that_is_not_what_it_promises_does_not_end_the_relay(
    sink: Sink, relaying: Callable[..., Any], feed: Feed, redis_url: str, namespace: str, status: int
) -> None:
    """A wrong number of spans, and one nested too deeply to be written again; the neighbours arrive."""

    def answer(spans: list[dict[str, Any]]) -> Answer:
        return (status, "no", {}) if any(span["name"] in ("miscounted", "deep") for span in spans) else ACCEPTED

    sink.answer = answer
    miscounted = [encode(make_span("miscounted"))]
    feed.append([*miscounted, b""], compress(miscounted[0]))
    deep = b'{"traceId":"463ac35c9f6413ad48485a3953bb6124","id":"a2fb4a1d1a96d312","name":"deep","x":%s}'
    feed.append([deep % (b"[" * 300 + b"]" * 300)])
    feed.append(encoded(4, "good"))
    with relaying(sink.url):
        wait_settled(redis_url, namespace, 7)
    ledger = read_ledger(redis_url, stream=namespace)
    assert (ledger.totals["delivered"], ledger.totals["dead"]) == (4, 3)


def test_a_good_span_is_posted_by_itself_as_it_was_written(
    zipkin: ZipkinServer, relaying: Callable[..., Any], feed: Feed, redis_url: str, namespace: str
) -> None:
    """Zipkin would refuse it for the bytes of its old format, which are escaped."""
    trap = make_span("listMyAnnotations")
    feed.append([encode(trap), b'{"traceId":"UPPER","id":"a2fb4a1d1a96d312"}'])
    with relaying(zipkin.url):
        wait_settled(redis_url, namespace, 2)
        zipkin.wait_for_trace(trap.trace_id, 1)
    assert read_ledger(redis_url, stream=namespace).totals["dead"] == 1


def test_slow_posts_do_not_make_two_relays_post_the_same(
    sink: Sink, relaying: Callable[..., Any], feed: Feed, redis_url: str, namespace: str
) -> None:
    """What is held is renewed before every POST."""

    def slow(spans: list[dict[str, Any]]) -> Answer:
        threading.Event().wait(0.4 if spans else 0)
        return ACCEPTED

    sink.answer = slow
    for number in range(8):
        feed.append(encoded(2, f"{number}"))
    with relaying(sink.url, relay_post_spans=2), relaying(sink.url, relay_post_spans=2):
        wait_settled(redis_url, namespace, 16)
    assert len(sink.posts) == 8
