"""Every metric of the programs, on one page. ``docs/operations.md`` explains each."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST

_TRANSPORT: Final = "redis"
"""This collector's name beside Zipkin's own: http, kafka, rabbitmq and others."""

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class SpanNumbers(Protocol):
    """A transport's counts, in spans."""

    @property
    def created(self) -> int: ...
    @property
    def acknowledged(self) -> int: ...
    @property
    def held(self) -> int: ...
    @property
    def dropped(self) -> Mapping[str, int]: ...
    @property
    def clipped(self) -> int: ...


class Metrics:
    """The metrics of one program. Any thread may count.

    Each program makes one and uses its part of it; what a program never touches stays at zero.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.jobs_published = self._counter("jobs_published", "Jobs the queue has taken.", "task")
        self.jobs_refused = self._counter("jobs_refused", "Jobs not taken, by reason.", "reason")
        self.jobs_finished = self._counter("jobs_finished", "Attempts that ended, by outcome.", "task", "outcome")
        self.job_wait = self._histogram("job_wait_seconds", "From publishing to the start of the task.")
        self.job_run = self._histogram("job_run_seconds", "From the start of the task to its end.", "task")
        self.jobs_running = self._gauge("jobs_running", "Tasks running now.")
        self.jobs_started = self._counter("jobs_started", "Attempts that began.", "task")
        self.jobs_lost = self._counter("jobs_lost", "Attempts that ended with their worker, told by their successors.")
        self.leases_lost = self._counter("leases_lost", "Jobs finished after their lease; they ran again elsewhere.")
        self.jobs_delayed = self._gauge("jobs_delayed", "Jobs that wait for their time, of all workers.")
        self.jobs_claimed = self._gauge("jobs_claimed", "Jobs in the hands of all workers.")
        self.queue_waiting = self._gauge("queue_waiting_jobs", "Jobs in a queue.", "queue")
        self.queue_oldest = self._gauge("queue_oldest_seconds", "How long a queue's next job has waited.", "queue")
        self.queue_dead = self._gauge("queue_dead_letters", "Dead letters of a queue.", "queue")
        self.collector_messages = self._collector("messages", "Stream entries settled.")
        self.collector_messages_dropped = self._collector("messages_dropped", "Of these, entries nobody can read.")
        self.collector_bytes = self._collector("bytes", "Compressed bytes in them.")
        self.collector_spans = self._collector("spans", "Spans Zipkin has accepted.")
        self._collector_spans_dropped = Counter(
            "zipkin_collector_spans_dropped",
            "Spans made dead letters, by cause.",
            ("transport", "cause"),
            registry=self._registry,
        )
        self.relay_posts = self._counter("relay_posts", "POSTs to Zipkin, by outcome.", "outcome")
        self.relay_post_seconds = self._histogram("relay_post_seconds", "Duration of a POST.")
        self.relay_delay = self._histogram(
            "relay_delay_seconds", "From hand-over to settled, of the oldest in each POST."
        )
        self.relay_oldest = self._gauge("relay_oldest_unsettled_seconds", "Age of the oldest entry in the stream.")
        self.not_stored = self._gauge("accepted_not_stored_spans", "Accepted by Zipkin over HTTP, then dropped by it.")

    def collector_spans_dropped(self, cause: str, spans: int) -> None:
        """Count spans that became dead letters."""
        self._collector_spans_dropped.labels(_TRANSPORT, cause).inc(spans)

    def watch_spans(self, counts: Callable[[], SpanNumbers]) -> None:
        """Show a transport's counts, read whenever the page is."""
        self._registry.register(_SpanCollector(counts))

    def page(self) -> bytes:
        """Return the page in Prometheus's text format."""
        return generate_latest(self._registry)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"kombu_zipkin_{name}", meaning, labels, registry=self._registry)

    def _collector(self, name: str, meaning: str) -> Counter:
        """Make a counter by the name that Zipkin's own collectors give it."""
        return Counter(f"zipkin_collector_{name}", meaning, ("transport",), registry=self._registry).labels(_TRANSPORT)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(f"kombu_zipkin_{name}", meaning, labels, registry=self._registry)

    def _histogram(self, name: str, meaning: str, *labels: str) -> Histogram:
        return Histogram(f"kombu_zipkin_{name}", meaning, labels, buckets=_SECONDS, registry=self._registry)


class _SpanCollector(Collector):
    def __init__(self, counts: Callable[[], SpanNumbers]) -> None:
        self._counts = counts

    def collect(self) -> Iterable[Metric]:
        counts = self._counts()
        totals = {
            "created": (counts.created, "Spans handed over to the transport."),
            "acknowledged": (counts.acknowledged, "Spans in batches that Redis acknowledged."),
            "clipped": (counts.clipped, "Spans sent with tag values cut."),
        }
        for name, (spans, meaning) in totals.items():
            yield CounterMetricFamily(f"kombu_zipkin_spans_{name}", meaning, spans)
        yield GaugeMetricFamily("kombu_zipkin_spans_held", "Spans that wait in this process.", counts.held)
        drops = CounterMetricFamily("kombu_zipkin_spans_dropped", "Spans dropped, by cause.", labels=["cause"])
        for cause, spans in counts.dropped.items():
            drops.add_metric([cause], spans)
        yield drops
