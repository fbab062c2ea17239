"""Every metric of the programs, on one page. ``docs/operations.md`` explains each."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, Protocol

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST

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


class Metrics:
    """The metrics of one program. Any thread may count.

    Each program makes one and uses its part of it; what a program never touches stays at zero.
    """

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self.jobs_published = Counter(
            "kombu_zipkin_jobs_published", "Jobs the queue has taken.", ["task"], registry=registry
        )
        self.jobs_refused = Counter(
            "kombu_zipkin_jobs_refused", "Jobs not taken, by reason.", ["reason"], registry=registry
        )
        self.jobs_finished = Counter(
            "kombu_zipkin_jobs_finished",
            "Attempts that ended, by task and outcome.",
            ["task", "outcome"],
            registry=registry,
        )
        self.job_wait = Histogram(
            "kombu_zipkin_job_wait_seconds",
            "From publishing to the start of the task.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.job_run = Histogram(
            "kombu_zipkin_job_run_seconds",
            "From the start of the task to its end.",
            ["task"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.jobs_running = Gauge("kombu_zipkin_jobs_running", "Tasks running now.", registry=registry)
        self.relay_entries = Counter("kombu_zipkin_relay_entries_settled", "Stream entries settled.", registry=registry)
        self.relay_spans = Counter(
            "kombu_zipkin_relay_spans_delivered", "Spans Zipkin has accepted.", registry=registry
        )
        self.relay_bytes = Counter(
            "kombu_zipkin_relay_bytes_posted", "Compressed bytes Zipkin has accepted.", registry=registry
        )
        self.relay_dead = Counter(
            "kombu_zipkin_relay_spans_dead", "Spans made dead letters, by reason.", ["reason"], registry=registry
        )
        self.relay_posts = Counter(
            "kombu_zipkin_relay_posts", "POSTs to Zipkin, by outcome.", ["outcome"], registry=registry
        )
        self.relay_post_seconds = Histogram(
            "kombu_zipkin_relay_post_seconds", "Duration of a POST.", buckets=_SECONDS, registry=registry
        )
        self.relay_delay = Histogram(
            "kombu_zipkin_relay_delay_seconds",
            "From hand-over of a batch's oldest span to Zipkin's answer.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.relay_oldest = Gauge(
            "kombu_zipkin_relay_oldest_unsettled_seconds",
            "Age of the oldest entry this relay holds.",
            registry=registry,
        )

    def watch_spans(self, counts: Callable[[], SpanNumbers]) -> None:
        """Show a transport's counts, read whenever the page is."""
        self._registry.register(_SpanCollector(counts))

    def page(self) -> bytes:
        """Return the page in Prometheus's text format."""
        return generate_latest(self._registry)


class _SpanCollector(Collector):
    def __init__(self, counts: Callable[[], SpanNumbers]) -> None:
        self._counts = counts

    def collect(self) -> Iterable[Metric]:
        return self._families()

    def _families(self) -> Iterator[Metric]:
        counts = self._counts()
        yield CounterMetricFamily("kombu_zipkin_spans_created", "Spans handed over to the transport.", counts.created)
        yield CounterMetricFamily(
            "kombu_zipkin_spans_acknowledged", "Spans in batches that Redis acknowledged.", counts.acknowledged
        )
        yield GaugeMetricFamily("kombu_zipkin_spans_held", "Spans that wait in this process.", counts.held)
        drops = CounterMetricFamily("kombu_zipkin_spans_dropped", "Spans dropped, by cause.", labels=["cause"])
        for cause, spans in counts.dropped.items():
            drops.add_metric([cause], spans)
        yield drops
