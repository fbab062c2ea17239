"""From the request's thread to the stream, and never in its way."""

import logging
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from py_zipkin.encoding import Encoding
from py_zipkin.zipkin import zipkin_span

from kombu_zipkin.errors import ConfigurationError
from kombu_zipkin.spans import RedisStreamTransport, StreamKeys, read_ledger
from kombu_zipkin.tracing import Kind, Tracer
from tests.servers import RedisServer, wait_until
from tests.spans.making import make_span, make_spans, spans_in_stream


@pytest.fixture
def transport(redis_url: str, namespace: str) -> Iterator[RedisStreamTransport]:
    """A transport to a stream of this test's own."""
    transport = RedisStreamTransport(redis_url, stream=namespace, linger_ms=20)
    yield transport
    transport.close(5)


def test_every_span_handed_over_lies_in_the_stream(
    transport: RedisStreamTransport, redis_url: str, namespace: str
) -> None:
    """Counted outside, in the transport, and in the books: the same number."""
    roots = [make_spans(number) for number in range(1, 40)]
    sent = [span for root in roots for span in root]
    for root in roots:
        transport.report(root)
    assert transport.flush(5)
    found = spans_in_stream(redis_url, namespace)
    assert sorted(span["id"] for span in found) == sorted(str(span.span_id) for span in sent)
    counts = transport.counts()
    assert (counts.created, counts.acknowledged, counts.held, counts.dropped) == (len(sent), len(sent), 0, {})
    ledger = read_ledger(redis_url, stream=namespace)
    assert (ledger.totals["appended"], ledger.waiting, ledger.difference) == (len(sent), len(sent), 0)


def test_the_counts_of_a_closed_transport_are_in_the_books(redis_url: str, namespace: str) -> None:
    """The last report comes with the close."""
    transport = RedisStreamTransport(redis_url, stream=namespace, max_spans=10)
    transport.report(make_spans(11))
    transport.report(make_spans(3))
    counts = transport.close(5)
    assert (counts.created, counts.acknowledged, counts.held, counts.dropped) == (14, 3, 0, {"buffer_full": 11})
    (books,) = read_ledger(redis_url, stream=namespace).producers
    assert (books.created, books.accepted, books.held, books.dropped) == (14, 3, 0, {"buffer_full": 11})


def test_py_zipkin_hands_over_its_own_roots(transport: RedisStreamTransport, redis_url: str, namespace: str) -> None:
    """One argument of old code changes: the transport handler."""
    root = zipkin_span("shop", span_name="root", transport_handler=transport, sample_rate=100, host="10.0.0.1")
    with root, zipkin_span("shop", span_name="child"):
        pass
    assert transport.flush(5)
    assert {span["name"] for span in spans_in_stream(redis_url, namespace)} == {"root", "child"}
    assert transport.counts().created == 2


def test_another_encoding_is_refused_and_counted(transport: RedisStreamTransport) -> None:
    """Protobuf lists would need taking apart; a list of Zipkin v1 is no list of v2."""
    transport.send(b"\x0a\x10 protobuf")
    with zipkin_span("x", transport_handler=transport, sample_rate=100, encoding=Encoding.V1_JSON, host="10.0.0.1"):
        pass
    assert transport.flush(5)
    assert transport.counts().dropped == {"encode_error": 2}


def test_a_bad_span_costs_itself_alone(transport: RedisStreamTransport, redis_url: str, namespace: str) -> None:
    """Its neighbours arrive."""
    transport.report([make_span("good"), make_span("bad", trace_id="UPPER"), make_span("large", tags=_large())])
    assert transport.flush(5)
    assert [span["name"] for span in spans_in_stream(redis_url, namespace)] == ["good"]
    assert transport.counts().dropped == {"encode_error": 1, "too_large": 1}


def test_a_frozen_redis_keeps_no_request_waiting(own_redis: RedisServer) -> None:
    """Handing over returns although Redis does not answer; the spans arrive when it does."""
    transport = RedisStreamTransport(own_redis.url, linger_ms=0)
    tracer = Tracer("shop", transport, host="10.0.0.1")
    own_redis.process.signal(signal.SIGSTOP)

    def requests() -> None:
        for _ in range(20):
            with tracer.root("buy", kind=Kind.SERVER):
                pass

    thread = threading.Thread(target=requests)
    thread.start()
    thread.join(2.0)
    blocked = thread.is_alive()
    own_redis.process.signal(signal.SIGCONT)
    thread.join()
    assert not blocked, "a request waited for Redis"
    assert transport.flush(10)
    assert transport.close(5).acknowledged == 20


def test_spans_wait_for_a_redis_that_is_away_and_it_is_said_once(
    own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """A warning, then silence, then how long it was."""
    caplog.set_level(logging.INFO)
    own_redis.stop()
    transport = RedisStreamTransport(own_redis.url, linger_ms=0)
    transport.report(make_spans(7))
    assert not transport.flush(1.0)
    assert transport.counts().held == 7
    own_redis.start()
    assert transport.flush(15)
    transport.close(5)
    assert len(spans_in_stream(own_redis.url, "zipkin-spans")) == 7
    levels = [record.levelname for record in caplog.records if record.levelno >= logging.INFO]
    assert levels == ["WARNING", "INFO"]


def test_what_cannot_be_sent_in_time_is_dropped_as_closed(own_redis: RedisServer) -> None:
    """Closing is bounded, and honest about the rest."""
    own_redis.stop()
    transport = RedisStreamTransport(own_redis.url, linger_ms=0)
    transport.report(make_spans(7))
    begun = time.monotonic()
    counts = transport.close(0.5)
    assert time.monotonic() - begun < 5
    assert (counts.created, counts.held, counts.dropped) == (7, 0, {"closed": 7})
    transport.report(make_spans(1))
    assert transport.counts().dropped == {"closed": 8}


def test_a_full_stream_is_not_appended_to(redis_url: str, namespace: str) -> None:
    """The spans wait in the process until a relay has made room; an empty stream takes any entry."""
    transport = RedisStreamTransport(redis_url, stream=namespace, linger_ms=0, budget_bytes=100)
    transport.report(make_spans(2))
    assert transport.flush(5)
    transport.report(make_spans(5))
    assert not transport.flush(0.5)
    counts = transport.close(0.2)
    assert (counts.acknowledged, counts.dropped) == (2, {"closed": 5})
    assert len(spans_in_stream(redis_url, namespace)) == 2


def test_a_stream_emptied_by_hand_is_not_full_for_ever(redis_server: RedisServer, namespace: str) -> None:
    """The budget goes by what is there."""
    transport = RedisStreamTransport(redis_server.url, stream=namespace, linger_ms=0, budget_bytes=100)
    for _ in range(2):
        transport.report(make_spans(2))
        assert transport.flush(5)
        with redis_server.client() as client:
            client.delete(StreamKeys(namespace).stream)
    assert transport.close(1).acknowledged == 4


def test_one_large_root_is_cut_into_entries_of_a_bearable_size(redis_url: str, namespace: str) -> None:
    """By bytes, not by number alone."""
    transport = RedisStreamTransport(redis_url, stream=namespace, linger_ms=0)
    transport.report([make_span(str(number), tags={"body": "x" * 50_000}) for number in range(40)])
    assert transport.flush(10)
    transport.close(5)
    with redis.Redis.from_url(redis_url) as client:
        entries = client.xrange(StreamKeys(namespace).stream)
    assert len(entries) == 4
    assert len(spans_in_stream(redis_url, namespace)) == 40


def test_flush_is_not_fooled_by_drops_of_later_spans(own_redis: RedisServer) -> None:
    """It waits for what was handed over before, not for a number of spans."""
    own_redis.stop()
    transport = RedisStreamTransport(own_redis.url, linger_ms=0, max_spans=5)
    transport.report(make_spans(5))
    answers: list[bool] = []
    waiting = threading.Thread(target=lambda: answers.append(transport.flush(1.5)))
    waiting.start()
    for _ in range(6):
        transport.report(make_spans(5))
    waiting.join()
    transport.close(0)
    assert answers == [False]


ODD = '[{"traceId":"463ac35c9f6413ad48485a3953bb6124","id":"a2fb4a1d1a96d312","tags":{"traceId":"x"}}]'


@pytest.mark.parametrize("payload", ["[]", ODD])
def test_flush_is_not_fooled_by_a_wrong_estimate(transport: RedisStreamTransport, payload: str) -> None:
    """How many spans an encoded list holds is known only when it is opened."""
    transport.send(payload)
    assert transport.flush(5)
    assert transport.counts().held == 0


def test_a_redis_that_never_answers_does_not_hold_up_the_end() -> None:
    """Closing takes its time and no longer; nothing is held afterwards."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        transport = RedisStreamTransport(f"redis://127.0.0.1:{silent.getsockname()[1]}/0", linger_ms=0)
        transport.report(make_spans(2000))
        begun = time.monotonic()
        counts = transport.close(0.5)
        took = time.monotonic() - begun
    assert took < 3
    assert (counts.created, counts.held, counts.dropped) == (2000, 0, {"closed": 2000})


def test_a_process_out_of_threads_is_tried_again_at_the_next_span(
    transport: RedisStreamTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is raised into the request."""

    def no_thread(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        transport.report(make_spans(1))
    transport.report(make_spans(1))
    assert transport.flush(5)
    assert transport.counts().acknowledged == 2


def test_a_closed_transport_stays_closed(redis_url: str) -> None:
    """A late span starts no thread."""
    transport = RedisStreamTransport(redis_url)
    transport.close(0)
    before = threading.active_count()
    transport.report(make_spans(1))
    assert threading.active_count() == before
    assert transport.counts().dropped == {"closed": 1}


def test_a_signal_handler_may_trace_at_any_moment(transport: RedisStreamTransport) -> None:
    """Also while its thread hands over; nothing waits for itself."""
    previous = signal.signal(signal.SIGALRM, lambda number, frame: transport.report(make_spans(1)))
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        for _ in range(3000):
            transport.report(make_spans(1))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert transport.flush(10)
    assert transport.counts().created > 3000


def _report_in_child(url: str, stream: str) -> None:
    RedisStreamTransport(url, stream=stream, linger_ms=60_000).report([make_span("in the child")])


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_multiprocessing_child_sends_what_it_has_at_its_end(redis_url: str, namespace: str, method: str) -> None:
    """It leaves without atexit."""
    context: Any = multiprocessing.get_context(method)
    child = context.Process(target=_report_in_child, args=(redis_url, namespace))
    child.start()
    child.join(30)
    assert child.exitcode == 0
    child.close()
    assert [span["name"] for span in spans_in_stream(redis_url, namespace)] == ["in the child"]


@pytest.mark.parametrize("url", ["http://localhost", "redis://localhost?client_nam=x", "redis://localhost:port"])
def test_a_url_that_is_none_is_refused_at_once(url: str) -> None:
    """And not by a thread that nobody looks at."""
    with pytest.raises(ConfigurationError, match="Redis URL"):
        RedisStreamTransport(url)


def test_a_forked_child_sends_its_own_spans_and_never_its_parents(redis_url: str, namespace: str) -> None:
    """Each process has a buffer, a thread and a producer id of its own."""
    transport = RedisStreamTransport(redis_url, stream=namespace, linger_ms=10_000)
    transport.report([make_span("parent's")])
    pid = os.fork()
    if pid == 0:
        transport.report([make_span("child's")])
        os._exit(0 if transport.close(5).acknowledged == 1 else 1)
    assert os.waitpid(pid, 0)[1] == 0
    transport.close(5)
    names = [span["name"] for span in spans_in_stream(redis_url, namespace)]
    assert sorted(names) == ["child's", "parent's"]
    assert len(read_ledger(redis_url, stream=namespace).producers) == 2


def test_spans_are_sent_at_interpreter_exit(redis_url: str, namespace: str) -> None:
    """A script need not call close."""
    script = f"""
from kombu_zipkin.spans import RedisStreamTransport
from kombu_zipkin.tracing import Tracer
with Tracer("script", RedisStreamTransport({redis_url!r}, stream={namespace!r}, linger_ms=60000)).root("once"):
    pass
"""
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True, timeout=30)
    assert [span["name"] for span in spans_in_stream(redis_url, namespace)] == ["once"]


def test_no_thread_and_no_connection_before_the_first_span(redis_url: str) -> None:
    """Making a transport costs nothing and cannot fail."""
    before = threading.active_count()
    transport = RedisStreamTransport("redis://127.0.0.1:1/0")
    assert threading.active_count() == before
    assert transport.flush(0)
    assert transport.close(0).created == 0


def test_the_flusher_ends_with_the_transport(transport: RedisStreamTransport) -> None:
    """No thread is left behind."""

    def flushers() -> list[str]:
        return [thread.name for thread in threading.enumerate() if thread.name == "kombu-zipkin-flusher"]

    transport.report(make_spans(1))
    wait_until(flushers, "the flusher to start")
    transport.close(5)
    wait_until(lambda: not flushers(), "the flusher to end")


def _large() -> dict[str, str]:
    return {str(number): "x" * 1000 for number in range(100)}


def test_a_span_that_is_cut_is_sent_and_counted_as_clipped(redis_url: str, namespace: str) -> None:
    """It is not dropped; its long values lost their ends."""
    transport = RedisStreamTransport(redis_url, stream=namespace)
    transport.report([make_span(tags={"body": "x" * 100_000}), make_span(tags={"body": "x" * 1000})])
    counts = transport.close(5)
    assert (counts.created, counts.acknowledged, counts.clipped, counts.dropped) == (2, 2, 1, {})
    lengths = sorted(len(span["tags"]["body"]) for span in spans_in_stream(redis_url, namespace))
    assert lengths == [1000, 1024]
