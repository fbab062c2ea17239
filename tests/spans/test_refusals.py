"""A Redis that refuses to write: out of memory, a replica; and a producer that only keeps quiet."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kombu_zipkin.errors import StreamUnavailable
from kombu_zipkin.spans import (
    Appended,
    DeadRecord,
    ProducerReport,
    RedisStreamTransport,
    Settlement,
    SpanGroup,
    SpanStream,
    flusher,
    read_ledger,
)
from tests.servers import VARIANTS, RedisServer, find_variant, wait_until
from tests.spans.making import make_spans
from tests.spans.test_ledger import entry, fill


@pytest.fixture(params=VARIANTS)
def own_redis(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RedisServer]:
    """A server of each kind, to be filled and degraded."""
    program = find_variant(request.param)
    if program is None:
        pytest.skip(f"no {request.param} on this machine")
    server = RedisServer(tmp_path, program)
    yield server
    server.close()


def test_a_full_redis_refuses_and_a_relay_that_starts_then_empties_it(own_redis: RedisServer) -> None:
    """Settling frees before it writes, dead letters too; afterwards there is room, and the books close."""
    fill(own_redis.url, "full", 20)
    stream = SpanStream(own_redis.url, stream="full")
    with own_redis.client() as client:
        client.config_set("maxmemory", "1")
        with pytest.raises(StreamUnavailable, match=r"OOM|OutOfMemory"):
            stream.append(entry(21), ProducerReport(63, 60, {}))
        group = SpanGroup(own_redis.url, "relay-1", stream="full")
        client.config_set("maxmemory", "0")  # a group is made once, and needs memory
        held = group.read(20, 100)
        client.config_set("maxmemory", "1")
        dead = [DeadRecord(1, ["reason", "refused", "span", b"{}"])]
        assert group.settle([Settlement(received, 2, dead) for received in held]) == 20
        client.config_set("maxmemory", "0")
    group.close()
    assert stream.append(entry(21), ProducerReport(63, 60, {})) is Appended.APPENDED
    stream.close()
    ledger = read_ledger(own_redis.url, stream="full")
    assert (ledger.totals["delivered"], ledger.totals["dead"], ledger.waiting) == (40, 20, 3)
    assert (ledger.difference, ledger.dead_difference) == (0, 0)


def test_a_primary_that_became_a_replica_is_unavailable(own_redis: RedisServer) -> None:
    """As after a fail-over; nothing is counted."""
    stream = SpanStream(own_redis.url, stream="replica")
    with own_redis.client() as client:
        client.replicaof("127.0.0.1", "1")
        with pytest.raises(StreamUnavailable, match=r"(?i)read.?only"):
            stream.append(entry(1), ProducerReport(3, 0, {}))
        client.replicaof("NO", "ONE")
    assert stream.append(entry(1), ProducerReport(3, 0, {})) is Appended.APPENDED
    stream.close()


def test_a_quiet_producer_gives_a_sign_of_life(redis_url: str, namespace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or it would be forgotten after a week, and what it says then would look like a loss."""
    monkeypatch.setattr(flusher, "_REPORT_SECONDS", 0.02)
    monkeypatch.setattr(flusher, "_SIGN_OF_LIFE_SECONDS", 0.1)
    transport = RedisStreamTransport(redis_url, stream=namespace)
    transport.report(make_spans(1))
    assert transport.flush(10)

    def seen() -> int:
        return read_ledger(redis_url, stream=namespace).producers[0].seen_ms

    first = seen()
    wait_until(lambda: seen() > first + 300, "a later sign of life")
    transport.close(5)
