"""The relay: into a server that accepts everything, into the real Zipkin beside a bare client, and doing nothing."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from tempfile import TemporaryDirectory

from benchmarks.goals import row
from benchmarks.handing_over import make_spans
from benchmarks.processes import cpu_seconds, relay, rss_mib, sink
from kombu_zipkin.spans import Entry, Piece, StreamKeys, compress, encode, join
from kombu_zipkin.zipkin import ZipkinClient
from tests.servers import Process, RedisServer, ZipkinServer, wait_until

SPANS = 100  # of an entry
INTO_SINK_ENTRIES = 40_000
INTO_ZIPKIN_ENTRIES = 6_000
DRAINED_ENTRIES = 10_000
POST_SPANS = 10_000  # as the relay's default
POSTS = 2
IDLE_SECONDS = 10.0


def main() -> None:
    """Print the rows."""
    with _redis() as redis, sink() as accepting:
        _into_sink(redis, accepting)
    with _redis() as redis, _zipkin() as zipkin:
        _beside_a_bare_client(redis, zipkin)
        _drain(redis, zipkin)


def _into_sink(redis: RedisServer, accepting: str) -> None:
    speeds, costs, spans = [], [], INTO_SINK_ENTRIES * SPANS
    pieces = _pieces(50)
    with relay(redis.url, accepting) as program:
        for _ in range(4):
            seconds, cpu = _drained(redis, program, pieces, INTO_SINK_ENTRIES)
            speeds.append(spans / seconds)
            costs.append(cpu / spans * 1e6)
        begun = cpu_seconds(program.pid)
        time.sleep(IDLE_SECONDS)
        idle = (cpu_seconds(program.pid) - begun) / IDLE_SECONDS * 100
    row("relay into a 202 sink, entries of 100 spans", speeds[1:], ">= 2,000,000", "spans/s")
    row("  its CPU", costs[1:], "<= 0.3", "us/span")
    row("  its CPU with nothing to do", [idle], "<= 1", "%")


def _beside_a_bare_client(redis: RedisServer, zipkin: ZipkinServer) -> None:
    """The relay, and a client with bodies that are ready-made, as large, on as many connections; in turn."""
    spans, ratios, speeds = INTO_ZIPKIN_ENTRIES * SPANS, [], []
    with relay(redis.url, zipkin.url) as program:
        for number in range(6):
            pieces = _pieces(INTO_ZIPKIN_ENTRIES)
            ours = spans / _drained(redis, program, pieces, INTO_ZIPKIN_ENTRIES)[0]
            bare = spans / _bare(zipkin.url, _pieces(INTO_ZIPKIN_ENTRIES))
            if number:  # Zipkin's first rounds warm it up
                ratios.append(ours / bare)
                speeds.append(ours)
    row("relay into the real Zipkin", speeds, "", "spans/s")
    row("  of a bare client with ready-made bodies as large", ratios, ">= 0.95")


def _drain(redis: RedisServer, zipkin: ZipkinServer) -> None:
    """A million spans that waited, into a Zipkin with a heap of 512 MB."""
    with relay(redis.url, zipkin.url) as program:
        before = rss_mib(program.pid)
        peak, stop = [before], threading.Event()
        watch = threading.Thread(target=_watch, args=(program.pid, peak, stop))
        watch.start()
        seconds, _ = _drained(redis, program, _pieces(DRAINED_ENTRIES), DRAINED_ENTRIES)
        stop.set()
        watch.join()
    row("a million waiting spans, drained", [DRAINED_ENTRIES * SPANS / seconds], "", "spans/s")
    row("  the relay's memory grew by", [max(peak) - before], "<= 64", "MiB")
    healthy = zipkin.process.is_running and zipkin.api.health() is None and not zipkin.api.spans_dropped()
    row("  Zipkin is up and dropped nothing (1: yes)", [float(healthy)], ">= 1")


def _drained(redis: RedisServer, program: Process, pieces: list[Piece], entries: int) -> tuple[float, float]:
    """Fill the stream while the relay is frozen, let it go; returns seconds and CPU seconds until all is settled."""
    keys = StreamKeys()
    os.kill(program.pid, signal.SIGSTOP)
    with redis.client() as client:
        pipeline = client.pipeline(transaction=False)
        for number in range(entries):
            entry = Entry(pieces[number % len(pieces)], SPANS, "bench", number + 1, int(time.time() * 1000))
            pipeline.execute_command("XADD", keys.stream, "*", *entry.fields())
            if number % 500 == 499:
                pipeline.execute()
        pipeline.execute()
        cpu, begun = cpu_seconds(program.pid), time.perf_counter()
        os.kill(program.pid, signal.SIGCONT)
        wait_until(lambda: client.xlen(keys.stream) == 0, "the stream to be empty", seconds=120)
    return time.perf_counter() - begun, cpu_seconds(program.pid) - cpu


def _bare(url: str, pieces: list[Piece]) -> float:
    """Post ready-made bodies; returns the seconds it took."""
    bodies: SimpleQueue[bytes] = SimpleQueue()
    size = POST_SPANS // SPANS
    for begin in range(0, len(pieces), size):
        bodies.put(join(pieces[begin : begin + size]))
    client = ZipkinClient(url, timeout=30.0, connections=POSTS)

    def run() -> None:
        while True:
            try:
                body = bodies.get_nowait()
            except Empty:
                return
            assert client.post(body).status == 202

    threads = [threading.Thread(target=run) for _ in range(POSTS)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client.close()
    return time.perf_counter() - begun


def _watch(pid: int, peak: list[float], stop: threading.Event) -> None:
    while not stop.wait(0.05):
        peak.append(rss_mib(pid))


def _pieces(entries: int) -> list[Piece]:
    """Return compressed entries of spans whose ids are all different."""
    return [compress(b",".join(map(encode, make_spans(SPANS)))) for _ in range(entries)]


@contextmanager
def _redis() -> Iterator[RedisServer]:
    with TemporaryDirectory() as folder:
        server = RedisServer(Path(folder))
        try:
            yield server
        finally:
            server.close()


@contextmanager
def _zipkin() -> Iterator[ZipkinServer]:
    server = ZipkinServer()
    try:
        yield server
    finally:
        server.close()
