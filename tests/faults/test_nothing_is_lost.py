"""Whatever is stopped or killed on the spans' way, every trace is complete in the end."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kombu_zipkin.spans import read_ledger
from tests.servers import Programs, RedisServer, ZipkinServer, wait_until

SPANS = 6  # of one /demo trace
TRACES = 15


@pytest.fixture
def own_zipkin() -> Iterator[ZipkinServer]:
    """A Zipkin for a test that stops it."""
    server = ZipkinServer()
    yield server
    server.close()


@contextmanager
def running(redis: RedisServer, zipkin: ZipkinServer) -> Iterator[Programs]:
    """Web app, worker and relay of this test's own."""
    programs = Programs({"REDIS_URL": redis.url, "ZIPKIN_URL": zipkin.url})
    programs.start_worker()
    programs.start_producer()
    programs.start_relay()
    yield programs
    programs.close()


class Load:
    """Posts demo jobs until it is told to stop, and remembers their traces.

    Args:
        programs: The system under load.
    """

    def __init__(self, programs: Programs) -> None:
        self.traces: list[str] = []
        self._programs = programs
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def wait_for(self, traces: int) -> None:
        """Wait until so many more jobs were posted."""
        target = len(self.traces) + traces
        wait_until(lambda: len(self.traces) >= target, f"{target} jobs to be posted", seconds=60)

    def stop(self) -> list[str]:
        """Stop, and return the traces."""
        self._stop.set()
        self._thread.join()
        return self.traces

    def _run(self) -> None:
        while not self._stop.wait(0.02):
            status, posted = self._programs.get("/demo")
            if status == 202:
                self.traces.append(posted["trace_id"])


def assert_all_complete(zipkin: ZipkinServer, redis: RedisServer, traces: list[str]) -> None:
    """Every trace is whole in Zipkin, once; the books close with nothing waiting, dropped or dead."""
    assert len(traces) == len(set(traces)) >= 2 * TRACES
    for trace_id in traces:
        tree = zipkin.wait_for_trace(trace_id, SPANS, seconds=60)
        assert sum(1 for _ in tree.walk()) == SPANS
    wait_until(lambda: read_ledger(redis.url).waiting == 0, "the stream to be empty")
    ledger = read_ledger(redis.url)
    delivered = len(traces) * SPANS
    assert (ledger.totals["appended"], ledger.totals["delivered"]) == (delivered, delivered)
    assert (ledger.difference, ledger.totals.get("dead", 0), ledger.totals.get("vanished", 0)) == (0, 0, 0)


def test_a_relay_that_is_killed_under_load_loses_nothing(own_redis: RedisServer, zipkin: ZipkinServer) -> None:
    """Killed again and again with entries in hand; another takes them over."""
    with running(own_redis, zipkin) as programs:
        load = Load(programs)
        for _ in range(2):
            load.wait_for(TRACES)
            programs.kill("relay")
            load.wait_for(TRACES)
            programs.start_relay()
        assert_all_complete(zipkin, own_redis, load.stop())


def test_a_zipkin_that_is_stopped_under_load_loses_nothing(own_redis: RedisServer, own_zipkin: ZipkinServer) -> None:
    """What comes while it is away waits in the stream; a relay that is killed meanwhile changes nothing."""
    with running(own_redis, own_zipkin) as programs:
        own_zipkin.stop()
        load = Load(programs)
        load.wait_for(TRACES)
        programs.kill("relay")
        programs.start_relay(ready=False)
        load.wait_for(TRACES)
        traces = load.stop()
        assert read_ledger(own_redis.url).waiting > 0
        own_zipkin.start()
        assert_all_complete(own_zipkin, own_redis, traces)


def test_a_redis_that_is_killed_loses_no_acknowledged_span(own_redis: RedisServer, zipkin: ZipkinServer) -> None:
    """Its append-only file has them; the programs find it again by themselves."""
    with running(own_redis, zipkin) as programs:
        load = Load(programs)
        load.wait_for(TRACES)
        own_redis.kill()
        own_redis.start()
        load.wait_for(TRACES)
        traces = load.stop()
        for trace_id in traces:
            zipkin.wait_for_trace(trace_id, SPANS, seconds=90)
        wait_until(lambda: read_ledger(own_redis.url).waiting == 0, "the stream to be empty")
        ledger = read_ledger(own_redis.url)
        assert ledger.difference == 0
        assert all(not books.dropped for books in ledger.producers)
