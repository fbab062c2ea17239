"""What the thread that made spans pays, in six states of Redis; and the flusher's CPU for it."""

import contextlib
import functools
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import redis
from py_zipkin.encoding import Encoding, Span, create_endpoint, get_encoder
from py_zipkin.zipkin import zipkin_span

from benchmarks.goals import percentile, row
from kombu_zipkin.spans import RedisStreamTransport, SpanEncoder, compress
from kombu_zipkin.tracing import Kind, Reporter, Tracer, new_span_id, new_trace_id
from tests.servers import RedisServer

THREADS = 8
CALLS = 1500
PAUSE_SECONDS = 0.002
ROUNDS = 9


class Nowhere:
    """A reporter that forgets."""

    def report(self, spans: Sequence[Span]) -> None:
        """Do nothing."""


class Timed:
    """Times what another reporter needs, on the thread that has just made the spans.

    Args:
        reporter: The other one.
    """

    def __init__(self, reporter: Reporter) -> None:
        self.us: list[float] = []
        self._reporter = reporter

    def report(self, spans: Sequence[Span]) -> None:
        """Pass them on."""
        begun = time.perf_counter_ns()
        self._reporter.report(spans)
        self.us.append((time.perf_counter_ns() - begun) / 1000)


def make_spans(count: int) -> list[Span]:
    """Return so many spans of one trace, each with three tags."""
    trace_id, endpoint = new_trace_id(), create_endpoint(80, "shop", "10.0.0.1")
    tags: dict[str, str | None] = {"job.id": new_span_id(), "job.task": "charge", "messaging.system": "redis"}
    return [
        Span(
            trace_id, "process charge", None, new_span_id(), Kind.CONSUMER, time.time(), 0.01, endpoint, tags=dict(tags)
        )
        for _ in range(count)
    ]


def main() -> None:
    """Print the rows."""
    for name, state in STATES.items():
        with state() as url:
            transport = RedisStreamTransport(url, max_spans=10**6)
            nothing, ours = (_handed_over(reporter) for reporter in (Nowhere(), transport))
            transport.close(0.1)
        for share, goal in ((0.5, "<= 5"), (0.99, "<= 50")):
            over = percentile(ours, share) - percentile(nothing, share)
            row(f"hand-over over a no-op's, 8 threads, Redis {name}: p{share * 100:.0f}", [over], goal, "us")
    _request()
    _flusher()


def _handed_over(reporter: Reporter) -> list[float]:
    timed = Timed(reporter)
    tracer = Tracer("shop", timed, host="10.0.0.1")
    _paced(functools.partial(_serve, tracer))
    return timed.us


def _paced(work: Callable[[], object]) -> list[float]:
    """Call from eight threads that do something else in between; returns microseconds a call."""
    times: list[float] = []
    pause = threading.Event()

    def run() -> None:
        own = []
        for _ in range(CALLS):
            pause.wait(PAUSE_SECONDS)
            begun = time.perf_counter_ns()
            work()
            own.append((time.perf_counter_ns() - begun) / 1000)
        times.extend(own)

    threads = [threading.Thread(target=run) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


def _request() -> None:
    """A request of a root and three children, with the flusher busy beside it, and without one."""
    found = []
    with _healthy() as url:
        for _ in range(3):
            transport = RedisStreamTransport(url, max_spans=10**6, budget_bytes=None)
            p99 = []
            for reporter in (Nowhere(), transport):
                tracer = Tracer("shop", reporter, host="10.0.0.1")
                p99.append(percentile(_paced(functools.partial(_serve, tracer)), 0.99))
            transport.close(10)
            found.append(p99[1] - p99[0])
    row("request of 4 spans, 8 threads: p99 with the flusher over one without", found, "<= 100", "us")


def _serve(tracer: Tracer) -> None:
    with tracer.root("get /", kind=Kind.SERVER) as span:
        span.tag("http.method", "GET")
        span.tag("http.path", "/orders/17")
        for _ in range(3):
            with zipkin_span("shop", span_name="do_stuff", host="10.0.0.1"):
                pass


def _flusher() -> None:
    """CPU of encoding and compressing; beside it what py_zipkin and OpenTelemetry need to encode alone."""
    spans, encoder, theirs = make_spans(100), SpanEncoder(), get_encoder(Encoding.V2_JSON)
    ours = _us_a_span(lambda: compress(b",".join([encoder.encode(span) for span in spans])))
    py_zipkin = _us_a_span(lambda: theirs.encode_queue([theirs.encode_span(span) for span in spans]))
    row("flusher: encode and compress", ours, "<= 2", "us/span")
    row("  py_zipkin's encoder, without compression", py_zipkin, "", "us/span")
    row("  ratio", [one / other for one, other in zip(ours, py_zipkin, strict=True)], "")


def _us_a_span(work: Callable[[], object]) -> list[float]:
    found = []
    for _ in range(ROUNDS + 1):
        begun = time.process_time_ns()
        for _ in range(20):
            work()
        found.append((time.process_time_ns() - begun) / 1000 / 20 / 100)
    return found[1:]


@contextmanager
def _server() -> Iterator[RedisServer]:
    with TemporaryDirectory() as folder:
        server = RedisServer(Path(folder))
        try:
            yield server
        finally:
            server.close()


@contextmanager
def _healthy() -> Iterator[str]:
    with _server() as server:
        yield server.url


@contextmanager
def _refused() -> Iterator[str]:
    yield "redis://127.0.0.1:1/0"


@contextmanager
def _black_holed() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield f"redis://127.0.0.1:{silent.getsockname()[1]}/0"


@contextmanager
def _full() -> Iterator[str]:
    with _server() as server:
        with server.client() as client:
            client.config_set("maxmemory", "1mb")
            client.config_set("maxmemory-policy", "noeviction")
        yield server.url


@contextmanager
def _locked() -> Iterator[str]:
    with _server() as server:
        with server.client() as client:
            client.config_set("requirepass", "secret")
        yield server.url.replace("redis://", "redis://:wrong@")


@contextmanager
def _stalled() -> Iterator[str]:
    with _server() as server:
        stop = threading.Event()
        thread = threading.Thread(target=_stall, args=(server, stop))
        thread.start()
        yield server.url
        stop.set()
        thread.join()


def _stall(server: RedisServer, stop: threading.Event) -> None:
    while not stop.wait(0.5):
        with server.client() as client, contextlib.suppress(redis.RedisError):
            client.execute_command("DEBUG", "SLEEP", "5")


STATES = {
    "healthy": _healthy,
    "refused": _refused,
    "black-holed": _black_holed,
    "OOM": _full,
    "wrong password": _locked,
    "stalled 5 s": _stalled,
}
