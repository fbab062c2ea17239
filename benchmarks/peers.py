"""The same job by OpenTelemetry's SDK exporter and by py_zipkin's synchronous HTTP transport."""

import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import requests
from opentelemetry.exporter.zipkin.json import ZipkinExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from py_zipkin.encoding import Encoding
from py_zipkin.transport import BaseTransportHandler
from py_zipkin.zipkin import zipkin_span

from benchmarks.goals import percentile, row
from benchmarks.processes import sink
from kombu_zipkin.spans import RedisStreamTransport
from kombu_zipkin.tracing import Tracer
from tests.servers import RedisServer

REQUESTS = 1500
ROUNDS = 5
HOST = "10.0.0.1"


class Posting(BaseTransportHandler):
    """py_zipkin's own way: one POST a root, in the request; over a connection that is kept.

    Args:
        url: Where to.
    """

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._session = requests.Session()

    def get_max_payload_bytes(self) -> int | None:
        """Set no bound."""
        return None

    def send(self, payload: bytes | str) -> None:
        """Post it."""
        self._session.post(self._url, data=payload, headers={"Content-Type": "application/json"}, timeout=5)


def main() -> None:
    """Print the rows."""
    with TemporaryDirectory() as folder, sink() as accepting:
        redis = RedisServer(Path(folder))
        url = f"{accepting}/api/v2/spans"
        transport = RedisStreamTransport(redis.url, max_spans=10**6, budget_bytes=None)
        provider = TracerProvider()
        provider.add_span_processor(BatchSpanProcessor(ZipkinExporter(endpoint=url), max_queue_size=10**6))
        cases: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
            "kombu-zipkin": (_ours(Tracer("shop", transport, host=HOST)), lambda: transport.flush(60)),
            "OpenTelemetry, batch processor, Zipkin exporter": (_theirs(provider), provider.force_flush),
            "py_zipkin, HTTP in the request": (_py_zipkin(Posting(url)), lambda: None),
        }
        _compare(cases)
        provider.shutdown()
        transport.close(5)
        redis.close()


def _compare(cases: dict[str, tuple[Callable[[], object], Callable[[], object]]]) -> None:
    latency: dict[str, list[float]] = {name: [] for name in cases}
    p99: dict[str, list[float]] = {name: [] for name in cases}
    per_cpu: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(ROUNDS + 1):
        for name, (request, settle) in cases.items():
            cpu, times = time.process_time(), []
            for _ in range(REQUESTS):
                begun = time.perf_counter()
                request()
                times.append((time.perf_counter() - begun) * 1e6)
            settle()
            if number:
                per_cpu[name].append(REQUESTS * 4 / (time.process_time() - cpu))
                latency[name].append(percentile(times, 0.5))
                p99[name].append(percentile(times, 0.99))
    for name in cases:
        row(f"request of 4 spans, {name}: p50", latency[name], "", "us")
        row(f"request of 4 spans, {name}: p99", p99[name], "", "us")
        row(f"spans a second of CPU, {name}", per_cpu[name], "", "spans/s")


def _ours(tracer: Tracer) -> Callable[[], object]:
    def request() -> None:
        with tracer.root("get /"):
            for _ in range(3):
                with tracer.child("do_stuff"):
                    pass

    return request


def _theirs(provider: TracerProvider) -> Callable[[], object]:
    tracer = provider.get_tracer("shop")

    def request() -> None:
        with tracer.start_as_current_span("get /"):
            for _ in range(3):
                with tracer.start_as_current_span("do_stuff"):
                    pass

    return request


def _py_zipkin(transport: Posting) -> Callable[[], object]:
    def request() -> None:
        with zipkin_span(
            "shop",
            span_name="get /",
            transport_handler=transport,
            sample_rate=100,
            host=HOST,
            encoding=Encoding.V2_JSON,
        ):
            for _ in range(3):
                with zipkin_span("shop", span_name="do_stuff", host=HOST):
                    pass

    return request
