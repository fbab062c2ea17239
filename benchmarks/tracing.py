"""What tracing costs: ``python -m benchmarks.tracing``.

Root and 3 children here, with the transport on a real Redis; in py_zipkin with a transport that does nothing; in
OpenTelemetry's SDK with its batch processor and Zipkin exporter. On the request's thread, and CPU of the whole process.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kombu import Connection, Consumer, Exchange, Producer, Queue
from opentelemetry.exporter.zipkin.json import ZipkinExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from py_zipkin.transport import BaseTransportHandler
from py_zipkin.zipkin import zipkin_span

from benchmarks.measuring import Case, ratio, run, show
from kombu_zipkin.messaging import trace_consumer, trace_producer
from kombu_zipkin.spans import RedisStreamTransport
from kombu_zipkin.tracing import NEVER, Kind, TraceContext, Tracer, extract, inject_http, inject_message
from stack.redis import answers, find_server, server_argv

CALLS = 1500
HOST = "10.0.0.1"
REDIS_PORT = 16399

HERE, PY_ZIPKIN, OPEN_TELEMETRY = "root + 3 children, here", "root + 3 children, py_zipkin", "root + 3 children, OTel"
UNSAMPLED, PLAIN, TRACED = "unsampled root", "publish + consume, plain", "publish + consume, traced"


class Nowhere(BaseTransportHandler):
    """A transport that does nothing."""

    def get_max_payload_bytes(self) -> int | None:
        """Set no bound."""
        return None

    def send(self, payload: bytes | str) -> None:
        """Forget it."""


class Ours:
    """Traces here.

    Args:
        tracer: Of a sampled or an unsampled service.
    """

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def trace(self) -> None:
        """Make a root and three children."""
        with self._tracer.root("get /", kind=Kind.SERVER):
            for _ in range(3):
                with self._tracer.child("do_stuff"):
                    pass

    def root(self) -> None:
        """Make a root alone."""
        with self._tracer.root("get /", kind=Kind.SERVER):
            pass


class Theirs:
    """Traces in py_zipkin, and in OpenTelemetry.

    Args:
        provider: OpenTelemetry's.
    """

    def __init__(self, provider: TracerProvider) -> None:
        self._nowhere = Nowhere()
        self._tracer = provider.get_tracer("shop")

    def py_zipkin(self) -> None:
        """Make a root and three children."""
        with zipkin_span("shop", span_name="get /", transport_handler=self._nowhere, sample_rate=100, host=HOST):
            for _ in range(3):
                with zipkin_span("shop", span_name="do_stuff", host=HOST):
                    pass

    def open_telemetry(self) -> None:
        """Make a root and three children."""
        with self._tracer.start_as_current_span("get /"):
            for _ in range(3):
                with self._tracer.start_as_current_span("do_stuff"):
                    pass


class Queueing:
    """A message through a queue in memory.

    Args:
        connection: kombu's.
        tracer: None leaves it untraced.
    """

    def __init__(self, connection: Connection, tracer: Tracer | None) -> None:
        self._connection = connection
        self._producer = Producer(connection)
        queue = Queue("bench", Exchange(""), routing_key="bench")
        self._consumer = Consumer(connection, [queue], on_message=lambda message: message.ack())
        if tracer is not None:
            trace_producer(self._producer, tracer)
            trace_consumer(self._consumer, tracer)

    def pair(self) -> None:
        """Publish one message and handle it."""
        with self._consumer:
            self._producer.publish({"order": 7}, exchange="", routing_key="bench")
            self._connection.drain_events(timeout=5)


@contextmanager
def servers() -> Iterator[tuple[str, str]]:
    """A Redis and a sink for OpenTelemetry; yields their addresses."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"redis://127.0.0.1:{REDIS_PORT}/0"
        argv = server_argv(find_server(), REDIS_PORT, Path(folder))
        redis = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
        sink = subprocess.Popen([sys.executable, "-m", "benchmarks.sink"], stdout=subprocess.PIPE, text=True)
        try:
            assert sink.stdout is not None
            port = sink.stdout.readline().strip()
            while not answers(url):
                redis.poll()
            yield url, f"http://127.0.0.1:{port}/api/v2/spans"
        finally:
            for process in (redis, sink):
                process.terminate()
                process.wait()


def cases(redis_url: str, sink_url: str) -> tuple[list[Case], list[RedisStreamTransport | TracerProvider]]:
    """Return what is measured, and what is to be closed."""
    transport = RedisStreamTransport(redis_url, max_spans=10**7, budget_bytes=None)
    tracer, quiet = Tracer("shop", transport, host=HOST), Tracer("shop", transport, sampler=NEVER, host=HOST)
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(ZipkinExporter(endpoint=sink_url), max_queue_size=10**6))
    ours, unsampled, theirs = Ours(tracer), Ours(quiet), Theirs(provider)
    context = TraceContext("463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312", "05e3ac9a4f6e3b90", True)
    headers = {"content-type": "application/json", **inject_message(context)}
    plain, traced = (Queueing(Connection("memory://"), each) for each in (None, tracer))
    flush = lambda: transport.flush(60)  # noqa: E731 - a name for the table below
    return [
        Case(HERE, ours.trace, CALLS, flush),
        Case(PY_ZIPKIN, theirs.py_zipkin, CALLS),
        Case(OPEN_TELEMETRY, theirs.open_telemetry, CALLS, provider.force_flush),
        Case(UNSAMPLED, unsampled.root, CALLS * 4),
        Case("unsampled root + 3 children", unsampled.trace, CALLS),
        Case("inject into a message", lambda: inject_message(context), CALLS * 4),
        Case("inject into HTTP", lambda: inject_http(context), CALLS * 4),
        Case("extract from a message", lambda: extract(headers), CALLS * 4),
        Case(PLAIN, plain.pair, CALLS // 5),
        Case(TRACED, traced.pair, CALLS // 5, flush),
    ], [transport, provider]


def main() -> None:
    """Print the table, then the ratios beside what they should be."""
    with servers() as (redis_url, sink_url):
        measured, opened = cases(redis_url, sink_url)
        done = run(measured)
        for each in opened:
            each.shutdown() if isinstance(each, TracerProvider) else each.close(10)
    show(done)
    here, py_zipkin, otel = done[HERE], done[PY_ZIPKIN], done[OPEN_TELEMETRY]
    goals = [
        ("request's thread, of py_zipkin", ratio(here.us, py_zipkin.us), 0.8),
        ("request's thread, of OpenTelemetry", ratio(here.us, otel.us), 0.35),
        ("whole process, of py_zipkin, which sends nowhere", ratio(here.cpu_us, py_zipkin.cpu_us), 1.0),
        ("whole process, of OpenTelemetry", ratio(here.cpu_us, otel.cpu_us), 0.4),
        ("unsampled root, of a sampled trace", ratio(done[UNSAMPLED].us, here.us), 0.15),
    ]
    print()
    for what, found, goal in goals:
        print(f"{what:<50} {found:5.2f}   goal {goal:4.2f}   {'met' if found <= goal else 'MISSED'}")
    print(f"{'traced pair, of an untraced one':<50} {ratio(done[TRACED].us, done[PLAIN].us):5.2f}")


if __name__ == "__main__":
    main()
