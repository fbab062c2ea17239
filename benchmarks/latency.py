"""From the end of a span to the moment when Zipkin's API has it, at 1,000 spans a second."""

import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.goals import percentile, row
from benchmarks.processes import relay
from kombu_zipkin.spans import RedisStreamTransport
from kombu_zipkin.tracing import Tracer, current_trace
from tests.servers import RedisServer, ZipkinServer

SECONDS = 20.0
PAUSE_SECONDS = 0.004  # between roots of four spans
EVERY = 10  # roots, of which one is looked for
POLL_SECONDS = 0.01


def main() -> None:
    """Print the rows."""
    zipkin = ZipkinServer()
    with TemporaryDirectory() as folder:
        redis = RedisServer(Path(folder))
        try:
            with relay(redis.url, zipkin.url):
                found = _look(redis.url, zipkin)
        finally:
            redis.close()
            zipkin.close()
    row("span end to queryable in Zipkin, at 1,000 spans/s: p50", [percentile(found, 0.5)], "<= 250", "ms")
    row("span end to queryable in Zipkin, at 1,000 spans/s: p99", [percentile(found, 0.99)], "<= 1,000", "ms")


def _look(url: str, zipkin: ZipkinServer) -> list[float]:
    ended: dict[str, float] = {}
    found: list[float] = []
    stop = threading.Event()
    looker = threading.Thread(target=_search, args=(zipkin, ended, found, stop))
    looker.start()
    transport = RedisStreamTransport(url)
    tracer = Tracer("shop", transport, host="10.0.0.1")
    until, number, pause = time.monotonic() + SECONDS, 0, threading.Event()
    while time.monotonic() < until:
        number += 1
        with tracer.root("get /"):
            for _ in range(3):
                with tracer.child("do_stuff"):
                    pass
            context = current_trace()
        if number % EVERY == 0 and context is not None and context.trace_id is not None:
            ended[context.trace_id] = time.perf_counter()
        pause.wait(PAUSE_SECONDS)
    transport.close(5)
    time.sleep(2)
    stop.set()
    looker.join()
    assert not ended, f"{len(ended)} traces never arrived"
    return found


def _search(zipkin: ZipkinServer, ended: dict[str, float], found: list[float], stop: threading.Event) -> None:
    """Ask for the traces that have ended, again and again, until each is there."""
    while not stop.wait(POLL_SECONDS):
        there = [trace_id for trace_id in list(ended)[:5] if zipkin.api.trace(trace_id)]
        found += [(time.perf_counter() - ended.pop(trace_id)) * 1000 for trace_id in there]
