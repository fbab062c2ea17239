"""Redis fails in every way it can: what fits is kept, the rest is counted, and once it is mended all is sent."""

import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
import redis

from kombu_zipkin.spans import RedisStreamTransport, StreamKeys, read_ledger
from tests.servers import Process, RedisServer, wait_until
from tests.spans.making import make_spans

KEYS = StreamKeys()
Failing = Callable[[RedisServer], "Iterator[str]"]


@contextmanager
def refused(server: RedisServer) -> Iterator[str]:
    """Nobody listens."""
    server.stop()
    yield "refused"
    server.start()


@contextmanager
def frozen(server: RedisServer) -> Iterator[str]:
    """It listens and does not answer."""
    os.kill(server.process.pid, signal.SIGSTOP)
    yield "Timeout"
    os.kill(server.process.pid, signal.SIGCONT)


@contextmanager
def locked(server: RedisServer) -> Iterator[str]:
    """It wants a password."""
    with server.client() as client:
        client.config_set("requirepass", "secret")
        yield "Authentication"
        client.config_set("requirepass", "")


@contextmanager
def full(server: RedisServer) -> Iterator[str]:
    """It has no memory left."""
    with server.client() as client:
        client.config_set("maxmemory", 1)
        yield "maxmemory|OOM"
        client.config_set("maxmemory", 0)


@contextmanager
def busy(server: RedisServer) -> Iterator[str]:
    """Somebody's script does not end."""
    with server.client() as client:
        client.config_set("busy-reply-threshold", 50)

    def hang() -> None:
        with server.client() as client, suppress(redis.RedisError):
            client.eval("while true do end", 0)

    thread = threading.Thread(target=hang)
    thread.start()
    yield "BUSY|Busy"
    with server.client() as client:
        wait_until(lambda: client.script_kill(), "the script to be killed")
    thread.join()


@contextmanager
def of_another_type(server: RedisServer) -> Iterator[str]:
    """Somebody uses the stream's name for something else."""
    with server.client() as client:
        client.set(KEYS.stream, "mine")
        yield "WRONGTYPE"
        client.delete(KEYS.stream)


@contextmanager
def a_replica(server: RedisServer) -> Iterator[str]:
    """It may only be read."""
    with server.client() as client:
        client.replicaof("127.0.0.1", "1")
        yield "READONLY|read only"
        client.replicaof("NO", "ONE")


WAYS = [refused, frozen, locked, full, busy, of_another_type, a_replica]


@pytest.mark.parametrize("failing", WAYS, ids=lambda way: way.__name__)
def test_what_fits_is_kept_and_arrives_once_redis_is_mended(
    own_redis: RedisServer, caplog: pytest.LogCaptureFixture, failing: Failing
) -> None:
    """Nothing is raised, nothing waits, one warning is given, and the books close."""
    caplog.set_level(logging.DEBUG, "kombu_zipkin")
    transport = RedisStreamTransport(own_redis.url, linger_ms=0, max_spans=100)
    with failing(own_redis) as said:  # type: ignore[attr-defined]
        slowest = 0.0
        for _ in range(60):
            begun = time.perf_counter()
            transport.report(make_spans(4))
            slowest = max(slowest, time.perf_counter() - begun)
        assert slowest < 0.5, "the request waited"
        wait_until(lambda: _warnings(caplog), "the warning")
        counts = transport.counts()
        assert counts.created == 240
        assert counts.held + counts.dropped["buffer_full"] == 240
        assert counts.held >= 100 - 3
    assert transport.flush(20)
    closed = transport.close(5)
    assert closed.acknowledged + closed.dropped["buffer_full"] == 240
    assert closed.acknowledged == counts.held
    ledger = read_ledger(own_redis.url)
    assert (ledger.waiting, ledger.difference) == (closed.acknowledged, 0)
    (warning,) = _warnings(caplog)
    assert any(word in warning for word in said.split("|")), warning


def test_a_black_hole_keeps_no_request_waiting(caplog: pytest.LogCaptureFixture) -> None:
    """It takes the connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        transport = RedisStreamTransport(f"redis://127.0.0.1:{silent.getsockname()[1]}/0", linger_ms=0)
        begun = time.perf_counter()
        for _ in range(100):
            transport.report(make_spans(4))
        assert time.perf_counter() - begun < 2.0
        assert transport.counts().held == 400
        counts = transport.close(0.2)
    assert (counts.created, counts.dropped) == (400, {"closed": 400})


def test_memory_stays_in_its_budget_while_redis_is_gone() -> None:
    """Ten times more spans than fit; for ten minutes by `python -m tests.spans.overload`."""
    process = Process([sys.executable, "-m", "tests.spans.overload", "--seconds", "8"])
    assert process.wait(60) == 0, process.output
    process.close()


def test_a_lone_trace_after_quiet_waits_for_a_fifth_of_the_linger_time(redis_url: str, namespace: str) -> None:
    """And under load for all of it; a full batch does not wait."""
    transport = RedisStreamTransport(redis_url, stream=namespace, linger_ms=2000)
    begun = time.monotonic()
    transport.report(make_spans(2))
    wait_until(lambda: transport.counts().acknowledged == 2, "a lone trace to be sent")
    assert time.monotonic() - begun < 1.5
    transport.report(make_spans(2))
    begun = time.monotonic()
    wait_until(lambda: transport.counts().acknowledged == 4, "the next one to be sent")
    assert time.monotonic() - begun > 1.2
    begun = time.monotonic()
    transport.report(make_spans(600))
    wait_until(lambda: transport.counts().acknowledged == 604, "a full batch to be sent")
    assert time.monotonic() - begun < 1.5
    transport.close(5)


def _warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
