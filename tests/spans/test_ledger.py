"""The books: of one moment, of producers that fell silent, of a stream that somebody trimmed."""

import threading
import time

import pytest

from kombu_zipkin.spans import (
    GROUP,
    Entry,
    ProducerReport,
    Settlement,
    SpanGroup,
    SpanStream,
    StreamKeys,
    compress,
    encode,
    read_ledger,
)
from tests.servers import VARIANTS, RedisServer
from tests.spans.conftest import RedisVariants
from tests.spans.making import make_spans

WEEK_MS = 7 * 24 * 3600 * 1000


@pytest.fixture(params=VARIANTS)
def redis_server(request: pytest.FixtureRequest, redis_variants: RedisVariants) -> RedisServer:
    """Every test here runs on each kind of server."""
    return redis_variants(request.param)


def entry(sequence: int, producer: str = "p1") -> Entry:
    """Return a batch of three spans."""
    return Entry(compress(b",".join(map(encode, make_spans(3)))), 3, producer, sequence, 1_700_000_000_000)


def fill(url: str, stream: str, entries: int, producer: str = "p1") -> None:
    """Append so many batches."""
    appending = SpanStream(url, stream=stream, budget_bytes=None)
    for sequence in range(1, entries + 1):
        appending.append(entry(sequence, producer), ProducerReport(3 * sequence, 3 * (sequence - 1), {}))
    appending.close()


def age(server: RedisServer, stream: str, producer: str, by_ms: int) -> None:
    """Make a producer look as if it had been silent for so long."""
    keys = StreamKeys(stream)
    seen = int(time.time() * 1000) - by_ms
    with server.client() as client:
        client.hset(keys.producer(producer), "seen", seen)
        client.zadd(keys.producers, {producer: seen})


def test_the_books_are_exact_while_everything_moves(redis_server: RedisServer, namespace: str) -> None:
    """They are read in one step."""
    stop, url = threading.Event(), redis_server.url

    def append() -> None:
        stream, sequence = SpanStream(url, stream=namespace), 0
        while not stop.is_set():
            sequence += 1
            stream.append(entry(sequence), ProducerReport(3 * sequence, 0, {}))
        stream.close()

    def settle() -> None:
        group = SpanGroup(url, "relay-1", stream=namespace)
        while not stop.is_set():
            group.settle([Settlement(received, 3) for received in group.read(5, 10)])
        group.close()

    threads = [threading.Thread(target=append), threading.Thread(target=settle)]
    for thread in threads:
        thread.start()
    try:
        ledgers = [read_ledger(url, stream=namespace) for _ in range(50)]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert {(ledger.difference, ledger.exact) for ledger in ledgers} == {(0, True)}
    assert ledgers[-1].totals["appended"] > ledgers[0].totals.get("appended", 0)


def test_a_long_stream_is_counted_page_by_page(redis_server: RedisServer, namespace: str) -> None:
    """And that is exact too as long as nothing moves; else the ledger says that it is not."""
    fill(redis_server.url, namespace, 2_100)
    ledger = read_ledger(redis_server.url, stream=namespace)
    assert (ledger.waiting, ledger.difference, ledger.exact) == (6_300, 0, True)
    moving, stop = threading.Event(), threading.Event()

    def move() -> None:
        with redis_server.client() as client:
            while not stop.is_set():
                client.hincrby(StreamKeys(namespace).totals, "replayed", 1)
                moving.set()

    thread = threading.Thread(target=move)
    thread.start()
    assert moving.wait(10)
    ledger = read_ledger(redis_server.url, stream=namespace)
    stop.set()
    thread.join()
    assert not ledger.exact


def test_what_a_silent_producer_held_is_lost_after_three_report_periods(
    redis_server: RedisServer, namespace: str
) -> None:
    """Until then it may still send it."""
    stream = SpanStream(redis_server.url, stream=namespace)
    stream.append(entry(1), ProducerReport(10, 0, {"buffer_full": 2}))
    stream.close()
    (producer,) = read_ledger(redis_server.url, stream=namespace).producers
    assert (producer.held, producer.lost) == (5, 0)
    age(redis_server, namespace, "p1", 31_000)
    (producer,) = read_ledger(redis_server.url, stream=namespace).producers
    assert (producer.held, producer.lost) == (0, 5)


def test_producers_silent_for_a_week_enter_the_totals(redis_server: RedisServer, namespace: str) -> None:
    """Their own books are closed; the others' stay."""
    url, keys = redis_server.url, StreamKeys(namespace)
    stream = SpanStream(url, stream=namespace)
    for number in range(150):
        stream.append(entry(1, f"old-{number}"), ProducerReport(10, 0, {"buffer_full": 2, "closed": 1}))
        age(redis_server, namespace, f"old-{number}", WEEK_MS + 60_000)
    stream.append(entry(1, "young"), ProducerReport(3, 0, {}))
    age(redis_server, namespace, "young", WEEK_MS - 60_000)
    stream.close()
    group = SpanGroup(url, "relay-1", stream=namespace)
    group.tidy()
    group.close()
    ledger = read_ledger(url, stream=namespace)
    assert [producer.producer for producer in ledger.producers] == ["young"]
    names = ("created", "accepted", "lost", "dropped:buffer_full", "dropped:closed")
    assert [ledger.totals[name] for name in names] == [1500, 450, 600, 300, 150]
    assert ledger.difference == 0
    with redis_server.client() as client:
        assert client.keys(f"{keys.producer('')}*") == [keys.producer("young")]


def test_idle_consumers_with_empty_hands_are_removed(redis_server: RedisServer, namespace: str) -> None:
    """One that holds entries stays, and so do they."""
    fill(redis_server.url, namespace, 1)
    key = StreamKeys(namespace).stream
    groups = {name: SpanGroup(redis_server.url, name, stream=namespace) for name in ("holds", "empty", "tidy")}
    for group in groups.values():
        group.read(1, 1)
    with redis_server.client() as client:
        for name in groups:
            client.xgroup_createconsumer(key, GROUP, name)
        tidy = groups["tidy"]
        tidy.tidy()
        assert {each["name"] for each in client.xinfo_consumers(key, GROUP)} == {"holds", "empty", "tidy"}
        tidy._idle_ms = -1
        tidy.tidy()
        assert {each["name"] for each in client.xinfo_consumers(key, GROUP)} == {"holds", "tidy"}
        assert client.xpending(key, GROUP)["pending"] == 1
    for group in groups.values():
        group.close()


def test_a_stream_that_was_trimmed_by_hand_is_seen(redis_server: RedisServer, namespace: str) -> None:
    """What nobody counted is a difference, not hidden."""
    fill(redis_server.url, namespace, 4)
    with redis_server.client() as client:
        client.xtrim(StreamKeys(namespace).stream, maxlen=1, approximate=False)
    assert read_ledger(redis_server.url, stream=namespace).difference == 9


def test_pending_entries_that_were_deleted_by_hand_are_acknowledged(redis_server: RedisServer, namespace: str) -> None:
    """Redis 6.2 would offer them for ever."""
    fill(redis_server.url, namespace, 5)
    key = StreamKeys(namespace).stream
    dead, alive = (SpanGroup(redis_server.url, name, stream=namespace) for name in ("dead", "alive"))
    held = dead.read(10, 100)
    with redis_server.client() as client:
        client.xdel(key, held[1].id, held[3].id)
        claimed = {received.id for _ in range(3) for received in alive.claim(10, idle_ms=0)}
        assert claimed == {held[0].id, held[2].id, held[4].id}
        assert client.xpending(key, GROUP)["pending"] == 3
    alive.settle([Settlement(held[number], 3) for number in (0, 2, 4)])
    for group in (dead, alive):
        assert group.leave()
        group.close()


def test_the_oldest_entry_tells_its_age(redis_server: RedisServer, namespace: str) -> None:
    """By the server's clock; an empty stream has none."""
    group = SpanGroup(redis_server.url, "relay-1", stream=namespace)
    assert group.oldest_ms() is None
    fill(redis_server.url, namespace, 2)
    oldest = group.oldest_ms()
    group.close()
    assert oldest is not None
    assert abs(time.time() * 1000 - oldest) < 60_000
