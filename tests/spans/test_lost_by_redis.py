"""What Redis itself loses, after it acknowledged it, the books notice: a cut append-only file, a fail-over."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from kombu_zipkin.errors import ConfigurationError, StreamUnavailable
from kombu_zipkin.spans import Appended, ProducerReport, Settlement, SpanGroup, SpanStream, read_ledger
from tests.servers import Process, RedisServer, wait_until
from tests.servers.waiting import free_port
from tests.spans.test_ledger import entry


class Producer:
    """Appends batches of three spans, and says each time how many it was told are in.

    Args:
        url: The Redis.
        stream: The stream's name.
    """

    def __init__(self, url: str, stream: str) -> None:
        self.stream = SpanStream(url, stream=stream, timeout=1.0)
        self.sequence = 0

    def append(self) -> Appended:
        """Append the next batch."""
        created, acknowledged = 3 * self.sequence + 3, 3 * self.sequence
        answer = self.stream.append(entry(self.sequence + 1), ProducerReport(created, acknowledged, {}))
        self.sequence += 1
        return answer


def test_spans_that_a_cut_append_only_file_held_have_vanished(own_redis: RedisServer, tmp_path: Path) -> None:
    """As after a power cut: the file's end is missing, and Redis starts without it."""
    producer = Producer(own_redis.url, "cut")
    for _ in range(40):
        producer.append()
    own_redis.kill()
    (log,) = tmp_path.rglob("*.incr.aof")
    os.truncate(log, log.stat().st_size - 4_000)
    own_redis.start()
    ledger = read_ledger(own_redis.url, stream="cut")
    left = ledger.waiting
    assert 0 < left < 120
    assert ledger.difference == 0
    assert producer.append() is Appended.APPENDED
    producer.stream.close()
    ledger = read_ledger(own_redis.url, stream="cut")
    assert (ledger.totals["vanished"], ledger.waiting, ledger.difference) == (120 - left, left + 3, 0)
    (books,) = ledger.producers
    assert (books.created, books.accepted, books.vanished, books.held) == (123, left + 3, 120 - left, 0)


class Trio:
    """A primary, a replica, and three Sentinels that watch them.

    Args:
        folder: Of their data.
    """

    def __init__(self, folder: Path) -> None:
        self.primary = RedisServer(folder / "primary")
        replica_of = ["--replicaof", "127.0.0.1", str(self.primary.port)]
        self.replica = RedisServer(folder / "replica", None, replica_of)
        self.ports = [free_port() for _ in range(3)]
        self._sentinels = [self._sentinel(folder / f"sentinel-{port}", port) for port in self.ports]
        wait_until(lambda: all(map(self._knows_all, self.ports)), "the Sentinels to know each other and the replica")

    @property
    def url(self) -> str:
        """The primary's address, whoever that is."""
        return f"redis+sentinel://{','.join(f'127.0.0.1:{port}' for port in self.ports)}/main/0"

    def cut(self) -> None:
        """Freeze the replica and end the replication: what it has not received now, it never will."""
        self.replica.process.signal(signal.SIGSTOP)
        with self.primary.client() as client:
            client.execute_command("CLIENT", "KILL", "TYPE", "replica")

    def fail_over(self) -> None:
        """Kill the primary, and thaw the replica."""
        self.primary.kill()
        self.replica.process.signal(signal.SIGCONT)

    def close(self) -> None:
        """End all."""
        for sentinel in self._sentinels:
            sentinel.close()
        self.primary.close()
        self.replica.close()

    def _sentinel(self, folder: Path, port: int) -> Process:
        folder.mkdir()
        config = folder / "sentinel.conf"
        config.write_text(
            f"bind 127.0.0.1\nport {port}\ndir {folder}\nsentinel monitor main 127.0.0.1 {self.primary.port} 2\n"
            "sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 3000\n"
        )
        return Process([str(self.primary.program), str(config), "--sentinel"])

    def _knows_all(self, port: int) -> bool:
        try:
            with redis.Redis(port=port, decode_responses=True) as client:
                state: Any = client.sentinel_master("main")
        except (redis.RedisError, OSError):
            return False
        return (state["num-slaves"], state["num-other-sentinels"]) == (1, 2)


@pytest.fixture
def trio(tmp_path: Path) -> Iterator[Trio]:
    """A primary, a replica and three Sentinels of one test."""
    for name in ("primary", "replica"):
        (tmp_path / name).mkdir()
    servers = Trio(tmp_path)
    yield servers
    servers.close()


def succeeded(act: Callable[[], object], failures: list[StreamUnavailable]) -> bool:
    """Try something, and remember how it failed."""
    try:
        act()
    except StreamUnavailable as error:
        failures.append(error)
        return False
    return True


def test_spans_that_a_fail_over_lost_have_vanished(trio: Trio) -> None:
    """Producer and relay go on with the new primary, and the books tell what the old one took with it."""
    producer, group = Producer(trio.url, "main"), SpanGroup(trio.url, "relay-1", stream="main")
    for _ in range(4):
        producer.append()
    delivered = group.read(1, 100)
    group.settle([Settlement(received, 3) for received in delivered])
    with trio.primary.client() as client:
        assert client.wait(1, 5_000) == 1
    trio.cut()
    for _ in range(3):
        assert producer.append() is Appended.APPENDED
    trio.fail_over()
    failures: list[StreamUnavailable] = []
    assert not succeeded(group.oldest_ms, failures)
    wait_until(lambda: succeeded(producer.append, failures), "the producer to reach the new primary", seconds=40)
    assert len(failures) > 1
    wait_until(lambda: succeeded(group.oldest_ms, failures), "the relay to reach the new primary", seconds=40)
    ledger = read_ledger(trio.url, stream="main")
    assert (ledger.totals["vanished"], ledger.waiting, ledger.difference) == (9, 12, 0)
    rest = [*group.claim(10, 0), *group.read(10, 100)]
    assert group.settle([Settlement(received, 3) for received in rest]) == 4
    group.close()
    producer.stream.close()
    ledger = read_ledger(trio.url, stream="main")
    assert (ledger.totals["delivered"], ledger.waiting, ledger.difference) == (15, 0, 0)


@pytest.mark.parametrize(
    "url",
    [
        "redis+sentinel://host:26379",
        "redis+sentinel:///main",
        "redis+sentinel://host:port/main",
        "redis+sentinel://host/main/first",
    ],
)
def test_a_url_of_sentinels_that_is_none_is_refused(url: str) -> None:
    """At once."""
    with pytest.raises(ConfigurationError, match="Redis URL"):
        SpanStream(url)


def test_sentinels_that_are_away_make_the_stream_unavailable() -> None:
    """As a Redis that is away does."""
    stream = SpanStream("redis+sentinel://user:secret@127.0.0.1:1,127.0.0.1:2/main")
    with pytest.raises(StreamUnavailable, match="append 3 spans") as failure:
        stream.append(entry(1), ProducerReport(3, 0, {}))
    stream.close()
    assert "secret" not in str(failure.value)
