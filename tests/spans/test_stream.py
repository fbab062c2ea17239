"""Append exactly once; settle exactly once."""

import pytest

from kombu_zipkin.errors import StreamUnavailable
from kombu_zipkin.spans import (
    GROUP,
    Appended,
    DeadRecord,
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


@pytest.fixture(params=VARIANTS)
def redis_server(request: pytest.FixtureRequest, redis_variants: RedisVariants) -> RedisServer:
    """Every test here runs on each kind of server."""
    return redis_variants(request.param)


def entry(sequence: int, spans: int = 3, producer: str = "p1") -> Entry:
    """Return a batch."""
    return Entry(compress(b",".join(map(encode, make_spans(spans)))), spans, producer, sequence, 1_700_000_000_000)


def report(created: int, acknowledged: int = 0, **dropped: int) -> ProducerReport:
    """Return a producer's counts."""
    return ProducerReport(created, acknowledged, dropped)


def test_a_batch_sent_again_is_appended_once(redis_url: str, namespace: str) -> None:
    """Its fate may be unknown after a time-out."""
    stream = SpanStream(redis_url, stream=namespace)
    batch = entry(1)
    answers = [stream.append(batch, report(3)) for _ in range(2)]
    stream.close()
    assert answers == [Appended.APPENDED, Appended.REPEATED]
    ledger = read_ledger(redis_url, stream=namespace)
    assert (ledger.totals["appended"], ledger.waiting) == (3, 3)


def test_an_entry_has_the_fields_of_the_format_in_order(redis_server: RedisServer, namespace: str) -> None:
    """As docs/format.md says."""
    stream = SpanStream(redis_server.url, stream=namespace)
    batch = entry(1)
    stream.append(batch, report(3))
    stream.close()
    with redis_server.client() as client:
        client.connection_pool.connection_kwargs["decode_responses"] = False
        ((_, fields),) = client.xrange(StreamKeys(namespace).stream)
    assert [name.decode() for name in fields] == ["v", "n", "z", "p", "s", "t", "l", "k", "d"]
    assert (fields[b"v"], fields[b"n"], fields[b"p"], fields[b"s"]) == (b"1", b"3", b"p1", b"1")
    assert fields[b"d"] == batch.piece.payload


def test_lost_entries_are_seen_as_vanished(redis_server: RedisServer, namespace: str) -> None:
    """The producer was told that ten spans are in; the server knows of three."""
    stream = SpanStream(redis_server.url, stream=namespace)
    stream.append(entry(1), report(3))
    stream.append(entry(2), report(13, acknowledged=10))
    stream.close()
    ledger = read_ledger(redis_server.url, stream=namespace)
    assert (ledger.totals["vanished"], ledger.producers[0].vanished, ledger.difference) == (7, 7, 0)


def test_an_entry_is_settled_once(redis_url: str, namespace: str) -> None:
    """A second settlement counts nothing."""
    stream = SpanStream(redis_url, stream=namespace)
    stream.append(entry(1), report(3))
    stream.close()
    group = SpanGroup(redis_url, "relay-1", stream=namespace)
    (received,) = group.read(10, 100)
    settlement = Settlement(received, 2, [DeadRecord(1, ["reason", "refused"])])
    assert [group.settle([settlement]) for _ in range(2)] == [1, 0]
    group.close()
    ledger = read_ledger(redis_url, stream=namespace)
    totals = {name: ledger.totals[name] for name in ("appended", "delivered", "dead", "bytes")}
    assert totals == {"appended": 3, "delivered": 2, "dead": 1, "bytes": 0}
    assert (ledger.waiting, ledger.difference) == (0, 0)


def test_entries_older_than_any_relay_are_read(redis_url: str, namespace: str) -> None:
    """The group is made by whoever reads first, from the beginning."""
    stream = SpanStream(redis_url, stream=namespace)
    for sequence in (1, 2):
        stream.append(entry(sequence), report(3 * sequence))
    stream.close()
    group = SpanGroup(redis_url, "relay-1", stream=namespace)
    assert [received.entry.sequence for received in group.read(10, 100) if received.entry] == [1, 2]
    group.close()


def test_a_dead_consumers_entries_are_claimed_and_a_renewed_ones_are_not(redis_url: str, namespace: str) -> None:
    """Renewing says: I am still at it."""
    stream = SpanStream(redis_url, stream=namespace)
    for sequence in (1, 2):
        stream.append(entry(sequence), report(3 * sequence))
    stream.close()
    dead, alive = (SpanGroup(redis_url, name, stream=namespace) for name in ("dead", "alive"))
    held = dead.read(10, 100)
    assert alive.claim(10, idle_ms=60_000) == []
    assert {received.id for received in alive.claim(10, idle_ms=0)} == {received.id for received in held}
    alive.close()
    dead.close()


def test_a_consumer_leaves_only_with_empty_hands(redis_url: str, namespace: str) -> None:
    """Removing one that holds entries would lose them."""
    stream = SpanStream(redis_url, stream=namespace)
    stream.append(entry(1), report(3))
    stream.close()
    group = SpanGroup(redis_url, "relay-1", stream=namespace)
    held = group.read(10, 100)
    assert not group.leave()
    group.settle([Settlement(held[0], 3)])
    assert group.leave()
    group.close()


def test_an_entry_of_strange_fields_is_received_with_its_fault(redis_server: RedisServer, namespace: str) -> None:
    """It becomes a dead letter, not a loop."""
    with redis_server.client() as client:
        client.xadd(StreamKeys(namespace).stream, {"v": "1", "n": "many"})
    group = SpanGroup(redis_server.url, "relay-1", stream=namespace)
    (received,) = group.read(10, 100)
    group.close()
    assert received.entry is None
    assert received.fault is not None


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "redis://user:wrong@127.0.0.1:1/0"])
def test_a_redis_that_is_away_is_unavailable_and_its_password_is_not_told(url: str) -> None:
    """One class for all of its errors."""
    with pytest.raises(StreamUnavailable, match="append 3 spans") as failure:
        SpanStream(url).append(entry(1), report(3))
    assert "wrong" not in str(failure.value)


def test_an_idle_entry_behind_thousands_of_busy_ones_is_claimed(redis_server: RedisServer, namespace: str) -> None:
    """Redis looks at a part of the pending list in each call."""
    stream, keys = SpanStream(redis_server.url, stream=namespace), StreamKeys(namespace)
    stream.append(entry(1), report(3))
    stream.close()
    busy, idle, alive = (SpanGroup(redis_server.url, name, stream=namespace) for name in ("busy", "idle", "alive"))
    assert len(busy.read(1, 100)) == 1
    with redis_server.client() as client:
        for _ in range(300):
            client.xadd(keys.stream, {"v": "1"})
        assert len(busy.read(299, 100)) == 299
        assert len(idle.read(10, 100)) == 1
        pending = client.xpending_range(keys.stream, GROUP, "-", "+", 1000, consumername="idle")
        client.xclaim(keys.stream, GROUP, "idle", 0, [pending[0]["message_id"]], idle=60_000)
    assert [received.id for received in alive.claim(10, idle_ms=30_000)] == [pending[0]["message_id"]]
    for group in (busy, idle, alive):
        group.close()
